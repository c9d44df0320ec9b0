"""What people did in PagerDuty, asked of the REST API: for where webhooks cannot reach, and for those that got lost."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from quell.errors import BadPayload
from quell.model.records import CommandRecord
from quell.model.times import format_time, parse_time
from quell.sdk.connector import Pulled
from quell.sdk.moments import read_moment
from quell_connectors.pagerduty.client import Rest
from quell_connectors.pagerduty.webhooks import Agent, Reference, noted, stands

OVERLAP_S = 60.0
"""Asked again each time: entries may show up late. What is told twice is taken once."""
_PAGE = 100
_MOST_PAGES = 50
_TIMEOUT_S = 20.0
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


async def watched(rest: Rest, source: str, cursor: str | None, now: float) -> Pulled:
    """Records of what happened since the cursor, oldest first; the first time nothing, as it was before our time."""
    until = format_time(now)
    if cursor is None:
        return Pulled((), until)
    try:
        since = format_time((parse_time(cursor) or now) - OVERLAP_S)
    except ValueError:
        return Pulled((), until)
    found: list[Entry] = []
    for _ in range(_MOST_PAGES):
        path = (
            f"/log_entries?since={quote(since, safe='')}&until={quote(until, safe='')}&include%5B%5D=incidents"
            f"&include%5B%5D=channels&limit={_PAGE}&offset={len(found)}"
        )
        page = await rest.api.ask("GET", path, _Entries, timeout_s=_TIMEOUT_S)
        found += page.log_entries
        if not page.more or not page.log_entries:
            break
    return Pulled(_records(found, source, now), until)


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
    there = entry.incident
    try:
        at = read_moment(entry.created_at)
    except ValueError as error:
        raise BadPayload(f"log entry {entry.id}: created_at: {error}") from error
    if there is None or at is None:
        return None
    if at == int(at):
        at += 0.999  # the log counts whole seconds, webhooks a thousandth: what is told in both is not to seem older
    if entry.type in _STATUSES:
        new = entry.type == _TRIGGERED
        return stands(source, entry.agent, _STATUSES[entry.type], there, at=at, seen=now, new=new)
    if entry.type == "annotate_log_entry" and entry.channel is not None:
        text = entry.channel.content or entry.channel.summary or ""
        return noted(source, entry.agent, text, there, at=at, seen=now, token=entry.id)
    return None
