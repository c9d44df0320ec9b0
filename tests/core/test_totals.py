"""Running totals become how much they grew, by process, whatever begins anew, comes late or comes twice."""

from __future__ import annotations

from typing import Any

import pytest

from quell.core.engine import Engine
from quell.core.telemetry import floats
from quell.model.records import RunningHistogram, SamplesRecord, TotalsRecord
from quell.model.rulebook import Rulebook

T0 = 1_700_000_000.0
LONG_AGO = T0 - 86_400


def told(at: float, value: float, instance: str = "i-1", since: float | None = LONG_AGO) -> TotalsRecord:
    return TotalsRecord(
        at=T0 + at, entity="service/shop", instance=instance, started_at=since, values={"orders": value}
    )


def points(*records: TotalsRecord, metric: str = "orders") -> list[tuple[float, float]]:
    engine = Engine(Rulebook())
    for record in records:
        engine.decide([record], max(record.at, engine.state.now))
    signals = engine.state.signals.get("service/shop")
    series = signals.series.get(metric) if signals is not None else None
    if series is None:
        return []
    return [
        (at - T0, value)
        for at, value in zip(floats(series.times).tolist(), floats(series.values).tolist(), strict=True)
    ]


def test_what_grew_between_two_tellings_is_a_sample() -> None:
    assert points(told(0, 100), told(10, 130), told(20, 130)) == [(10.0, 30.0), (20.0, 0.0)]


def test_each_process_is_compared_with_itself() -> None:
    found = points(told(0, 100), told(1, 7, "i-2"), told(10, 130), told(11, 9, "i-2"))
    assert found == [(10.0, 30.0), (11.0, 2.0)]


def test_one_that_fell_or_began_later_began_anew() -> None:
    assert points(told(0, 100), told(10, 4)) == [(10.0, 4.0)]
    assert points(told(0, 100), told(500, 130, since=T0 + 100)) == [(500.0, 130.0)]


def test_all_that_a_young_process_counted_is_new() -> None:
    assert points(told(30, 5, since=T0)) == [(30.0, 5.0)]
    assert points(told(30, 5, since=None)) == []
    assert points(told(500, 5, since=T0)) == []


def test_what_comes_late_or_twice_changes_nothing() -> None:
    assert points(told(0, 100), told(10, 130), told(10, 130), told(5, 120), told(20, 140)) == [
        (10.0, 30.0),
        (20.0, 10.0),
    ]


def test_histograms_grow_by_bucket() -> None:
    def of(at: float, *counts: int) -> TotalsRecord:
        one = RunningHistogram(count=sum(counts), sum=float(sum(counts)), bounds=(1.0, 2.0), counts=counts)
        return TotalsRecord(at=T0 + at, entity="service/shop", started_at=LONG_AGO, histograms={"took{a=b}": one})

    told_ = (of(0, 1000, 0, 0), of(10, 1000, 10, 0))
    assert points(*told_, metric="took_count{a=b}") == [(10.0, 10.0)]
    assert points(*told_, metric="took_sum{a=b}") == [(10.0, 10.0)]
    assert points(*told_, metric="took_p50{a=b}") == [(10.0, pytest.approx(1.5))]
    assert points(of(0, 5, 5, 5), of(10, 9, 9, 1), metric="took_count{a=b}") == [(10.0, 19.0)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_says_nothing(bad: float) -> None:
    odd: Any = RunningHistogram(count=3, bounds=(2.0, 1.0), counts=(1, 1, 1))
    assert points(told(0, 1), told(10, bad), told(20, 3)) == [(20.0, 2.0)]
    record = TotalsRecord(at=T0, entity="service/shop", started_at=T0 - 1, histograms={"orders": odd})
    assert points(record, metric="orders_count") == []


def test_totals_are_remembered_over_a_restart_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.core.totals.MOST_TOTALS", 50)
    monkeypatch.setattr("quell.core.totals._FORGOTTEN_AT_ONCE", 10)
    engine = Engine(Rulebook())
    for number in range(200):
        engine.decide([told(number / 10, 100, f"i-{number}")], T0 + number / 10)
    assert 40 <= len(engine.state.totals) <= 51
    again = Engine.restored(Rulebook(), engine.snapshot())
    again.decide([told(30, 104, "i-199")], T0 + 30)
    assert floats(again.state.signals["service/shop"].series["orders"].values).tolist() == [4.0]


def test_of_a_histogram_with_very_many_buckets_count_and_sum_are_kept() -> None:
    many = 5000
    engine = Engine(Rulebook())
    for at, count in ((0.0, 1), (10.0, 3)):
        told = RunningHistogram(
            count=count * (many + 1),
            sum=float(count),
            bounds=tuple(map(float, range(many))),
            counts=(count,) * (many + 1),
        )
        record = TotalsRecord(at=T0 + at, entity="service/shop", instance="i", histograms={"took": told})
        engine.decide([record], T0 + at)
    series = engine.state.signals["service/shop"].series
    assert floats(series["took_count"].values).tolist() == [2.0 * (many + 1)]
    assert floats(series["took_sum"].values).tolist() == [2.0]
    assert len(engine.snapshot()) < 3000


def test_a_metric_with_a_name_as_long_as_a_book_is_not_kept() -> None:
    engine = Engine(Rulebook())
    values: dict[str, list[float | None]] = {"orders": [1.0], "x" * 1_000_000: [1.0]}
    engine.decide([SamplesRecord(at=T0, entity="service/shop", times=[T0], values=values)], T0)
    assert list(engine.state.signals["service/shop"].series) == ["orders"]
