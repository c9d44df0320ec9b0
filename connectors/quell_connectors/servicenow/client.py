"""The calls to ServiceNow's Table API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from quell.errors import Refused
from quell.sdk.json_api import JsonApi, part
from quell.sdk.ticket_text import Draft
from quell.sdk.tickets import Ticket
from quell_connectors.servicenow.translate import (
    FIELDS,
    LIMITS,
    Ids,
    One,
    Record,
    Some,
    harmless,
    rank_of,
    ticket_of,
    value,
)

_TABLE = re.compile(r"[a-z0-9_]+")
_CLOSED = ("6", "7", "8")
_CLOSING = {"state": "6", "close_code": "Solved (Permanently)", "close_notes": "Closed by quell."}


class ServiceNowDesk:
    """A table of an instance, for one call."""

    limits = LIMITS

    def __init__(self, api: JsonApi, options: Mapping[str, Any], params: Mapping[str, Any], timeout_s: float) -> None:
        self._api = api
        self._options = options
        self._params = params
        self._timeout_s = timeout_s
        self._ids: dict[str, str] = {}
        self._known: dict[str, Any] = {}
        self._closed = frozenset(str(state) for state in options.get("closed_states") or _CLOSED)
        self._notes = str(options.get("comment_field") or "work_notes")
        self.where = str(params.get("table") or options.get("table") or "incident")
        if not _TABLE.fullmatch(self.where):
            raise Refused(f'"{self.where}" is no name of a table; nothing was asked')

    async def ready(self, draft: Draft) -> None:
        """Impact and urgency, and the ids of people and groups."""
        known: dict[str, Any] = dict(self._params.get("fields") or {})
        mapped = (self._options.get("priorities") or {}).get(draft.severity)
        known |= rank_of(draft.priority or str(mapped or ""))
        if draft.assign:
            name = value(draft.assign)
            known["assigned_to"] = await self._id("sys_user", f"user_name={name}^ORemail={name}", "user", name)
        group = value(str(self._params.get("group") or ""))
        if group:
            known["assignment_group"] = await self._id("sys_user_group", f"name={group}", "group", group)
        self._known = known

    async def find(self, mark: str) -> Ticket | None:
        """By correlation id, which nothing in the table keeps unique: the oldest open one counts."""
        closed = ",".join(sorted(self._closed))
        asked = f"correlation_id={mark}^active=true^stateNOT IN{closed}^ORDERBYsys_created_on"
        # A condition that ServiceNow does not understand it leaves out: what comes is looked at again.
        found = [ticket for ticket in await self._query(asked) if mark in ticket.said and ticket.is_open]
        return found[0] if found else None

    async def get(self, number: str) -> Ticket | None:
        """By number."""
        found = await self._query(f"number={value(number)}")
        return next((ticket for ticket in found if ticket.id == number), None)

    async def open(self, draft: Draft) -> Ticket:
        """A new record."""
        own = {"correlation_id": draft.mark, "correlation_display": "quell"}
        body = {**self._known, "short_description": draft.title, "description": draft.body, **own}
        made = await self._api.ask("POST", self._table(self.where), One, timeout_s=self._timeout_s, json=body)
        return self._ticket(made.result)

    async def update(self, ticket: Ticket, draft: Draft) -> None:
        """Short description, description, impact and urgency."""
        ranks: dict[str, Any] = {name: self._known[name] for name in ("impact", "urgency") if name in self._known}
        await self._patch(ticket, {"short_description": draft.title, "description": draft.body, **ranks})

    async def heard(self, ticket: Ticket, mark: str) -> bool:
        """Looks through all work notes or comments, which come as one text."""
        query = {"sysparm_fields": f"sys_id,{self._notes}", "sysparm_display_value": "true"}
        found = await self._api.ask("GET", self._place(ticket), One, timeout_s=self._timeout_s, query=query)
        return mark in (found.result.work_notes if self._notes == "work_notes" else found.result.comments)

    async def comment(self, ticket: Ticket, text: str, mark: str) -> None:  # noqa: ARG002 -- the text has it
        """One more work note or comment."""
        await self._patch(ticket, {self._notes: harmless(text)})

    async def close(self, ticket: Ticket) -> None:
        """Sets the fields that close it, and looks whether they did: rules of the table may undo it."""
        changed = await self._patch(ticket, {**(self._options.get("close_fields") or _CLOSING)})
        if self._ticket(changed).is_open:
            raise Refused(f"ServiceNow left {ticket.id} open (state {changed.state}); see the option close_fields")

    async def _query(self, asked: str) -> list[Ticket]:
        query = {"sysparm_query": asked, "sysparm_fields": FIELDS, "sysparm_limit": "20"}
        found = await self._api.ask("GET", self._table(self.where), Some, timeout_s=self._timeout_s, query=query)
        return [self._ticket(record) for record in found.result]

    async def _id(self, table: str, asked: str, what: str, name: str) -> str:
        query = {"sysparm_query": asked, "sysparm_fields": "sys_id", "sysparm_limit": "2"}
        found = await self._api.ask("GET", self._table(table), Ids, timeout_s=self._timeout_s, query=query)
        if len(found.result) != 1:
            count = "more than one" if found.result else "no"
            raise Refused(f'ServiceNow has {count} {what} "{name}"')
        return found.result[0].sys_id

    async def _patch(self, ticket: Ticket, changed: Mapping[str, Any]) -> Record:
        place = self._place(ticket)
        return (await self._api.ask("PATCH", place, One, timeout_s=self._timeout_s, json=dict(changed))).result

    def _place(self, ticket: Ticket) -> str:
        return f"{self._table(self.where)}/{part(self._ids[ticket.id])}"

    def _ticket(self, record: Record) -> Ticket:
        ticket = ticket_of(record, self._api.url, self.where, self._closed)
        self._ids[ticket.id] = record.sys_id
        return ticket

    def _table(self, name: str) -> str:
        return f"/api/now/table/{name}"
