"""What people did in PagerDuty, asked of the REST API: for where webhooks cannot reach, and for those that got lost."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from quell.errors import BadPayload, Refused
from quell.model.records import CommandRecord
from quell.model.times import format_time, parse_time
from quell.sdk.connector import Pulled
from quell.sdk.json_api import part
from quell.sdk.moments import read_moment
from quell_connectors.pagerduty.client import Rest
from quell_connectors.pagerduty.webhooks import Agent, Reference, noted, stands

OVERLAP_S = 60.0
"""Asked again each time: entries may show up late. What is told twice is taken once."""
LOG_S = 2 * 86_400.0
"""So far back the log is read; beyond it only how things stand now."""
ALL_S = 30 * 86_400.0
"""Incidents made before are left as they are."""
_PAGE = 100
_MOST_PAGES = 50
_TIMEOUT_S = 20.0
_MOST_KNOWN = 1000
_NOW = {"triggered": "open", "acknowledged": "acknowledged", "resolved": "resolved"}
_TRIGGERED = "trigger_log_entry"
_STATUSES = {
    _TRIGGERED: "open",
    "acknowledge_log_entry": "acknowledged",
    "unacknowledge_log_entry": "open",
    "reopen_log_entry": "open",
    "resolve_log_entry": "resolved",
}


class _Channel(msgspec.Struct, frozen=True):
    summary: str | None = None
    content: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """An entry of PagerDuty's log. ``incident`` is whole, as it was asked for."""

    id: str
    type: str
    created_at: str
    agent: Agent | None = None
    incident: Reference | None = None
    channel: _Channel | None = None


class _Entries(msgspec.Struct, frozen=True):
    log_entries: list[Entry]
    more: bool = False


class Standing(msgspec.Struct, frozen=True):
    """An incident as it stands there."""

    id: str
    status: str
    created_at: str
    incident_key: str | None = None
    last_status_change_at: str | None = None
    last_status_change_by: Agent | None = None


class _Standing(msgspec.Struct, frozen=True):
    incidents: list[Standing]
    more: bool = False


class _User(msgspec.Struct, frozen=True):
    user: Agent


class Watch:
    """Asks again and again; remembers whose e-mail address is which, as the log names people by id."""

    def __init__(self, rest: Rest, source: str) -> None:
        self._rest = rest
        self._source = source
        self._known: dict[str, Agent] = {}

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """Records of what happened since the cursor, oldest first.

        Without a cursor, or after a time of which the log is long, how each incident stands now.
        """
        until = format_time(now)
        try:
            last = parse_time(cursor) if cursor is not None else None
        except ValueError:
            last = None
        if last is None or now - last > LOG_S:
            return Pulled(tuple(await self._all(now)), until)
        entries = await self._entries(format_time(last - OVERLAP_S), until)
        if entries is None:
            return Pulled(tuple(await self._all(now)), until)
        return Pulled(_records([await self._with_email(one) for one in entries], self._source, now), until)

    async def _entries(self, since: str, until: str) -> list[Entry] | None:
        """The log of that time; None when it is too long, as it is told newest first."""
        found: list[Entry] = []
        asked = {"since": since, "until": until, "include[]": ["incidents", "channels"], "limit": _PAGE}
        for _ in range(_MOST_PAGES):
            page = await self._rest.get("/log_entries", {**asked, "offset": len(found)}, _Entries, _TIMEOUT_S)
            found += page.log_entries
            if not page.more or not page.log_entries:
                return found
        return None

    async def _all(self, now: float) -> list[CommandRecord]:
        """How incidents stand; those that are not ours the core leaves aside.

        PagerDuty asks when they were made, not when they changed: what was taken lately may be old.
        """
        found: list[Standing] = []
        since = format_time(now - ALL_S)
        asked = {"since": since, "until": format_time(now), "statuses[]": list(_NOW), "limit": _PAGE}
        for _ in range(_MOST_PAGES):
            page = await self._rest.get("/incidents", {**asked, "offset": len(found)}, _Standing, _TIMEOUT_S)
            found += page.incidents
            if not page.more or not page.incidents:
                break
        records = [_stands_now(one, await self._named(one.last_status_change_by), self._source, now) for one in found]
        return sorted((one for one in records if one is not None), key=lambda record: record.at)

    async def _with_email(self, entry: Entry) -> Entry:
        return replace(entry, agent=await self._named(entry.agent))

    async def _named(self, agent: Agent | None) -> Agent | None:
        """A person with the e-mail address, by which people.yaml may know them. Of who is gone the id stays."""
        if agent is None or not agent.is_user or agent.email or not agent.id:
            return agent
        if agent.id not in self._known:
            try:
                user = (await self._rest.get(f"/users/{part(agent.id)}", {}, _User, _TIMEOUT_S)).user
            except (Refused, BadPayload):
                user = agent
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[agent.id] = replace(agent, email=user.email, name=user.name or agent.name)
        return self._known[agent.id]


def _stands_now(one: Standing, agent: Agent | None, source: str, now: float) -> CommandRecord | None:
    changed = one.last_status_change_at or one.created_at
    at = _second(one.id, changed)
    status = _NOW.get(one.status)
    if at is None or status is None:
        return None
    there = Reference(one.id, one.incident_key)
    return stands(source, agent, status, there, at=at, seen=now, new=status == "open" and changed == one.created_at)


def _records(entries: list[Entry], source: str, now: float) -> list[CommandRecord]:
    """The newest entry comes first in the log. Of several in one second that say how one stands the last counts."""
    kept: dict[str, CommandRecord] = {}
    for entry in reversed(entries):
        record = _record(entry, source, now)
        if record is None:
            continue
        place = record.id if record.args["status"] == "note" else f"{record.args['there']}/{int(record.at)}"
        kept.pop(place, None)
        kept[place] = record
    return sorted(kept.values(), key=lambda record: record.at)


def _record(entry: Entry, source: str, now: float) -> CommandRecord | None:
    there, at = entry.incident, _second(f"log entry {entry.id}", entry.created_at)
    if there is None or at is None:
        return None
    if entry.type in _STATUSES:
        new = entry.type == _TRIGGERED
        return stands(source, entry.agent, _STATUSES[entry.type], there, at=at, seen=now, new=new)
    if entry.type == "annotate_log_entry" and entry.channel is not None:
        text = entry.channel.content or entry.channel.summary or ""
        return noted(source, entry.agent, text, there, at=at, seen=now, token=entry.id)
    return None


def _second(what: str, told: str) -> float | None:
    """When it was. Raises `BadPayload`."""
    try:
        at = read_moment(told)
    except ValueError as error:
        raise BadPayload(f"{what}: {error}") from error
    if at is not None and at == int(at):
        at += 0.999  # the API counts whole seconds, webhooks a thousandth: what is told in both is not to seem older
    return at
