"""Thresholds that are passed for long enough become alerts, and end when they are not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.watching import CHECKOUT, T0, Watched, sample
from quell.core.detect.views import detector_views
from quell.core.engine import Engine
from quell.expressions.matchers import parse_matchers
from quell.model.detect import Aggregate, DetectRule, Threshold
from quell.model.records import CallRecord, EntityRecord, LogRecord, SamplesRecord
from quell.model.rulebook import Rulebook

SLOW = f"Slow {CHECKOUT}"


def slow(need: int = 1, of: int = 1, **limits: object) -> DetectRule:
    return DetectRule(
        name="Slow", metric="latency", when=Threshold(**({"above": 1.0} | limits)), need=need, of=of, every_s=60.0
    )


def test_a_window_above_the_limit_fires_when_it_is_over_and_ends_with_a_window_below() -> None:
    scene = Watched(slow())
    scene.feed([0.5, 2.0, 2.5, 0.5, 0.5])
    scene.wait(600.0)
    assert scene.course() == [(120.0, SLOW, "firing"), (240.0, SLOW, "resolved")]


def test_the_alert_says_what_was_found_where_and_since_when() -> None:
    scene = Watched(slow(2, 3))
    scene.feed([0.5, 2.0, 2.5])
    scene.wait(180.0)
    (alert,) = scene.firing
    assert alert.entity == CHECKOUT
    assert alert.labels == {"alertname": "Slow", "service": "checkout", "severity": "warning"}
    assert (alert.value, alert.threshold, alert.starts_at, alert.source) == (2.5, 1.0, T0 + 60.0, "detect")
    text = "the mean of latency is 2.5, above 1; in 2 of the last 3 windows of 1m"
    assert alert.annotations["summary"] == f"service/checkout: {text}"


@pytest.mark.parametrize(
    ("values", "fires"),
    [
        ([2, 0, 2, 0, 0], False),
        ([2, 0, 2, 0, 2], True),
        ([2, None, 2, None, 2], True),
        ([2, 2, None, None, None], False),
        ([2, 2, 2, 2, 2], True),
    ],
)
def test_so_many_of_so_many_windows(values: list[float | None], fires: bool) -> None:
    scene = Watched(slow(3, 5))
    scene.feed(values)
    scene.wait(300.0)
    assert bool(scene.firing) is fires


def test_what_fires_is_over_only_beyond_until() -> None:
    scene = Watched(slow(until=0.8))
    scene.feed([2.0, 0.9, 0.9, 0.7, 0.9])
    scene.wait(400.0)
    assert scene.course() == [(60.0, SLOW, "firing"), (240.0, SLOW, "resolved")]


@pytest.mark.parametrize(
    ("aggregate", "value"),
    [
        ("mean", 25.0),
        ("min", 10.0),
        ("max", 40.0),
        ("sum", 100.0),
        ("count", 4.0),
        ("last", 40.0),
        ("p50", 20.0),
        ("p99", 40.0),
    ],
)
def test_how_points_of_a_window_become_one_number(aggregate: Aggregate, value: float) -> None:
    scene = Watched(slow(above=0.0, aggregate=aggregate))
    scene.feed([10.0, 20.0, 30.0, 40.0], every=15.0)
    scene.wait(60.0)
    (alert,) = scene.firing
    assert alert.value == pytest.approx(value, rel=0.012)


def test_the_rate_of_a_counter_that_begins_anew() -> None:
    scene = Watched(slow(above=0.0, aggregate="rate"))
    scene.feed([100.0, 160.0, 220.0, 30.0, 90.0], every=60.0)
    scene.wait(300.0)
    (alert,) = scene.firing
    assert alert.value == pytest.approx(1.0)


def test_one_metric_divided_by_another_where_there_is_enough_of_it() -> None:
    rule = DetectRule(
        name="Errors",
        metric="errors",
        when=Threshold(above=0.1, aggregate="sum", by="requests", volume=100.0),
        every_s=60.0,
    )
    scene = Watched(rule)
    scene.tell(1.0, sample(0.0, 9.0, "errors"), sample(0.0, 20.0, "requests"))
    scene.wait(60.0)
    assert not scene.firing
    scene.tell(61.0, sample(60.0, 30.0, "errors"), sample(60.0, 200.0, "requests"))
    scene.wait(120.0)
    (alert,) = scene.firing
    assert alert.value == pytest.approx(0.15)
    assert alert.annotations["description"].startswith("the sum of errors / requests is 0.15, above 0.1")
    assert (alert.annotations["numerator"], alert.annotations["denominator"]) == ("30", "200")


def test_calls_are_metrics_too() -> None:
    rule = DetectRule(name="Failing", metric="calls.error_share", when=Threshold(above=0.1, volume=50.0))
    scene = Watched(rule)
    few = CallRecord(at=T0, entity=CHECKOUT, operation="GET", count=10, errors=10)
    scene.tell(30.0, few)
    scene.wait(60.0)
    assert not scene.firing
    for operation in ("GET", "PUT"):
        scene.tell(90.0, CallRecord(at=T0 + 60.0, entity=CHECKOUT, operation=operation, count=100, errors=20))
    scene.wait(120.0)
    (alert,) = scene.firing
    assert alert.value == pytest.approx(0.2)


def test_log_statements_are_counted() -> None:
    rule = DetectRule(name="Timeouts", log="*timed out*", when=Threshold(above=5.0, aggregate="sum"))
    scene = Watched(rule)
    for second in range(6):
        scene.tell(second, LogRecord(at=T0 + second, entity=CHECKOUT, text=f"request {second} timed out"))
        scene.tell(second, LogRecord(at=T0 + second, entity=CHECKOUT, text=f"request {second} done"))
    scene.wait(60.0)
    (alert,) = scene.firing
    assert alert.value == 6.0
    assert "timed out" in alert.annotations["metric"]


def test_only_series_that_match_are_read() -> None:
    rule = DetectRule(
        name="Slow", metric="latency*", where=parse_matchers('tier="1", kind="service"'), when=Threshold(above=1.0)
    )
    scene = Watched(rule)
    scene.tell(0.0, EntityRecord(at=T0, entity="service/a", labels={"tier": "1"}))
    scene.tell(1.0, *(sample(1.0, 9.0, "latency.p99", entity) for entity in ("service/a", "service/b", "host/a")))
    scene.wait(60.0)
    assert [alert.entity for alert in scene.firing] == ["service/a"]
    scene.tell(61.0, EntityRecord(at=T0 + 61.0, entity="service/a", labels={"tier": "3"}))
    assert not scene.firing


def test_a_table_of_metrics_is_read_as_points_are() -> None:
    scene = Watched(slow(aggregate="max"))
    scene.tell(
        50.0,
        SamplesRecord(at=T0, entity=CHECKOUT, times=[T0, T0 + 20.0], values={"latency": [None, 3.0], "x": [1.0, 1.0]}),
    )
    scene.wait(60.0)
    assert [alert.value for alert in scene.firing] == [3.0]


def test_points_that_come_late_are_judged_as_if_they_had_come_in_time() -> None:
    scene = Watched(slow(2, 3))
    scene.tell(119.0, sample(65.0, 0.5))
    scene.tell(125.0, sample(5.0, 3.0), sample(66.0, 4.0))
    scene.wait(180.0)
    (alert,) = scene.firing
    assert alert.starts_at == T0


def test_an_alert_fires_on_while_nothing_is_told_and_is_given_up_after_an_hour() -> None:
    scene = Watched(slow())
    scene.feed([2.0])
    scene.wait(3000.0)
    assert scene.firing
    scene.wait(4000.0)
    assert not scene.firing


def test_an_alert_of_which_nothing_can_be_said_any_more_is_given_up_though_points_come() -> None:
    scene = Watched(slow(volume=5.0))
    scene.feed([2.0] * 5, every=1.0)
    scene.feed([0.1] * 90, start=60.0)
    assert scene.course()[0][2] == "firing"
    assert not scene.firing


def test_a_reload_keeps_windows_of_rules_that_are_the_same_and_ends_alerts_of_those_that_are_gone() -> None:
    scene = Watched(slow(2, 2), DetectRule(name="Other", metric="latency", when=Threshold(above=1.0)))
    scene.feed([2.0])
    scene.wait(60.0)
    assert [alert.labels["alertname"] for alert in scene.firing] == ["Other"]
    scene.engine.use(Rulebook(version="2", detect=(slow(2, 2),)))
    scene.feed([2.0], start=61.0)
    scene.wait(120.0)
    assert [alert.labels["alertname"] for alert in scene.firing] == ["Slow"]


def test_a_rule_that_is_changed_begins_anew() -> None:
    scene = Watched(slow())
    scene.feed([2.0])
    scene.wait(60.0)
    scene.engine.use(Rulebook(version="2", detect=(slow(above=5.0),)))
    scene.wait(90.0)
    assert scene.firing
    scene.feed([2.0], start=100.0)
    scene.wait(120.0)
    assert not scene.firing


def test_a_restart_forgets_nothing() -> None:
    scene = Watched(slow(2, 3))
    scene.feed([2.0, 0.0])
    scene.engine = Engine.restored(scene.rulebook, scene.engine.snapshot())
    scene.feed([2.0], start=130.0)
    scene.engine = Engine.restored(scene.rulebook, scene.engine.snapshot())
    scene.wait(180.0)
    assert scene.firing


def test_points_of_a_time_to_come_are_not_believed() -> None:
    scene = Watched(slow())
    table = SamplesRecord(
        at=T0, entity=CHECKOUT, times=[T0, T0 + 1e9, float("inf")], values={"latency": [0.5, 9.0, 9.0]}
    )
    scene.tell(30.0, table)
    scene.wait(300.0)
    (watch,) = scene.engine.state.detecting.watches["Slow"].values()
    assert (watch.unread, watch.newest, watch.touched) == (2, T0, [])
    without = Watched()
    without.tell(30.0, table)
    without.wait(300.0)
    assert scene.engine.next_due() == without.engine.next_due()


def test_a_reload_changes_words_of_what_fires_and_ends_what_is_not_read_any_more() -> None:
    scene = Watched(slow())
    scene.feed([2.0])
    scene.wait(60.0)
    scene.engine.use(Rulebook(version="2", detect=(replace(slow(), severity="critical", labels={"team": "shop"}),)))
    scene.wait(120.0)
    assert [alert.labels for alert in scene.firing] == [
        {"alertname": "Slow", "service": "checkout", "severity": "critical", "team": "shop"}
    ]
    elsewhere = replace(slow(), where=parse_matchers('name="other"'))
    scene.engine.use(Rulebook(version="3", detect=(elsewhere,)))
    scene.wait(121.0)
    assert not scene.firing


def test_a_detector_that_is_off_finds_nothing() -> None:
    scene = Watched(replace(slow(), on=False))
    scene.feed([2.0])
    scene.wait(120.0)
    assert not scene.alerts


def test_how_detectors_stand_is_told() -> None:
    book = Rulebook(version="1", detect=(slow(), DetectRule(name="Idle", metric="nothing", when=Threshold(above=1.0))))
    scene = Watched(rulebook=book)
    scene.feed([2.0] * 70)
    views = detector_views(scene.engine.state, book)
    assert (views["Slow"].series, views["Slow"].firing, views["Slow"].warning) == (1, 1, "")
    assert views["Idle"].warning.startswith("has read nothing for 1h9m: nothing told so far is called")


def test_what_was_found_is_told_with_why_it_did_not_page() -> None:
    scene = Watched(slow())
    scene.feed([2.0])
    scene.wait(60.0)
    (alert,) = scene.firing
    told = scene.engine.why_not(alert.fingerprint) or ""
    assert "A detector of quell found it: the mean of latency is 2, above 1." in told


def test_odd_values_are_no_values() -> None:
    scene = Watched(slow())
    for number, value in enumerate((float("nan"), float("inf"), float("-inf"), 1e300)):
        scene.tell(number, SamplesRecord(at=T0, entity=CHECKOUT, times=[T0 + number], values={"latency": [value]}))
    scene.wait(60.0)
    (alert,) = scene.firing
    assert alert.value == 1e30
