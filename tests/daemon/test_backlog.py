"""What is accepted and not decided over yet: on disk, in order, bounded, and still there after a kill."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.parts import Running, SmallCore, loaded, running
from quell.config.settings import Limits
from quell.daemon import backlog as backlogs
from quell.daemon import committing, recovery
from quell.daemon import loop as loops
from quell.daemon.backlog import Backlog
from quell.daemon.writer import Writer
from quell.errors import Overloaded, StoreError
from quell.model.records import AlertRecord, AnyRecord, Tick
from quell.model.retold import Retold, Words
from quell.model.rulebook import Rulebook
from quell.store.memory import MemoryStore
from quell.store.opening import open_store
from quell.store.port import Accepted, Group


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def firing(name: str) -> AlertRecord:
    return AlertRecord(at=1.0, seen=1.0, source="t", status="firing", labels={"alertname": name})


def many(count: int, start: int = 0) -> list[AnyRecord]:
    return [firing(f"a{n}") for n in range(start, start + count)]


class Slow(SmallCore):
    """Takes five milliseconds for whatever it gets, and remembers in which order it got it."""

    order: list[str]

    def decide(self, records: Sequence[AnyRecord], now: float) -> Any:
        if records:
            time.sleep(0.005)
        for record in records:
            assert isinstance(record, AlertRecord)
            Slow.order.append(record.labels["alertname"])
        return super().decide(records, now)

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes | None) -> SmallCore:
        return cls(rulebook, SmallCore.restored(rulebook, data).state)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    Slow.order = []
    monkeypatch.setattr(committing, "MOST_PER_GROUP", 250)
    monkeypatch.setattr(backlogs.Backlog.__init__, "__defaults__", (500,))


def test_what_memory_does_not_hold_is_read_from_the_journal_in_order(tmp_path: Path) -> None:
    async def story() -> None:
        store = open_store("sqlite:///q.db", tmp_path)
        waiting, seen = Backlog(Writer(store), most=10), []
        for n in range(30):
            waiting.add(store.accept(Accepted(now=float(n), records=many(4, 4 * n))))
            assert waiting.held <= 10 + 4
        while waiting:
            await waiting.read()
            assert waiting.held <= 4 * 4
            groups = waiting.take()
            seen.append(next(groups).seq)
            if len(seen) == 7:  # one that comes meanwhile stands behind all that were left
                waiting.add(store.accept(Accepted(now=99.0, records=many(4, 200))))
        assert seen == list(range(1, 32))
        assert waiting.since is None
        store.close()

    go(story())


def test_alerts_that_say_much_count_by_how_much_it_is() -> None:
    waiting = Backlog(Writer(open_store("memory:", Path())), most=100)
    notes = {"description": "x" * 10_000}

    def add(seq: int, labels: list[dict[str, str]]) -> None:
        told = [AlertRecord(at=1.0, seen=1.0, status="firing", labels=each, annotations=notes) for each in labels]
        waiting.add(Group(seq=seq, now=float(seq), records=told))

    first, others = [{"alertname": f"a{n}"} for n in range(4)], [{"alertname": f"b{n}"} for n in range(6)]
    for seq in range(1, 4):  # the very words that wait count once, however long they are
        add(seq, first)
        assert waiting.held == 4 * 11 + 4 * (seq - 1) // 5
    add(4, others)
    assert waiting.held == 10 * 11 + 8 // 5
    add(5, first[:1])  # is left in the journal
    assert [group.seq for group in waiting.take()] == [1, 2, 3, 4]
    assert (waiting.held, bool(waiting)) == (0, True)


_SAID = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=5)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(st.none(), st.tuples(_SAID, st.booleans())), max_size=40))
def test_what_has_its_place_in_memory_does_not_depend_on_when_it_is_counted(
    steps: list[tuple[list[tuple[int, int]], bool] | None],
) -> None:
    labels = [{"alertname": f"a{n}"} for n in range(7)]
    notes = [{}, {"said": "x" * 700}, {"said": "x" * 2_500}]
    writer = Writer(MemoryStore())
    early, late = Backlog(writer, most=12), Backlog(writer, most=12)
    seq = 0
    for step in steps:
        if step is None:
            first, other = next(early.take(), None), next(late.take(), None)
            assert first == other
            continue
        seq += 1
        told = [
            AlertRecord(at=1.0, seen=1.0, status="firing", labels=labels[who], annotations=notes[said])
            for who, said in step[0]
        ]
        group = Group(seq=seq, now=float(seq), records=told, size=len(msgspec.msgpack.encode(told)) if step[1] else 0)
        early.add(group)
        late.add(group)
        assert early.held >= 0
        assert early.count == late.count
    assert early.held == late.held
    assert [group.seq for group in early.take()] == [group.seq for group in late.take()]
    assert early.held == late.held == 0


def test_alerts_told_again_with_the_same_labels_hardly_count() -> None:
    async def story() -> None:
        waiting = Backlog(Writer(open_store("memory:", Path())), most=150)
        labels = [{"alertname": f"a{n}"} for n in range(50)]
        for seq in range(1, 6):
            told = [AlertRecord(at=1.0, seen=seq * 1.0, status="firing", labels=each) for each in labels]
            waiting.add(Group(seq=seq, now=float(seq), records=told))
        assert waiting.held == 50 + 200 // 5
        groups = waiting.take()
        assert next(groups).seq == 1
        assert waiting.held == 50 + 150 // 5
        assert [group.seq for group in groups] == [2, 3, 4, 5]  # none of them was left in the journal
        assert (waiting.held, bool(waiting)) == (0, False)
        notes = [{"value": str(n)} for n in range(10)]
        for seq, note in enumerate([*notes, notes[-1]], 6):  # the same labels, and other words each time but the last
            one = AlertRecord(at=1.0, seen=1.0, status="firing", labels=labels[0], annotations=note)
            waiting.add(Group(seq=seq, now=float(seq), records=[one]))
        assert waiting.held == 10
        assert len(list(waiting.take())) == 11
        assert waiting.held == 0

    go(story())


def test_what_is_no_alert_counts_in_full() -> None:
    async def story() -> None:
        waiting = Backlog(Writer(open_store("memory:", Path())), most=150)
        same = firing("a")
        for seq in range(1, 4):
            waiting.add(Group(seq=seq, now=float(seq), records=[same, Tick(at=1.0), same, Tick(at=2.0)]))
        assert waiting.held == 7 + 5 // 5
        groups = waiting.take()
        next(groups)
        assert waiting.held == 5 + 3 // 5
        assert len(list(groups)) == 2
        assert waiting.held == 0

    go(story())


def test_a_group_that_the_store_kept_without_saying_so_is_found_before_the_next_one() -> None:
    async def story() -> None:
        store = open_store("memory:", Path())
        waiting = Backlog(Writer(store))
        for n in range(5):
            group = store.accept(Accepted(now=float(n), records=many(1, n)))
            if n not in {1, 4}:
                waiting.add(group)
        seen = []
        while waiting:
            await waiting.read()
            seen += [group.seq for group in waiting.take()]
        assert seen == [1, 2, 3, 4]
        store.close()

    go(story())


async def put_all(quell: Running, puts: int) -> int:
    """Puts so many times 250 records at once; how many of them were refused."""
    tasks = [quell.daemon.inbox.put(many(250, 250 * n)) for n in range(puts)]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, BaseException)]
    for refusal in refusals:
        assert isinstance(refusal, Overloaded)
    return 250 * len(refusals)


def test_a_storm_larger_than_memory_is_accepted_at_once_and_decided_over_in_order() -> None:
    async def story() -> None:
        async with running(restore=Slow.restored) as quell:
            assert await put_all(quell, 20) == 0
            status = quell.daemon.status()
            assert status["backlog"]["records"] > 1000  # more than the 500 at hand
            await quell.settled()
            assert [f"a{n}" for n in range(5000)] == Slow.order
            assert quell.daemon.status()["backlog"] == {"records": 0, "limit": 500_000, "lag_s": 0.0}

    go(story())


def test_beyond_its_bound_senders_are_refused_and_afterwards_taken_again() -> None:
    async def story() -> None:
        async with running(loaded(limits=Limits(inbox=4000, backlog=1000)), restore=Slow.restored) as quell:
            refused = await put_all(quell, 16)
            assert refused >= 2000
            assert quell.daemon.inbox.behind <= 1000
            await quell.settled()
            assert len(Slow.order) == 4000 - refused == len(quell.core.state.alerts)
            await quell.daemon.inbox.put(many(50, 5000))

    go(story())


def test_a_start_does_not_wait_for_a_long_backlog_and_decides_over_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_UNDECIDED_BEFORE_READY", 100)

    async def story() -> None:
        store = MemoryStore()
        for n in range(40):
            store.accept(Accepted(now=float(n), records=many(50, 50 * n)))
        async with running(store=store, restore=Slow.restored) as quell:
            assert len(Slow.order) < 2000
            assert quell.daemon.inbox.behind > 0
            late = await quell.daemon.inbox.put(many(1, 9000))
            assert late == 41
            await quell.settled()
            assert Slow.order == [f"a{n}" for n in range(2000)] + ["a9000"]
            assert quell.daemon.inbox.behind == 0

    go(story())


class Unreadable(MemoryStore):
    """The journal cannot be read for a while."""

    failures = 0

    def groups_after(self, seq: int, *, at_once: int = 200) -> Iterator[Group]:
        if self.failures:
            self.failures -= 1
            raise StoreError("an i/o error")
        return super().groups_after(seq, at_once=at_once)


def test_a_journal_that_cannot_be_read_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "READ_AGAIN_S", 0.01)

    async def story() -> None:
        store = Unreadable()
        async with running(store=store, restore=Slow.restored) as quell:
            store.failures = 3
            assert await put_all(quell, 12) == 0
            await quell.settled()
            assert [f"a{n}" for n in range(3000)] == Slow.order
            assert store.failures == 0

    go(story())


def test_what_is_told_again_counts_by_what_it_says() -> None:
    said = Words([firing(f"a{n}") for n in range(100)], 40_000)
    long = Words([firing("long")], 5_000)
    waiting = Backlog(Writer(MemoryStore()), most=1_000)

    def group(seq: int, *parts: Sequence[AnyRecord]) -> Group:
        return Group(seq=seq, now=1.0, records=[record for part in parts for record in part], parts=parts)

    waiting.add(group(1, Retold(said, 1.0, 9.0), Retold(said, 2.0, 9.0)))
    assert waiting.held == 100 + 100 // 5
    waiting.add(group(2, Retold(said, 3.0, 9.0), many(10)))
    assert waiting.held == 110 + 200 // 5
    waiting.add(group(3, Retold(long, 3.0, 9.0)))
    assert waiting.held == 115 + 196 // 5
    groups = waiting.take()
    assert [next(groups).seq, waiting.held] == [1, 115]
    assert [next(groups).seq, waiting.held] == [2, 5]
    assert [next(groups).seq, waiting.held] == [3, 0]
    assert not waiting


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 3_000), min_size=1, max_size=6), min_size=1, max_size=6), st.booleans())
def test_what_waits_counts_the_same_whether_the_store_counted_bytes_or_not(
    lengths: list[list[int]], ticks: bool
) -> None:
    """An alert for each number, with a text of so many letters, of which each takes two bytes."""
    with TemporaryDirectory() as folder:
        store = open_store("sqlite:///quell.db", Path(folder))
        counted, uncounted = Backlog(Writer(store), most=100), Backlog(Writer(store), most=100)
        for number, group in enumerate(lengths):
            records: list[AnyRecord] = [
                msgspec.structs.replace(firing(f"a{number}-{at}"), annotations={"text": "é" * length})
                for at, length in enumerate(group)
            ]
            records += [Tick(at=1.0)] * (3 * ticks)
            kept = store.accept(Accepted(now=1.0, records=records))
            assert kept.size == len(msgspec.msgpack.encode(records))
            counted.add(kept)
            uncounted.add(msgspec.structs.replace(kept, size=0))
            assert counted.held == uncounted.held
        assert [group.seq for group in counted.take()] == [group.seq for group in uncounted.take()]
        assert counted.held == uncounted.held == 0
        store.close()
