"""The store as somebody beside the daemon reads it: nothing is written, nobody waits, memory stays bounded.

Each page is a transaction of its own, so that a long export keeps neither the writer waiting nor its log from being
emptied. What is trimmed meanwhile is missing at the front; what is added behind is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from itertools import chain
from typing import Any, Protocol

from sqlalchemy import Select, func, select

from quell.errors import StoreError
from quell.model.alert import Alert
from quell.model.decision import Audit, Perform
from quell.model.incident import OPEN_STATUSES, Incident
from quell.model.records import StepFinished
from quell.model.run import RUN_OVER, Run
from quell.store import journal, past, told_releases
from quell.store.automation import first_break, newest_audits
from quell.store.codec import Blob, decode, unpack
from quell.store.database import T, Work
from quell.store.port import AuditBreak, AuditEntry, Group, LedgerEntry, Quarantined, ReleaseRow
from quell.store.tables import AUDIT, INCIDENTS, JOURNAL, LEDGER, QUARANTINE, RUNS, SNAPSHOTS
from quell.store.tiers import kept_distributions

_ROWS = 200
_GROUPS = 20
"""Groups may hold a thousand records each."""
_PAYLOADS = 5
"""What is in quarantine may be megabytes each."""
_END = float("inf")


class Readable(Protocol):
    """The half of `quell.store.database.Database` that reads."""

    def read(self, what: str, then: str, work: Work[T]) -> T: ...
    def close(self) -> None: ...


class Reading:
    """What a store holds, from ``since`` until before ``until`` (seconds since 1970).

    Every verb raises `StoreError` when the database cannot be read.
    """

    def __init__(self, database: Readable) -> None:
        self._database = database

    def close(self) -> None:
        """Gives the database up."""
        self._database.close()

    def groups(self, since: float = 0.0, until: float = _END) -> Iterator[Group]:
        """Groups of records that were accepted then, in order."""
        begin = select(func.min(JOURNAL.c.seq)).where(JOURNAL.c.now >= since)
        first = self._look(lambda connection: connection.scalar(begin))
        seq = (first or 0) - 1
        while first is not None:
            groups = self._look(partial(journal.after, seq=seq, limit=_GROUPS))
            for group in groups:
                if group.now >= until:
                    return
                yield group
            if len(groups) < _GROUPS:
                return
            seq = groups[-1].seq

    def distributions(self, since: float = 0.0) -> Iterator[Group]:
        """Distributions that are kept though the journal has forgotten them, in order."""
        after = 0
        while True:
            rows = self._look(partial(kept_distributions, after=after, since=since, limit=_GROUPS))
            for _, group in rows:
                yield group
            if len(rows) < _GROUPS:
                return
            after = rows[-1][0]

    def alerts(self, since: float = 0.0, until: float = _END, *, known: Iterable[Alert] = ()) -> Iterator[Alert]:
        """Alerts that fired within that time, each firing once: of ``known`` those first, then those kept last."""
        for alert in past.last_words(chain(known, self._kept_alerts(since)), since):
            if alert.starts_at < until:
                yield past.bare(alert)

    def incidents(self, since: float = 0.0, until: float = _END) -> Iterator[Incident]:
        """Incidents that opened before ``until`` and were open or told of since, those that opened first first."""
        open_or_told = INCIDENTS.c.status.in_(OPEN_STATUSES) | (INCIDENTS.c.updated_at >= since)
        query = select(INCIDENTS).where(open_or_told).order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)
        at, name = -_END, ""
        while True:
            later = (INCIDENTS.c.opened_at > at) | ((INCIDENTS.c.opened_at == at) & (INCIDENTS.c.id > name))
            rows = self._rows(query if at == -_END else query.where(later))
            for row in rows:
                if row.opened_at >= until:
                    return
                yield decode(row.document, Incident)
            if len(rows) < _ROWS:
                return
            at, name = rows[-1].opened_at, rows[-1].id

    def releases(self, since: float = 0.0) -> list[ReleaseRow]:
        """What is kept of releases from then on, the oldest first."""
        return self._look(lambda connection: told_releases.since(connection, since))

    def runs(self, since: float = 0.0, until: float = _END) -> Iterator[Run]:
        """Runs that began before ``until`` and were under way or told of since, by their ids."""
        query = select(RUNS).where(RUNS.c.state.not_in(RUN_OVER) | (RUNS.c.updated_at >= since))
        for row in self._by(query, RUNS.c.id, ""):
            run = decode(row.document, Run)
            if run.started_at < until:
                yield run

    def ledger(self, since: float = 0.0, until: float = _END) -> Iterator[LedgerEntry]:
        """Acts on the outside world that were intended then, in order."""
        for row in self._by(select(LEDGER).where(_within(LEDGER.c.at, since, until)), LEDGER.c.n, 0):
            result = None if row.result is None else decode(row.result, StepFinished)
            perform = decode(row.perform, Perform)
            yield LedgerEntry(perform=perform, state=row.state, result=result, tries=row.tries, lease=row.lease)

    def audit(self, since: float = 0.0, until: float = _END) -> Iterator[AuditEntry]:
        """Who did what then, in order."""
        for row in self._by(select(AUDIT).where(_within(AUDIT.c.at, since, until)), AUDIT.c.n, 0):
            audit = Audit(at=row.at, who=row.who, what=row.what, target=row.target, detail=row.detail)
            yield AuditEntry(n=row.n, audit=audit, prev_hash=row.prev_hash, hash=row.hash)

    def verify_audit(self) -> AuditBreak | None:
        """The first broken row of the whole audit trail; None when it is whole."""
        return self._look(first_break)

    def newest_audit(self) -> AuditEntry | None:
        """The last row of the audit trail."""
        return next(iter(self._look(partial(newest_audits, limit=1))), None)

    def quarantine(self, since: float = 0.0, until: float = _END) -> Iterator[Quarantined]:
        """What could not be read then, in order."""
        query = select(QUARANTINE).where(_within(QUARANTINE.c.at, since, until))
        for row in self._by(query, QUARANTINE.c.id, 0, _PAYLOADS):
            yield Quarantined(**dict(zip(QUARANTINE.columns.keys(), row, strict=True)))

    def state(self) -> bytes | None:
        """The last snapshot that can be read; None when there is none."""
        for row in self._rows(select(SNAPSHOTS).order_by(SNAPSHOTS.c.seq.desc())):
            with suppress(StoreError):
                state = unpack(Blob(row.packed, row.state))
                if sha256(state).hexdigest() == row.sha256:
                    return state
        return None

    def _kept_alerts(self, since: float) -> Iterator[Alert]:
        before = None
        while True:
            rows = self._look(partial(past.page, since=since, before=before))
            if not rows:
                return
            before = rows[-1][0]
            for _, alerts in rows:
                yield from reversed(alerts)

    def _by(self, query: Select[Any], key: Any, last: Any, most: int = _ROWS) -> Iterator[Any]:
        while True:
            rows = self._rows(query.where(key > last).order_by(key), most)
            yield from rows
            if len(rows) < most:
                return
            last = getattr(rows[-1], key.name)

    def _rows(self, query: Select[Any], most: int = _ROWS) -> list[Any]:
        return self._look(lambda connection: list(connection.execute(query.limit(most))))

    def _look(self, work: Work[T]) -> T:
        return self._database.read("read what is kept", "the export ends here", work)


def _within(column: Any, since: float, until: float) -> Any:
    return (column >= since) if until == _END else (column >= since) & (column < until)
