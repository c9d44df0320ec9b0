"""What a detector cannot use is told with an alert of its own, and neither breaks it nor counts as zero."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from core.watching import T0, Watched, sample
from quell.core.detect.threshold import ThresholdCondition
from quell.core.engine import Engine
from quell.model.alert import Alert
from quell.model.detect import Behaviour, DetectRule, Drift, Threshold
from quell.model.profile import Profile
from quell.model.records import DistributionRecord
from quell.model.rulebook import Rulebook

NAN = float("nan")
LOW = DetectRule(name="Low", metric="latency", when=Threshold(below=0.05), every_s=60.0)


def bad_input(scene: Watched) -> list[Alert]:
    return [alert for alert in scene.firing if alert.name == "DetectorReadsBadInput"]


def test_values_that_are_no_numbers_are_told_and_are_no_zeros() -> None:
    scene = Watched(LOW)
    scene.feed([0.2] * 5 + [NAN] * 20)
    (alert,) = scene.firing
    assert (alert.name, alert.entity) == ("DetectorReadsBadInput", "detector/Low")
    assert "20 of 20 values were no numbers" not in alert.annotations["summary"], "it is told once half of them are"
    assert "values were no numbers, or ahead of the clock" in alert.annotations["summary"]
    scene.engine = Engine.restored(scene.rulebook, scene.engine.snapshot())
    scene.feed([0.2] * 200, start=25 * 60.0)
    scene.wait(16_000.0)
    assert not scene.firing
    assert not scene.engine.state.detecting.unfit


@pytest.mark.parametrize("values", [[0.2, 0.2, NAN] * 30, [0.2] * 30, [NAN] * 5 + [0.2] * 60])
def test_a_few_of_them_are_nothing_to_tell(values: Sequence[float]) -> None:
    scene = Watched(LOW)
    scene.feed(values)
    scene.wait(10_000.0)
    assert not scene.alerts


def test_a_clock_that_is_hours_behind_is_told() -> None:
    scene = Watched(LOW)
    for minute in range(20):
        scene.tell(minute * 60.0, replace(sample(minute * 60.0 - 7200.0, 0.01), seen=T0 + minute * 60.0))
    (alert,) = bad_input(scene)
    assert "came too late for their windows" in alert.annotations["summary"]
    assert "is a clock wrong?" in alert.annotations["summary"]


def test_what_was_kept_while_nobody_could_send_is_no_wrong_clock() -> None:
    scene = Watched(LOW)
    scene.tell(7200.0, *(replace(sample(minute * 60.0, 0.2), seen=T0 + 7200.0) for minute in range(100)))
    scene.feed([0.2] * 60, start=7260.0)
    assert not scene.alerts


def test_values_of_a_field_that_are_none_of_its_type_are_told() -> None:
    rule = DetectRule(name="Sure", distribution="confidence", pooled=True, when=Behaviour(of="confidence", below=0.7))
    scene = Watched(rule)
    for minute in range(5):
        record = DistributionRecord(at=T0 + minute * 60.0, entity="model/a", field="confidence", type="number",
                                    count=100, bad=80, zero=0, positive=[(-5, 20)])  # fmt: skip
        scene.tell(minute * 60.0 + 1.0, record)
    scene.wait(400.0)
    assert bad_input(scene)


def test_a_load_of_yesterdays_rows_is_no_bad_input() -> None:
    profile = Profile(entity="dataset/a", version="1", fields=(), rows=0)
    rule = DetectRule(name="Moved", distribution="*", pooled=True, when=Drift(), every_s=3600.0)
    scene = Watched(rulebook=Rulebook(version="1", detect=(rule,), profiles=(profile,)))
    record = DistributionRecord(at=T0 - 86_400.0, entity="dataset/a", field="x", type="number", count=500, zero=500)
    for minute in range(3):
        scene.tell(minute * 60.0 + 1.0, replace(record, id=str(minute)))
    scene.wait(8000.0)
    assert not bad_input(scene)


def test_what_breaks_a_detector_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of something odd")

    monkeypatch.setattr(ThresholdCondition, "judge", broken)
    scene = Watched(LOW)
    scene.feed([0.2] * 3)
    (alert,) = bad_input(scene)
    assert "broke on service/checkout latency: ZeroDivisionError: of something odd" in alert.annotations["summary"]
    scene.engine.use(Rulebook(version="2"))
    scene.wait(300.0)
    assert not scene.firing
