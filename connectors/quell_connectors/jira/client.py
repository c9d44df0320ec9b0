"""The calls to Jira's REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.errors import Refused
from quell.sdk.json_api import JsonApi, part
from quell.sdk.pictures import Png
from quell.sdk.ticket_text import Draft
from quell.sdk.tickets import Ticket
from quell_connectors.jira.document import document, text_of
from quell_connectors.jira.translate import (
    LIMITS,
    Comments,
    Form,
    Found,
    Issue,
    Kinds,
    Person,
    Transition,
    Transitions,
    Wanted,
    label,
    one_of,
    quoted,
    ticket_of,
)

_FIELDS = "summary,description,labels,status"
_PAGE = 50
_MOST_PAGES = 3
_OURS = frozenset({"project", "issuetype", "summary", "description", "labels", "priority", "assignee", "reporter"})


class JiraDesk:
    """A project of a Jira, for one call."""

    limits = LIMITS

    def __init__(self, api: JsonApi, options: Mapping[str, Any], params: Mapping[str, Any], timeout_s: float) -> None:
        self._api = api
        self._cloud = options.get("edition") != "data_center"
        self._root = "/rest/api/3" if self._cloud else "/rest/api/2"
        self._options = options
        self._params = params
        self._timeout_s = timeout_s
        self._known: dict[str, Any] = {}
        self.where = str(params.get("project") or options.get("project") or "")
        if not self.where and not params.get("id"):
            raise Refused('jira needs a "project", in the step or as the source\'s option; nothing was asked')

    async def ready(self, draft: Draft) -> None:
        """Looks at the form for a new issue: its type, its priorities, and what it asks for besides."""
        known: dict[str, Any] = dict(self._params.get("fields") or {})
        kind = str(self._params.get("type") or self._options.get("type") or "Task")
        place = f"{self._root}/issue/createmeta/{part(self.where)}/issuetypes"
        query = {"maxResults": "200"}
        kinds = await self._api.ask_for(place, Kinds, timeout_s=self._timeout_s, query=query)
        form: Form | None = None
        if kinds is not None:  # Jira before 8.4 has no such form to show
            there = kinds.all
            kind = one_of([one.name for one in there], kind, f"type of issue for {self.where}")
            number = next(one.id for one in there if one.name == kind)
            form = await self._api.ask_for(f"{place}/{part(number)}", Form, timeout_s=self._timeout_s, query=query)
        known["issuetype"] = {"name": kind}
        mapped = str((self._options.get("priorities") or {}).get(draft.severity) or "")
        if draft.priority or (mapped and _takes_priority(form)):
            known["priority"] = {"name": _priority(form, draft.priority or mapped, self.where)}
        if draft.assign:
            known["assignee"] = await self._person(draft.assign)
        self._known = known
        missing = [field.name for field in _asked(form) if field.field_id not in _OURS and field.field_id not in known]
        if missing:
            raise Refused(f'{self.where} wants more of a new {kind}: {", ".join(missing)}; give them in "fields"')

    async def find(self, mark: str) -> Ticket | None:
        """By label, in Jira's search index, which lags behind by seconds."""
        query = {
            "jql": f"project = {quoted(self.where)} AND labels = {quoted(mark)} AND statusCategory != Done "
            "ORDER BY created DESC",
            "fields": _FIELDS,
            "maxResults": "10",
        }
        path = f"{self._root}/search/jql" if self._cloud else f"{self._root}/search"
        found = await self._api.ask(
            "GET", path, Found, timeout_s=self._timeout_s, query=query, about=f"project {self.where}"
        )
        for issue in found.issues:
            # The index may still show an issue as it was before it was closed or its label taken away.
            ticket = await self.get(issue.key)
            if ticket is not None and ticket.is_open and mark in ticket.said:
                return ticket
        return None

    async def get(self, number: str) -> Ticket | None:
        """By key, which does not lag."""
        issue = await self._api.ask_for(
            self._issue(number), Issue, timeout_s=self._timeout_s, query={"fields": _FIELDS}
        )
        return None if issue is None else ticket_of(issue, self._api.url)

    async def open(self, draft: Draft) -> Ticket:
        """A new issue."""
        fields = {
            **self._known,
            "project": {"key": self.where},
            "summary": draft.title,
            "description": self._written(draft.body),
            "labels": [draft.mark, *(label(one) for one in draft.labels)],
        }
        made = await self._api.ask(
            "POST",
            f"{self._root}/issue",
            Issue,
            timeout_s=self._timeout_s,
            json={"fields": fields},
            about=f"project {self.where}",
        )
        return ticket_of(made, self._api.url)

    async def update(self, ticket: Ticket, draft: Draft) -> None:
        """Summary, description and priority; labels stay."""
        changed = {name: self._known[name] for name in ("priority",) if name in self._known}
        fields = {"summary": draft.title, "description": self._written(draft.body), **changed}
        await self._api.do("PUT", self._issue(ticket.id), timeout_s=self._timeout_s, json={"fields": fields})

    async def heard(self, ticket: Ticket, mark: str) -> bool:
        """Looks through the newest comments."""
        for page in range(_MOST_PAGES):
            query = {"orderBy": "-created", "maxResults": str(_PAGE), "startAt": str(page * _PAGE)}
            path = f"{self._issue(ticket.id)}/comment"
            found = await self._api.ask("GET", path, Comments, timeout_s=self._timeout_s, query=query)
            if any(mark in text_of(comment.body) for comment in found.comments):
                return True
            if (page + 1) * _PAGE >= found.total:
                break
        return False

    async def comment(self, ticket: Ticket, text: str, mark: str) -> None:  # noqa: ARG002 -- the text has it
        """One more comment."""
        path = f"{self._issue(ticket.id)}/comment"
        await self._api.do("POST", path, timeout_s=self._timeout_s, json={"body": self._written(text)})

    async def attach(self, ticket: Ticket, picture: Png) -> None:
        """A file of the issue."""
        await self._api.attach(
            f"{self._issue(ticket.id)}/attachments",
            picture.name,
            picture.png,
            timeout_s=self._timeout_s,
            headers={"X-Atlassian-Token": "no-check"},
        )

    async def close(self, ticket: Ticket) -> None:
        """Takes the way out that the workflow has from where the issue stands."""
        path = f"{self._issue(ticket.id)}/transitions"
        ways = (await self._api.ask("GET", path, Transitions, timeout_s=self._timeout_s)).transitions
        wanted = str(self._options.get("close_transition") or "").casefold()
        chosen = next((way for way in ways if _closes(way, wanted)), None)
        if chosen is None:
            there = ", ".join(f'"{way.name}" (to {way.to.name})' for way in ways[:20]) or "none"
            raise Refused(f"no transition closes {ticket.id} from where it stands; this user may take: {there}")
        await self._api.do("POST", path, timeout_s=self._timeout_s, json={"transition": {"id": chosen.id}})

    async def _person(self, name: str) -> dict[str, str]:
        query = {"project": self.where, "query" if self._cloud else "username": name, "maxResults": "50"}
        path = f"{self._root}/user/assignable/search"
        people = await self._api.ask("GET", path, list[Person], timeout_s=self._timeout_s, query=query)
        exact = [one for one in people if name.casefold() in one.names]
        found = exact or people
        if len(found) != 1:
            there = ", ".join(one.display_name for one in found[:10]) or "nobody"
            raise Refused(f'"{name}" is not one person whom issues of {self.where} can be assigned to; found: {there}')
        return {"accountId": found[0].account_id} if self._cloud else {"name": found[0].name}

    def _written(self, text: str) -> Any:
        return document(text) if self._cloud else text

    def _issue(self, number: str) -> str:
        return f"{self._root}/issue/{part(number)}"


def _asked(form: Form | None) -> list[Wanted]:
    return [field for field in (form.all if form is not None else ()) if field.required and not field.has_default_value]


def _takes_priority(form: Form | None) -> bool:
    return form is None or any(field.field_id == "priority" for field in form.all)


def _priority(form: Form | None, wanted: str, where: str) -> str:
    if not _takes_priority(form):
        raise Refused(f'{where} has no priority in its form for new issues; leave "priority" out')
    field = next((field for field in (form.all if form is not None else ()) if field.field_id == "priority"), None)
    if field is None or not field.choices:
        return wanted
    return one_of(field.choices, wanted, f"priority for {where}")


def _closes(way: Transition, wanted: str) -> bool:
    if wanted:
        return wanted in {way.name.casefold(), way.to.name.casefold()}
    return way.to.category.key == "done"
