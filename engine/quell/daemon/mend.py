"""After a failure of the core: the state as it was before the turn, the records to blame, and the rest decided."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
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
READ_AGAIN_S = 1.0
"""Between attempts to use the store when it cannot be read."""
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
        self._known_at: dict[float, Counter[bytes]] = {}
        self._known_in: dict[int, Counter[bytes]] = {}
        self._known_until = 0

    def saved(self, seq: int) -> None:
        """A snapshot covers groups up to ``seq``."""
        self._dropped = {at: indexes for at, indexes in self._dropped.items() if at > seq}

    async def remember(self, last: int) -> None:
        """Before groups up to ``last`` are decided over again: which records of theirs were set aside before."""
        for entry in await self._writer.call(self._writer.store.quarantine, _REMEMBERED):
            if entry.kind != "record":
                continue
            self._known_at.setdefault(entry.at, Counter())[entry.payload] += 1
            if entry.seq and entry.state == "waiting":  # the core failed on it once more when it was tried again
                self._known_in.setdefault(entry.seq, Counter())[entry.payload] += 1
        self._known_until = last

    def left(self, group: Group) -> Group:
        """A group without the records that were set aside before.

        This version may well be able to decide over them. But they wait in quarantine to be replayed, and one that
        is taken here as well would count twice.
        """
        if group.seq > self._known_until or not group.records:
            return group
        known = self._known_at.get(group.now, Counter()) + self._known_in.get(group.seq, Counter())
        if not known:
            return group
        dropped = set()
        for index, record in enumerate(group.records):
            payload = msgspec.json.encode(record)
            if known[payload] > 0:
                known[payload] -= 1
                dropped.add(index)
        self._dropped[group.seq] = frozenset(dropped)
        records = [record for index, record in enumerate(group.records) if index not in dropped]
        return msgspec.structs.replace(group, records=records)

    async def mend(
        self, group: Group, rulebook: Rulebook, *, recovering: bool, fails: Callable[[StoreError], None]
    ) -> Isolated:
        """The core after ``group`` without the records it fails on, which are in quarantine then.

        Tries until the store tells what was before and keeps what is set aside; ``fails`` is told why it does not yet.
        When ``recovering``, records may be set aside already, and a start does not wait: raises StoreError.
        """
        tried = False
        while True:
            try:
                return await self._mended(group, rulebook, again=recovering or tried)
            except StoreError as error:
                if recovering:
                    raise
                tried = True
                fails(error)
                await asyncio.sleep(READ_AGAIN_S)

    async def _mended(self, group: Group, rulebook: Rulebook, *, again: bool) -> Isolated:
        """``again``: what is set aside may be there already. Raises StoreError; nothing is lost by trying again."""
        state = await self._before(group, rulebook)

        def restore() -> Decider:
            return self._restore(rulebook, state)

        # Cores are made of a state several times, which takes a while when it is large: receiving goes on meanwhile.
        found = await asyncio.to_thread(isolate, restore, group.records, group.now)
        if found.poisoned:
            await self._set_aside(group, found.poisoned, again=again)
            before = self._dropped.get(group.seq, frozenset())
            places = [index for index in range(len(group.records) + len(before)) if index not in before]
            self._dropped[group.seq] = before | {places[poisoned.index] for poisoned in found.poisoned}
        return found

    async def _before(self, group: Group, rulebook: Rulebook) -> bytes:
        """A snapshot of the state just before ``group``: the failed core may have been left half-way."""
        late: set[int] = set()
        while True:
            decider, failed = await self._rebuilt(group, rulebook, late)
            if failed is None:
                return await asyncio.to_thread(decider.snapshot)
            late.add(failed)

    async def _rebuilt(self, group: Group, rulebook: Rulebook, late: set[int]) -> tuple[Decider, int | None]:
        """The core after the groups before ``group``, or which of them fails now.

        It passed before only at the last good time, for time itself fails: it has to be among those that are ``late``.
        """
        store = self._writer.store
        found = await self._writer.call(store.recover)
        decider = await asyncio.to_thread(self._restored, found.state, rulebook)
        end = group.seq if group.records else group.seq + 1  # passing time carries the last group's seq
        groups = store.groups_after(found.seq, at_once=_READ_AT_ONCE)
        while batch := await self._writer.call(lambda: list(islice(groups, _READ_AT_ONCE))):
            for each in batch:
                if each.seq >= end:
                    return decider, None
                dropped = self._dropped.get(each.seq, frozenset())
                records = [record for index, record in enumerate(each.records) if index not in dropped]
                try:
                    now = decider.state.now if each.seq in late else each.now
                    await asyncio.to_thread(decide_all, decider, records, now)
                except Exception:
                    if each.seq in late:
                        raise
                    _log.exception("a group fails again while the state is rebuilt", seq=each.seq)
                    return decider, each.seq
        return decider, None

    def _restored(self, state: bytes | None, rulebook: Rulebook) -> Decider:
        if state is None:
            return self._restore(rulebook, None)
        saved = opened(state)
        return self._restore(saved.rulebook or rulebook, saved.state)

    async def _set_aside(self, group: Group, poisoned: list[Poisoned], *, again: bool) -> None:
        entries = []
        for each in poisoned:
            source = each.record.source
            reason = f"the core failed on this record: {type(each.error).__name__}: {each.error}"
            _log.error("record in quarantine: the core failed on it", seq=group.seq, source=source, exc_info=each.error)
            payload = msgspec.json.encode(each.record)
            entry = Quarantined(at=group.now, source=source, reason=reason, payload=payload, kind="record")
            entries.append(entry)
        store = self._writer.store
        # A record that is neither decided over nor set aside would be lost: whoever fails here tries again.
        entries = await self._writer.call(store.set_aside_again, group.seq, entries)
        if again:
            last = await self._writer.call(store.quarantine, _REMEMBERED)
            # One that was tried again since has the time of its first arrival, and the group of its last try.
            known = {(entry.at, entry.payload) for entry in last}
            tried = {entry.payload for entry in last if entry.tries}
            entries = [
                entry for entry in entries if (entry.at, entry.payload) not in known and entry.payload not in tried
            ]
        await self._writer.call(store.keep_quarantined, entries)
        self._metrics.poisoned.inc(len(poisoned))
