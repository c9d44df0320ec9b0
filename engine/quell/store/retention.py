"""What may be forgotten: old rows that neither a recovery nor a repeated turn can ask for.

Everything goes in slices of some hundred rows, for whoever deletes holds up whoever writes. What to delete is looked
for among the oldest rows only, so that a look does not cost more the more is kept.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, delete, func, select

from quell.model.incident import OPEN_STATUSES
from quell.model.run import RUN_OVER
from quell.store.automation import set_chain_end
from quell.store.chain import Link
from quell.store.journal import recoverable_from
from quell.store.port import QUARANTINED_BYTES
from quell.store.settle import SETTLED
from quell.store.tables import ALERTS, AUDIT, DISTRIBUTIONS, INCIDENTS, LEDGER, QUARANTINE, RELEASES, RUNS
from quell.store.tiers import drop_groups, strip

_OLDEST = 10
"""Of the ledger so many times as many rows are looked at as may go: few of the oldest are not settled."""


def trim(
    connection: Connection,
    *,
    records_before: float,
    contexts_before: float,
    distributions_before: float,
    incidents_before: float,
    audit_before: float,
    alerts_before: float,
    quarantine_before: float,
    quarantine_bytes: int | None,
    most: int,
) -> int:
    """Deletes what is older than given, at most about ``most`` rows of each kind; returns how many went or grew less.

    Groups go only up to the oldest snapshot kept, and only from the front: a hole would be a silent loss. Ledger and
    audit rows stay while a recovery could decide their turn again, for they are what makes that harmless; the turn of
    the snapshot itself counts as one, since timers after the snapshot share its seq.
    """
    safe = recoverable_from(connection)
    gone = drop_groups(connection, safe, records_before, distributions_before, most)
    if not gone and contexts_before > records_before:  # what goes whole need not be looked into first
        gone = strip(connection, safe, contexts_before)
    return (
        gone
        + _delete(connection, DISTRIBUTIONS, DISTRIBUTIONS.c.last_at < distributions_before, most)
        + _trim_quarantine(connection, quarantine_before, quarantine_bytes, most)
        + _delete(connection, ALERTS, ALERTS.c.last_at < alerts_before, most)
        + _trim_ledger(connection, safe, incidents_before, most)
        + _delete(connection, RUNS, RUNS.c.state.in_(RUN_OVER) & (RUNS.c.updated_at < incidents_before), most)
        + _delete(
            connection,
            INCIDENTS,
            # The first of these finds them by its index; nothing is updated before it opened.
            (INCIDENTS.c.opened_at < incidents_before)
            & INCIDENTS.c.status.not_in(OPEN_STATUSES)
            & (INCIDENTS.c.updated_at < incidents_before),
            most,
        )
        + _delete(connection, RELEASES, RELEASES.c.at < incidents_before, most)
        + _trim_audit(connection, safe, audit_before, most)
    )


def _trim_quarantine(connection: Connection, before: float, most_bytes: int | None, most: int) -> int:
    gone = _delete(connection, QUARANTINE, QUARANTINE.c.at < before, most)
    if most_bytes is None:
        return gone
    size = func.length(QUARANTINE.c.payload) + func.length(QUARANTINE.c.request) + QUARANTINED_BYTES
    over = (connection.scalar(select(func.sum(size))) or 0) - most_bytes
    last = None
    oldest = select(QUARANTINE.c.id, size.label("size")).order_by(QUARANTINE.c.id).limit(most)
    for row in connection.execute(oldest):
        if over <= 0:
            break
        over -= row.size
        last = row.id
    if last is not None:
        gone += connection.execute(delete(QUARANTINE).where(QUARANTINE.c.id <= last)).rowcount
    return gone


def _trim_ledger(connection: Connection, safe: int, before: float, most: int) -> int:
    oldest = select(LEDGER.c.n, LEDGER.c.state, LEDGER.c.at, LEDGER.c.seq).order_by(LEDGER.c.n).limit(_OLDEST * most)
    old = oldest.subquery()
    goes = select(old.c.n).where(old.c.state.in_(SETTLED) & (old.c.at < before) & (old.c.seq < safe)).limit(most)
    return connection.execute(delete(LEDGER).where(LEDGER.c.n.in_(goes))).rowcount


def _trim_audit(connection: Connection, safe: int, before: float, most: int) -> int:
    last = None
    oldest = select(AUDIT.c.n, AUDIT.c.seq, AUDIT.c.at, AUDIT.c.hash).order_by(AUDIT.c.n).limit(most)
    for row in connection.execute(oldest):
        if row.at >= before or row.seq >= safe:
            break
        last = Link(row.n, row.hash)
    if last is None:
        return 0
    set_chain_end(connection, "audit_anchor", last)
    return connection.execute(delete(AUDIT).where(AUDIT.c.n <= last.n)).rowcount


def _delete(connection: Connection, table: Table, condition: Any, most: int) -> int:
    (key,) = table.primary_key.columns
    goes = select(key).where(condition).limit(most)
    return connection.execute(delete(table).where(key.in_(goes))).rowcount
