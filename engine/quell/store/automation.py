"""Rows of the ledger, the audit trail, incidents and runs: what a turn decided and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from quell.errors import StoreError
from quell.model.decision import Audit, Perform
from quell.model.incident import Incident
from quell.model.records import AnyRecord, StepFinished
from quell.model.run import Run
from quell.store import chain
from quell.store.chain import Link, extend, not_yet_kept
from quell.store.codec import decode, encode
from quell.store.journal import get_meta, set_meta
from quell.store.port import AuditBreak, AuditEntry, LedgerEntry
from quell.store.settle import begun, outlived, settled
from quell.store.tables import AUDIT, INCIDENTS, LEDGER, RUNS
from quell.store.told import result_told
from quell.store.upsert import replacing, unless_known

_AUDIT = insert(AUDIT)
_AUDIT_PAGE = 1000
# Asked for every act, several times each: built anew a statement costs more than all that it makes the database do.
_SAME_KEY = LEDGER.c.key == bindparam("sought")
_FIND_ENTRY = select(LEDGER).where(_SAME_KEY)
_PUT_ENTRY = (
    update(LEDGER).where(_SAME_KEY).values({name: bindparam(name) for name in ("state", "tries", "lease", "result")})
)


def intend(connection: Connection, seq: int, intents: Iterable[Perform]) -> list[Perform]:
    """Adds ledger entries for the intents whose key is new, and returns those."""
    new = []
    statement = unless_known(connection, LEDGER.c.key, LEDGER.c.n)
    for perform in intents:
        row = {"key": perform.key, "seq": seq, "at": perform.at, "run": perform.run, "state": "intended", "tries": 0,
               "lease": 0}  # fmt: skip
        row |= {"perform": encode(perform), "result": None}
        if connection.execute(statement, row).first() is not None or (
            _given_up(connection, perform) and connection.execute(statement, row).first() is not None
        ):
            new.append(perform)
    return new


def _given_up(connection: Connection, perform: Perform) -> bool:
    """Whether a row gave up its key: it is of long ago, when something else that is forgotten had the same name."""
    known = _find_entry(connection, perform.key)
    if known is None or not outlived(known, perform):
        return False
    connection.execute(delete(LEDGER).where(LEDGER.c.key == perform.key))
    return True


def decided_until(connection: Connection) -> float:
    """The latest time in any of the tables."""
    times = (LEDGER.c.at, AUDIT.c.at, INCIDENTS.c.updated_at, RUNS.c.updated_at)
    return max(connection.scalar(select(func.max(each))) or 0.0 for each in times)


def begin_act(connection: Connection, key: str, lease: int) -> None:
    """Counts one more try of an entry."""
    _put_entry(connection, begun(_entry_of(connection, key), lease))


def finish_act(connection: Connection, result: StepFinished) -> None:
    """Keeps the result of an entry."""
    _put_entry(connection, settled(_entry_of(connection, result.key), result))


def settle(connection: Connection, records: Iterable[AnyRecord], now: float) -> None:
    """Keeps the results that are among the records; a key that the ledger does not know is somebody else's."""
    told: list[Audit] = []
    for record in records:
        if isinstance(record, StepFinished):
            entry = _find_entry(connection, record.key)
            if entry is not None:
                after = settled(entry, record)
                _put_entry(connection, after)
                told += result_told(entry, after, now)
    note(connection, told)


def unfinished(connection: Connection) -> list[LedgerEntry]:
    """Entries to be performed or reconciled, oldest first."""
    query = select(LEDGER).where(LEDGER.c.state.in_(("intended", "acting"))).order_by(LEDGER.c.n)
    return [_entry(row) for row in connection.execute(query).mappings()]


def ledger(connection: Connection, run: str, limit: int) -> list[LedgerEntry]:
    """Entries of a run, or all, newest first."""
    query = select(LEDGER).order_by(LEDGER.c.n.desc()).limit(limit)
    if run:
        query = query.where(LEDGER.c.run == run)
    return [_entry(row) for row in connection.execute(query).mappings()]


def keep_incidents(connection: Connection, incidents: Sequence[Incident]) -> None:
    """Adds or replaces incidents."""
    if incidents:
        names = ("id", "status", "opened_at", "updated_at")
        connection.execute(replacing(connection, INCIDENTS), [_document(incident, names) for incident in incidents])


def keep_runs(connection: Connection, runs: Sequence[Run]) -> None:
    """Adds or replaces runs."""
    if runs:
        names = ("id", "playbook", "incident", "state", "updated_at")
        connection.execute(replacing(connection, RUNS), [_document(run, names) for run in runs])


def incident(connection: Connection, incident_id: str) -> Incident | None:
    """An incident by its id."""
    document = connection.scalar(select(INCIDENTS.c.document).where(INCIDENTS.c.id == incident_id))
    return None if document is None else decode(document, Incident)


def runs(connection: Connection, since: float) -> list[Run]:
    """Runs that began since, the first first."""
    found = connection.scalars(select(RUNS.c.document).where(RUNS.c.updated_at >= since))
    began = [run for run in (decode(document, Run) for document in found) if run.started_at >= since]
    return sorted(began, key=lambda run: (run.started_at, run.id))


def resolved(connection: Connection, limit: int) -> list[Incident]:
    """The resolved incidents that opened last, newest first."""
    query = select(INCIDENTS.c.document).where(INCIDENTS.c.status == "resolved")
    rows = connection.scalars(query.order_by(INCIDENTS.c.opened_at.desc(), INCIDENTS.c.id).limit(limit))
    return [decode(document, Incident) for document in rows]


def append_audits(connection: Connection, seq: int, audits: Sequence[Audit]) -> None:
    """Chains a turn's audits behind the trail, leaving out what an earlier commit of them has already kept.

    A turn before the last one applied was committed whole, so all of it is left out, even if a changed rulebook
    decides it differently this time. From there on the audits themselves are compared: turns without records share
    the seq of the last group, and after a crash their timers may run within the next group's turn.
    """
    if seq < int(get_meta(connection, "applied_seq") or 0):
        return
    set_meta(connection, "applied_seq", str(seq).encode())
    if not audits:
        return
    same_time = select(AUDIT).where(AUDIT.c.at.in_({audit.at for audit in audits}))
    kept = [_audit(row) for row in connection.execute(same_time).mappings()]
    _chain(connection, seq, not_yet_kept(audits, kept))


def note(connection: Connection, audits: Iterable[Audit]) -> None:
    """Chains what no turn decided behind the trail: each comes once, in the transaction that it is about."""
    audits = list(audits)
    if audits:
        _chain(connection, int(get_meta(connection, "applied_seq") or 0), audits)


def _chain(connection: Connection, seq: int, audits: Iterable[Audit]) -> None:
    entries = extend(chain_end(connection, "audit_head"), audits)
    if entries:
        connection.execute(_AUDIT, [_audit_row(seq, entry) for entry in entries])
        set_chain_end(connection, "audit_head", Link(entries[-1].n, entries[-1].hash))


def newest_audits(connection: Connection, limit: int) -> list[AuditEntry]:
    """Audit entries, newest first."""
    return [
        _audit_entry(row)
        for row in connection.execute(select(AUDIT).order_by(AUDIT.c.n.desc()).limit(limit)).mappings()
    ]


def all_audits(connection: Connection) -> Iterator[AuditEntry]:
    """The whole trail in order, page by page."""
    n = 0
    while True:
        query = select(AUDIT).where(AUDIT.c.n > n).order_by(AUDIT.c.n).limit(_AUDIT_PAGE)
        page = connection.execute(query).mappings().all()
        yield from map(_audit_entry, page)
        if len(page) < _AUDIT_PAGE:
            return
        n = page[-1]["n"]


def first_break(connection: Connection) -> AuditBreak | None:
    """The first broken row of the trail."""
    return chain.first_break(
        all_audits(connection),
        anchor=chain_end(connection, "audit_anchor"),
        head=chain_end(connection, "audit_head"),
    )


def chain_end(connection: Connection, name: str) -> Link:
    """``audit_head``, the last row written, or ``audit_anchor``, the last row trimmed."""
    value = get_meta(connection, name)
    return Link() if value is None else decode(value, Link)


def set_chain_end(connection: Connection, name: str, link: Link) -> None:
    """Remembers one end of the chain."""
    set_meta(connection, name, encode(link))


def _entry_of(connection: Connection, key: str) -> LedgerEntry:
    entry = _find_entry(connection, key)
    if entry is None:
        raise StoreError(f'the ledger has no entry "{key}"; an act is committed as an intent before it is tried')
    return entry


def _find_entry(connection: Connection, key: str) -> LedgerEntry | None:
    row = connection.execute(_FIND_ENTRY, {"sought": key}).mappings().first()
    return None if row is None else _entry(row)


def _put_entry(connection: Connection, entry: LedgerEntry) -> None:
    result = None if entry.result is None else encode(entry.result)
    values = {"state": entry.state, "tries": entry.tries, "lease": entry.lease, "result": result}
    connection.execute(_PUT_ENTRY, {"sought": entry.perform.key, **values})


def _entry(row: RowMapping) -> LedgerEntry:
    result = None if row["result"] is None else decode(row["result"], StepFinished)
    perform = decode(row["perform"], Perform)
    return LedgerEntry(perform=perform, state=row["state"], result=result, tries=row["tries"], lease=row["lease"])


def _document(value: msgspec.Struct, names: Sequence[str]) -> dict[str, Any]:
    return {**{name: getattr(value, name) for name in names}, "document": encode(value)}


def _audit(row: RowMapping) -> Audit:
    return Audit(at=row["at"], who=row["who"], what=row["what"], target=row["target"], detail=row["detail"])


def _audit_entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(n=row["n"], audit=_audit(row), prev_hash=row["prev_hash"], hash=row["hash"])


def _audit_row(seq: int, entry: AuditEntry) -> dict[str, Any]:
    audit = entry.audit
    content = {"at": audit.at, "who": audit.who, "what": audit.what, "target": audit.target, "detail": audit.detail}
    return {"n": entry.n, "seq": seq, **content, "prev_hash": entry.prev_hash, "hash": entry.hash}
