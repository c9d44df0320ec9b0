"""Symptoms of one cause end together: what that says of when a cause was over, and of what belongs to it."""

from __future__ import annotations

from math import inf, nan

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quell.core.endings import BEFORE_IT, MOST_APART, STILL, TOGETHER, between, ended, settled, worth

NOW = 10_000.0
times = st.floats(0.0, NOW)


def test_a_cause_is_over_when_most_of_its_symptoms_ended():
    assert abs(ended(np.array([4000.0, 4030.0, 4060.0, 900.0]), NOW) - 4030.0) <= 30.0


def test_one_symptom_that_ended_does_not_end_a_cause_that_goes_on():
    assert ended(np.array([4000.0, inf, inf, inf, inf]), NOW) == inf


def test_nothing_known_of_ends_says_nothing():
    assert ended(np.array([inf, nan]), NOW) == inf
    assert ended(np.array([]), NOW) == inf
    assert (worth(np.array([inf, nan]), np.array([inf, 4000.0]), NOW)[:, 1] == 0.0).all()


@given(st.lists(times | st.just(inf), max_size=60), times)
def test_what_ends_say_is_bounded_both_ways(ends: list[float], over: float):
    nats = worth(np.array(ends), np.array([over, inf]), NOW)
    assert (nats <= TOGETHER).all()
    assert (nats >= -4.0).all()
    assert (nats[1] >= -BEFORE_IT).all()
    assert (nats[0][np.isinf(np.array(ends))] >= -STILL).all()


@given(st.lists(times | st.just(inf), max_size=60))
def test_a_cause_ends_when_one_of_its_symptoms_did_or_not_yet(ends: list[float]):
    assert ended(np.array(ends), NOW) in {inf, *ends}


@given(times | st.just(inf), times | st.just(inf))
def test_that_two_causes_ended_together_is_the_same_from_both_sides(one: float, other: float):
    assert between(one, other) == between(other, one)
    assert -MOST_APART <= between(one, other) <= TOGETHER


def test_two_outages_that_begin_together_are_parted_when_they_end():
    plain = np.array([[4.0, 4.0, 2.0, 1.0, 1.0], [1.0, 1.0, 1.9, 4.0, 4.0]])
    ends = np.array([2000.0, 2020.0, 5010.0, 5000.0, 5030.0])
    of = np.array([0, 1])
    before = np.array([0, 0, 0, 1, 1])
    assert settled(plain, before, of, ends, NOW).tolist() == [0, 0, 1, 1, 1]


def test_what_ended_at_another_time_than_all_else_was_no_symptom():
    plain = np.array([[4.0, 4.0, 4.0, 1.5]])
    ends = np.array([5000.0, 5020.0, 5040.0, 800.0])
    assert settled(plain, np.zeros(4, dtype=np.int64), np.array([0]), ends, NOW).tolist() == [0, 0, 0, -1]


def test_while_everything_fires_nothing_moves():
    plain = np.array([[4.0, 0.3], [3.9, 0.1]])
    ends = np.array([inf, inf])
    assert settled(plain, np.array([0, 0]), np.array([0, 1]), ends, NOW).tolist() == [0, 0]
