"""Detectors over what senders mix up, over times in which nobody listened, and where one of them breaks."""

from __future__ import annotations

import pytest

from core.watching import CHECKOUT, T0, Watched, sample
from quell.core.automation import RESUMED
from quell.core.detect.absence import AbsenceCondition
from quell.core.detect.views import detector_views
from quell.core.engine import Engine
from quell.model.detect import Absence, Anomaly, Condition, DetectRule, Drift, Shift, Threshold
from quell.model.mute import Matcher
from quell.model.records import AnyRecord, CallRecord, CommandRecord, DistributionRecord, EntityRecord, VersionRecord
from quell.model.rulebook import Rulebook
from quell.model.topology import Entity


def back(at: float) -> CommandRecord:
    """The daemon says that it is there again."""
    return CommandRecord(at=T0 + at, verb=RESUMED, by="quell")


def calls(at: float, count: int, mean_s: float = 0.1) -> CallRecord:
    """Counted calls of the checkout."""
    return CallRecord(at=T0 + at, entity=CHECKOUT, count=count, mean_s=mean_s)


@pytest.mark.parametrize("first", ["sample", "calls"])
def test_a_metric_told_by_calls_and_by_samples_is_one_series(first: str) -> None:
    rule = DetectRule(name="many", metric="calls.count", when=Threshold(above=10.0, aggregate="sum"))
    scene = Watched(rule)
    told: list[AnyRecord] = [sample(1.0, 4.0, "calls.count"), calls(2.0, 7)]
    for at, record in enumerate(told if first == "sample" else told[::-1], start=3):
        scene.tell(float(at), record)
    scene.wait(60.0)
    assert [alert.value for alert in scene.firing] == [11.0]


def test_an_absence_of_all_that_an_entity_tells_takes_whatever_it_tells() -> None:
    scene = Watched(DetectRule(name="dead", metric="*", pooled=True, when=Absence(after_s=300.0)))
    scene.tell(1.0, sample(1.0, 1.0), calls(1.0, 5))
    scene.tell(2.0, sample(2.0, 1.0))
    scene.wait(200.0)
    assert not scene.firing
    scene.wait(600.0)
    assert [alert.entity for alert in scene.firing] == [CHECKOUT]


def test_an_anomaly_keeps_numbers_that_are_too_large_for_its_memory() -> None:
    scene = Watched(DetectRule(name="odd", metric="calls.mean_s", when=Anomaly(aggregate="sum")))
    for minute in range(120):
        scene.tell(minute * 60.0, calls(minute * 60.0, 10**15, 1e300))
    again = Engine.restored(scene.rulebook, scene.engine.snapshot())
    assert again.snapshot() == scene.engine.snapshot()


def course_over_a_gap(when: Condition, told: list[float | None], gap_s: float, after: list[float | None]) -> Watched:
    """Values by the minute, a while in which quell was down, and more of them."""
    scene = Watched(DetectRule(name="rule", metric="latency", when=when))
    scene.feed(told)
    scene.engine = Engine.restored(scene.rulebook, scene.engine.snapshot())
    start = len(told) * 60.0 + gap_s
    scene.tell(start, back(start))
    scene.feed(after, start=start)
    return scene


def test_an_alert_that_fired_before_quell_was_down_goes_on() -> None:
    scene = course_over_a_gap(Threshold(above=1.0), [5.0] * 10, 10_800.0, [5.0] * 10)
    assert [status for _, _, status in scene.course()] == ["firing"]


def test_an_absence_that_fired_before_quell_was_down_goes_on_until_something_is_told() -> None:
    quiet: list[float | None] = [None] * 20
    scene = course_over_a_gap(Absence(after_s=300.0), [5.0, 5.0, *quiet], 10_800.0, quiet)
    assert [status for _, _, status in scene.course()] == ["firing"]
    later = 42 * 60.0 + 10_800.0
    scene.feed([5.0] * 3, start=later)
    assert [status for _, _, status in scene.course()] == ["firing", "resolved"]


def test_an_expected_series_that_was_never_told_is_one_alert_over_a_gap() -> None:
    quiet: list[float | None] = [None] * 20
    scene = course_over_a_gap(Absence(after_s=300.0, expected=(CHECKOUT,)), quiet, 10_800.0, quiet)
    assert [status for _, _, status in scene.course()] == ["firing"]


@pytest.mark.parametrize(("direction", "gap_s"), [("down", 7200.0), ("up", 10_500.0), ("both", 10_500.0)])
def test_counts_that_nobody_heard_are_not_few(direction: str, gap_s: float) -> None:
    shift = Shift(direction=direction, against_s=10_800.0)  # type: ignore[arg-type] # one of them
    scene = course_over_a_gap(shift, [100.0] * 200, gap_s, [100.0] * 30)
    assert scene.course() == []
    start = 230 * 60.0 + gap_s
    scene.feed([1000.0 if direction == "up" else 1.0] * 3, start=start)
    assert [status for _, _, status in scene.course()] == ["firing"]


def test_what_was_counted_while_quell_restarted_is_not_too_little() -> None:
    scene = Watched(DetectRule(name="few", metric="latency", when=Threshold(below=100.0, aggregate="sum")))
    scene.feed([30.0] * 20, every=15.0)
    scene.engine = Engine.restored(scene.rulebook, scene.engine.snapshot())
    scene.tell(345.0, back(345.0))
    scene.feed([30.0] * 20, every=15.0, start=345.0)
    assert scene.course() == []
    scene.feed([3.0] * 8, every=15.0, start=660.0)
    assert [status for _, _, status in scene.course()] == ["firing"]


def test_time_that_nobody_listened_to_is_not_judged_window_by_window(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Watched(DetectRule(name="dead", metric="latency", when=Absence(after_s=300.0, give_up_s=30 * 86_400.0)))
    scene.feed([5.0] * 3)
    judged: list[int] = []
    judge = AbsenceCondition.judge

    def counted(self: AbsenceCondition, watch: object, slot: int) -> object:
        judged.append(slot)
        return judge(self, watch, slot)  # type: ignore[arg-type] # as it was given

    monkeypatch.setattr(AbsenceCondition, "judge", counted)
    week = 7 * 86_400.0
    scene.tell(week, back(week))
    scene.wait(week + 600.0)
    assert len(judged) < 15
    assert [round(at - week) for at, _, _ in scene.course()] == [360]


def test_a_detector_that_breaks_does_not_stop_time(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = DetectRule(name="broken", metric="latency", when=Absence(after_s=300.0))
    scene = Watched(broken, DetectRule(name="sound", metric="latency", when=Threshold(above=1.0)))

    def fails(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(AbsenceCondition, "judge", fails)
    scene.feed([5.0] * 5)
    assert sorted(alert.name for alert in scene.firing) == ["DetectorReadsBadInput", "sound"]
    said = detector_views(scene.engine.state, scene.rulebook)["broken"].warning
    assert "ZeroDivisionError: by nothing" in said
    assert CHECKOUT in said


def test_series_whose_names_run_together_have_alerts_of_their_own() -> None:
    scene = Watched(DetectRule(name="high", metric="*", when=Threshold(above=1.0)))
    scene.tell(1.0, sample(1.0, 5.0, "b/c", "service/a"), sample(1.0, 5.0, "c", "service/a/b"))
    scene.wait(60.0)
    assert sorted(alert.entity or "" for alert in scene.firing) == ["service/a", "service/a/b"]


def test_labels_that_an_entity_was_given_do_not_name_the_alert() -> None:
    scene = Watched(DetectRule(name="high", metric="*", when=Threshold(above=1.0)))
    labels = {"alertname": "Watchdog", "service": "other", "severity": "none", "team": "shop"}
    scene.tell(1.0, EntityRecord(at=T0 + 1, entity=CHECKOUT, labels=labels), sample(1.0, 5.0))
    scene.wait(60.0)
    (alert,) = scene.firing
    assert {name: alert.labels[name] for name in ("alertname", "service", "severity", "team")} == {
        "alertname": "high", "service": "checkout", "severity": "warning", "team": "shop",
    }  # fmt: skip


def test_rows_of_data_without_a_profile_are_not_read() -> None:
    rule = DetectRule(name="drift", distribution="*", pooled=True, when=Drift())
    scene = Watched(rule)
    scene.tell(60.0, DistributionRecord(at=T0 + 60.0, entity="dataset/x", field="a", count=10))
    assert scene.engine.state.detecting.read_at == {}


def test_names_as_long_as_books_are_not_watched() -> None:
    scene = Watched(
        DetectRule(name="high", metric="*", when=Threshold(above=1.0)),
        DetectRule(name="drift", distribution="*", pooled=True, when=Drift()),
    )
    scene.tell(1.0, sample(1.0, 5.0, "x" * 1_000_000), sample(1.0, 5.0))
    scene.tell(2.0, DistributionRecord(at=T0 + 2, entity="dataset/x", field="f" * 1_000_000, count=1))
    scene.wait(60.0)
    assert [alert.annotations["metric"] for alert in scene.firing if alert.name == "high"] == ["latency"]
    crowded = [alert.labels["detector"] for alert in scene.firing if alert.name == "DetectorHasNoRoom"]
    assert crowded == ["high"]
    assert "names are too long" in detector_views(scene.engine.state, scene.rulebook)["high"].warning
    assert len(scene.engine.snapshot()) < 10_000


def test_it_is_the_same_after_a_restart_at_any_time() -> None:
    others = Matcher(name="team", value="shop", is_equal=False)
    rule = DetectRule(name="high", metric="*", where=(others,), when=Threshold(above=1.0), series=2)
    declared = (Entity(entity="service/2", labels={"team": "shop"}),)
    scene = Watched(rulebook=Rulebook(version="1", detect=(rule,), entities=declared))
    other = Watched(rulebook=scene.rulebook)
    story: list[list[AnyRecord]] = [
        [sample(number, 5.0, entity=f"service/{number}") for number in (0, 1, 2, 3)],
        [sample(9.0, 5.0, entity="service/3"), sample(9.0, 5.0, entity="service/2")],
        [EntityRecord(at=T0 + 10, entity="service/0", removed=True)],
        [VersionRecord(at=T0 + 11, entity="service/2", version="7")],
        [sample(95.0, 5.0, entity=f"service/{number}") for number in (2, 3, 1)],
        [],
    ]
    for at, records in enumerate(story):
        scene.tell(20.0 * (at + 1), *records)
        other.engine = Engine.restored(other.rulebook, other.engine.snapshot())
        other.tell(20.0 * (at + 1), *records)
        assert other.engine.snapshot() == scene.engine.snapshot()
    assert other.course() == scene.course()
    assert [alert.entity for alert in scene.firing if alert.name == "high"] == ["service/1", "service/2"]
