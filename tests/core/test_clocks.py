"""A source whose clock is wrong has an alert of its own, after one value, and one however many there are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from core.scene import T0 as SCENE
from core.scene import fires, rulebook
from core.watching import T0, Watched, sample
from quell.core.clocks import MOST_SOURCES
from quell.core.engine import Engine
from quell.model.alert import Alert
from quell.model.clocks import OFF
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    ChangeRecord,
    CommandRecord,
    DistributionRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    TotalsRecord,
)

HOUR = 3600.0
NAN, INF = float("nan"), float("inf")


def of(scene: Watched) -> list[Alert]:
    return [alert for alert in scene.firing if alert.name == "SourceClockIsWrong"]


def ahead(by: float = HOUR) -> list[AnyRecord]:
    """One of each kind that tells when something was."""
    at, name = T0 + by, "service/a"
    return [
        replace(sample(by, 1.0), source="one"),
        SampleRecord(at=T0, source="two", entity=name, metric="m", points=[(T0, 1.0), (at, 2.0)]),
        SamplesRecord(at=T0, source="three", entity=name, times=[T0, at], values={"m": [1.0, 2.0]}),
        CallRecord(at=at, source="four", entity=name),
        LogRecord(at=at, source="five", entity=name, text="x"),
        DistributionRecord(at=at, source="six", entity="dataset/a", field="x", count=3),
        TotalsRecord(at=at, source="seven", entity=name, values={"m": 1.0}),
        ChangeRecord(at=at, source="eight", id="c", type="deploy", entity=name),
        AlertRecord(at=at, source="nine", status="firing", labels={"alertname": "A"}),
        AlertRecord(at=T0, source="ten", status="firing", labels={"alertname": "B"}, starts_at=at),
    ]


@pytest.mark.parametrize("record", ahead(), ids=lambda one: one.source)
def test_one_value_that_lies_ahead_is_told(record: AnyRecord) -> None:
    scene = Watched()
    scene.tell(0.0, record)
    (alert,) = of(scene)
    assert (alert.labels["source"], alert.entity, alert.severity) == (
        record.source,
        f"source/{record.source}",
        "warning",
    )
    assert f"source {record.source} tells times up to 1h ahead of ours" in alert.annotations["summary"]
    scene.wait(2 * HOUR)
    assert not of(scene)


@pytest.mark.parametrize("by", [-HOUR, 0.0, 299.0])
def test_what_is_late_or_ahead_as_clocks_are_is_nothing_to_tell(by: float) -> None:
    scene = Watched()
    scene.tell(0.0, *ahead(by))
    assert not of(scene)


@pytest.mark.parametrize("at", [T0 * 1000.0, INF])
def test_milliseconds_are_told_as_what_they_are(at: float) -> None:
    scene = Watched()
    scene.tell(0.0, SampleRecord(at=at, source="s", entity="service/a", metric="m", value=1.0))
    (alert,) = of(scene)
    assert "another unit than seconds?" in alert.annotations["summary"]


def test_a_time_that_is_no_number_is_no_clock() -> None:
    scene = Watched()
    scene.tell(0.0, SampleRecord(at=NAN, source="s", entity="service/a", metric="m", value=1.0))
    scene.tell(1.0, SampleRecord(at=T0, source="s", entity="service/a", metric=OFF, value=NAN))
    assert not of(scene)


def test_a_storm_of_them_is_one_alert_also_over_restarts() -> None:
    scene = Watched()
    for minute in range(60):
        more = [replace(sample(minute * 60.0 + HOUR + step, 1.0), source="s") for step in range(50)]
        scene.tell(minute * 60.0, *more)
        if minute == 20:
            scene.engine = Engine.restored(scene.rulebook, scene.engine.snapshot())
    assert [what for _, name, what in scene.course() if "SourceClock" in name] == ["firing"]
    told = [one for one in scene.engine.state.alerts.values() if one.name == "SourceClockIsWrong"]
    assert [one.count for one in told] == [4], "it is told again every quarter of an hour"
    scene.wait(60 * 60.0 + 2 * HOUR)
    assert not of(scene)
    scene.tell(4 * HOUR, replace(sample(5 * HOUR, 1.0), source="s"))
    assert len(of(scene)) == 1


def test_what_a_connector_did_not_take_for_its_time_is_told() -> None:
    scene = Watched()
    met = SampleRecord(at=T0, source="otlp", entity="source/otlp", metric=OFF, value=-7200.0)
    scene.tell(0.0, met)
    (alert,) = of(scene)
    assert "source otlp tells times up to 2h behind, such as are not taken any more" in alert.annotations["summary"]
    scene.tell(1000.0, replace(met, value=600.0))
    (alert,) = of(scene)
    assert "10m ahead of ours" in alert.annotations["summary"]
    assert "; and up to 2h behind" in alert.annotations["summary"]


def test_words_of_people_and_what_quell_says_have_no_clock() -> None:
    scene = Watched()
    scene.tell(
        0.0, CommandRecord(at=T0 + HOUR, source="s", verb="pause"), *(replace(one, source="quell") for one in ahead())
    )
    assert not of(scene)


def test_sources_without_end_are_bounded() -> None:
    scene = Watched()
    scene.tell(0.0, *(replace(sample(HOUR, 1.0), source=f"s{n}") for n in range(MOST_SOURCES + 10)))
    assert len(scene.engine.state.clocks) == MOST_SOURCES
    scene.tell(2 * HOUR, replace(sample(4 * HOUR, 1.0), source="new"))
    assert list(scene.engine.state.clocks) == ["new"]


def told(order: Sequence[AnyRecord]) -> bytes:
    engine = Engine(rulebook())
    engine.decide(order, SCENE)
    return engine.snapshot()


def test_the_order_in_which_they_come_does_not_matter() -> None:
    records = [fires("ledger", by, name=f"A{by:g}") for by in (0.0, 400.0, 7200.0)]
    assert told(records) == told(records[::-1])
