"""Forecasts, absence, anomalies, new log statements and shifts of counts: what fires, what does not, what is said."""

from __future__ import annotations

from math import pi, sin
from random import Random

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from core.watching import CHECKOUT, T0, Watched, sample
from quell.core.detect.forecast import trend
from quell.core.engine import Engine
from quell.model.detect import Absence, Anomaly, DetectRule, Forecast, New, Shift, Threshold
from quell.model.records import CommandRecord, EntityRecord, LogRecord, SamplesRecord
from quell.model.rulebook import Rulebook

HOUR = 3600.0
DAY = 86_400.0


def line(template: str, at: float, severity: str = "error", count: int = 1) -> LogRecord:
    return LogRecord(at=T0 + at, entity=CHECKOUT, severity=severity, template=template, count=count, over_s=60.0)


# Forecasts

FILLING = DetectRule(
    name="DiskFills", metric="disk", when=Forecast(above=90.0, within_s=4 * HOUR, over_s=2 * HOUR), every_s=300.0
)


def test_a_limit_that_is_reached_soon_is_told_with_when() -> None:
    scene = Watched(FILLING)
    noise = Random(1)
    scene.feed([70.0 + 5.0 * at / 12 + noise.uniform(-0.3, 0.3) for at in range(26)], "disk", every=300.0)
    scene.wait(8000.0)
    (alert,) = scene.firing
    assert alert.threshold == 90.0
    text = alert.annotations["description"]
    assert "an hour in the last 1h55m: it reaches 90 in " in text, text
    assert 4.5 < float(alert.annotations["per_hour"]) < 5.5


@pytest.mark.parametrize(
    "values",
    [
        [70.0 + 0.5 * at / 12 for at in range(26)],  # too slowly
        [70.0 - 5.0 * at / 12 for at in range(26)],  # away from it
        [70.0 + 5.0 * (at % 5) for at in range(26)],  # up and down
        [70.0] * 26,
        [70.0 if at < 25 else 89.0 for at in range(26)],  # one wild value
    ],
)
def test_what_reaches_no_limit_soon_says_nothing(values: list[float]) -> None:
    scene = Watched(FILLING)
    scene.feed(values, "disk", every=300.0)
    scene.wait(8000.0)
    assert not scene.alerts


def test_what_wanders_is_hardly_ever_taken_for_a_trend() -> None:
    fired = 0
    for seed in range(30):
        chance, value, values = Random(seed), 50.0, []
        for _ in range(26):
            value += chance.gauss(0.0, 0.4)
            values.append(value)
        scene = Watched(FILLING)
        scene.feed(values, "disk", every=300.0)
        scene.wait(8000.0)
        fired += bool(scene.alerts)
    assert fired == 0


def test_what_lies_beyond_the_limit_fires_without_a_trend() -> None:
    scene = Watched(FILLING)
    scene.feed([95.0], "disk")
    scene.wait(301.0)
    (alert,) = scene.firing
    assert "is 95, above 90 already" in alert.annotations["description"]


def test_what_lay_beyond_the_limit_is_over_before_there_is_a_trend() -> None:
    scene = Watched(FILLING)
    scene.feed([95.0, 95.0, 60.0], "disk", every=300.0)
    scene.wait(900.0)
    assert [status for _, _, status in scene.course()] == ["firing", "resolved"]


def test_the_trend_of_a_line_is_the_line() -> None:
    times = np.arange(-50.0, 1.0)
    found = trend(times, 3.0 + 2.0 * times, 0.9)
    assert (found.level, found.slope, found.least, found.most) == pytest.approx((3.0, 2.0, 2.0, 2.0))


# Absence

SILENT = DetectRule(
    name="NoData", metric="up", pooled=True, when=Absence(after_s=600.0, expected=("service/billing",)), every_s=60.0
)


def test_what_is_silent_for_too_long_fires_and_ends_when_it_is_told_again() -> None:
    scene = Watched(SILENT)
    scene.feed([1.0] * 11, "up")
    scene.wait(1800.0)
    silent = next(alert for alert in scene.firing if alert.entity == CHECKOUT)
    text = silent.annotations["description"]
    assert text == "nothing was told of up for 11m; the latest was 1 at 2026-03-01T08:10:00.000Z"
    scene.feed([1.0, 1.0], "up", start=1900.0)
    scene.wait(2000.0)
    assert [alert.entity for alert in scene.firing] == ["service/billing"]


def test_what_is_expected_and_never_came_fires() -> None:
    scene = Watched(SILENT)
    scene.wait(599.0)
    assert not scene.firing
    scene.wait(700.0)
    (alert,) = scene.firing
    assert alert.entity == "service/billing"
    assert alert.annotations["description"] == "up was never told, though it is expected since 11m"


def test_what_comes_too_late_is_told_as_such() -> None:
    scene = Watched(SILENT)
    for minute in range(20):
        scene.tell(60.0 * minute, sample(60.0 * minute - 7200.0, 1.0, "up"))
    (late,) = [alert for alert in scene.firing if alert.entity == CHECKOUT]
    assert "old, though points arrive: late, or by a wrong clock" in late.annotations["description"]


def test_an_entity_that_is_removed_is_not_missed() -> None:
    scene = Watched(SILENT)
    scene.tell(0.0, EntityRecord(at=T0, entity=CHECKOUT), sample(0.0, 1.0, "up"))
    scene.tell(60.0, EntityRecord(at=T0 + 60.0, entity=CHECKOUT, removed=True))
    scene.wait(3600.0)
    assert [alert.entity for alert in scene.alerts] == ["service/billing"]


def test_an_entity_that_is_removed_while_it_is_missed_is_missed_no_more() -> None:
    scene = Watched(SILENT)
    scene.tell(0.0, EntityRecord(at=T0, entity=CHECKOUT), sample(0.0, 1.0, "up"))
    scene.wait(1200.0)
    assert CHECKOUT in {alert.entity for alert in scene.firing}
    scene.tell(1260.0, EntityRecord(at=T0 + 1260.0, entity=CHECKOUT, removed=True))
    assert CHECKOUT not in {alert.entity for alert in scene.firing}


def test_what_is_gone_for_a_day_is_given_up_unless_it_is_expected() -> None:
    scene = Watched(SILENT)
    scene.feed([1.0], "up")
    scene.wait(2 * DAY)
    assert [alert.entity for alert in scene.firing] == ["service/billing"]
    assert list(scene.engine.state.detecting.watches["NoData"]) == ["service/billing\x00up"]


def test_nothing_is_missed_for_the_time_in_which_quell_itself_was_down() -> None:
    scene = Watched(SILENT)
    scene.feed([1.0] * 5, "up")
    scene.tell(7200.0, CommandRecord(at=T0 + 7200.0, verb="resumed", by="quell"))
    scene.wait(7700.0)
    assert not scene.alerts
    scene.wait(7900.0)
    assert len(scene.firing) == 2


# Anomalies

BUSY = DetectRule(
    name="Unusual", metric="rps", when=Anomaly(deviations=6.0, share=0.1, history_s=3 * DAY), every_s=900.0
)


def usual(at: float, noise: Random) -> float:
    """By day 200, by night 50, at weekends half of it."""
    hour, day = (T0 + at) % DAY / HOUR, int((T0 + at) // DAY + 3) % 7
    level = 125.0 + 75.0 * sin((hour - 9.0) / 24.0 * 2 * pi)
    return level * (0.5 if day >= 5 else 1.0) + noise.gauss(0.0, 3.0)


def learned(days: float) -> tuple[Watched, Random]:
    scene, noise = Watched(BUSY), Random(7)
    for day in range(int(days)):
        for row in range(96):
            at = day * DAY + row * 900.0
            scene.tell(at, sample(at, usual(at, noise), "rps"))
    return scene, noise


def test_what_is_usual_is_told_by_hour_and_kind_of_day() -> None:
    scene, _ = learned(15)
    assert not scene.alerts
    at = 15 * DAY + 2 * HOUR  # a Monday, 10:00
    scene.tell(at, sample(at, 60.0, "rps"))
    scene.wait(at + 900.0)
    (alert,) = scene.firing
    text = alert.annotations["description"]
    assert text.startswith("rps is 60; ")
    assert text.endswith(" is usual for Monday 10:00"), text
    low, high = (float(one) for one in alert.annotations["usual"].split("–"))
    assert 100.0 < low < float(alert.annotations["expected"]) < high < 180.0


def test_what_is_usual_outlasts_restarts() -> None:
    found = []
    for restarts in (False, True):
        scene, noise = Watched(BUSY), Random(7)
        for row in range(96 * 6):
            at = row * 900.0
            strange = 300.0 if row in {400, 401, 500} else 0.0
            scene.tell(at, sample(at, usual(at, noise) + strange, "rps"))
            if restarts and row % 50 == 0:
                scene.engine = Engine.restored(scene.rulebook, scene.engine.snapshot())
        found.append((scene.course(), msgspec.to_builtins(scene.engine.state.detecting, str_keys=True)))
    assert found[0] == found[1]
    assert len(found[0][0]) == 4


def test_a_new_level_is_usual_after_a_while() -> None:
    scene, noise = learned(10)
    for row in range(96 * 3):
        at = 10 * DAY + row * 900.0
        scene.tell(at, sample(at, usual(at, noise) + 150.0, "rps"))
    told = [(at, status) for at, _, status in scene.course()]
    assert [status for _, status in told] == ["firing", "resolved"]
    assert 0.4 * DAY < told[1][0] - told[0][0] < DAY


@pytest.mark.parametrize(("direction", "fires"), [("up", False), ("down", True)])
def test_only_what_is_asked_for_is_unusual(direction: str, fires: bool) -> None:
    rule = DetectRule(name="U", metric="rps", when=Anomaly(direction=direction, history_s=DAY), every_s=900.0)  # type: ignore[arg-type]
    scene = Watched(rule)
    scene.feed([100.0 + at % 5 for at in range(96 * 3)], "rps", every=900.0)
    scene.tell(3 * DAY, sample(3 * DAY, 10.0, "rps"))
    scene.wait(3 * DAY + 900.0)
    assert bool(scene.firing) is fires


def test_a_small_difference_is_none_however_steady_the_series_was() -> None:
    rule = DetectRule(name="U", metric="rps", when=Anomaly(history_s=DAY, effect=2.0, share=0.0), every_s=900.0)
    scene = Watched(rule)
    scene.feed([*[100.0] * (96 * 3), 101.9, 103.0], "rps", every=900.0)
    scene.wait(3 * DAY + 900.0)
    assert not scene.alerts
    scene.wait(3 * DAY + 1800.0)
    assert [alert.value for alert in scene.firing] == [103.0]


def test_a_holiday_is_like_a_weekend_and_days_left_out_say_nothing() -> None:
    at = 15 * DAY + 2 * HOUR  # a Monday, 10:00, with as little as at weekends
    for more, said in (({}, "Monday"), ({"holidays": ("2026-03-16",)}, ""), ({"left_out": ("03-16",)}, "")):
        scene, noise = learned(15)
        rule = replace(BUSY, when=replace(BUSY.when, **more))
        scene.engine.use(Rulebook(version="2", detect=(rule,)))
        for row in range(4):
            scene.tell(at + row * 900.0, sample(at + row * 900.0, usual(at, noise) / 2, "rps"))
        scene.wait(at + 3600.0)
        assert [said in alert.annotations["description"] for alert in scene.firing] == [True] * bool(said), more
    scene, _ = learned(15)
    scene.engine.use(Rulebook(version="2", detect=(replace(BUSY, when=replace(BUSY.when, holidays=("03-16",))),)))
    scene.tell(at, sample(at, 400.0, "rps"))
    scene.wait(at + 900.0)
    (alert,) = scene.firing
    assert alert.annotations["description"].endswith("is usual for a holiday 10:00")


def test_what_is_usual_stays_known_when_it_is_said_otherwise_what_is_too_far() -> None:
    scene, _ = learned(15)
    rule = replace(BUSY, when=replace(BUSY.when, deviations=20.0, share=0.5, direction="down"))
    scene.engine.use(Rulebook(version="2", detect=(rule,)))
    at = 15 * DAY + 2 * HOUR
    scene.tell(at, sample(at, 10.0, "rps"))
    scene.wait(at + 900.0)
    assert len(scene.firing) == 1


def test_a_profile_stays_small() -> None:
    scene, _ = learned(20)
    assert len(msgspec.msgpack.encode(scene.engine.state.detecting)) < 9_000


# Logs

NEW = DetectRule(
    name="NewError", log="*", errors=True, pooled=True, when=New(unseen_s=3 * DAY, learn_s=HOUR, quiet_s=600.0)
)


def test_an_error_that_was_not_made_before_is_told_with_its_template() -> None:
    scene = Watched(NEW)
    for minute in range(120):
        scene.tell(60.0 * minute, line("connection to <*> lost", 60.0 * minute))
    assert not scene.alerts
    scene.tell(7200.0, line("cannot allocate <*> bytes", 7200.0, count=4), line("started", 7200.0, "info"))
    scene.wait(7300.0)
    (alert,) = scene.firing
    assert alert.annotations["template"] == "cannot allocate <*> bytes"
    assert alert.annotations["description"] == (
        'a log statement is new here, not seen for 3d: "cannot allocate <*> bytes" (4 times)'
    )
    scene.wait(8000.0)
    assert not scene.firing


def test_an_error_that_comes_back_after_long_is_new_again() -> None:
    scene = Watched(NEW)
    for hour in range(100):
        scene.tell(
            hour * HOUR, line("usual <*>", hour * HOUR), *([line("rare <*>", hour * HOUR)] if hour in {2, 90} else [])
        )
    assert [(at, status) for at, _, status in scene.course()][::2] == [
        (2 * HOUR + 60.0, "firing"),
        (90 * HOUR + 60.0, "firing"),
    ]


def test_a_statement_that_is_made_many_times_as_often_is_told() -> None:
    rule = DetectRule(
        name="MoreErrors", log="*", when=Shift(factor=3.0, against_s=6 * HOUR, volume=20.0), every_s=300.0
    )
    scene = Watched(rule)
    noise = Random(3)
    for window in range(40):
        scene.tell(300.0 * window, line("retry of <*>", 300.0 * window, count=noise.randint(5, 12)))
    assert not scene.alerts
    scene.tell(12_000.0, line("retry of <*>", 12_000.0, count=80))
    scene.wait(12_300.0)
    (alert,) = scene.firing
    assert alert.annotations["template"] == "retry of <*>"
    assert alert.annotations["description"].startswith('"retry of <*>" was counted 80 times in 5m; ')
    scene.wait(12_900.0)
    assert not scene.firing


def test_a_count_that_falls_to_nothing_is_told_where_that_is_asked_for() -> None:
    rule = DetectRule(
        name="Fewer", metric="orders", when=Shift(against_s=6 * HOUR, volume=20.0, direction="down"), every_s=300.0
    )
    scene = Watched(rule)
    scene.feed([50.0] * 30, "orders", every=300.0)
    scene.wait(30 * 300.0 + 600.0)
    assert [alert.value for alert in scene.firing] == [0.0]


# Detectors that read nothing


def test_a_detector_that_reads_nothing_says_so_and_what_may_be_wrong() -> None:
    rule = DetectRule(name="Slow", metric="latency", when=Threshold(above=1.0), blind_s=1800.0)
    scene = Watched(rule)
    scene.wait(2000.0)
    (alert,) = scene.firing
    assert alert.labels["alertname"] == "DetectorReadsNothing"
    assert 'has read nothing for 31m: nothing told so far is called "latency"' in alert.annotations["summary"]
    scene.feed([0.5], start=2100.0)
    scene.wait(2200.0)
    assert not scene.firing
    scene.feed([0.5], "latency_seconds", start=2300.0)
    scene.wait(6000.0)
    assert "was it renamed?" in scene.firing[0].annotations["summary"]
    scene.engine.use(Rulebook(version="2"))
    scene.wait(6100.0)
    assert not scene.firing


def test_a_detector_that_reads_no_numbers_says_so() -> None:
    scene = Watched(DetectRule(name="Slow", metric="latency", when=Threshold(above=1.0), blind_s=1800.0))
    for minute in range(40):
        at = T0 + 60.0 * minute
        scene.tell(60.0 * minute, SamplesRecord(at=at, entity=CHECKOUT, times=[at], values={"latency": [float("nan")]}))
    assert "values were no numbers" in scene.firing[0].annotations["summary"]
