"""What is said of a table that was fine once: how far, by which test, what became of its values and its columns."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.data import ages, amounts, currencies, fine, profile
from quell.core.profiles.arrays import numbers, texts
from quell.core.profiles.judge import Present, compared
from quell.core.profiles.shape import step_between
from quell.model.distribution import Distribution, Tally
from quell.model.drift_report import DriftReport, Limits

LIMITS = Limits()


def judged(fields: dict[str, Distribution], limits: Limits = LIMITS, **more: object) -> DriftReport:
    return compared(profile(), Present(fields, **more), limits)


def codes(report: DriftReport) -> list[tuple[str, str]]:
    return [(trouble.code, trouble.field) for trouble in report.troubles]


def test_what_is_as_before_is_not_drift() -> None:
    for seed in range(10, 30):
        assert codes(judged(fine(5_000, seed))) == []


def test_only_those_that_moved_furthest_have_words_and_pictures_where_nobody_shows_more() -> None:
    now = fine(5_000) | {"age": numbers(ages(5_000, 9) * 2.0), "amount": numbers(amounts(5_000, 8) * 100.0)}
    whole = compared(profile(), Present(now), LIMITS, pictures=False)
    short = compared(profile(), Present(now), LIMITS, pictures=False, most=1)
    assert [field.field for field in whole.drifted] == [field.field for field in short.drifted]
    assert [bool(field.bars and field.said) for field in whole.drifted] == [True, True]
    assert [bool(field.bars or field.said) for field in short.drifted] == [True, False]
    assert short.drifted[0] == whole.drifted[0]
    assert len(short.of("drifted")) == 2


def test_with_a_million_rows_a_difference_that_does_not_count_is_no_drift_however_sure() -> None:
    now = fine(20_000, 5) | {"amount": numbers(amounts(500_000, 8) * 1.03)}
    (field,) = [one for one in judged(now).fields if one.field == "amount"]
    assert field.distances[0].adjusted < 1e-4
    assert not field.drifted


def test_with_few_rows_an_effect_that_may_be_chance_is_no_drift() -> None:
    report = judged(fine(5_000) | {"age": numbers(ages(40, 9) + 2.0)}, Limits(rows=30, ks=0.01, psi=0.01))
    (field,) = [one for one in report.fields if one.field == "age"]
    assert field.distances[0].effect > 0.05
    assert not field.drifted


def test_fields_with_too_few_values_are_not_judged() -> None:
    report = judged(fine(150))
    assert [field.distances for field in report.fields] == [(), (), ()]


CHANGES = {
    "values ×100 (unit change?)": lambda values: values * 100.0,
    "values ÷100 (unit change?)": lambda values: values / 100.0,
    "values ×1000 (unit change?)": lambda values: values * 1000.0,
    "values ×60 (minutes and seconds?)": lambda values: values * 60.0,
    "values ÷1.61 (miles and kilometres?)": lambda values: values / 1.609344,
    "values ×3": lambda values: values * 3.0,
    "values +500": lambda values: values + 500.0,
    "signs are turned": lambda values: -values,
    "values are logarithms of those before": np.log,
    "values are log(1 + x) of those before": np.log1p,
    "values are logarithms to base 10 of those before": np.log10,
}


@pytest.mark.parametrize("said", CHANGES)
def test_a_simple_step_is_recognised_and_said(said: str) -> None:
    report = judged(fine(5_000) | {"amount": numbers(CHANGES[said](amounts(5_000, 77)))})
    assert [(field.field, field.said) for field in report.drifted] == [("amount", said)]


def test_celsius_and_fahrenheit() -> None:
    then = numbers(np.random.default_rng(1).normal(18.0, 6.0, 5_000)).numbers
    now = numbers(np.random.default_rng(2).normal(18.0, 6.0, 5_000) * 1.8 + 32.0).numbers
    assert step_between(then, now) == "values were Celsius and are Fahrenheit (unit change?)"
    assert step_between(now, then) == "values were Fahrenheit and are Celsius (unit change?)"
    assert step_between(then, then) == ""


@pytest.mark.parametrize("change", [lambda values: values**2, lambda values: np.where(values > 20, 0.0, values)])
def test_what_is_no_simple_step_is_not_called_one(change: object) -> None:
    assert callable(change)
    report = judged(fine(5_000) | {"amount": numbers(change(amounts(5_000, 5)))})
    assert [(field.field, field.said) for field in report.drifted] == [("amount", "")]


def test_a_silent_zero_is_said() -> None:
    report = judged(fine(5_000) | {"amount": numbers(np.zeros(5_000))})
    assert [field.said for field in report.drifted] == ["all values are 0"]


def test_what_became_of_texts_is_said() -> None:
    then = profile({"currency": texts(["EUR", "GBP", "USD"], [700, 150, 150], 0)})

    def said(**counts: int) -> list[str]:
        now = {"currency": texts([*counts], [*counts.values()], 0)}
        return [field.said for field in compared(then, Present(now), LIMITS).drifted]

    assert said(EUR=200, GBP=380, USD=420) == ['"EUR" 70% → 20%, "USD" 15% → 42%']
    assert said(EUR=400, CHF=310, SEK=290) == ['new: "CHF" (31%), "SEK" (29%); gone: "GBP", "USD"']
    names = [f"u{number}@example.org" for number in range(5_000)]
    many = judged(fine(5_000) | {"currency": texts(names, [1] * 5_000, 0)})
    assert [field.said for field in many.drifted] == ["many different texts"]


def test_a_rename_is_told_by_name_and_values() -> None:
    now = fine(5_000, 4)
    now["amount_eur"], now["years"] = now.pop("amount"), now.pop("age")
    now["discount"] = numbers(np.random.default_rng(5).normal(0.0, 1.0, 5_000))
    report = judged(now)
    assert {(one.field, one.like) for one in report.of("renamed")} == {("amount", "amount_eur"), ("age", "years")}
    assert [one.field for one in report.of("new")] == ["discount"]
    assert report.of("missing") == ()


def test_a_new_column_that_is_unlike_all_that_are_missing_is_no_rename() -> None:
    now = fine(5_000, 4)
    del now["amount"]
    now["discount"] = numbers(np.random.default_rng(5).normal(0.0, 1.0, 5_000))
    assert codes(judged(now)) == [("missing", "amount"), ("new", "discount")]


def test_other_types_missing_and_unreadable_values() -> None:
    holed = amounts(1_000)
    holed[:300] = nan
    holed[300:400] = inf
    report = judged({"amount": numbers(holed), "age": currencies(1_000), "currency": currencies(1_000)})
    assert codes(report) == [("retyped", "age"), ("nulls", "amount"), ("bad", "amount")]
    assert report.of("nulls")[0].text == '"amount": 30.0% of the values are missing; it was 0.0%'


def test_rows_age_clock_version_and_nothing_at_all() -> None:
    few = judged(fine(300), Limits(volume=(0.5, 2.0)), from_time=0.0, to_time=86_400.0)
    assert few.troubles[0].text == "300 rows, fewer than 10,000: usual are 20,000 in so much time"
    many = judged(fine(3_000), Limits(volume=(0.5, 2.0)), from_time=0.0, to_time=3_600.0)
    assert many.of("rows")[0].limit == pytest.approx(2.0 * 20_000 / 24)
    old = judged(fine(300), Limits(age_s=60.0), now=1_000.0, newest=0.0)
    assert old.troubles[0].text == "the newest row is 16m40s old, 1m is allowed"
    ahead = judged(fine(300) | {"made_at": numbers(np.full(300, 9e9), "time")}, Limits(columns=False), now=9e9 - 7200.0)
    assert ahead.troubles[0].text == '"made_at" holds times up to 2h ahead of now: a clock is wrong'
    assert judged(fine(300), version="v4").troubles[0].code == "version"
    assert codes(judged({})) == [("no_data", "")]
    assert codes(judged({"amount": numbers(np.empty(0))})) == [("no_data", "")]


def test_fields_can_be_chosen_and_left() -> None:
    bad = fine(5_000) | {"amount": numbers(amounts(5_000) * 9.0), "age": numbers(ages(5_000) * 9.0)}
    assert [one.field for one in judged(bad, Limits(leave=("am*",))).drifted] == ["age"]
    assert [one.field for one in judged(bad, Limits(fields=("amount",))).drifted] == ["amount"]


ODD = st.one_of(
    st.floats(),
    st.none(),
    st.booleans(),
    st.text(max_size=4),
    st.integers(-(10**30), 10**30),
    st.sampled_from(("", "a")),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.sampled_from(("amount", "age", "currency", "new")), st.lists(ODD, max_size=40), max_size=4),
    st.dictionaries(st.sampled_from(("amount", "age", "currency", "old")), st.lists(ODD, max_size=40), max_size=4),
)
def test_whatever_comes_there_is_a_report(then: dict[str, list[object]], now: dict[str, list[object]]) -> None:
    before, after = ({name: _counted(values) for name, values in told.items()} for told in (then, now))
    limits = Limits(rows=1, volume=(0.5, 2.0), age_s=1.0, numbers=("ks", "psi", "js"), texts=("chi2", "psi", "js"))
    report = compared(profile(before), Present(after, "v1", 0.0, 60.0, 1e9, 0.0, 1e6), limits)
    assert {field.field for field in report.fields} <= {*then} & {*now}
    for field in report.fields:
        for distance in field.distances:
            assert np.isfinite([distance.effect, distance.chance, distance.adjusted]).all()


def _counted(values: list[object]) -> Distribution:
    tally = Tally()
    for value in values:
        tally.add(value)
    return tally.told()
