"""The calls to Redmine's REST API."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from quell.errors import Refused
from quell.sdk.json_api import JsonApi, part
from quell.sdk.ticket_text import Draft
from quell.sdk.tickets import Ticket
from quell_connectors.redmine.translate import (
    LIMITS,
    Issue,
    Memberships,
    Named,
    One,
    Page,
    Priorities,
    Statuses,
    Trackers,
    Users,
    body_of,
    numbered,
    ticket_of,
)

_PAGE = 100
_MOST_PAGES = 10


class RedmineDesk:
    """A project of a Redmine, for one call."""

    limits = LIMITS

    def __init__(self, api: JsonApi, options: Mapping[str, Any], params: Mapping[str, Any], timeout_s: float) -> None:
        self._api = api
        self._options = options
        self._params = params
        self._timeout_s = timeout_s
        self._key_field: int | None = options.get("key_field")
        self._known: dict[str, Any] = {}
        self.where = str(params.get("project") or options.get("project") or "")
        if not self.where and not params.get("id"):
            raise Refused('redmine needs a "project", in the step or as the source\'s option; nothing was asked')

    async def ready(self, draft: Draft) -> None:
        """Tracker, priority and assignee by number."""
        known: dict[str, Any] = dict(self._params.get("fields") or {})
        tracker = str(self._params.get("tracker") or self._options.get("tracker") or "")
        if tracker:
            found = await self._api.ask("GET", "/trackers.json", Trackers, timeout_s=self._timeout_s)
            known["tracker_id"] = numbered(found.trackers, tracker, "tracker")
        mapped = (self._options.get("priorities") or {}).get(draft.severity)
        priority = draft.priority or str(mapped or "")
        if priority:
            listed = await self._api.ask(
                "GET", "/enumerations/issue_priorities.json", Priorities, timeout_s=self._timeout_s
            )
            known["priority_id"] = numbered(listed.issue_priorities, priority, "priority")
        if draft.assign:
            known["assigned_to_id"] = await self._person(draft.assign)
        self._known = {"project_id": self.where, **known}

    async def find(self, mark: str) -> Ticket | None:
        """Looks through the open issues that Redmine's filter finds; old ones of it do not filter by description."""
        asked = {"project_id": self.where, "status_id": "open", "sort": "created_on:desc", "limit": str(_PAGE)}
        asked |= {f"cf_{self._key_field}": mark} if self._key_field is not None else {"description": f"~{mark}"}
        for number in range(_MOST_PAGES):
            query = {**asked, "offset": str(number * _PAGE)}
            page = await self._api.ask(
                "GET", "/issues.json", Page, timeout_s=self._timeout_s, query=query, about=f'project "{self.where}"'
            )
            for issue in page.issues:
                ticket = self._ticket(issue)
                if mark in ticket.said and ticket.is_open:
                    return ticket
            if (number + 1) * _PAGE >= page.total_count or not page.issues:
                return None
        seen = _PAGE * _MOST_PAGES
        raise Refused(
            f"{self.where} has more than {seen} open issues and Redmine did not filter them by description; "
            'set the option "key_field"; nothing was opened'
        )

    async def get(self, number: str) -> Ticket | None:
        """By number."""
        found = await self._api.ask_for(f"/issues/{part(number)}.json", One, timeout_s=self._timeout_s)
        return None if found is None else self._ticket(found.issue)

    async def open(self, draft: Draft) -> Ticket:
        """A new issue."""
        body = body_of(draft, self._known, self._key_field)
        made = await self._api.ask(
            "POST", "/issues.json", One, timeout_s=self._timeout_s, json=body, about=f'project "{self.where}"'
        )
        return self._ticket(made.issue)

    async def update(self, ticket: Ticket, draft: Draft) -> None:
        """Subject, description and priority."""
        changed = {name: self._known[name] for name in ("priority_id",) if name in self._known}
        await self._put(ticket, {"subject": draft.title, "description": draft.body, **changed})

    async def heard(self, ticket: Ticket, mark: str) -> bool:
        """Looks through the issue's notes, which Redmine gives all at once."""
        found = await self._api.ask(
            "GET",
            f"/issues/{part(ticket.id)}.json",
            One,
            timeout_s=self._timeout_s,
            query={"include": "journals"},
        )
        return any(mark in (journal.notes or "") for journal in found.issue.journals)

    async def comment(self, ticket: Ticket, text: str, mark: str) -> None:  # noqa: ARG002 -- the text has it
        """A note."""
        await self._put(ticket, {"notes": text})

    async def close(self, ticket: Ticket) -> None:
        """Looks afterwards: Redmine says nothing of a status that its workflow does not let this user set."""
        listed = await self._api.ask("GET", "/issue_statuses.json", Statuses, timeout_s=self._timeout_s)
        closing = [status for status in listed.issue_statuses if status.is_closed]
        wanted = str(self._options.get("closed_status") or "")
        status = numbered(closing, wanted, "closed status") if wanted else _first(closing)
        await self._put(ticket, {"status_id": status})
        left = await self.get(ticket.id)
        if left is not None and left.is_open:
            raise Refused(f"Redmine left {ticket.name} open: its workflow lets this user not set status {status}")

    async def _put(self, ticket: Ticket, issue: Mapping[str, Any]) -> None:
        await self._api.do("PUT", f"/issues/{part(ticket.id)}.json", timeout_s=self._timeout_s, json={"issue": issue})

    async def _person(self, name: str) -> int:
        if name.isdecimal():
            return int(name)
        found = await self._api.ask(
            "GET",
            f"/projects/{part(self.where)}/memberships.json",
            Memberships,
            timeout_s=self._timeout_s,
            query={"limit": str(_PAGE)},
        )
        members = [one for each in found.memberships for one in (each.user, each.group) if one is not None]
        if any(name.casefold() == one.name.casefold() for one in members):
            return numbered(members, name, "member")
        with suppress(Refused):  # logins are shown to administrators only
            query = {"name": name, "limit": str(_PAGE)}
            users = await self._api.ask("GET", "/users.json", Users, timeout_s=self._timeout_s, query=query)
            for user in users.users:
                if user.login.casefold() == name.casefold():
                    return user.id
        return numbered(members, name, "member")

    def _ticket(self, issue: Issue) -> Ticket:
        return ticket_of(issue, self._api.url, self._key_field)


def _first(closing: list[Named]) -> int:
    if not closing:
        raise Refused("Redmine has no status that counts as closed; nothing was closed")
    return closing[0].id
