"""Other numbers for detectors that are no thresholds: tried on what was told when people said what it was."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.test_suggest_limits import PLACE, Lived
from core.watching import T0
from quell.core.suggest_knobs import knobs, warm_s
from quell.core.suggest_limits import tunable
from quell.model.detect import (
    Absence,
    Anomaly,
    Behaviour,
    Burn,
    BurnRate,
    Compare,
    Condition,
    DetectRule,
    Drift,
    Forecast,
    New,
    Shift,
    Threshold,
)

RATES = (
    BurnRate(rate=5.0, over_s=1200.0, confirm_s=120.0),
    BurnRate(rate=1.0, over_s=7200.0, confirm_s=1200.0, pages=False),
)
BURN = Burn(measured="windows", objective=0.9, period_s=86_400.0, rates=RATES, at_most=0.5)
ANOMALY = Anomaly(direction="up", history_s=14_400.0, share=0.0)


def rule(when: Condition, **more: float) -> DetectRule:
    return DetectRule(name="Slow", metric="latency", when=when, every_s=60.0, place=PLACE, **more)  # type: ignore[arg-type]


def quiet(lived: Lived, minutes: int = 60, value: float = 0.1) -> None:
    """Minutes in which nothing happens, and each tells a value about ``value``."""
    lived.values([value * (1.0 + 0.02 * (minute % 7)) for minute in range(minutes)])


def lived(of: DetectRule, peaks: dict[float, str], *, before: int = 60, long: int = 3) -> Lived:
    """A life in which each peak lasts some minutes, and people say what it was."""
    life = Lived(of)
    quiet(life, before)
    for number, (peak, said) in enumerate(peaks.items()):
        began = life.values([peak] * long)
        life.scene.wait(life.at + 60.0)
        firing = life.scene.firing
        assert bool(firing) == (said != "missed"), (peak, said)
        marks = tuple(alert.fingerprint for alert in firing)
        life.note(f"INC-{number}", said, marks, T0 + (began if said == "missed" else life.at))
        quiet(life, 60)
        assert not life.scene.firing
    return life


def test_an_anomaly_is_looked_for_further_away() -> None:
    of = rule(ANOMALY)
    life = lived(of, {0.14: "not_actionable", 0.141: "not_actionable", 0.142: "not_actionable", 9.0: "taken_up"},
                 before=2880)  # fmt: skip
    (one,) = life.suggested()
    deviations = one.rule["when"]["anomaly"]["deviations"]
    assert deviations > of.when.deviations  # type: ignore[union-attr]
    assert one.text == f"Slow: deviations {deviations:g}, not 5"
    assert one.evidence[0].endswith("(INC-0, INC-1, INC-2): would not fire")
    assert one.evidence[1].endswith("(INC-3): would fire all the same")
    assert one.evidence[-1] == f"rules/own.yaml, line 3: deviations 5 becomes deviations {deviations:g}"
    calm = Lived(replace(of, when=replace(ANOMALY, deviations=deviations)))
    quiet(calm, 2880)
    calm.values([0.142] * 3)
    calm.scene.wait(calm.at + 60.0)
    assert not calm.scene.firing


def test_a_budget_may_burn_faster() -> None:
    bad = "not_actionable"
    life = Lived(rule(BURN))
    quiet(life, 130)
    for number, (long, said) in enumerate(((11, bad), (11, bad), (11, bad), (20, "taken_up"))):
        life.values([0.9] * long)
        life.scene.wait(life.at + 60.0)
        marks = tuple(alert.fingerprint for alert in life.scene.firing)
        assert len(marks) == 1
        life.note(f"INC-{number}", said, marks, T0 + life.at)
        quiet(life, 150)
        assert not life.scene.firing
    (one,) = life.suggested()
    rates = [entry["rate"] for entry in one.rule["burn"]]
    assert (one.text, rates) == ("Slow: a burn rate of 6.2, not 5", [6.2, 1.0]), "one rate moves"
    assert one.evidence[-1] == "rules/own.yaml, line 3: rate over 20m 5 becomes 6.2"


def test_what_was_missed_is_found_by_what_looks_nearer() -> None:
    of = rule(Shift(factor=8.0, against_s=3600.0, volume=1.0))
    life = Lived(of)
    life.values([10.0, 11.0, 9.0] * 400)
    life.missed(60.0, 60.0)
    (one,) = life.suggested()
    assert one.rule["when"]["shift"]["factor"] < 8.0
    assert one.evidence[-2] == "in the day before, it would have fired at no series where it did not"
    loud = Lived(of)
    loud.values(([10.0] * 100 + [60.0]) * 10)
    loud.missed(60.0)
    assert loud.suggested() == []


def test_nothing_is_suggested_where_nothing_tells_them_apart() -> None:
    peaks = {0.15: "not_actionable", 0.16: "not_actionable", 0.17: "not_actionable", 0.14: "taken_up"}
    assert lived(rule(ANOMALY), peaks, before=2880).suggested() == []


def test_what_would_be_too_much_to_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Lived(rule(Shift(factor=8.0, against_s=3600.0, volume=1.0)))
    life.values([10.0, 11.0, 9.0] * 400)
    life.missed(60.0, 60.0)
    monkeypatch.setattr("quell.core.suggest_tried.MOST_JUDGED", 100)
    assert life.suggested() == []


@pytest.mark.parametrize(
    ("when", "stricter", "looser"),
    [
        (Forecast(above=1.0, within_s=14_400.0, over_s=3600.0), "within 3h38m", "within 4h24m"),
        (Absence(after_s=600.0), "after 11m", "after 9m"),
        (Behaviour(of="confidence", below=0.7), "below 0.64", "below 0.77"),
        (Behaviour(of="tokens", change=0.5), "change 0.55", "change 0.45"),
        (Compare(canary=(), baseline=(), margin=0.02), "margin 0.022", "margin 0.018"),
        (Drift(), "chi2 0.11, ks 0.11, psi 0.22", "chi2 0.091, ks 0.091, psi 0.18"),
        (BURN, "a burn rate of 5.5", "a burn rate of 4.5"),
    ],
)
def test_what_can_be_turned(when: Condition, stricter: str, looser: str) -> None:
    of = rule(when)
    knob = knobs(of)[0]
    assert (knob.stricter[0].said, knob.looser[0].said) == (stricter, looser)
    assert knob.stricter[0].rule.when != when
    assert 0.0 < warm_s(of) < 10 * 86_400.0
    assert tunable(of)
    assert not tunable(replace(of, on=False))


def test_some_numbers_are_bounded() -> None:
    assert knobs(rule(New())) == ()
    assert knobs(rule(Compare(canary=(), baseline=()))) == ()
    assert knobs(rule(Threshold(above=1.0))) == ()
    assert all(one.rule.when.factor > 1.0 for one in knobs(rule(Shift(factor=1.2)))[0].looser)  # type: ignore[union-attr]
    assert all(one.rule.when.rates[0].rate < 10.0 for one in knobs(rule(BURN))[0].stricter)  # type: ignore[union-attr]
    shares = [one.rule.when.limits for one in knobs(rule(Drift()))[0].stricter]  # type: ignore[union-attr]
    assert all(one.ks < 1.0 for one in shares)
