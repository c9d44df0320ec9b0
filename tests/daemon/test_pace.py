"""The core gives way to deliveries and to a commit that is soon over, not to one that waits for the disk."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from daemon.parts import NothingAhead
from quell.daemon import pace as paces
from quell.daemon import readers as readings
from quell.daemon.pace import Pace
from quell.daemon.readers import Readers
from quell.model.decision import AnyDecision
from quell.replay import collector
from quell.replay.collector import HURRIED, LASTING, YOUNG, looked_for_later, seldom_collected

_SLICE_S = 0.001
_LONG_S = 0.02


def go(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def committing(since: float) -> Pace:
    """While one commit is under way."""
    pace = Pace()
    pace.busy, pace.committing = (lambda: True), (lambda: since)
    return pace


def test_a_commit_that_has_just_begun_is_waited_for_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "_SHORT_COMMIT_S", 600.0)

    async def story() -> None:
        pace = committing(time.perf_counter())
        giving = asyncio.create_task(pace.give_way(60.0))  # so long that a busy machine makes no difference
        await asyncio.sleep(0.02)
        assert not giving.done()
        pace.busy, pace.committing = (lambda: False), (lambda: None)
        pace.stir()
        async with asyncio.timeout(50.0):  # before what the slice took is over
            await giving

    go(story())


def test_a_commit_that_takes_long_is_not_waited_for() -> None:
    async def story() -> None:
        pace = committing(time.perf_counter() - 600.0)
        await pace.give_way(_SLICE_S)  # or it would never return

    go(story())


def test_the_commit_that_follows_is_not_waited_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "_SHORT_COMMIT_S", 600.0)

    async def story() -> None:
        pace = committing(time.perf_counter())
        giving = asyncio.create_task(pace.give_way(_SLICE_S))
        await asyncio.sleep(0)
        pace.committing = time.perf_counter
        pace.stir()
        await giving

    go(story())


def test_deliveries_get_a_multiple_of_what_the_core_took_and_no_more() -> None:
    async def story() -> None:
        pace, arrived = Pace(), 0

        def another() -> int:
            nonlocal arrived
            arrived += 1
            return arrived

        pace.arrived = another
        began = time.perf_counter()
        await pace.give_way(_SLICE_S)  # more comes each time that it looks
        assert time.perf_counter() - began >= 4 * _SLICE_S

    go(story())


def test_a_little_work_does_not_give_way_on_its_own() -> None:
    async def story() -> None:
        pace, looked = Pace(), []
        pace.arrived = lambda: looked.append(1) or 0  # type: ignore[func-returns-value]
        await pace.give_way(0.0001)
        assert not looked
        await pace.give_way(0.0002)
        assert looked

    go(story())


def test_nor_does_a_long_piece_of_work_wait_for_it_as_long_as_it_took_itself() -> None:
    async def story() -> None:
        pace = committing(time.perf_counter() - 600.0)
        async with asyncio.timeout(50.0):
            await pace.give_way(600.0)

    go(story())


def test_many_deliveries_that_wait_for_a_commit_go_before_a_long_piece_of_work() -> None:
    async def story() -> None:
        pace, looks = committing(time.perf_counter() - 600.0), 0

        def come() -> int:
            """A hundred thousand came while it gave way, and then nobody."""
            nonlocal looks
            looks += 1
            return 100_000 if looks > 2 else 0

        pace.arrived = come
        giving = asyncio.create_task(pace.give_way(600.0))
        await asyncio.sleep(0.1)
        assert not giving.done()
        pace.busy = lambda: False
        pace.stir()
        async with asyncio.timeout(50.0):
            await giving

    go(story())


def test_what_follows_answers_to_many_is_waited_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "_NEXT_COME_S", 600.0)

    async def story() -> None:
        pace, answered = Pace(), time.perf_counter()
        pace.answered = lambda: answered
        monkeypatch.setattr(paces, "_RECEIVING_SHARE", 600_000.0)
        giving = asyncio.create_task(pace.give_way(_SLICE_S))
        await asyncio.sleep(0.02)
        assert not giving.done()
        monkeypatch.setattr(paces, "_NEXT_COME_S", 0.0)
        pace.stir()
        async with asyncio.timeout(50.0):
            await giving

    go(story())


def test_and_not_when_that_is_long_past() -> None:
    async def story() -> None:
        pace = Pace()
        pace.answered = lambda: time.perf_counter() - 1.0
        await asyncio.wait_for(pace.give_way(_SLICE_S), 30.0)

    go(story())


def test_nor_after_a_part_of_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "_NEXT_COME_S", 600.0)

    async def story() -> None:
        pace = Pace()
        pace.answered = time.perf_counter
        await asyncio.wait_for(pace.give_way(60.0), 30.0)

    go(story())


def many_come(pace: Pace) -> None:
    """A hundred deliveries came while it gave way, and then nobody."""
    looks = 0

    def come() -> int:
        nonlocal looks
        looks += 1
        return 100 if looks > 2 else 0

    pace.arrived = come


def test_many_that_came_are_kept_before_the_core_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "_RECEIVING_SHARE", 600_000.0)
    monkeypatch.setattr(paces, "_KEPT_WITHIN_S", 600.0)

    async def story() -> None:
        pace = committing(time.perf_counter() - 600.0)
        many_come(pace)
        giving = asyncio.create_task(pace.give_way(_SLICE_S))
        await asyncio.sleep(0.05)
        assert not giving.done()
        pace.busy = lambda: False
        pace.stir()
        async with asyncio.timeout(50.0):
            await giving

    go(story())


def test_but_no_longer_than_their_share() -> None:
    async def story() -> None:
        pace = committing(time.perf_counter() - 600.0)
        many_come(pace)
        async with asyncio.timeout(50.0):
            await pace.give_way(_SLICE_S)  # the disk hangs

    go(story())


async def turns(count: int) -> int:
    """Somebody who is answered when the event loop has turned so often."""
    for _ in range(count):
        await asyncio.sleep(0)
    return count


def test_after_a_long_piece_who_asked_is_answered_first() -> None:
    async def story() -> None:
        readers = Readers()
        pace = Pace(readers)

        async def ask() -> int:
            with readers.asking():
                return await turns(30)

        asked = asyncio.create_task(ask())
        await asyncio.sleep(0)
        await pace.give_way(_LONG_S)
        assert asked.done()

    go(story())


def test_what_is_done_ahead_of_time_is_put_off_while_much_waits_and_done_once_nothing_does() -> None:
    async def story() -> None:
        pace, ahead = Pace(), NothingAhead()
        pace.hasten(ahead, 10)
        await pace.rest(ahead)
        assert (ahead.put_off, ahead.asked) == (False, 0)
        pace.hasten(ahead, 50_000)
        pace.hasten(ahead, 10)  # it comes after the last that waits
        assert ahead.put_off
        await pace.rest(ahead)
        await pace.rest(ahead)
        assert (ahead.put_off, ahead.asked) == (False, 1)

    go(story())


def test_who_connects_gets_a_few_turns_though_he_has_not_asked_yet() -> None:
    async def story() -> None:
        connecting = asyncio.create_task(turns(3))
        await Pace().give_way(_LONG_S)
        assert connecting.done()

    go(story())


@pytest.mark.parametrize("why", ["the core", "the disk"])
def test_the_core_goes_on_while_a_reader_waits_for(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "_READERS_S", 600.0)
    monkeypatch.setattr(readings, "_SOON_S", 0.02)

    async def story() -> None:
        readers, decided = Readers(), asyncio.Event()
        pace = Pace(readers)

        async def ask() -> None:
            with readers.asking():
                if why == "the disk":
                    await decided.wait()
                else:
                    with readers.for_core():
                        await decided.wait()

        asked = asyncio.create_task(ask())
        await asyncio.sleep(0)
        await pace.give_way(60.0)  # or it would never return
        assert not asked.done()
        assert not readers.wait
        decided.set()
        await asked
        assert not readers.wait

    go(story())


def test_garbage_is_looked_for_later_while_much_waits() -> None:
    async def story() -> None:
        pace, ahead = Pace(), NothingAhead()
        pace.hasten(ahead, 50_000)
        assert gc.get_threshold()[0] == HURRIED
        mended = NothingAhead()  # the core failed on a record, and another took its place
        pace.hasten(mended, 10)
        assert mended.put_off
        await pace.rest(mended)
        assert (mended.put_off, gc.get_threshold()[0]) == (False, YOUNG)

    usual = gc.get_threshold()
    with seldom_collected():
        go(story())
    looked_for_later(True)
    assert gc.get_threshold() == usual  # whoever did not ask for it is let alone


def test_what_is_new_while_much_waits_is_looked_through_only_after_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "MOST_UNLOOKED", 10 * LASTING)
    looked: list[int] = []

    def note(phase: str, told: dict[str, int]) -> None:
        if phase == "start":
            looked.append(told["generation"])

    async def story() -> None:
        pace, kept = Pace(), []
        pace.hasten(NothingAhead(), 50_000)
        seen = weakref.ref(Cycle())
        for _ in range(9):
            kept.append([[None] for _ in range(LASTING)])
            await pace.give_way(0.0)
            assert gc.get_count()[0] < LASTING
        assert looked == []
        assert seen() is not None
        kept.append([[None] for _ in range(LASTING)])
        await pace.give_way(0.0)
        assert looked == [2]
        assert seen() is None
        assert gc.get_freeze_count() == 0

    gc.collect()
    gc.callbacks.append(note)
    try:
        with seldom_collected():
            go(story())
    finally:
        gc.callbacks.remove(note)


class Cycle:
    """Refers to itself, so that only a look finds that nobody else does."""

    def __init__(self) -> None:
        self.itself = self


def test_that_it_cannot_be_done_ahead_of_time_ends_nothing() -> None:
    class Broken(NothingAhead):
        def read(self) -> Iterator[list[AnyDecision]]:
            yield []
            raise RuntimeError("a bug")

    async def story() -> None:
        pace, ahead = Pace(), Broken()
        pace.hasten(ahead, 50_000)
        await pace.rest(ahead)
        assert not ahead.put_off

    go(story())


def test_where_much_waits_and_nobody_comes_the_core_gives_way_less_often() -> None:
    async def story() -> None:
        pace, turned = Pace(), 0
        came = [0]
        pace.arrived = lambda: came[0]

        async def turn() -> None:
            nonlocal turned
            while True:
                await asyncio.sleep(0)
                turned += 1

        turning = asyncio.create_task(turn())

        async def slices(count: int) -> int:
            before = turned
            for _ in range(count):
                await pace.give_way(0.0004)
            return turned - before

        often = await slices(30)
        pace.hasten(NothingAhead(), 50_000)
        seldom = await slices(30)
        assert seldom <= often // 2
        came[0] += 1  # whoever comes is served after the next slice
        assert await slices(1)
        pace.busy = lambda: True
        assert await slices(30) >= often
        turning.cancel()

    go(story())
