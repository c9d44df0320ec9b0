"""After a failure of the core: the state as it was before the turn, the records to blame, and the rest decided."""

from __future__ import annotations

from itertools import islice

import msgspec
import structlog

from quell.daemon.decider import Decider, Isolated, Poisoned, Restore, decide_all, isolate
from quell.daemon.metrics import Metrics
from quell.daemon.saved import opened
from quell.daemon.writer import Writer
from quell.errors import StoreError
from quell.model.rulebook import Rulebook
from quell.store.port import Group, Quarantined

_log = structlog.get_logger("quell.loop")
_READ_AT_ONCE = 20
"""Groups of the journal in memory while the state is rebuilt."""
_REMEMBERED = 1000
"""Quarantine entries looked through, so that a recovery does not set the same record aside twice."""


class Mender:
    """Remembers which records of which groups were set aside, until a snapshot covers them."""

    def __init__(self, writer: Writer, restore: Restore, metrics: Metrics) -> None:
        self._writer = writer
        self._restore = restore
        self._metrics = metrics
        self._dropped: dict[int, frozenset[int]] = {}

    def saved(self, seq: int) -> None:
        """A snapshot covers groups up to ``seq``."""
        self._dropped = {at: indexes for at, indexes in self._dropped.items() if at > seq}

    async def mend(self, group: Group, rulebook: Rulebook, *, recovering: bool) -> Isolated:
        """The core after ``group`` without the records it fails on, which are in quarantine then."""
        before = await self._before(group, rulebook)

        def restore() -> Decider:
            return self._restore(rulebook, before)

        found = isolate(restore, group.records, group.now)
        if found.poisoned:
            self._dropped[group.seq] = frozenset(poisoned.index for poisoned in found.poisoned)
            await self._set_aside(group, found.poisoned, recovering=recovering)
        return found

    async def _before(self, group: Group, rulebook: Rulebook) -> bytes:
        """A snapshot of the state just before ``group``: the failed core may have been left half-way."""
        store = self._writer.store
        found = await self._writer.call(store.recover)
        if found.state is None:
            decider = self._restore(rulebook, None)
        else:
            saved = opened(found.state)
            decider = self._restore(saved.rulebook or rulebook, saved.state)
        end = group.seq if group.records else group.seq + 1  # passing time carries the last group's seq
        groups = store.groups_after(found.seq, at_once=_READ_AT_ONCE)
        while batch := await self._writer.call(lambda: list(islice(groups, _READ_AT_ONCE))):
            for each in batch:
                if each.seq >= end:
                    return decider.snapshot()
                decider = self._again(decider, rulebook, each)
        return decider.snapshot()

    def _again(self, decider: Decider, rulebook: Rulebook, group: Group) -> Decider:
        """The core after a group that was decided over before, without the records that were set aside then."""
        dropped = self._dropped.get(group.seq, frozenset())
        records = [record for index, record in enumerate(group.records) if index not in dropped]
        data = decider.snapshot()
        try:
            decide_all(decider, records, group.now)
        except Exception:  # noqa: BLE001 - it passed before only at the last good time: time itself fails
            _log.exception("a group fails again while the state is rebuilt", seq=group.seq)
            decider = self._restore(rulebook, data)
            decide_all(decider, records, decider.state.now)
        return decider

    async def _set_aside(self, group: Group, poisoned: list[Poisoned], *, recovering: bool) -> None:
        entries = []
        for each in poisoned:
            source = each.record.source
            reason = f"the core failed on this record: {type(each.error).__name__}: {each.error}"
            _log.error("record in quarantine: the core failed on it", seq=group.seq, source=source, exc_info=each.error)
            payload = msgspec.json.encode(each.record)
            entry = Quarantined(at=group.now, source=source, reason=reason, payload=payload, kind="record")
            entries.append(entry)
        self._metrics.poisoned.inc(len(entries))
        store = self._writer.store
        try:
            entries = await self._writer.call(store.set_aside_again, group.seq, entries)
            if recovering:
                last = await self._writer.call(store.quarantine, _REMEMBERED)
                # One that was tried again since has the time of its first arrival, and the group of its last try.
                known = {(entry.at, entry.payload) for entry in last}
                tried = {entry.payload for entry in last if entry.tries}
                entries = [
                    entry for entry in entries if (entry.at, entry.payload) not in known and entry.payload not in tried
                ]
            await self._writer.call(store.keep_quarantined, entries)
        except StoreError as error:
            _log.exception("poisoned records could not be kept", error=str(error))
