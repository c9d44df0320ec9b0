"""The store on SQLite or PostgreSQL: SQLAlchemy Core over one connection, safe on the disk at every commit.

What an accept costs: one transaction with one journal row, whatever the number of records (there is no row per
record): one write lock, one insert, one fsync. Measured on a busy 2-core machine whose disk takes 3 ms for an fsync:
3.5 ms (0.3 ms of it CPU) for a group of one record, 284 a second; 3.9 ms (1.0 ms CPU) for a group of 500 alerts,
257 a second or 128,000 alerts a second. Of the millisecond 0.15 are MessagePack and 0.4 zlib, which turns 176 kB into
12 kB and runs without the interpreter's lock. The fsync dominates; so the writer thread puts all that waits into one
group.

With PostgreSQL 18 on the same machine, both databases in turn, others busy (mean; in brackets this process's CPU):
4.4 ms (0.4) on SQLite and 4.2 ms (0.7) on PostgreSQL for one record, 3.7 (0.5) and 4.4 (0.8) for 100, 4.1 (1.1) and
5.6 (1.5) for 500. The fsync is the same; four ways to the server and back come on top.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection

from quell.errors import Fenced, StoreError
from quell.model.alert import Alert
from quell.model.decision import Audit, Perform
from quell.model.incident import Incident
from quell.model.records import CommandRecord, StepFinished
from quell.model.run import Run
from quell.store import aside, automation, journal, lease, past, retention, shown, told_releases
from quell.store.codec import Sealed, encode
from quell.store.database import Database, T, Work, unheard
from quell.store.port import (
    Accepted,
    AuditBreak,
    AuditEntry,
    Group,
    Lease,
    LedgerEntry,
    Quarantined,
    Recovered,
    ReleaseRow,
    ShownRow,
    Turn,
)
from quell.store.told import intents_told

_MORE_TO_DO = frozenset({CommandRecord, StepFinished})
"""Kinds of records that change other tables, too, in the transaction that keeps them."""
_NOT_ACCEPTED = "none of them was accepted, senders are told to send again"
_REFUSALS_TOLD = 20
"""An owner that was taken over ends soon; what it wanted meanwhile is told so often."""


class SqlStore:
    """`quell.store.port.Store` in a database of either kind."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owed: list[Perform] = []
        """Intents that were committed and not given to whoever committed them yet."""
        self._lease: Lease | None = None
        self._held: bytes | None = None
        """The lease as it is kept, when it was written last."""
        self._beat = 0
        self._refused = 0
        self._seq = self._database.read("read the journal's end", "the daemon does not start", journal.last_seq)

    def lease(self) -> Lease | None:
        return self._database.read("read its lease", "the daemon does not start", lease.read)

    def lapsed(self, seen: Lease) -> bool:
        return lease.ended(seen.holder) or seen == self._database.outlasted

    def take_lease(self, seen: Lease | None) -> Lease:
        holder = lease.this_process()

        def take(connection: Connection) -> tuple[Lease, int]:
            return lease.take(connection, seen, holder), journal.last_seq(connection)

        # A former owner may have written until now, so the end of its journal is looked for again.
        taken, self._seq = self._database.write("take its lease", "the daemon does not start", take)
        self._lease, self._beat, self._refused, self._held = taken, 0, 0, encode(taken)
        self._database.guard = lambda connection: lease.check(connection, taken)
        return taken

    def renew_lease(self) -> None:
        owned = self._owned()

        def renew(connection: Connection) -> None:
            lease.renew(connection, owned, self._beat + 1)
            automation.note(connection, lease.noted(connection))

        self._write("renew its lease", "it acts only while the lease lasts", renew)
        self._beat += 1
        self._held = encode(lease.beaten(owned, self._beat))

    def give_up_lease(self) -> None:
        owned = self._owned()
        self._write(
            "give up its lease", "the next start waits a little", lambda connection: lease.give_up(connection, owned)
        )

    def _owned(self) -> Lease:
        assert self._lease is not None, "only who took a lease has one"
        return self._lease

    @property
    def _number(self) -> int:
        return 0 if self._lease is None else self._lease.number

    def _write(self, what: str, then: str, work: Work[T], *, kept: Callable[[T], None] = unheard) -> T:
        try:
            return self._database.write(what, then, work, kept=kept)
        except Fenced:
            self._leave_word(what)
            raise

    def _leave_word(self, what: str) -> None:
        """For the audit trail of whoever took the store over."""
        owned = self._lease
        if owned is None or owned.holder is None or self._refused >= _REFUSALS_TOLD:
            return
        self._refused += 1
        refusal = lease.Refusal(time.time(), owned.number, owned.holder.name, what)
        with suppress(StoreError):  # what counts was refused already
            self._database.leave_word(lambda connection: lease.note(connection, refusal))

    def accept(self, accepted: Accepted) -> Group:
        count = len(accepted.records)
        what = f"keep {count} record{'s' * (count != 1)}"
        row, size = journal.row_of(self._seq + 1, accepted)
        alone = (
            not accepted.cursors and not accepted.quarantined and _MORE_TO_DO.isdisjoint(map(type, accepted.records))
        )
        if alone and self._database.append(what, _NOT_ACCEPTED, row, self._held):
            self._kept(row.seq)
            return Group(seq=row.seq, now=accepted.now, records=accepted.records, parts=accepted.parts, size=size)

        def keep(connection: Connection) -> int:
            seq = self._seq + 1  # of now: that a group before was kept may have come out only when this one was tried
            journal.append(connection, row._replace(seq=seq))
            journal.move_cursors(connection, accepted.cursors)
            aside.keep(connection, accepted.quarantined)
            aside.mark(connection, seq, accepted.records)
            automation.settle(connection, accepted.records, accepted.now)
            return seq

        # Told what was kept only then: a group that was rolled back leaves no gap.
        seq = self._write(what, _NOT_ACCEPTED, keep, kept=self._kept)
        return Group(seq=seq, now=accepted.now, records=accepted.records, parts=accepted.parts, size=size)

    def _kept(self, seq: int) -> None:
        self._seq = seq

    def commit(self, turn: Turn) -> list[Perform]:
        def keep(connection: Connection) -> list[Perform]:
            automation.keep_incidents(connection, turn.incidents)
            automation.keep_runs(connection, turn.runs)
            automation.append_audits(connection, turn.seq, turn.audits)
            new = automation.intend(connection, turn.seq, turn.intents)
            automation.note(connection, intents_told(new, turn.said))
            return new

        self._write(
            f"keep what turn {turn.seq} decided",
            "none of its acts is performed until that succeeds",
            keep,
            kept=self._owed.extend,  # also of a turn that was committed and seemed not to be: it comes again
        )
        owed = self._owed[:]
        self._owed.clear()
        return owed

    def begin_act(self, key: str) -> None:
        self._write(
            f'mark "{key}" as being tried',
            "it is not performed",
            lambda connection: automation.begin_act(connection, key, self._number),
        )

    def finish_act(self, result: StepFinished) -> None:
        self._write(
            f'keep the result of "{result.key}"',
            "it stays unfinished and is reconciled at the next start",
            lambda connection: automation.finish_act(connection, result),
        )

    def unfinished(self) -> list[LedgerEntry]:
        return self._database.read("read the ledger", "nothing in it is performed", automation.unfinished)

    def ledger(self, run: str = "", limit: int = 1000) -> list[LedgerEntry]:
        return self._database.read(
            "read the ledger", "nothing was changed", lambda connection: automation.ledger(connection, run, limit)
        )

    def save_snapshot(self, seq: int, state: bytes | Sealed) -> None:
        self._write(
            f"keep the snapshot of turn {seq}",
            "the one before it and the journal stay good for a recovery",
            lambda connection: journal.save_snapshot(connection, seq, state),
        )

    def recover(self) -> Recovered:
        return self._write("read the snapshots", "the daemon does not start", journal.recover)

    def decided_until(self) -> float:
        return self._database.read("read what was decided last", "the daemon does not start", automation.decided_until)

    def groups_after(self, seq: int, *, at_once: int = 200) -> Iterator[Group]:
        while True:
            groups = self._database.read(
                "read the journal", "the replay stops here", partial(journal.after, seq=seq, limit=at_once)
            )
            yield from groups
            if len(groups) < at_once:
                return
            seq = groups[-1].seq

    def quarantine(self, limit: int = 100, *, state: str = "", source: str = "") -> list[Quarantined]:
        return self._database.read(
            "read the quarantine",
            "nothing was changed",
            lambda connection: aside.listed(connection, limit, state, source),
        )

    def quarantine_after(self, entry_id: int, limit: int) -> list[Quarantined]:
        return self._database.read(
            "read the quarantine", "nothing was changed", lambda connection: aside.after(connection, entry_id, limit)
        )

    def quarantined(self, entry_id: int) -> Quarantined | None:
        return self._database.read(
            "read the quarantine", "nothing was changed", lambda connection: aside.one(connection, entry_id)
        )

    def quarantine_size(self) -> int:
        return self._database.read("read the quarantine", "nothing was changed", aside.size)

    def tried_again(self, entry_id: int, reason: str, *, at: float, by: str) -> None:
        self._write(
            f"note that entry {entry_id} of the quarantine was tried again",
            "it waits as before",
            lambda connection: aside.tried(connection, entry_id, reason, at, by),
        )

    def set_aside_again(self, seq: int, entries: Sequence[Quarantined]) -> list[Quarantined]:
        return self._write(
            "set records aside again",
            "they are marked as replayed",
            lambda connection: aside.again(connection, seq, entries),
        )

    def keep_quarantined(self, entries: Sequence[Quarantined]) -> None:
        self._write(
            "keep payloads that could not be read",
            "none of them was kept, senders are told to send again",
            lambda connection: aside.keep(connection, entries),
        )

    def incident(self, incident_id: str) -> Incident | None:
        return self._database.read(
            f'read incident "{incident_id}"',
            "nothing was changed",
            lambda connection: automation.incident(connection, incident_id),
        )

    def runs(self, since: float = 0.0) -> list[Run]:
        return self._database.read(
            "read past runs", "nothing was changed", lambda connection: automation.runs(connection, since)
        )

    def resolved(self, limit: int = 1000) -> list[Incident]:
        return self._database.read(
            "read past incidents", "nothing was changed", lambda connection: automation.resolved(connection, limit)
        )

    def audit(self, limit: int = 1000) -> list[AuditEntry]:
        return self._database.read(
            "read the audit trail",
            "nothing was changed",
            lambda connection: automation.newest_audits(connection, limit),
        )

    def verify_audit(self) -> AuditBreak | None:
        return self._database.read("read the audit trail", "it was not verified", automation.first_break)

    def note(self, audits: Sequence[Audit]) -> None:
        self._write(
            "put into the audit trail what happened",
            "it is in the log only",
            lambda connection: automation.note(connection, audits),
        )

    def shown(self) -> list[ShownRow]:
        return self._database.read("read what stands in chats", "nothing is shown there", shown.rows)

    def keep_shown(self, kept: Sequence[ShownRow], gone: Sequence[ShownRow] = ()) -> None:
        self._write(
            "keep where messages stand",
            "none is sent before that succeeds",
            lambda connection: shown.keep(connection, kept, gone),
        )

    def releases(self, since: float = 0.0) -> list[ReleaseRow]:
        return self._database.read(
            "read releases", "the list ends here", lambda connection: told_releases.since(connection, since)
        )

    def keep_releases(self, rows: Sequence[ReleaseRow]) -> None:
        self._write(
            "keep what became of releases",
            "it is tried again in an hour",
            lambda connection: told_releases.keep(connection, rows),
        )

    def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        self._write(
            "keep alerts that are over",
            "they are kept with the next snapshot",
            lambda connection: past.keep(connection, alerts),
        )

    def alerts(self, since: float = 0.0) -> Iterator[Alert]:
        return past.last_words(self._kept_alerts(since), since)

    def _kept_alerts(self, since: float) -> Iterator[Alert]:
        before = None
        while True:
            rows = self._database.read(
                "read past alerts", "the list ends here", partial(past.page, since=since, before=before)
            )
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
        contexts_before: float | None = None,
        distributions_before: float | None = None,
        quarantine_before: float | None = None,
        quarantine_bytes: int | None = None,
        most: int = 1_000,
    ) -> int:
        return self._write(
            "trim old rows",
            "they stay until the next attempt",
            lambda connection: retention.trim(
                connection,
                records_before=records_before,
                incidents_before=incidents_before,
                audit_before=audit_before,
                alerts_before=alerts_before,
                contexts_before=records_before if contexts_before is None else contexts_before,
                distributions_before=records_before if distributions_before is None else distributions_before,
                quarantine_before=records_before if quarantine_before is None else quarantine_before,
                quarantine_bytes=quarantine_bytes,
                most=most,
            ),
        )

    def compact(self) -> int:
        return self._database.compact()

    def close(self) -> None:
        self._database.close()
