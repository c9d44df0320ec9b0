"""The store on SQLite: SQLAlchemy Core over one connection, WAL, fsync at every commit.

What an accept costs: one transaction with one journal row, whatever the number of records (there is no row per
record): one write lock, one insert, one fsync. Measured on a busy 2-core machine whose disk takes 3 ms for an fsync:
3.5 ms (0.3 ms of it CPU) for a group of one record, 284 a second; 3.9 ms (1.0 ms CPU) for a group of 500 alerts,
257 a second or 128,000 alerts a second. Of the millisecond 0.15 are MessagePack and 0.4 zlib, which turns 176 kB into
12 kB and runs without the interpreter's lock. The fsync dominates; so the writer thread puts all that waits into one
group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from quell.model.alert import Alert
from quell.model.decision import Perform
from quell.model.incident import Incident
from quell.model.records import StepFinished
from quell.store import automation, chain, journal, past, retention
from quell.store.database import Database
from quell.store.port import (
    Accepted,
    AuditBreak,
    AuditEntry,
    Group,
    LedgerEntry,
    Quarantined,
    Recovered,
    Turn,
)


class SqlStore:
    """`quell.store.port.Store` in one SQLite file."""

    def __init__(self, file: Path, *, busy_timeout_s: float = 5.0) -> None:
        self._database = Database(file, busy_timeout_s=busy_timeout_s)
        with self._database.transaction("read the journal's end", "the daemon does not start") as connection:
            self._seq = journal.last_seq(connection)

    def accept(self, accepted: Accepted) -> Group:
        count = len(accepted.records)
        seq = self._seq + 1
        with self._database.transaction(
            f"keep {count} record{'s' * (count != 1)}", "none of them was accepted, senders are told to send again"
        ) as connection:
            journal.append(connection, seq, accepted.now, accepted.records)
            journal.move_cursors(connection, accepted.cursors)
            journal.keep_quarantined(connection, accepted.quarantined)
            automation.settle(connection, accepted.records)
        self._seq = seq  # only now: a group that was rolled back leaves no gap
        return Group(seq=seq, now=accepted.now, records=accepted.records)

    def commit(self, turn: Turn) -> list[Perform]:
        with self._database.transaction(
            f"keep what turn {turn.seq} decided", "none of its acts is performed until that succeeds"
        ) as connection:
            automation.keep_incidents(connection, turn.incidents)
            automation.keep_runs(connection, turn.runs)
            automation.append_audits(connection, turn.seq, turn.audits)
            return automation.intend(connection, turn.seq, turn.intents)

    def begin_act(self, key: str) -> None:
        with self._database.transaction(f'mark "{key}" as being tried', "it is not performed") as connection:
            automation.begin_act(connection, key)

    def finish_act(self, result: StepFinished) -> None:
        with self._database.transaction(
            f'keep the result of "{result.key}"', "it stays unfinished and is reconciled at the next start"
        ) as connection:
            automation.finish_act(connection, result)

    def unfinished(self) -> list[LedgerEntry]:
        with self._database.transaction("read the ledger", "nothing in it is performed") as connection:
            return automation.unfinished(connection)

    def ledger(self, run: str = "", limit: int = 1000) -> list[LedgerEntry]:
        with self._database.transaction("read the ledger", "nothing was changed") as connection:
            return automation.ledger(connection, run, limit)

    def save_snapshot(self, seq: int, state: bytes) -> None:
        with self._database.transaction(
            f"keep the snapshot of turn {seq}", "the one before it and the journal stay good for a recovery"
        ) as connection:
            journal.save_snapshot(connection, seq, state)

    def recover(self) -> Recovered:
        with self._database.transaction("read the snapshots", "the daemon does not start") as connection:
            return journal.recover(connection)

    def decided_until(self) -> float:
        with self._database.transaction("read what was decided last", "the daemon does not start") as connection:
            return automation.decided_until(connection)

    def groups_after(self, seq: int, *, at_once: int = 200) -> Iterator[Group]:
        while True:
            with self._database.transaction("read the journal", "the replay stops here") as connection:
                groups = journal.after(connection, seq, at_once)
            yield from groups
            if len(groups) < at_once:
                return
            seq = groups[-1].seq

    def quarantine(self, limit: int = 100) -> list[Quarantined]:
        with self._database.transaction("read the quarantine", "nothing was changed") as connection:
            return journal.quarantine(connection, limit)

    def keep_quarantined(self, entries: Sequence[Quarantined]) -> None:
        with self._database.transaction(
            "keep payloads that could not be read", "none of them was kept, senders are told to send again"
        ) as connection:
            journal.keep_quarantined(connection, entries)

    def incident(self, incident_id: str) -> Incident | None:
        with self._database.transaction(f'read incident "{incident_id}"', "nothing was changed") as connection:
            return automation.incident(connection, incident_id)

    def resolved(self, limit: int = 1000) -> list[Incident]:
        with self._database.transaction("read past incidents", "nothing was changed") as connection:
            return automation.resolved(connection, limit)

    def audit(self, limit: int = 1000) -> list[AuditEntry]:
        with self._database.transaction("read the audit trail", "nothing was changed") as connection:
            return automation.newest_audits(connection, limit)

    def verify_audit(self) -> AuditBreak | None:
        with self._database.transaction("read the audit trail", "it was not verified") as connection:
            return chain.first_break(
                automation.all_audits(connection),
                anchor=automation.chain_end(connection, "audit_anchor"),
                head=automation.chain_end(connection, "audit_head"),
            )

    def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        with self._database.transaction(
            "keep alerts that are over", "they are kept with the next snapshot"
        ) as connection:
            past.keep(connection, alerts)

    def alerts(self, since: float = 0.0) -> Iterator[Alert]:
        return past.last_words(self._kept_alerts(since), since)

    def _kept_alerts(self, since: float) -> Iterator[Alert]:
        before = None
        while True:
            with self._database.transaction("read past alerts", "the list ends here") as connection:
                rows = past.page(connection, since, before)
            if not rows:
                return
            before = rows[-1][0]
            for _, alerts in rows:
                yield from reversed(alerts)

    def trim(
        self,
        *,
        records_before: float,
        incidents_before: float,
        audit_before: float,
        alerts_before: float = 0.0,
        quarantine_before: float | None = None,
        quarantine_bytes: int | None = None,
        most: int = 1_000,
    ) -> int:
        with self._database.transaction("trim old rows", "they stay until the next attempt") as connection:
            return retention.trim(
                connection,
                records_before=records_before,
                incidents_before=incidents_before,
                audit_before=audit_before,
                alerts_before=alerts_before,
                quarantine_before=records_before if quarantine_before is None else quarantine_before,
                quarantine_bytes=quarantine_bytes,
                most=most,
            )

    def compact(self) -> int:
        return self._database.compact()

    def close(self) -> None:
        self._database.close()
