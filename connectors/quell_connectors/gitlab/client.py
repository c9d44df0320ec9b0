"""The calls to GitLab's REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.errors import Refused
from quell.sdk.json_api import JsonApi, part
from quell.sdk.ticket_text import Draft
from quell.sdk.tickets import Ticket
from quell_connectors.gitlab.translate import LIMITS, Issue, Note, Project, User, harmless, ticket_of

_PAGE = 50
"""Issues can be long, and an answer has 8 MB at most."""
_MOST_PAGES = 40
_MOST_NOTE_PAGES = 3


class GitLabDesk:
    """A project, for one call."""

    limits = LIMITS

    def __init__(self, api: JsonApi, options: Mapping[str, Any], params: Mapping[str, Any], timeout_s: float) -> None:
        self._api = api
        self._timeout_s = timeout_s
        self._severity_labels: Mapping[str, Any] = options.get("severity_labels") or {}
        self._confidential = bool(params.get("confidential"))
        self._own_only = bool(options.get("own_only"))
        self._assignee: int | None = None
        self.where = str(params.get("project") or options.get("project") or "").strip("/")
        if not self.where:
            raise Refused('gitlab needs a "project", in the step or as the source\'s option; nothing was asked')
        self._place = f"/api/v4/projects/{part(self.where)}"

    async def ready(self, draft: Draft) -> None:
        """Whether the project takes issues, and the number of whom they are assigned to."""
        project = await self._api.ask("GET", self._place, Project, timeout_s=self._timeout_s)
        if project.archived or not project.issues_enabled:
            why = "is archived" if project.archived else "has issues turned off"
            raise Refused(f"{self.where} {why}; nothing can be opened there")
        if draft.assign:
            name = draft.assign.removeprefix("@")
            users = await self._api.ask(
                "GET", "/api/v4/users", list[User], timeout_s=self._timeout_s, query={"username": name}
            )
            self._assignee = next((one.id for one in users if one.username.casefold() == name.casefold()), None)
            if self._assignee is None:
                raise Refused(f'GitLab knows no user "{name}"')

    async def find(self, mark: str) -> Ticket | None:
        """Looks through the open issues, newest first. GitLab's search need not see what is hidden."""
        scope = "created_by_me" if self._own_only else "all"
        asked = {"state": "opened", "scope": scope, "order_by": "created_at", "sort": "desc", "per_page": str(_PAGE)}
        for page in range(1, _MOST_PAGES + 1):
            query = {**asked, "page": str(page)}
            path = f"{self._place}/issues"
            issues = await self._api.ask("GET", path, list[Issue], timeout_s=self._timeout_s, query=query)
            tickets = [ticket for ticket in map(ticket_of, issues) if mark in ticket.said and ticket.is_open]
            if tickets or len(issues) < _PAGE:
                return tickets[0] if tickets else None
        raise Refused(
            f"{self.where} has more than {_PAGE * _MOST_PAGES} open issues, too many to look for the one of this key; "
            'set the option "own_only"; nothing was opened'
        )

    async def get(self, number: str) -> Ticket | None:
        """By its number in the project."""
        issue = await self._api.ask_for(self._issue(number), Issue, timeout_s=self._timeout_s)
        return None if issue is None else ticket_of(issue)

    async def open(self, draft: Draft) -> Ticket:
        """A new issue."""
        own = self._severity_labels.get(draft.severity)
        labels = [label.replace(",", " ") for label in (*draft.labels, *([str(own)] if own else []))]
        body: dict[str, Any] = {"title": draft.title, "description": harmless(draft.body)}
        body |= {"labels": ",".join(dict.fromkeys(labels))} if labels else {}
        body |= {"assignee_ids": [self._assignee]} if self._assignee is not None else {}
        body |= {"confidential": True} if self._confidential else {}
        made = await self._api.ask("POST", f"{self._place}/issues", Issue, timeout_s=self._timeout_s, json=body)
        return ticket_of(made)

    async def update(self, ticket: Ticket, draft: Draft) -> None:
        """Title and text."""
        await self._put(ticket, {"title": draft.title, "description": harmless(draft.body)})

    async def heard(self, ticket: Ticket, mark: str) -> bool:
        """Looks through the newest notes."""
        for page in range(1, _MOST_NOTE_PAGES + 1):
            query = {"sort": "desc", "order_by": "created_at", "per_page": str(_PAGE), "page": str(page)}
            path = f"{self._issue(ticket.id)}/notes"
            notes = await self._api.ask("GET", path, list[Note], timeout_s=self._timeout_s, query=query)
            if any(mark in (note.body or "") for note in notes):
                return True
            if len(notes) < _PAGE:
                break
        return False

    async def comment(self, ticket: Ticket, text: str, mark: str) -> None:  # noqa: ARG002 -- the text has it
        """One more note."""
        body = {"body": harmless(text)}
        await self._api.do("POST", f"{self._issue(ticket.id)}/notes", timeout_s=self._timeout_s, json=body)

    async def close(self, ticket: Ticket) -> None:
        """Sets the state."""
        await self._put(ticket, {"state_event": "close"})

    async def _put(self, ticket: Ticket, changed: Mapping[str, str]) -> None:
        await self._api.do("PUT", self._issue(ticket.id), timeout_s=self._timeout_s, json=dict(changed))

    def _issue(self, number: str) -> str:
        return f"{self._place}/issues/{part(number)}"
