"""Rows of the journal, its cursors and its snapshots: what a state is rebuilt from."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from quell.errors import StoreError
from quell.model.records import AnyRecord
from quell.store.codec import Blob, Sealed, encode, pack, pack_records, seal, unpack, unpack_records
from quell.store.port import Accepted, Group, Recovered
from quell.store.tables import CURSORS, JOURNAL, META, SNAPSHOTS
from quell.store.upsert import replacing

SNAPSHOTS_KEPT = 2
"""Two, so that one damaged snapshot costs a longer replay and nothing else."""

_APPEND = insert(JOURNAL)
_META = select(META.c.value).where(META.c.name == bindparam("sought"))


class JournalRow(NamedTuple):
    """One group, packed."""

    seq: int
    now: float
    held: int
    packed: bool
    records: bytes


def row_of(seq: int, accepted: Accepted) -> tuple[JournalRow, int]:
    """A group as one row, and how many bytes its records were before they were packed; 0 where that was not counted."""
    if accepted.parts:
        blob, size = pack_records(accepted.records, accepted.parts), 0
    else:
        data = encode(list(accepted.records))
        blob, size = pack(data), len(data)
    return JournalRow(seq, accepted.now, len(accepted.records), *blob), size


def append(connection: Connection, row: JournalRow) -> None:
    """Adds one group."""
    columns = {"seq": row.seq, "now": row.now, "count": row.held, "packed": row.packed, "records": row.records}
    connection.execute(_APPEND, columns)


def move_cursors(connection: Connection, cursors: Mapping[str, str]) -> None:
    """Remembers how far each source was read."""
    if cursors:
        rows = [{"source": source, "cursor": cursor} for source, cursor in cursors.items()]
        connection.execute(replacing(connection, CURSORS), rows)


def after(connection: Connection, seq: int, limit: int) -> list[Group]:
    """The next groups behind ``seq``, at most ``limit``."""
    rows = connection.execute(select(JOURNAL).where(JOURNAL.c.seq > seq).order_by(JOURNAL.c.seq).limit(limit))
    return [Group(seq=row.seq, now=row.now, records=_records(row.seq, Blob(row.packed, row.records))) for row in rows]


def last_seq(connection: Connection) -> int:
    """The greatest seq that was ever given, also when its group has been trimmed."""
    known = [connection.scalar(select(func.max(table.c.seq))) for table in (JOURNAL, SNAPSHOTS)]
    known.append(int(get_meta(connection, "applied_seq") or 0))
    return max(seq or 0 for seq in known)


def save_snapshot(connection: Connection, seq: int, state: bytes | Sealed) -> None:
    """Adds a snapshot and drops all but the last few."""
    digest, (packed, data) = state if isinstance(state, Sealed) else seal(state)
    row = {"seq": seq, "sha256": digest, "packed": packed, "state": data}
    connection.execute(replacing(connection, SNAPSHOTS), row)
    kept = select(SNAPSHOTS.c.seq).order_by(SNAPSHOTS.c.seq.desc()).limit(SNAPSHOTS_KEPT)
    connection.execute(delete(SNAPSHOTS).where(SNAPSHOTS.c.seq.not_in(kept)))


def recover(connection: Connection) -> Recovered:
    """The newest snapshot whose digest fits; damaged ones are dropped, so that none of them is counted on again."""
    cursors = {row.source: row.cursor for row in connection.execute(select(CURSORS))}
    damaged: list[int] = []
    found: Recovered | None = None
    for row in connection.execute(select(SNAPSHOTS).order_by(SNAPSHOTS.c.seq.desc())):
        state = _intact(Blob(row.packed, row.state), row.sha256)
        if state is not None:
            found = Recovered(seq=row.seq, state=state, cursors=cursors, damaged=tuple(damaged))
            break
        damaged.append(row.seq)
    if found is None:
        first = connection.scalar(select(func.min(JOURNAL.c.seq)))
        if damaged and first != 1:
            begins = f"the journal begins at group {first}" if first else "the journal is empty"
            raise StoreError(
                f"no snapshot can be read and {begins}; the daemon does not start: "
                "restore a backup, or move the database away to start without history"
            )
        found = Recovered(seq=0, state=None, cursors=cursors, damaged=tuple(damaged))
    if damaged:
        connection.execute(delete(SNAPSHOTS).where(SNAPSHOTS.c.seq.in_(damaged)))
    decided = int(get_meta(connection, "applied_seq") or 0)
    ahead = JOURNAL.c.seq > max(found.seq, decided)
    last, until, behind = connection.execute(
        select(func.max(JOURNAL.c.seq), func.max(JOURNAL.c.now), func.sum(JOURNAL.c.count).filter(ahead))
    ).one()
    return msgspec.structs.replace(found, decided=decided, last=last or 0, until=until or 0.0, behind=int(behind or 0))


def recoverable_from(connection: Connection) -> int:
    """The seq of the oldest snapshot that recovery may have to fall back to; 0 while there are not enough of them."""
    seqs = connection.scalars(select(SNAPSHOTS.c.seq).order_by(SNAPSHOTS.c.seq)).all()
    return seqs[0] if len(seqs) == SNAPSHOTS_KEPT else 0


def get_meta(connection: Connection, name: str) -> bytes | None:
    """A single fact, None when it was never set."""
    return connection.scalar(_META, {"sought": name})


def set_meta(connection: Connection, name: str, value: bytes) -> None:
    """Sets a single fact."""
    connection.execute(replacing(connection, META), {"name": name, "value": value})


def _records(seq: int, blob: Blob) -> list[AnyRecord]:
    try:
        return unpack_records(blob)
    except StoreError as error:
        raise StoreError(f"journal group {seq}: {error}") from error


def _intact(blob: Blob, digest: str) -> bytes | None:
    try:
        state = unpack(blob)
    except StoreError:
        return None  # reported by the caller as damaged
    return state if sha256(state).hexdigest() == digest else None
