"""Sketches: as accurate as they say, the same however they are put together, small whatever comes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf, isclose, nan
from sys import float_info

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quell.core.profiles.arrays import numbers, sketch_of_array, texts
from quell.model.distribution import (
    MOST_TEXTS,
    Distribution,
    Tally,
    bucket_of,
    of_record,
    record_of,
    redacted,
    together,
)
from quell.model.sketch import (
    ACCURACY,
    FLOOR,
    MOST,
    WANTED,
    Growing,
    Sketch,
    coarser,
    edge_of,
    index_of,
    merged,
    quantile,
    quantiles,
    sketch_of,
)

FINITE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e6, 1e6),
    st.integers(-50, 50).map(float),
    st.sampled_from((0.0, -0.0, 5e-324, -5e-324, float_info.max, -float_info.max, 1.0, 2.0**-300)),
)
VALUES = st.lists(FINITE, max_size=60)
ANYTHING = st.one_of(
    FINITE, st.none(), st.booleans(), st.text(max_size=5), st.sampled_from((nan, inf, -inf, 10**400, 2**70, [], {}))
)
CALM = settings(max_examples=60, deadline=None, derandomize=True)


def same(one: Sketch, other: Sketch) -> bool:
    """All but the sum, which rounds as it is added up."""
    return msgspec.structs.replace(one, total=0.0) == msgspec.structs.replace(other, total=0.0)


@CALM
@given(st.lists(FINITE, min_size=1, max_size=200), st.floats(0.0, 1.0))
def test_a_quantile_is_as_accurate_as_it_says(values: list[float], share: float) -> None:
    found = quantile(sketch_of(values), share)
    wanted = sorted(values)[int(share * (len(values) - 1))]
    assert found is not None
    assert isclose(found, wanted, rel_tol=ACCURACY * 1.001, abs_tol=1e-300)


@CALM
@given(st.lists(VALUES, min_size=2, max_size=5), st.randoms())
def test_merging_gives_the_same_in_any_order(parts: list[list[float]], shuffle: object) -> None:
    whole = sketch_of([value for part in parts for value in part])
    sketches = [sketch_of(part) for part in parts]
    assert same(merged(sketches), whole)
    assert same(merged([merged(sketches[:1]), merged(sketches[1:])]), whole)
    assert same(merged(sketches[::-1]), whole)
    assert shuffle


@CALM
@given(VALUES)
def test_a_sketch_of_an_array_is_that_of_its_numbers(values: list[float]) -> None:
    assert same(sketch_of_array(np.array(values)), sketch_of(values))


@pytest.mark.parametrize("seed", range(6))
def test_large_arrays_too(seed: int) -> None:
    random = np.random.default_rng(seed)
    kinds = (
        random.normal(1000.0, 5.0, 5000),
        random.normal(0.0, 1.0, 5000),
        random.lognormal(0.0, 8.0, 5000),
        random.integers(-1000, 1000, 5000).astype(float),
        random.integers(0, 3, 5000) * 1e-9,
        np.concatenate((random.normal(5.0, 1e-6, 5000), [1e300, -1e-300])),
    )
    found, slowly = sketch_of_array(kinds[seed].copy()), sketch_of(kinds[seed].tolist())
    assert same(found, slowly)
    assert isclose(found.total, slowly.total, rel_tol=1e-9)
    halves = [sketch_of_array(part) for part in np.array_split(kinds[seed], 7)]
    assert same(merged(halves), found)


@CALM
@given(VALUES, st.integers(0, 20))
def test_buckets_are_those_of_opentelemetry(values: list[float], scale: int) -> None:
    for value in values:
        if value > 0.0:
            index = index_of(value, scale)
            assert edge_of(index, scale) <= value * (1 + 1e-9)
            assert value <= edge_of(index + 1, scale) * (1 + 1e-9)
    told = sketch_of(values)
    assert coarser(told, min(scale, told.scale)).count == len(values)


def test_numbers_close_together_are_told_apart_and_the_size_is_bounded() -> None:
    random = np.random.default_rng(1)
    close = sketch_of_array(random.normal(1e6, 1.0, 50_000))
    assert close.scale > 15
    assert len(close.positive) <= WANTED
    middle = quantile(close, 0.5)
    assert middle is not None
    assert abs(middle - 1e6) < 0.05
    wide = sketch_of_array(10.0 ** random.uniform(-300.0, 300.0, 50_000))
    assert wide.scale == FLOOR
    assert len(wide.positive) == MOST
    assert wide.count == 50_000
    high = quantile(wide, 0.99)
    assert high is not None
    assert 1e290 < high < 1e298


def test_what_is_no_finite_number_is_not_added() -> None:
    growing = Growing()
    for value in (nan, inf, -inf):
        with pytest.raises(ValueError, match="is no finite number"):
            growing.add(value)
    assert growing.sketch().count == 0
    assert quantile(growing.sketch(), 0.5) is None
    assert quantiles(growing.sketch(), (0.5,)) == []


@CALM
@given(st.lists(FINITE, min_size=1, max_size=50), st.lists(st.floats(0, 1), max_size=5))
def test_quantiles_in_one_go_are_the_same_and_ascend(values: list[float], shares: list[float]) -> None:
    told = sketch_of(values)
    found = quantiles(told, sorted(shares))
    assert found == [quantile(told, share) for share in sorted(shares)]
    assert all(low <= high for low, high in pairwise(found))


@CALM
@given(st.lists(ANYTHING, max_size=40))
def test_a_tally_counts_whatever_comes(values: list[object]) -> None:
    tally = Tally()
    for value in values:
        tally.add(value)
    told = tally.told()
    assert told.count == len(values) == told.known + told.nulls + told.bad
    assert of_record(record_of(told, entity="dataset/x", field="f", at=0.0)) == told
    assert all(len(sample) <= 120 for sample in tally.samples)


@CALM
@given(st.lists(st.lists(ANYTHING, max_size=12), min_size=1, max_size=4))
def test_counts_added_up_count_all(parts: list[list[object]]) -> None:
    told = []
    for part in parts:
        tally = Tally()
        for value in part:
            tally.add(value)
        told.append(tally.told())
    whole = together(told)
    assert whole.count == sum(len(part) for part in parts)
    assert whole.count == whole.known + whole.nulls + whole.bad
    assert together(told[::-1]) == msgspec.structs.replace(whole, numbers=together(told[::-1]).numbers)


def test_many_different_texts_are_counted_without_their_names() -> None:
    names = [f"person{number}@example.org" for number in range(MOST_TEXTS + 1)]
    tally = Tally()
    for name in names:
        tally.add(name)
    told = tally.told()
    assert told.hashed
    assert told == msgspec.structs.replace(texts(names, [1] * len(names), 0), hashed=True)
    assert "person" not in str(told)
    assert told.categories[bucket_of(names[0])] >= 1
    few = texts(names[:3], [1, 1, 1], 0)
    assert not few.hashed
    both = together([few, told])
    assert both.hashed
    assert both.known == MOST_TEXTS + 4


def test_samples_show_what_values_look_like_and_not_what_they_are() -> None:
    shown = [
        redacted(value) for value in ("Ada.Lovelace1815@example.org", "DE89 3704", 1234.567, 9_876_543, True, None)
    ]
    assert shown == ["xxx.xxxxxxxx9999@xxxxxxx.xxx", "xx99 9999", "1.2e+03", "9.9e+06", "true", ""]


def test_arrays_know_what_is_missing_and_what_is_bad() -> None:
    told = numbers(np.array([1.0, nan, inf, -inf, 2.0]))
    assert (told.count, told.nulls, told.bad, told.known) == (5, 1, 2, 2)
    empty = numbers(np.array([]))
    assert empty == Distribution(type="number")


def counted(values: Sequence[object]) -> Distribution:
    tally = Tally()
    for value in values:
        tally.add(value)
    return tally.told()


def test_values_of_another_type_than_the_rest_are_bad() -> None:
    told = together([counted([1.0, 2.0, 3.0]), counted(["x"])])
    assert (told.type, told.known, told.bad) == ("number", 3, 1)
    assert counted([1.0, "x", True]).bad == 2
