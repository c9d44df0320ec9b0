"""Symptoms of one cause end together: what that says of when a cause was over, and of what belongs to it."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quell.core import endings
from quell.core.endings import BEFORE_IT, LONG_AGO_S, MOST_APART, STILL, TOGETHER, between
from quell.core.steps import finished

NOW = 10_000.0
times = st.floats(0.0, NOW)
Floats = NDArray[np.float64]


def ended(ends: Floats) -> float:
    """When a cause was over whose symptoms all began at 0."""
    return endings.ended(np.zeros(len(ends)), ends, NOW)


def worth(ends: Floats, over: Floats) -> Floats:
    """What ends say of symptoms that began at 0."""
    return endings.worth(np.zeros(len(ends)), ends, over, NOW)


def settled(plain: Floats, owner: list[int], of: list[int], ends: Floats) -> list[int]:
    """Who explains what began at 0."""
    row, unit = np.nonzero(np.isfinite(plain))
    claims = row, unit, plain[row, unit]
    found = finished(endings.settled(claims, np.array(owner), np.array(of), np.zeros(len(ends)), ends, now=NOW))
    return [int(one) for one in found]


def test_a_cause_is_over_when_most_of_its_symptoms_ended() -> None:
    assert abs(ended(np.array([4000.0, 4030.0, 4060.0, 900.0])) - 4030.0) <= 30.0


def test_one_symptom_that_ended_does_not_end_a_cause_that_goes_on() -> None:
    assert ended(np.array([4000.0, inf, inf, inf, inf])) == inf


def test_nothing_known_of_ends_says_nothing() -> None:
    assert ended(np.array([inf, nan])) == inf
    assert ended(np.array([])) == inf
    assert (worth(np.array([inf, nan]), np.array([inf, 4000.0]))[:, 1] == 0.0).all()


@given(st.lists(times | st.just(inf), max_size=60), times)
def test_what_ends_say_is_bounded_both_ways(ends: list[float], over: float) -> None:
    nats = worth(np.array(ends), np.array([over, inf]))
    assert (nats <= TOGETHER).all()
    assert (nats >= -4.0).all()
    assert (nats[1] >= -BEFORE_IT).all()
    assert (nats[0][np.isinf(np.array(ends))] >= -STILL).all()


@given(st.lists(times | st.just(inf), max_size=60))
def test_a_cause_ends_when_one_of_its_symptoms_did_or_not_yet(ends: list[float]) -> None:
    assert ended(np.array(ends)) in {inf, *ends}


@given(times | st.just(inf), times | st.just(inf))
def test_that_two_causes_ended_together_is_the_same_from_both_sides(one: float, other: float) -> None:
    assert between(one, other) == between(other, one)
    assert -MOST_APART <= between(one, other) <= TOGETHER


def test_two_outages_that_begin_together_are_parted_when_they_end() -> None:
    plain = np.array([[4.0, 4.0, 2.0, 1.0, 1.0], [1.0, 1.0, 1.9, 4.0, 4.0]])
    ends = np.array([2000.0, 2020.0, 5010.0, 5000.0, 5030.0])
    assert settled(plain, [0, 0, 0, 1, 1], [0, 1], ends) == [0, 0, 1, 1, 1]


def test_what_ended_at_another_time_than_all_else_was_no_symptom() -> None:
    plain = np.array([[4.0, 4.0, 4.0, 1.5]])
    ends = np.array([5000.0, 5020.0, 5040.0, 800.0])
    assert settled(plain, [0, 0, 0, 0], [0], ends) == [0, 0, 0, -1]


def test_while_everything_fires_nothing_moves() -> None:
    plain = np.array([[4.0, 0.3], [3.9, 0.1]])
    ends = np.array([inf, inf])
    assert settled(plain, [0, 0], [0, 1], ends) == [0, 0]


def test_what_began_after_a_cause_was_over_says_nothing_of_its_end() -> None:
    ends = np.array([400.0, 400.0, inf])
    nats = endings.worth(np.array([0.0, 12.0, 1000.0]), ends, np.array([400.0]), 1010.0)
    assert nats.tolist() == [[TOGETHER, TOGETHER, 0.0]]


@given(st.lists(times | st.just(inf), max_size=20))
def test_an_end_of_long_ago_is_the_same_whenever_it_is_asked(ends: list[float]) -> None:
    began, over = np.zeros(len(ends)), np.array(ends)
    later = NOW + endings.LONG_AGO_S
    assert endings.ended(began, over, later) == endings.ended(began, over, later + 5 * 3600.0)


@given(st.lists(st.tuples(times, times | st.just(inf) | st.just(nan)), min_size=2, max_size=40), st.floats(0.0, 1e6))
def test_of_what_is_long_ago_it_does_not_matter_when_it_is_asked(told: list[tuple[float, float]], later: float) -> None:
    onsets, ends = np.array(told).T
    assume(np.isfinite(ends).any())
    once = float(ends[np.isfinite(ends)].max()) + LONG_AGO_S
    assert endings.ended(onsets, ends, once + later) == endings.ended(onsets, ends, np.nextafter(once, 0.0))


def test_few_ends_of_long_ago_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[bytes, float] = {}
    monkeypatch.setattr(endings, "MOST_KEPT", 8)
    monkeypatch.setattr(endings, "_LONG_AGO", kept)
    for _ in range(2):
        for at in range(20):
            assert abs(ended(np.full(5_000, float(at))) - at) < 1.0
    assert len(kept) <= 8
    assert sum(map(len, kept)) <= 8 * 16
