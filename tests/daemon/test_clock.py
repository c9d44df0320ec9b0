"""Time never goes back, and can be made to run faster."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.daemon.clock import Clock


@given(st.lists(st.floats(0, 4e9), min_size=1))
def test_whatever_the_wall_clock_does_time_never_goes_back(walls: list[float]) -> None:
    moments = iter(walls)
    clock = Clock(wall=lambda: next(moments, walls[-1]))
    told = [clock.now() for _ in walls]
    assert told == sorted(told)


def test_after_a_jump_back_time_goes_at_half_speed_until_the_wall_has_caught_up() -> None:
    steady, ahead = [0.0], [1000.0]
    clock = Clock(wall=lambda: steady[0] + ahead[0], steady=lambda: steady[0])
    assert clock.now() == 1000.0
    ahead[0] -= 60.0
    told = []
    for passed in (10.0, 20.0, 110.0, 130.0):
        steady[0] = passed
        told.append(clock.now())
    assert told == [1005.0, 1010.0, 1050.0, 1070.0]


def test_a_fast_clock_runs_from_its_start() -> None:
    steady = [10.0, 10.0, 11.5]
    clock = Clock(60.0, 1000.0, steady=lambda: steady.pop(0))
    assert [clock.now(), clock.now()] == [1000.0, 1090.0]
    assert clock.real_s(60.0) == 1.0


def test_a_restart_goes_on_from_what_the_journal_holds() -> None:
    clock = Clock(1000.0, 500.0)
    clock.not_before(9_000.0)
    assert 9_000.0 <= clock.now() < 9_500.0
    wall = Clock(wall=lambda: 100.0, steady=lambda: 7.0)
    wall.not_before(150.0)
    assert wall.now() == 150.0
    wall.not_before(50.0)
    assert wall.now() == 150.0


def test_sleeping_takes_real_time_divided_by_the_speed() -> None:
    async def story() -> None:
        clock = Clock(1000.0, 0.0)
        began = time.monotonic()
        await clock.sleep_until(50.0)
        assert 0.04 < time.monotonic() - began < 25.0
        assert clock.now() >= 50.0

    asyncio.run(story())


def test_a_clock_that_stands_still_is_refused() -> None:
    with pytest.raises(ValueError, match="speed 0"):
        Clock(0.0)
