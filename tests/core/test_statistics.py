"""The statistics of detectors beside scipy's, and how often they cry over nothing when they look again and again."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.test_compare import entities, scores
from core.test_detect_behaviour import FRAUD, HOUR, counted, one, rule
from core.watching import T0, Watched, sample
from quell.core.detect.compare import quantile_interval
from quell.core.detect.forecast import trend
from quell.core.detect.intervals import (
    Interval,
    apart,
    deviations,
    deviations_of_looks,
    difference,
    mean,
    share,
    student,
    welch,
)
from quell.expressions.matchers import parse_matchers
from quell.model.detect import Behaviour, Compare, DetectRule, Threshold
from quell.model.distribution import Distribution
from quell.model.records import DistributionRecord
from quell.model.sketch import sketch_of

NEW, OLD = parse_matchers('track="canary"'), parse_matchers('track="stable"')


def numbers(values: Sequence[float]) -> Distribution:
    return Distribution(type="number", numbers=sketch_of(values))


def wandering(chance: np.random.Generator, alike: float, count: int) -> list[float]:
    """Values of which each is as like the one before."""
    values, value = [], chance.normal() / sqrt(1.0 - alike * alike)
    for _ in range(count):
        value = alike * value + chance.normal()
        values.append(float(value))
    return values


# Beside scipy


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from([0.8, 0.95, 0.999]))
def test_shares_are_wilsons(hits: int, more: int, sure: float) -> None:
    n = hits + more + 1
    wanted = stats.binomtest(hits, n).proportion_ci(sure, method="wilson")
    found = share(hits, n, deviations(sure))
    assert (found.low, found.high) == (pytest.approx(wanted.low, abs=1e-9), pytest.approx(wanted.high, abs=1e-9))


@pytest.mark.parametrize("sure", [0.9, 0.95, 0.99, 0.9999])
@pytest.mark.parametrize("freedom", [5, 10, 30, 200])
def test_student_is_scipys_to_one_percent(freedom: int, sure: float) -> None:
    wanted = stats.t.ppf(0.5 + sure / 2.0, freedom)
    assert student(deviations(sure), freedom) == pytest.approx(wanted, rel=0.01 if sure < 0.999 else 0.07)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-10_000, 10_000), min_size=30, max_size=60))
def test_a_mean_has_students_interval(values: list[int]) -> None:
    found = mean([(value, 1) for value in values], sum(values), deviations(0.95))
    assert found is not None
    wanted = float(stats.sem(values)) * float(stats.t.ppf(0.975, len(values) - 1))
    assert found.value == pytest.approx(np.mean(values), abs=1e-9)
    assert found.high - found.value == pytest.approx(wanted, rel=0.001, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-500, 500), min_size=10, max_size=30))
def test_a_trend_is_that_of_theil_and_sen(values: list[int]) -> None:
    times = np.arange(-len(values) + 1.0, 1.0) * 60.0
    found = trend(times, np.array(values), 0.9)
    wanted = stats.theilslopes(values, times, 0.9)
    assert found.slope == pytest.approx(wanted.slope, abs=1e-12)
    slack = 1e-9 + 0.02 * (float(wanted.high_slope) - float(wanted.low_slope))
    # Wider than Sen's at most: by rounding outwards, and where neighbours are alike.
    assert found.least <= wanted.low_slope + slack
    assert found.most >= wanted.high_slope - slack


values_with = st.tuples(st.floats(-1e3, 1e3), st.floats(0.0, 1e3), st.floats(0.0, 1e3))


@given(values_with, values_with, st.floats(0.1, 5.0), st.floats(-10.0, 10.0))
def test_a_difference_of_intervals_holds_its_value_and_is_no_narrower_than_either(
    first: tuple[float, float, float], second: tuple[float, float, float], scale: float, shift: float
) -> None:
    one, two = (Interval(value, value - below, value + above, 5) for value, below, above in (first, second))
    gap = apart(one, two, scale, shift)
    assert gap.low <= gap.value <= gap.high
    assert gap.value == pytest.approx(one.value - scale * two.value - shift, abs=1e-6)
    assert gap.high - gap.value == pytest.approx(hypot(first[2], scale * second[1]), abs=1e-6, rel=1e-9)


# Looking again and again


def test_looking_again_and_again_does_not_make_sure_of_what_is_chance() -> None:
    chance, looks, fired, rounds = np.random.default_rng(3), 60, 0, 300
    z = deviations_of_looks(0.95, looks)
    for _ in range(rounds):
        canary, stable = np.cumsum(chance.binomial(100, 0.02, looks)), np.cumsum(chance.binomial(900, 0.02, looks))
        fired += any(
            difference(share(int(canary[n]), 100 * (n + 1), z), share(int(stable[n]), 900 * (n + 1), z)).low > 0.0
            for n in range(looks)
        )
    assert fired / rounds < 0.05


@given(st.floats(0.5, 0.9999), st.floats(1.0, 1500.0))
def test_more_looks_need_more_deviations(sure: float, looks: float) -> None:
    once, again = deviations(sure), deviations_of_looks(sure, looks)
    assert once <= again <= deviations_of_looks(sure, looks * 2.0) < once + 3.5


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.8])
def test_windows_that_are_like_their_neighbours_are_not_so_many(alike: float) -> None:
    chance, rounds = np.random.default_rng(4), 300
    held = sum(
        gap.low <= 0.0 <= gap.high
        for gap in (welch(wandering(chance, alike, 60), wandering(chance, alike, 60), 0.95)[0] for _ in range(rounds))
    )
    assert held / rounds > 0.92


def test_a_canary_that_fires_goes_on_until_it_is_no_worse() -> None:
    of = Compare(canary=NEW, baseline=OLD, over_s=1200.0, volume=5.0)
    scene = Watched(DetectRule(name="Slower", metric="latency", when=of))
    entities(scene, "shop")
    chance = Random(4)
    for minute in range(120):
        at = minute * 60.0
        slow = 0.04 if minute < 60 else 0.012
        scene.tell(at, sample(at, 0.2 + slow + chance.uniform(0, 0.05), entity="service/shop-canary"),
                   sample(at, 0.2 + chance.uniform(0, 0.05), entity="service/shop-stable"))  # fmt: skip
    assert [status for _, _, status in scene.course()] == ["firing"]


# Quantiles


def test_quantiles_lie_within_their_intervals_as_often_as_they_say() -> None:
    chance, rounds = np.random.default_rng(5), 120
    held = 0
    for _ in range(rounds):
        found = quantile_interval(numbers(chance.lognormal(0.0, 1.0, 400).tolist()), 0.9, deviations(0.95))
        held += found.low <= stats.lognorm.ppf(0.9, 1.0) <= found.high
    assert held / rounds > 0.93


def test_the_largest_of_a_hundred_values_is_no_bound_of_the_99th_percentile() -> None:
    values = [float(value) for value in range(1, 101)]
    found = quantile_interval(numbers(values), 0.99, deviations(0.95))
    assert (found.value, found.high) == (pytest.approx(99.0, rel=0.01), float("inf"))
    assert quantile_interval(numbers(values * 20), 0.99, deviations(0.95)).high < 101.0


def test_a_quantile_that_has_no_upper_end_yet_says_by_how_much_at_least() -> None:
    of = Compare(canary=parse_matchers('version="8"'), baseline=parse_matchers('version="7"'), of="p99", volume=100.0)
    scene = Watched(DetectRule(name="Slower", distribution="score", when=of))
    scene.tell(1.0, scores("8", [500.0 + n for n in range(300)]), scores("7", [100.0 + n % 9 for n in range(9000)]))
    scene.wait(61.0)
    (alert,) = scene.firing
    assert " or more), over 1h" in alert.annotations["description"]
    assert alert.annotations["interval"].endswith(" or more")


def test_finer_buckets_on_one_side_are_no_difference() -> None:
    values = [100.0] * 500
    odd = [10.0 ** (number % 13 - 6) for number in range(13)]  # so that the baseline needs wide buckets
    wide = [*values, *(one * 1.07**step for one in odd for step in range(40))]
    of = Compare(canary=parse_matchers('version="8"'), baseline=parse_matchers('version="7"'), of="p50")
    for worse in ("up", "down"):
        when = msgspec.structs.replace(of, worse=worse)
        scene = Watched(DetectRule(name="Other", distribution="score", when=when))
        scene.tell(1.0, scores("8", values), scores("7", [*wide, *values * 20]))
        scene.wait(61.0)
        assert not scene.alerts


def test_a_side_that_names_no_segment_is_what_is_told_without_one() -> None:
    of = Compare(canary=parse_matchers('segment="region=eu"'), baseline=parse_matchers('version="7"'), worse="down")
    scene = Watched(DetectRule(name="Lower", distribution="score", when=of))
    high, low = [0.8, 0.9] * 200, [0.1, 0.2] * 200
    scene.tell(
        1.0, scores("7", [*high, *low]), scores("7", high, segment="region=us"), scores("7", low, segment="region=eu")
    )
    scene.wait(61.0)
    (alert,) = scene.firing
    assert alert.annotations["baseline_volume"] == "800"


def test_values_at_the_limit_count_for_the_share() -> None:
    of = Compare(
        canary=parse_matchers('version="8"'), baseline=parse_matchers('version="7"'), of="share", above=4.0,
        worse="down",
    )  # fmt: skip
    scene = Watched(DetectRule(name="Stars", distribution="score", when=of))
    scene.tell(1.0, scores("8", [1.0, 3.0] * 200), scores("7", [4.0, 3.0] * 200))
    scene.wait(61.0)
    (alert,) = scene.firing
    assert "of the canary is 0%, of the baseline 50%" in alert.annotations["description"]


# Behaviour


def test_what_was_before_is_no_more_certain_than_what_is_now() -> None:
    fired, rounds = 0, 40
    for seed in range(rounds):
        chance = Random(seed)
        of = Behaviour(of="confidence", change=1e-9, against_s=HOUR, volume=100)
        watched = Watched(rule("confidence", of))
        for hour in range(2):
            values = [min(max(chance.gauss(0.7, 0.1), 0.0), 1.0) for _ in range(150)]
            watched.tell(hour * HOUR + 60, counted(hour * HOUR, "confidence", values))
        watched.wait(2 * HOUR + 60)
        fired += bool(watched.alerts)
    assert fired / rounds <= 0.1


def test_spend_is_compared_with_what_was_spent_in_as_long() -> None:
    watched = Watched(rule("cost", Behaviour(of="spend", change=0.5, against_s=6 * HOUR, volume=50)))
    for hour in range(9):
        watched.tell(hour * HOUR + 60, counted(hour * HOUR, "cost", [0.01 if hour < 8 else 0.02] * 100))
    watched.wait(9 * HOUR - 60)
    assert not watched.alerts
    watched.wait(9 * HOUR + 60)
    assert one(watched).annotations["description"].startswith("cost of 100 requests is 2; expected 1 as in the last 6h")


@pytest.mark.parametrize(
    ("field", "of", "values", "words"),
    [
        ("confidence", Behaviour(of="confidence", below=0.7), [70.0, 90.0] * 200, "400 of 400 values of confidence"),
        ("score", Behaviour(of="polarised", above=0.5), [-3.0, 4.0] * 200, "(-3 to 4): is it a percentage?"),
        ("calibration.true", Behaviour(of="calibration", above=0.1), [99.0] * 400, "do not lie between 0 and 1"),
        ("calibration.true", Behaviour(of="calibration", above=0.1), [0.9] * 300 + [1.7e308] * 9, "309 values"),
    ],
)
def test_chances_that_are_percentages_are_told_and_not_measured(
    field: str, of: Behaviour, values: list[Any], words: str
) -> None:
    watched = Watched(rule(field if field != "calibration.true" else "calibration.*", of))
    watched.tell(60.0, counted(0.0, field, values))
    watched.wait(HOUR + 60)
    assert words in one(watched).annotations["description"]
    assert not watched.engine.state.detecting.failed


def test_one_number_beyond_all_others_breaks_nothing() -> None:
    watched = Watched(rule("cost", Behaviour(of="cost", above=0.02, volume=100)))
    watched.tell(60.0, counted(0.0, "cost", [0.01] * 300 + [1.7e308]))
    watched.wait(HOUR + 60)
    assert not watched.engine.state.detecting.failed
    assert not watched.alerts


# Rates


@pytest.mark.parametrize("seconds", [60.0, 130.0, 400.0])
def test_a_rate_is_known_of_counters_that_are_told_less_often_than_windows_end(seconds: float) -> None:
    watched = Watched(DetectRule(name="Busy", metric="calls", when=Threshold(above=4.0, aggregate="rate")))
    for number in range(12):
        at = number * seconds
        watched.tell(at, sample(at, 5.0 * at, "calls"))
    (alert,) = watched.firing
    assert alert.value == pytest.approx(5.0)


def test_counts_that_are_told_after_their_hour_are_compared() -> None:
    of = Compare(canary=parse_matchers('version="8"'), baseline=parse_matchers('version="7"'), worse="down")
    watched = Watched(DetectRule(name="Lower", distribution="score", when=of))
    told = [
        msgspec.structs.replace(record, over_s=HOUR)
        for record in (scores("8", [0.1, 0.2] * 200), scores("7", [0.8, 0.9] * 200))
    ]
    assert all(isinstance(record, DistributionRecord) and record.entity == FRAUD for record in told)
    watched.wait(HOUR)
    watched.tell(HOUR + 5.0, *told)
    watched.wait(HOUR + 120.0)
    assert watched.firing
    assert T0 > 0.0
