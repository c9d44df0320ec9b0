"""When a state is written down: often enough for a quick start, not so often that disks wear out for nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from daemon.chatroom import in_a_loop
from quell.daemon.saving import Saving, worth_it

if TYPE_CHECKING:
    from quell.daemon.keeping import Past
    from quell.daemon.writer import Writer
    from quell.store.codec import Sealed

SMALL, LARGE = 50_000, 4_000_000


@pytest.mark.parametrize(
    ("state", "records", "since_s", "due"),
    [
        (0, 0, 59.0, False),
        (0, 0, 60.0, True),  # the first: nobody knows how large it is
        (SMALL, 3, 60.0, True),
        (SMALL, 0, 60.0, False),  # timers alone can wait
        (LARGE, 21, 60.0, False),
        (LARGE, 21, 600.0, True),
        (LARGE, 200, 60.0, True),
        (LARGE, 50_000, 1.0, True),
    ],
)
def test_a_large_state_is_not_written_for_a_few_records(state: int, records: int, since_s: float, due: bool) -> None:
    assert worth_it(state, records, since_s, every_s=60.0) is due


@pytest.mark.parametrize(
    ("decided_s", "took_s", "due"),
    [
        (1.9, 0.0, False),
        (2.0, 0.0, True),  # a start would take as long
        (2.0, 0.9, True),
        (2.9, 1.5, False),  # what it costs to write is no less
        (3.0, 1.5, True),
    ],
)
def test_a_state_that_took_long_is_written_however_few_records_that_was_for(
    decided_s: float, took_s: float, due: bool
) -> None:
    assert worth_it(LARGE, 1, 5.0, every_s=60.0, decided_s=decided_s, took_s=took_s) is due


class Kept:
    """A store and what goes to it before a snapshot; says which snapshots came."""

    def __init__(self) -> None:
        self.snapshots: list[int] = []
        self.store = self

    def save_snapshot(self, seq: int, _sealed: Sealed) -> None:
        self.snapshots.append(seq)

    async def call(self, what: Callable[..., None], *given: Any) -> None:
        what(*given)

    async def keep(self) -> None:
        pass


def saving(kept: Kept) -> Saving:
    return Saving(cast("Writer", kept), cast("Past", kept), 60.0, lambda _seq: None, lambda: 0.0)


async def until(told: Callable[[], bool]) -> None:
    async with asyncio.timeout(10.0):
        while not told():
            await asyncio.sleep(0.01)


@in_a_loop
async def test_a_snapshot_is_packed_though_all_threads_on_which_names_are_looked_up_hang() -> None:
    free, kept = threading.Event(), Kept()
    hung = [asyncio.create_task(asyncio.to_thread(free.wait)) for _ in range(64)]
    try:
        async with asyncio.timeout(10.0):
            packed = await saving(kept).ahead([b"state"])
        assert packed is not None
        assert (await packed).blob.data
    finally:
        free.set()
        await asyncio.gather(*hung)


@in_a_loop
async def test_a_turn_waits_a_second_at_most_for_its_snapshot_which_is_kept_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("quell.daemon.saving.AHEAD_S", 0.05)
    free, kept = threading.Event(), Kept()

    def pieces() -> Iterator[bytes]:
        free.wait(10.0)
        yield b"state"

    one = saving(kept)
    packed = await one.ahead(pieces())
    assert packed is not None
    one.keep_meanwhile(7, packed)
    await asyncio.sleep(0.05)
    assert kept.snapshots == []
    free.set()
    await until(lambda: kept.snapshots == [7])


@in_a_loop
async def test_a_snapshot_that_cannot_be_packed_keeps_no_turn_and_is_due_again() -> None:
    kept = Kept()
    one = saving(kept)

    def pieces() -> Iterator[bytes]:
        yield b"state"
        raise ValueError("what is wrong with it")

    packed = await one.ahead(pieces())
    assert packed is not None
    with capture_logs() as logs:
        one.keep_meanwhile(7, packed)
        await until(lambda: one.unsaved)
    assert kept.snapshots == []
    assert logs[0]["log_level"] == "error"
