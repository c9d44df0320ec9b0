"""What may be forgotten: old rows that neither a recovery nor a repeated turn can ask for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, delete, func, select

from quell.model.incident import OPEN_STATUSES
from quell.model.run import RUN_OVER
from quell.store.automation import set_chain_end
from quell.store.chain import Link
from quell.store.journal import recoverable_from
from quell.store.settle import SETTLED
from quell.store.tables import AUDIT, INCIDENTS, JOURNAL, LEDGER, QUARANTINE, RUNS


def trim(connection: Connection, *, records_before: float, incidents_before: float, audit_before: float) -> int:
    """Deletes what is older than given; returns how many rows went.

    Groups go only up to the oldest snapshot kept, and only from the front: a hole would be a silent loss. Ledger and
    audit rows stay while a recovery could decide their turn again, for they are what makes that harmless; the turn of
    the snapshot itself counts as one, since timers after the snapshot share its seq.
    """
    safe = recoverable_from(connection)
    return (
        _trim_journal(connection, safe, records_before)
        + _delete(connection, QUARANTINE, QUARANTINE.c.at < records_before)
        + _delete(
            connection,
            LEDGER,
            LEDGER.c.state.in_(SETTLED) & (LEDGER.c.at < incidents_before) & (LEDGER.c.seq < safe),
        )
        + _delete(connection, RUNS, RUNS.c.state.in_(RUN_OVER) & (RUNS.c.updated_at < incidents_before))
        + _delete(
            connection,
            INCIDENTS,
            INCIDENTS.c.status.not_in(OPEN_STATUSES) & (INCIDENTS.c.updated_at < incidents_before),
        )
        + _trim_audit(connection, safe, audit_before)
    )


def _trim_journal(connection: Connection, safe: int, before: float) -> int:
    first_kept = connection.scalar(select(func.min(JOURNAL.c.seq)).where(JOURNAL.c.now >= before))
    end = safe if first_kept is None else min(safe, first_kept - 1)
    return _delete(connection, JOURNAL, JOURNAL.c.seq <= end)


def _trim_audit(connection: Connection, safe: int, before: float) -> int:
    stays = (AUDIT.c.at >= before) | (AUDIT.c.seq >= safe)
    first_kept = connection.scalar(select(func.min(AUDIT.c.n)).where(stays))
    goes = select(AUDIT.c.n, AUDIT.c.hash).order_by(AUDIT.c.n.desc()).limit(1)
    if first_kept is not None:
        goes = goes.where(AUDIT.c.n < first_kept)
    last = connection.execute(goes).first()
    if last is None:
        return 0
    set_chain_end(connection, "audit_anchor", Link(last.n, last.hash))
    return _delete(connection, AUDIT, AUDIT.c.n <= last.n)


def _delete(connection: Connection, table: Table, condition: Any) -> int:
    return connection.execute(delete(table).where(condition)).rowcount
