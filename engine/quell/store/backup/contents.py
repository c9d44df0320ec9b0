"""What a database holds, found by recovering from it as a start would, and reading all the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy import func, select

from quell.errors import QuellError, StoreError
from quell.model.decision import Perform
from quell.model.incident import Incident
from quell.model.records import StepFinished
from quell.model.run import Run
from quell.store.backup.copying import tables_of
from quell.store.backup.plain import opened
from quell.store.codec import decode
from quell.store.opening import open_store
from quell.store.port import Store

Decodes = Callable[[bytes], object]
"""Reads a snapshot as the daemon would. Raises `QuellError` when this version cannot."""

_DOCUMENTS = (
    ("incidents", "document", Incident),
    ("runs", "document", Run),
    ("ledger", "perform", Perform),
    ("ledger", "result", StepFinished),
)


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """``seq`` and ``at`` are of the last group (None: none was ever decided); ``first`` is the oldest group there is.

    ``snapshot`` is the group that the newest good snapshot covers, ``left_out`` names damaged ones. ``audit_break``
    says where the audit trail is broken ("": it is whole), which keeps nobody from going on. ``rows`` by table.
    """

    seq: int
    at: float | None
    first: int | None
    groups: int
    records: int
    snapshot: int | None
    left_out: tuple[int, ...]
    audit_break: str
    rows: dict[str, int]


def contents_of(file: Path, decodes: Decodes) -> Contents:
    """Opens, migrates and recovers from a database, and reads every row of it. Raises StoreError for what is wrong."""
    try:
        found = _found(file, decodes)
    except QuellError as error:
        said = str(error)
        raise StoreError(said if said.startswith(str(file)) else f"{file}: {said}") from error
    with opened(file, "ro", "read it", "it is not used") as connection:
        tables = tables_of(connection)
        for name, column, kind in _DOCUMENTS:
            query = select(tables[name].c[column]).execution_options(yield_per=100)
            for document in connection.scalars(query):
                if document is not None:
                    decode(document, kind)
        rows = {name: connection.scalar(select(func.count()).select_from(table)) or 0 for name, table in tables.items()}
    return msgspec.structs.replace(found, rows=rows)


def _found(file: Path, decodes: Decodes) -> Contents:
    store = open_store(f"sqlite:///{file.absolute()}", file.absolute().parent)
    try:
        return _recovered(store, decodes)
    finally:
        store.close()


def _recovered(store: Store, decodes: Decodes) -> Contents:
    recovered = store.recover()
    if recovered.state is not None:
        decodes(recovered.state)
    first, last, at, groups, records = None, 0, None, 0, 0
    for group in store.groups_after(0):
        if last and group.seq != last + 1:
            raise StoreError(f"the journal has a hole: group {group.seq} follows {last}")
        first = group.seq if first is None else first
        last, at = group.seq, group.now
        groups += 1
        records += len(group.records)
    if first is not None and first > recovered.seq + 1:
        raise StoreError(f"the journal begins at group {first}, behind what the snapshot covers ({recovered.seq})")
    broken = store.verify_audit()
    return Contents(
        seq=max(last, recovered.seq),
        at=at if at is not None else store.decided_until() or None,
        first=first,
        groups=groups,
        records=records,
        snapshot=None if recovered.state is None else recovered.seq,
        left_out=recovered.damaged,
        audit_break="" if broken is None else broken.text,
        rows={},
    )
