"""The loop: recovery is the same turns again, poisoned records are set aside, a failing store is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from daemon.parts import SmallCore, loaded, running, source
from quell.daemon import loop as loops
from quell.daemon import recovery, saving, seeing
from quell.daemon.saved import opened, packed
from quell.errors import StoreError
from quell.model.decision import Perform
from quell.model.records import AlertRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.weights import DEFAULT, Confidence
from quell.store.memory import MemoryStore
from quell.store.port import Accepted, Turn


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def firing(**labels: str) -> AlertRecord:
    return AlertRecord(at=1.0, seen=1.0, source="t", status="firing", labels=labels)


def names(core: SmallCore) -> set[str]:
    return {alert.name for alert in core.state.alerts.values()}


def test_a_restart_has_the_same_state_with_and_without_a_snapshot() -> None:
    async def story() -> None:
        store = MemoryStore()
        async with running(store=store) as quell:
            await quell.daemon.inbox.put([firing(alertname="a")])
            await quell.daemon.loop.save()
            await quell.daemon.inbox.put([firing(alertname="b"), firing(alertname="c", incident="I1")])
            await quell.settled()
            before = quell.core.snapshot()
            seq = quell.daemon.loop.seq
            store.save_snapshot = lambda seq, state: None  # type: ignore[method-assign]
        async with running(store=store) as again:
            assert again.core.snapshot() == before
            assert again.daemon.loop.seq == seq
            assert again.daemon.clock.now() >= again.core.state.now
        assert store.incident("I1") is not None

    go(story())


class ByRules(SmallCore):
    """Gives every alert the version of the rules that it was decided by."""

    def decide(self, records: Any, now: float) -> Any:
        marked = [
            msgspec.structs.replace(each, labels={**each.labels, "rules": self.rulebook.version}) for each in records
        ]
        return super().decide(marked, now)

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes | None) -> SmallCore:
        return cls(rulebook, SmallCore.restored(rulebook, data).state)


def rules_of(core: SmallCore) -> dict[str, str]:
    return {alert.name: alert.labels["rules"] for alert in core.state.alerts.values()}


def test_what_was_decided_is_decided_again_by_the_rules_of_then() -> None:
    async def story() -> None:
        store = MemoryStore()
        async with running(loaded(version="old"), store=store, restore=ByRules.restored) as quell:
            await quell.daemon.inbox.put([firing(alertname="a")])
            await quell.settled()
            store.save_snapshot = lambda seq, state: None  # type: ignore[method-assign] # as if it was killed
        del store.save_snapshot  # type: ignore[method-assign]
        async with running(loaded(version="new"), store=store, restore=ByRules.restored) as again:
            await again.daemon.inbox.put([firing(alertname="b")])
            await again.settled()
            assert rules_of(again.core) == {"a": "old", "b": "new"}

    go(story())


def test_weights_of_another_release_are_taken_up_though_the_files_are_the_same() -> None:
    def curve(quell: Any) -> Confidence:
        found: Confidence = quell.core.rulebook.correlate.weights.confidence
        return found

    async def story() -> None:
        store = MemoryStore()
        former = msgspec.to_builtins(Rulebook(version="same"))
        former["correlate"]["weights"]["confidence"] = {"constant": 0.93, "margin": 1.13}
        store.save_snapshot(0, b"".join(packed(msgspec.convert(former, Rulebook), [msgspec.msgpack.encode(State())])))
        async with running(loaded(version="same"), store=store, restore=ByRules.restored) as quell:
            assert curve(quell) == DEFAULT.confidence
        snapshot = store.recover().state
        assert snapshot is not None
        rulebook = opened(snapshot).rulebook
        assert rulebook is not None
        assert rulebook.correlate.weights == DEFAULT

    go(story())


def test_a_curve_that_was_saved_before_nats_counted_does_not_count_them() -> None:
    former = msgspec.to_builtins(Rulebook())
    del former["correlate"]["weights"]["confidence"]["nats"]
    saved = opened(msgspec.msgpack.encode([former, State()]))
    assert saved.rulebook is not None
    assert saved.rulebook.correlate.weights.confidence.nats == 0.0


def test_a_snapshot_without_readable_rules_is_taken_up_by_those_of_now() -> None:
    async def story() -> None:
        for data in (msgspec.msgpack.encode(State()), msgspec.msgpack.encode([{"version": 7}, State()])):
            store = MemoryStore()
            store.accept(Accepted(now=1.0, records=[firing(alertname="a")]))
            store.save_snapshot(0, data)
            with capture_logs() as logs:
                async with running(loaded(version="new"), store=store, restore=ByRules.restored) as quell:
                    assert rules_of(quell.core) == {"a": "new"}
            assert [entry["log_level"] for entry in logs if "rules of the snapshot" in entry["event"]] == ["warning"]

    go(story())


def test_a_snapshot_is_due_after_many_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "SNAPSHOT_AFTER", 10)

    async def story() -> None:
        store = MemoryStore()
        async with running(store=store) as quell:
            assert store.recover().seq == 0
            await quell.daemon.inbox.put([firing(alertname=f"a{n}") for n in range(9)])
            await quell.settled()
            assert store.recover().seq == 0
            await quell.daemon.inbox.put([firing(alertname="b")])
            await quell.until(lambda: store.recover().seq == 2)

    go(story())


class Ordered(MemoryStore):
    """Notes the turns and snapshots that it keeps, in order; keeps no snapshot of the end."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, int]] = []
        self.ends = False

    def commit(self, turn: Turn) -> list[Perform]:
        self.kept.append(("turn", turn.seq))
        return super().commit(turn)

    def save_snapshot(self, seq: int, state: Any) -> None:
        if not self.ends:
            self.kept.append(("snapshot", seq))
            super().save_snapshot(seq, state)


def test_a_turn_that_took_long_is_in_a_snapshot_as_soon_as_it_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "DECIDED_S", 0.05)
    monkeypatch.setattr(saving, "DECIDED_FOR_EACH", 0.0)
    decide = SmallCore.decide

    def slowly(core: SmallCore, records: Sequence[Any], now: float) -> Any:
        if any(record.labels["alertname"] == "slow" for record in records):
            began = time.thread_time()
            while time.thread_time() < began + 0.06:
                pass
        return decide(core, records, now)

    monkeypatch.setattr(SmallCore, "decide", slowly)

    async def story() -> None:
        store = Ordered()
        async with running(store=store) as quell:
            store.kept.clear()
            await quell.daemon.inbox.put([firing(alertname="quick", incident="I1")])
            await quell.settled()
            await quell.daemon.inbox.put([firing(alertname="slow", incident="I2")])
            await quell.until(lambda: store.recover().seq == 2)
            await quell.daemon.inbox.put([firing(alertname="quick again", incident="I3")])
            await quell.settled()
            assert store.kept == [("turn", 1), ("turn", 2), ("snapshot", 2), ("turn", 3)]
            store.ends = True
        async with running(store=store) as again:
            assert names(again.core) == {"quick", "slow", "quick again"}

    go(story())


@pytest.mark.parametrize(("many", "before_ready"), [(1, 1), (2, 2)])
def test_a_start_with_much_known_leaves_what_nobody_knows_to_be_decided_until_it_is_ready(
    many: int, before_ready: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be what the former process was at when it was killed."""
    monkeypatch.setattr(recovery, "_MANY_KNOWN", many)
    recovered: list[int] = []
    recover = loops.Loop.recover

    async def noted(loop: loops.Loop) -> Any:
        found = await recover(loop)
        recovered.append(loop.seq)
        return found

    async def story() -> None:
        store = Ordered()
        async with running(store=store) as quell:
            await quell.daemon.inbox.put([firing(alertname="a", incident="I1")])
            await quell.daemon.loop.save()
            store.ends = True
        store.accept(Accepted(now=quell.daemon.clock.now(), records=[firing(alertname="b", incident="I2")]))
        monkeypatch.setattr(loops.Loop, "recover", noted)
        async with running(store=store) as again:
            await again.settled()
            assert names(again.core) == {"a", "b"}
            assert again.daemon.loop.seq == 2
        assert recovered == [before_ready]
        assert store.incident("I2") is not None

    go(story())


def test_one_poisoned_record_among_many_is_set_aside_and_seen() -> None:
    async def story() -> None:
        store = MemoryStore()
        async with running(store=store) as quell:
            await quell.daemon.inbox.put([firing(alertname="before")])
            mixed = [firing(alertname=f"a{n}") for n in range(100)]
            mixed[37] = firing(alertname="bad", poison="x")
            mixed[80] = firing(alertname="bad2", poison="y")
            await quell.daemon.inbox.put(mixed)
            await quell.daemon.inbox.put([firing(alertname="after")])
            await quell.settled()
            wanted = {"before", "after", *(f"a{n}" for n in range(100) if n not in {37, 80})}
            assert names(quell.core) == wanted
            kept = store.quarantine()
            assert len(kept) == 2
            assert all("cannot digest" in entry.reason for entry in kept)
            assert b'"poison"' in kept[0].payload
            before = quell.core.snapshot()
            store.save_snapshot = lambda seq, state: None  # type: ignore[method-assign]
        async with running(store=store) as again:  # the journal still holds them
            assert again.core.snapshot() == before
            assert len(store.quarantine()) == 2

    go(story())


class Interval(SmallCore):
    """A core with a timer every second of its time; fails once its time has passed 5."""

    def next_due(self) -> float | None:
        return self.state.now + 1.0

    def decide(self, records: Any, now: float) -> Any:
        if now > self.limit:
            raise RuntimeError("time is up")
        return super().decide(records, now)

    limit = 0.0

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes | None) -> SmallCore:
        made = SmallCore.restored(rulebook, data)
        return cls(rulebook, made.state)


def test_when_time_itself_fails_alerts_are_still_taken() -> None:
    async def story() -> None:
        store = MemoryStore()
        Interval.limit = 4e9
        async with running(store=store, restore=Interval.restored) as quell:
            await quell.daemon.inbox.put([firing(alertname="a")])
            await quell.settled()
            Interval.limit = quell.daemon.clock.now()
            await asyncio.sleep(0.01)
            await quell.daemon.inbox.put([firing(alertname="b")])
            await quell.settled()
            assert names(quell.core) == {"a", "b"}
            assert "time cannot pass" in quell.daemon.status()["broken"]
            assert store.quarantine() == []

    go(story())


def test_timers_are_run_when_due() -> None:
    class Counting(SmallCore):
        woken = 0

        def next_due(self) -> float | None:
            return 0.05 + self.state.now if self.state.alerts else None

        def decide(self, records: Any, now: float) -> Any:
            Counting.woken += not records
            return super().decide(records, now)

        @classmethod
        def restored(cls, rulebook: Rulebook, data: bytes | None) -> SmallCore:
            return cls(rulebook, State())

    async def story() -> None:
        async with running(restore=Counting.restored) as quell:
            await quell.daemon.inbox.put([firing(alertname="a")])
            await quell.until(lambda: Counting.woken >= 3)

    go(story())


class Fitful(MemoryStore):
    """Commits of turns fail at first."""

    failures = 2

    def commit(self, turn: Turn) -> list[Perform]:
        if self.failures:
            self.failures -= 1
            raise StoreError("disk full")
        return super().commit(turn)


def test_decisions_wait_for_a_store_that_cannot_keep_them() -> None:
    async def story() -> None:
        store = Fitful()
        async with running(loaded(source("w", "worker")), store=store) as quell:
            await quell.daemon.inbox.put([firing(alertname="a", incident="I1", act="w.do", key="1")])
            await quell.until(lambda: quell.core.told("run/1"))
            assert store.incident("I1") is not None
            assert quell.daemon.loop.broken == ""
            assert [entry.state for entry in store.ledger()] == ["done"]

    go(story())


def test_a_turn_takes_along_what_is_being_committed_unless_somebody_waits_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_SOONEST_TURN_S", 2.0)  # looked at ten times within it

    async def story() -> None:
        async with running(store=MemoryStore()) as quell:
            loop, inbox = quell.daemon.loop, quell.daemon.inbox
            monkeypatch.setattr(type(inbox), "busy", property(lambda _inbox: True))
            seq = await inbox.put([firing(alertname="a")])
            assert not await loop.passed(seq, 0.0)
            began = time.perf_counter()
            while loop._passed.seq < seq:
                await asyncio.sleep(0.005)
            patient_s = time.perf_counter() - began
            seq = await inbox.put([firing(alertname="b")])
            began = time.perf_counter()
            assert await loop.passed(seq, 30.0)
            assert time.perf_counter() - began < patient_s
            assert patient_s > 1.5

    go(story())


def test_who_reads_waits_for_what_was_accepted_but_not_for_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with running(store=MemoryStore()) as quell:
            loop, inbox = quell.daemon.loop, quell.daemon.inbox
            async with loop._turning:  # nothing is decided over meanwhile
                seq = await inbox.put([firing(alertname="a")])
                monkeypatch.setattr(seeing, "_WAITS_S", 0.3)
                began = time.perf_counter()
                await loop.seen(seq)
                assert 0.25 <= time.perf_counter() - began < 30.0
                monkeypatch.setattr(seeing, "_WAITS_S", 30.0)
                reading = asyncio.create_task(loop.seen(seq))
                await asyncio.sleep(0.01)
                assert not reading.done()
                await inbox.put([firing(alertname="b", number=str(number)) for number in range(1_100)])
                began = time.perf_counter()
                await reading
                await loop.seen(seq)
                assert time.perf_counter() - began < 15.0
                assert loop._passed.seq < seq
            await loop.idle()
            await loop.seen(inbox.last_seq)
            assert names(quell.core) == {"a", "b"}

    go(story())


def test_who_reads_hardly_waits_where_much_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "_WAITS_S", 600.0)

    async def story() -> None:
        async with running(store=MemoryStore()) as quell:
            loop, inbox = quell.daemon.loop, quell.daemon.inbox
            await inbox.put([firing(alertname="a")])
            await loop.idle()
            monkeypatch.setattr(recovery, "_MANY_KNOWN", 1)
            async with loop._turning:
                seq = await inbox.put([firing(alertname="b")])
                async with asyncio.timeout(30.0):
                    await loop.seen(seq)
                assert loop._passed.seq < seq

    go(story())
