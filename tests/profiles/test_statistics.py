"""The statistics against scipy's, and against what chance makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from profiles.data import amounts
from quell.core.profiles.arrays import numbers
from quell.core.profiles.cells import binned, cells_of, even_bins
from quell.core.profiles.statistics import (
    adjusted,
    chi_square,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_of,
    share_apart,
    stability,
)

CALM = settings(max_examples=60, deadline=None, derandomize=True)
NUMBERS = st.lists(st.floats(-1e3, 1e3).map(lambda value: round(value, 1)), min_size=1, max_size=60)
COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=20)


@CALM
@given(NUMBERS, NUMBERS)
def test_ks_of_numbers_is_exact_and_of_sketches_within_its_bounds(then: list[float], now: list[float]) -> None:
    first, second = np.array(then), np.array(now)
    wanted = max(abs((first <= value).mean() - (second <= value).mean()) for value in [*then, *now])
    assert kolmogorov_smirnov_of(first, second).effect == pytest.approx(wanted)
    cells = cells_of(numbers(first), numbers(second))
    found = kolmogorov_smirnov(cells.then, cells.now)
    assert found.effect - 1e-12 <= wanted <= found.most + 1e-12


def test_ks_of_large_samples_is_that_of_scipy() -> None:
    then, now = amounts(30_000, 1), amounts(20_000, 2) * 1.1
    wanted = stats.ks_2samp(then, now, method="asymp")
    cells = cells_of(numbers(then), numbers(now))
    found, exact = kolmogorov_smirnov(cells.then, cells.now), kolmogorov_smirnov_of(then, now)
    assert exact.effect == pytest.approx(wanted.statistic)
    assert found.effect == pytest.approx(wanted.statistic, abs=0.003)
    assert found.most >= wanted.statistic
    assert np.log10(found.p) == pytest.approx(np.log10(wanted.pvalue), rel=0.1)


@CALM
@given(COUNTS)
def test_chi_square_and_jensen_shannon_are_those_of_scipy(counts: list[tuple[int, int]]) -> None:
    table = np.array(counts, dtype=float).T + 20.0
    if table.shape[1] < 2:
        return
    wanted = stats.chi2_contingency(table, correction=False)
    found = chi_square(table[0], table[1])
    if wanted.expected_freq.min() >= 5.0:
        assert found.effect == pytest.approx(np.sqrt(wanted.statistic / table.sum()), abs=1e-9)
        assert found.p == pytest.approx(wanted.pvalue, abs=1e-9)
    assert jensen_shannon(table[0], table[1]).effect == pytest.approx(
        jensenshannon(table[0], table[1], base=2), abs=1e-9
    )


@CALM
@given(COUNTS)
def test_every_statistic_is_a_number_whatever_the_counts(counts: list[tuple[int, int]]) -> None:
    then, now = np.array(counts, dtype=float).T
    for test in (kolmogorov_smirnov, stability, chi_square, jensen_shannon):
        found = test(then, now)
        assert np.isfinite(found).all()
        assert 0.0 <= found.p <= 1.0
        assert found.effect >= -1e-12
        same = test(then, then)
        assert same.effect == pytest.approx(0.0, abs=1e-7)


def test_chances_are_right_where_nothing_changed() -> None:
    """Of 200 comparisons about 5 % come below 0.05, by each test."""
    below = dict.fromkeys(("ks", "psi", "chi2", "js"), 0)
    random = np.random.default_rng(7)
    then = numbers(random.normal(0.0, 1.0, 20_000))
    edges = even_bins(then.numbers, 10)
    for _ in range(200):
        cells = cells_of(then, numbers(random.normal(0.0, 1.0, 2_000)))
        bins = binned(cells, edges)
        below["ks"] += kolmogorov_smirnov(cells.then, cells.now).p < 0.05
        below["psi"] += stability(bins.then, bins.now).p < 0.05
        below["chi2"] += chi_square(bins.then, bins.now).p < 0.05
        below["js"] += jensen_shannon(bins.then, bins.now).p < 0.05
    # The profile is one sample of its own, so that comparisons with it are not quite independent.
    assert all(2 <= count <= 30 for count in below.values()), below


def test_bins_hold_about_as_many_each() -> None:
    told = numbers(amounts(20_000))
    edges = even_bins(told.numbers, 10)
    assert len(edges) == 9
    cells = binned(cells_of(told, told), edges)
    assert cells.then.sum() == 20_000
    assert cells.then.min() > 1_800
    assert even_bins(numbers(np.full(100, 3.0)).numbers, 10) == ()
    assert even_bins(numbers(np.empty(0)).numbers, 10) == ()


def test_the_correction_is_that_of_benjamini_and_hochberg() -> None:
    told = np.random.default_rng(3).uniform(0.0, 0.2, 50).tolist()
    assert adjusted(told) == pytest.approx(stats.false_discovery_control(told).tolist())
    assert adjusted([]) == []
    assert min(adjusted([0.01] + [0.5] * 199)) > 0.4


def test_shares_are_compared_as_proportions() -> None:
    grown = share_apart((10, 1000), (100, 1000))
    assert grown.effect == pytest.approx(0.09)
    assert grown.p < 1e-10
    assert share_apart((0, 0), (5, 10)) == (0.0, 1.0, 0.0)
    assert share_apart((5, 1000), (5, 1000)).p == 1.0
