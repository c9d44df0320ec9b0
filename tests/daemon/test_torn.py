"""A state that is ahead of what is committed is never saved; what fails on the way is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import pytest

from daemon.parts import Running, SmallCore, Worker, loaded, running, source
from quell.daemon import backlog as backlogs
from quell.daemon import committing, mend
from quell.daemon import loop as loops
from quell.errors import StoreError
from quell.model.decision import Perform
from quell.model.records import AlertRecord, AnyRecord
from quell.model.rulebook import Rulebook
from quell.store.memory import MemoryStore
from quell.store.port import Group, Quarantined, Recovered, Turn


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def firing(**labels: str) -> AlertRecord:
    return AlertRecord(at=1.0, seen=1.0, source="t", status="firing", labels=labels)


def names(core: SmallCore) -> set[str]:
    return {alert.name for alert in core.state.alerts.values()}


class Escalating(SmallCore):
    """Acts once, a while after the first alert, by a timer."""

    def next_due(self) -> float | None:
        return self.state.now + 0.05 if self.state.alerts and not self.state.paused_by else None

    def decide(self, records: Sequence[AnyRecord], now: float) -> Any:
        due = self.next_due()
        out = super().decide(records, now)
        if due is not None and due <= now:
            self.state.paused_by = "told"
            params = {"text": "wake up"}
            out.append(Perform(at=due, key="run/1", action="w.do", params=params, effect="change", repeat="state",
                               timeout_s=5.0))  # fmt: skip
        return out

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes | None) -> SmallCore:
        return cls(rulebook, SmallCore.restored(rulebook, data).state)


class Breaks(MemoryStore):
    """A commit of intents fails in a way that nobody foresaw."""

    broken = True
    closed = False

    def commit(self, turn: Turn) -> list[Perform]:
        if turn.intents and self.broken:
            raise RuntimeError("a bug in the store")
        return super().commit(turn)


def test_what_a_failed_turn_decided_comes_about_after_the_restart() -> None:
    async def story() -> None:
        store = Breaks()
        config = loaded(source("w", "worker"))
        async with running(config, store=store, restore=Escalating.restored) as quell:
            await quell.daemon.inbox.put([firing(alertname="a")])
            await asyncio.wait_for(quell.daemon.stopping.wait(), 10)
            assert quell.daemon.exit_code == 3
        assert Worker.calls == []
        store.broken = False
        async with running(config, store=store, restore=Escalating.restored) as again:
            await again.until(lambda: Worker.calls, within_s=5)
            assert again.core.state.paused_by == "told"

    go(story())


class Unreadable(MemoryStore):
    """Cannot tell for a while what was before."""

    failures = 0
    unkept = 0
    mute = False

    def recover(self) -> Recovered:
        if self.failures:
            self.failures -= 1
            raise StoreError("the server does not answer")
        return super().recover()

    def keep_quarantined(self, entries: Sequence[Quarantined]) -> None:
        if not entries:
            return
        if self.mute:  # kept, but the answer is lost
            super().keep_quarantined(entries)
        if self.mute or self.unkept:
            self.unkept, self.mute = max(0, self.unkept - 1), False
            raise StoreError("the disk is full")
        super().keep_quarantined(entries)


def test_a_core_is_mended_once_the_store_can_tell_what_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mend, "READ_AGAIN_S", 0.1)

    async def story() -> None:
        store = Unreadable()
        async with running(store=store) as quell:
            await quell.daemon.inbox.put([firing(alertname="a")])
            await quell.settled()
            store.failures = 3
            await quell.daemon.inbox.put([firing(alertname="b"), firing(alertname="bad", poison="x")])
            await quell.until(lambda: quell.daemon.loop.broken)
            await quell.settled()
            assert names(quell.core) == {"a", "b"}
            assert quell.daemon.loop.broken == ""
            assert len(store.quarantine()) == 1

    go(story())


def test_a_record_that_fails_is_not_lost_when_it_cannot_be_set_aside_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mend, "READ_AGAIN_S", 0.1)

    async def story() -> None:
        store = Unreadable()
        async with running(store=store) as quell:
            store.unkept = 2
            await quell.daemon.inbox.put([firing(alertname="a"), firing(alertname="bad", poison="x")])
            await quell.until(lambda: quell.daemon.loop.broken)
            await quell.settled()
            assert len(store.quarantine()) == 1
            store.mute = True
            await quell.daemon.inbox.put([firing(alertname="bad", poison="y"), firing(alertname="b")])
            await quell.settled()
            assert len(store.quarantine()) == 2
            assert names(quell.core) == {"a", "b"}
            assert quell.daemon.loop.broken == ""

    go(story())


class Clumsy(MemoryStore):
    """Snapshots fail in a way that nobody foresaw."""

    clumsy = True

    def save_snapshot(self, seq: int, state: Any) -> None:
        if self.clumsy:
            raise RuntimeError("a bug in the store")
        super().save_snapshot(seq, state)


async def snapshot_fails(quell: Running) -> None:
    await quell.daemon.inbox.put([firing(alertname="a")])
    await quell.settled()
    saving = quell.daemon.loop._saving
    await quell.until(lambda: saving._under_way is not None and saving._under_way.done())


def test_a_snapshot_that_fails_in_whatever_way_stops_neither_reloads_nor_the_end() -> None:
    async def story() -> None:
        store = Clumsy()
        async with running(loaded(snapshot_every_s=0.05), store=store) as quell:
            await snapshot_fails(quell)
            await quell.daemon.loop.use(Rulebook(version="2"))
            store.clumsy = False
            await quell.until(lambda: store.recover().seq == 1)  # tried again, though nothing else happened
            store.clumsy = True
            await snapshot_fails(quell)
        assert quell.daemon.exit_code == 0

    go(story())


class Slow(SmallCore):
    """Takes a while for everything."""

    lags: list[float]
    quell: Running | None

    def decide(self, records: Sequence[AnyRecord], now: float) -> Any:
        if records and Slow.quell is not None:
            Slow.lags.append(Slow.quell.daemon.loop.lag_s)
        return super().decide(records, now)

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes | None) -> SmallCore:
        return cls(rulebook, SmallCore.restored(rulebook, data).state)


class Damaged(MemoryStore):
    """The journal cannot be read."""

    damaged = False

    def groups_after(self, seq: int, *, at_once: int = 200) -> Iterator[Group]:
        if self.damaged:
            raise StoreError("journal group 7: stored records cannot be read")
        return super().groups_after(seq, at_once=at_once)


def test_a_backlog_shows_its_age_all_the_time_and_why_it_does_not_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "MOST_PER_GROUP", 10)
    monkeypatch.setattr(loops, "READ_AGAIN_S", 0.05)
    monkeypatch.setattr(backlogs.Backlog.__init__, "__defaults__", (20,))
    Slow.lags, Slow.quell = [], None

    async def story() -> None:
        store = Damaged()
        async with running(store=store, restore=Slow.restored) as quell:
            Slow.quell, store.damaged = quell, True
            await asyncio.gather(*(quell.daemon.inbox.put([firing(alertname=f"a{n}")] * 10) for n in range(40)))
            await quell.until(lambda: "cannot be read" in quell.daemon.status()["broken"])
            assert quell.daemon.loop.lag_s > 0
            store.damaged = False
            await quell.settled()
            assert quell.daemon.loop.broken == ""
            assert len(Slow.lags) >= 40
            assert min(Slow.lags) > 0
            assert quell.daemon.loop.lag_s == 0

    go(story())
