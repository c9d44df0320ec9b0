"""The store in memory: same verbs, same results, gone with the process. For trials, tests and replays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from quell.errors import StoreError
from quell.model.alert import Alert
from quell.model.decision import Audit, Perform
from quell.model.incident import Incident
from quell.model.records import AnyRecord, StepFinished
from quell.model.run import Run
from quell.store.aside import marks, unmatched
from quell.store.chain import Link, extend, first_break, not_yet_kept
from quell.store.codec import Blob, Sealed, pack_records, unpack, unpack_records
from quell.store.lease import ended, this_process
from quell.store.past import last_words, over_at
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
from quell.store.settle import SETTLED, begun, outlived, settled
from quell.store.tiers import without_contexts
from quell.store.told import intents_told, result_told

_SNAPSHOTS_KEPT = 2


class MemoryStore:
    """`quell.store.port.Store` in dictionaries. Records are kept encoded, so that nobody can change them later."""

    def __init__(self) -> None:
        self._seq = 0
        self._applied_seq = 0
        self._journal: dict[int, tuple[float, Blob]] = {}
        self._cursors: dict[str, str] = {}
        self._snapshots: dict[int, bytes] = {}
        self._ledger: dict[str, LedgerEntry] = {}
        self._ledger_seq: dict[str, int] = {}
        self._trail: list[tuple[int, AuditEntry]] = []
        self._anchor, self._head = Link(), Link()
        self._incidents: dict[str, Incident] = {}
        self._runs: dict[str, Run] = {}
        self._over: list[Alert] = []
        self._quarantined: list[Quarantined] = []
        self._quarantined_ever = 0
        self._lease: Lease | None = None
        self._shown: dict[tuple[str, str, str], ShownRow] = {}
        self._releases: dict[str, ReleaseRow] = {}

    def lease(self) -> Lease | None:
        return self._lease

    def lapsed(self, seen: Lease) -> bool:
        return ended(seen.holder)

    def take_lease(self, seen: Lease | None) -> Lease:
        assert seen == self._lease, "nobody else can have it"
        self._lease = Lease(1 if seen is None else seen.number + 1, 0, this_process())
        return self._lease

    def renew_lease(self) -> None:
        assert self._lease is not None, "only who took a lease has one"
        self._lease = msgspec.structs.replace(self._lease, beat=self._lease.beat + 1)

    def give_up_lease(self) -> None:
        assert self._lease is not None, "only who took a lease has one"
        self._lease = msgspec.structs.replace(self._lease, holder=None)

    def accept(self, accepted: Accepted) -> Group:
        blob = pack_records(accepted.records, accepted.parts)  # may refuse: nothing has been changed yet
        self._seq += 1
        self._journal[self._seq] = (accepted.now, blob)
        self._cursors.update(accepted.cursors)
        self.keep_quarantined(accepted.quarantined)
        self._mark(accepted.records)
        self._settle(accepted.records, accepted.now)
        return Group(seq=self._seq, now=accepted.now, records=accepted.records, parts=accepted.parts)

    def commit(self, turn: Turn) -> list[Perform]:
        self._incidents.update((incident.id, incident) for incident in turn.incidents)
        self._runs.update((run.id, run) for run in turn.runs)
        self._append_audits(turn)
        new = []
        for perform in turn.intents:
            known = self._ledger.get(perform.key)
            if known is None or outlived(known, perform):
                self._ledger.pop(perform.key, None)
                self._ledger[perform.key] = LedgerEntry(perform=perform, state="intended")
                self._ledger_seq[perform.key] = turn.seq
                new.append(perform)
        self.note(intents_told(new, turn.said))
        return new

    def begin_act(self, key: str) -> None:
        self._ledger[key] = begun(self._entry(key), 0 if self._lease is None else self._lease.number)

    def finish_act(self, result: StepFinished) -> None:
        self._ledger[result.key] = settled(self._entry(result.key), result)

    def unfinished(self) -> list[LedgerEntry]:
        return [entry for entry in self._ledger.values() if entry.state not in SETTLED]

    def ledger(self, run: str = "", limit: int = 1000) -> list[LedgerEntry]:
        entries = [entry for entry in reversed(self._ledger.values()) if not run or entry.perform.run == run]
        return entries[:limit]

    def save_snapshot(self, seq: int, state: bytes | Sealed) -> None:
        self._snapshots[seq] = unpack(state.blob) if isinstance(state, Sealed) else state
        for old in sorted(self._snapshots)[:-_SNAPSHOTS_KEPT]:
            del self._snapshots[old]

    def recover(self) -> Recovered:
        seq = max(self._snapshots, default=0)
        known = max(seq, self._applied_seq)
        return Recovered(
            seq=seq,
            state=self._snapshots.get(seq),
            cursors=dict(self._cursors),
            decided=self._applied_seq,
            last=max(self._journal, default=0),
            until=max((now for now, _ in self._journal.values()), default=0.0),
            behind=sum(len(unpack_records(blob)) for at, (_, blob) in self._journal.items() if at > known),
        )

    def decided_until(self) -> float:
        times = [entry.perform.at for entry in self._ledger.values()]
        times += [entry.audit.at for _, entry in self._trail]
        times += [incident.updated_at for incident in self._incidents.values()]
        times += [run.updated_at for run in self._runs.values()]
        return max(times, default=0.0)

    def groups_after(self, seq: int, *, at_once: int = 200) -> Iterator[Group]:
        del at_once  # all of it is in memory anyway
        for later, (now, blob) in list(self._journal.items()):
            if later > seq:
                yield Group(seq=later, now=now, records=unpack_records(blob))

    def quarantine(self, limit: int = 100, *, state: str = "", source: str = "") -> list[Quarantined]:
        found = [
            each
            for each in reversed(self._quarantined)
            if state in {"", each.state} and source in {"", each.source}
        ]  # fmt: skip
        return found[:limit]

    def quarantine_after(self, entry_id: int, limit: int) -> list[Quarantined]:
        found = [each for each in reversed(self._quarantined) if each.id > entry_id]
        return [msgspec.structs.replace(each, payload=b"", request=b"") for each in found[:limit]]

    def quarantined(self, entry_id: int) -> Quarantined | None:
        return next((each for each in self._quarantined if each.id == entry_id), None)

    def quarantine_size(self) -> int:
        return sum(each.state == "waiting" for each in self._quarantined)

    def tried_again(self, entry_id: int, reason: str, *, at: float, by: str) -> None:
        found = self.quarantined(entry_id)
        if found is not None and found.state == "waiting":
            self._replace(found, reason=reason, tries=found.tries + 1, tried_at=at, tried_by=by)

    def set_aside_again(self, seq: int, entries: Sequence[Quarantined]) -> list[Quarantined]:
        left, pairs = unmatched([each for each in self._quarantined if each.seq == seq], entries)
        for entry_id, reason in pairs:
            found = self.quarantined(entry_id)
            if found is not None:
                self._replace(found, state="waiting", reason=reason)
        return left

    def keep_quarantined(self, entries: Sequence[Quarantined]) -> None:
        for entry in entries:
            self._quarantined_ever += 1
            self._quarantined.append(msgspec.structs.replace(entry, id=self._quarantined_ever))

    def incident(self, incident_id: str) -> Incident | None:
        return self._incidents.get(incident_id)

    def runs(self, since: float = 0.0) -> list[Run]:
        began = [run for run in self._runs.values() if run.started_at >= since]
        return sorted(began, key=lambda run: (run.started_at, run.id))

    def resolved(self, limit: int = 1000) -> list[Incident]:
        over = [incident for incident in self._incidents.values() if incident.status == "resolved"]
        return sorted(over, key=lambda incident: (-incident.opened_at, incident.id))[:limit]

    def audit(self, limit: int = 1000) -> list[AuditEntry]:
        return [entry for _, entry in self._trail[::-1][:limit]]

    def verify_audit(self) -> AuditBreak | None:
        return first_break((entry for _, entry in self._trail), anchor=self._anchor, head=self._head)

    def note(self, audits: Sequence[Audit]) -> None:
        for entry in extend(self._head, audits):
            self._trail.append((self._applied_seq, entry))
            self._head = Link(entry.n, entry.hash)

    def shown(self) -> list[ShownRow]:
        return sorted(self._shown.values(), key=lambda row: (row.at, row.source, row.key))

    def keep_shown(self, kept: Sequence[ShownRow], gone: Sequence[ShownRow] = ()) -> None:
        for row in gone:
            self._shown.pop((row.source, row.channel, row.key), None)
        self._shown.update(((row.source, row.channel, row.key), row) for row in kept)

    def releases(self, since: float = 0.0) -> list[ReleaseRow]:
        return sorted((row for row in self._releases.values() if row.at >= since), key=lambda row: (row.at, row.id))

    def keep_releases(self, rows: Sequence[ReleaseRow]) -> None:
        self._releases.update((row.id, row) for row in rows)

    def keep_alerts(self, alerts: Sequence[Alert]) -> None:
        self._over += alerts

    def alerts(self, since: float = 0.0) -> Iterator[Alert]:
        return last_words(reversed(self._over), since)

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
        most: int = 1_000,  # noqa: ARG002 -- memory is quick: everything goes at once
    ) -> int:
        before = self._rows()
        safe = min(self._snapshots) if len(self._snapshots) == _SNAPSHOTS_KEPT else 0
        del distributions_before  # nobody reads past records of a store that ends with its process
        for seq, (now, _) in list(self._journal.items()):
            if now >= records_before or seq > safe:
                break
            del self._journal[seq]
        for seq, (now, blob) in list(self._journal.items()):
            if contexts_before is None or now >= contexts_before or seq > safe:
                break
            if (told := without_contexts(unpack_records(blob))) is not None:
                self._journal[seq] = (now, pack_records(told))
        self._trim_quarantine(records_before if quarantine_before is None else quarantine_before, quarantine_bytes)
        self._over = [alert for alert in self._over if over_at(alert) >= alerts_before]
        for key, entry in list(self._ledger.items()):
            old = entry.perform.at < incidents_before and self._ledger_seq[key] < safe
            if old and entry.state in SETTLED:
                del self._ledger[key], self._ledger_seq[key]
        self._runs = {
            run.id: run for run in self._runs.values() if not (run.over and run.updated_at < incidents_before)
        }
        self._incidents = {
            incident.id: incident
            for incident in self._incidents.values()
            if incident.is_open or incident.updated_at >= incidents_before
        }
        self._releases = {name: row for name, row in self._releases.items() if row.at >= incidents_before}
        while self._trail and self._trail[0][0] < safe and self._trail[0][1].audit.at < audit_before:
            _, gone = self._trail.pop(0)
            self._anchor = Link(gone.n, gone.hash)
        return before - self._rows()

    def compact(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to give up; the content stays as long as the object."""

    def _mark(self, records: Sequence[AnyRecord]) -> None:
        for entry_id, state, by in marks(records):
            found = self.quarantined(entry_id)
            if found is not None and found.state == "waiting":
                self._replace(
                    found, state=state, seq=self._seq, tries=found.tries + 1, tried_at=by.at, tried_by=by.by
                )  # fmt: skip

    def _replace(self, entry: Quarantined, **fields: Any) -> None:
        self._quarantined[self._quarantined.index(entry)] = msgspec.structs.replace(entry, **fields)

    def _trim_quarantine(self, before: float, most_bytes: int | None) -> None:
        self._quarantined = [entry for entry in self._quarantined if entry.at >= before]
        while most_bytes is not None and sum(entry.size for entry in self._quarantined) > most_bytes:
            del self._quarantined[0]

    def _append_audits(self, turn: Turn) -> None:
        if turn.seq < self._applied_seq:
            return
        self._applied_seq = turn.seq
        times = {audit.at for audit in turn.audits}
        kept = [entry.audit for _, entry in self._trail if entry.audit.at in times] if times else []
        self.note(not_yet_kept(turn.audits, kept))

    def _settle(self, records: Sequence[AnyRecord], now: float) -> None:
        for record in records:
            if isinstance(record, StepFinished) and record.key in self._ledger:
                before = self._ledger[record.key]
                self.finish_act(record)
                self.note(result_told(before, self._ledger[record.key], now))

    def _entry(self, key: str) -> LedgerEntry:
        entry = self._ledger.get(key)
        if entry is None:
            raise StoreError(f'the ledger has no entry "{key}"; an act is committed as an intent before it is tried')
        return entry

    def _rows(self) -> int:
        parts = (
            self._journal, self._quarantined, self._over, self._ledger, self._runs, self._incidents, self._trail,
            self._releases,
        )  # fmt: skip
        return sum(len(part) for part in parts)
