"""Records grow less with age: first raw contexts go, then all but distributions, which have a table of their own.

What goes is a group's content and never its place: what is still in the journal has no holes.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy import Connection, delete, insert, select, update

from quell.model.records import AnyRecord, DistributionRecord, LogRecord, SpanRecord
from quell.store.codec import Blob, encode, pack, pack_records, unpack, unpack_records
from quell.store.journal import get_meta, set_meta
from quell.store.port import Group
from quell.store.tables import DISTRIBUTIONS, JOURNAL

GROUPS_AT_ONCE = 100
"""Groups that are looked into at once: of the largest that takes some ten milliseconds."""
_MOST_BYTES = 200_000
"""Of groups as they are stored; more are looked into another time."""
_BARE = "contexts_gone"
_TAG = b"distribution"


def without_contexts(records: Sequence[AnyRecord]) -> list[AnyRecord] | None:
    """Records without lines, spans and samples of values, whose counts stay; None when there are none."""
    told = [one for record in records if (one := _without(record)) is not None]
    return None if len(told) == len(records) and all(map(_same, told, records)) else told


def _same(one: AnyRecord, other: AnyRecord) -> bool:
    return one is other


def _without(record: AnyRecord) -> AnyRecord | None:
    if isinstance(record, SpanRecord):
        return None
    if isinstance(record, LogRecord) and record.text:
        return replace(record, text="") if record.template else None
    if isinstance(record, DistributionRecord) and record.samples:
        return replace(record, samples=[])
    return record


def distributions_of(records: Sequence[AnyRecord]) -> list[AnyRecord]:
    """What outlives the others."""
    return [replace(one, samples=[]) for one in records if isinstance(one, DistributionRecord)]


def strip(connection: Connection, safe: int, before: float) -> int:
    """Takes the contexts out of the next few groups up to ``safe``; returns into how many it looked."""
    done = int(get_meta(connection, _BARE) or 0)
    query = select(JOURNAL).where((JOURNAL.c.seq > done) & (JOURNAL.c.seq <= safe)).order_by(JOURNAL.c.seq)
    looked = size = 0
    for row in connection.execute(query.limit(GROUPS_AT_ONCE)).all():
        if row.now >= before or size > _MOST_BYTES:
            break
        size += len(row.records)
        told = without_contexts(unpack_records(Blob(row.packed, row.records)))
        if told is not None:
            packed, data = pack_records(told)
            values = {"packed": packed, "records": data, "count": len(told)}
            connection.execute(update(JOURNAL).where(JOURNAL.c.seq == row.seq).values(values))
        done, looked = row.seq, looked + 1
    if looked:
        set_meta(connection, _BARE, str(done).encode())
    return looked


def drop_groups(connection: Connection, safe: int, before: float, distributions_before: float, most: int) -> int:
    """Deletes the oldest groups, up to ``safe``, having kept their distributions; returns how many went."""
    keeps = distributions_before < before
    columns = [JOURNAL] if keeps else [JOURNAL.c.seq, JOURNAL.c.now]
    oldest = select(*columns).where(JOURNAL.c.seq <= safe).order_by(JOURNAL.c.seq)
    oldest = oldest.limit(min(most, GROUPS_AT_ONCE) if keeps else most)
    kept: list[AnyRecord] = []
    end, last_at, size = 0, 0.0, 0
    for row in connection.execute(oldest).all():
        if row.now >= before or size > _MOST_BYTES:
            break
        end = row.seq
        if keeps and row.now >= distributions_before:
            size += len(row.records)
            data = unpack(Blob(row.packed, row.records))
            if _TAG in data and (found := distributions_of(unpack_records(Blob(False, data)))):
                kept += found
                last_at = max(last_at, row.now)
    if not end:
        return 0
    if kept:
        packed, data = pack(encode(kept))
        values = {"last_at": last_at, "count": len(kept), "packed": packed, "records": data}
        connection.execute(insert(DISTRIBUTIONS).values(values))
    return connection.execute(delete(JOURNAL).where(JOURNAL.c.seq <= end)).rowcount


def kept_distributions(connection: Connection, after: int, since: float, limit: int) -> list[tuple[int, Group]]:
    """Rows of kept distributions behind number ``after``, as groups without a place in the journal."""
    query = select(DISTRIBUTIONS).where((DISTRIBUTIONS.c.n > after) & (DISTRIBUTIONS.c.last_at >= since))
    return [
        (row.n, Group(seq=0, now=row.last_at, records=unpack_records(Blob(row.packed, row.records))))
        for row in connection.execute(query.order_by(DISTRIBUTIONS.c.n).limit(limit))
    ]
