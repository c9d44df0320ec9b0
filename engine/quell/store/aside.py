"""Rows of the quarantine: what could not be read, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from quell.model.records import AnyRecord, CommandRecord
from quell.store.port import DROP, REPLAY, Quarantined, QuarantineState
from quell.store.tables import QUARANTINE

_KEEP = insert(QUARANTINE)
_NAMES = tuple(name for name in Quarantined.__struct_fields__ if name != "id")
_ABOUT = [column for column in QUARANTINE.c if column.name not in {"payload", "request"}]
_MARKS: dict[str, QuarantineState] = {REPLAY: "replayed", DROP: "dropped"}


def keep(connection: Connection, entries: Sequence[Quarantined]) -> None:
    """Adds payloads that could not be read."""
    if entries:
        connection.execute(_KEEP, [{name: getattr(entry, name) for name in _NAMES} for entry in entries])


def listed(connection: Connection, limit: int, state: str, source: str) -> list[Quarantined]:
    """Entries, newest first; of every state and source where none is named."""
    query = select(QUARANTINE).order_by(QUARANTINE.c.id.desc()).limit(limit)
    if state:
        query = query.where(QUARANTINE.c.state == state)
    if source:
        query = query.where(QUARANTINE.c.source == source)
    return [_entry(row) for row in connection.execute(query).mappings()]


def after(connection: Connection, entry_id: int, limit: int) -> list[Quarantined]:
    """The newest entries behind that one, newest first, without the megabytes that may have been sent."""
    query = select(*_ABOUT).where(QUARANTINE.c.id > entry_id).order_by(QUARANTINE.c.id.desc()).limit(limit)
    return [Quarantined(payload=b"", **dict(row)) for row in connection.execute(query).mappings()]


def one(connection: Connection, entry_id: int) -> Quarantined | None:
    """An entry by its id."""
    row = connection.execute(select(QUARANTINE).where(QUARANTINE.c.id == entry_id)).mappings().first()
    return None if row is None else _entry(row)


def size(connection: Connection) -> int:
    """How many entries wait."""
    return connection.scalar(select(func.count()).where(QUARANTINE.c.state == "waiting")) or 0


def marks(records: Iterable[AnyRecord]) -> list[tuple[int, QuarantineState, CommandRecord]]:
    """Which entries the commands among records say were replayed or dropped."""
    return [
        (int(record.target), _MARKS[record.verb], record)
        for record in records
        if isinstance(record, CommandRecord) and record.verb in _MARKS and record.target.isdecimal()
    ]


def mark(connection: Connection, seq: int, records: Iterable[AnyRecord]) -> None:
    """Marks the entries that the records of group ``seq`` replay or drop."""
    for entry_id, state, by in marks(records):
        values = {"state": state, "seq": seq, "tried_at": by.at, "tried_by": by.by, "tries": QUARANTINE.c.tries + 1}
        waits = (QUARANTINE.c.id == entry_id) & (QUARANTINE.c.state == "waiting")
        connection.execute(update(QUARANTINE).where(waits).values(values))


def tried(connection: Connection, entry_id: int, reason: str, at: float, by: str) -> None:
    """Notes a try that failed."""
    values = {"reason": reason, "tried_at": at, "tried_by": by, "tries": QUARANTINE.c.tries + 1}
    waits = (QUARANTINE.c.id == entry_id) & (QUARANTINE.c.state == "waiting")
    connection.execute(update(QUARANTINE).where(waits).values(values))


def again(connection: Connection, seq: int, entries: Sequence[Quarantined]) -> list[Quarantined]:
    """Lets the entries wait again that group ``seq`` replayed in vain; returns those that belong to none."""
    replayed = connection.execute(
        select(QUARANTINE).where(QUARANTINE.c.seq == seq).order_by(QUARANTINE.c.id)
    ).mappings()
    left, pairs = unmatched([_entry(row) for row in replayed], entries)
    for entry_id, reason in pairs:
        connection.execute(
            update(QUARANTINE).where(QUARANTINE.c.id == entry_id).values({"state": "waiting", "reason": reason})
        )
    return left


def unmatched(
    replayed: Iterable[Quarantined], entries: Sequence[Quarantined]
) -> tuple[list[Quarantined], list[tuple[int, str]]]:
    """Entries that no record replayed in their group stands for; the ids of the others with their new reasons."""
    known: dict[bytes, list[int]] = {}
    for each in replayed:
        if each.kind == "record" and each.state != "dropped":
            known.setdefault(each.payload, []).append(each.id)
    left, pairs = [], []
    for entry in entries:
        ids = known.get(entry.payload)
        if ids:
            pairs.append((ids.pop(0), entry.reason))
        else:
            left.append(entry)
    return left, pairs


def _entry(row: Any) -> Quarantined:
    return Quarantined(**dict(row))
