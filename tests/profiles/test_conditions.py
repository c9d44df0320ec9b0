"""Detectors that compare with profiles, in an engine: an alert for each thing that is wrong, with the report in it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import msgspec
import pytest

from core.watching import T0, Watched
from profiles.data import PAYMENTS, amounts, currencies, fine, profile, records
from quell.core.detect.present import present_drift
from quell.core.drift import validated
from quell.core.engine import Engine
from quell.core.profiles.arrays import numbers
from quell.model.alert import Alert
from quell.model.detect import Check, DetectRule, Drift, Schema
from quell.model.distribution import Distribution
from quell.model.drift_report import DriftReport, Limits
from quell.model.rulebook import Rulebook

EVERY = 600.0


def drift(need: int = 1, of: int = 1, **limits: object) -> DetectRule:
    wanted = Limits(columns=False, **limits)
    return DetectRule(
        name="Drift", distribution="*", when=Drift(limits=wanted), need=need, of=of, every_s=EVERY, pooled=True,
        labels={"kind": "drift"},
    )  # fmt: skip


def schema(*checks: Check, **limits: object) -> DetectRule:
    wanted = Limits(drift=False, volume=(0.5, 2.0), **limits)
    when = Schema(checks=checks, limits=wanted)
    return DetectRule(name="Schema", distribution="*", when=when, every_s=EVERY, pooled=True)


def watched(*rules: DetectRule, time: str = "", fields: dict[str, Distribution] | None = None) -> Watched:
    return Watched(rulebook=Rulebook(version="1", detect=rules, profiles=(profile(fields, time=time),)))


def told(scene: Watched, window: int, fields: dict[str, Distribution], **more: object) -> None:
    at = window * EVERY + 60.0
    scene.tell(at, *records(T0 + at, fields, **more))


def one(scene: Watched) -> Alert:
    """What the rule found; what is said of versions and clocks besides is tested elsewhere."""
    (alert,) = [alert for alert in scene.firing if alert.name not in {"ProfileOfAnotherVersion", "SourceClockIsWrong"}]
    return alert


def test_a_changed_unit_is_an_alert_that_says_so_and_carries_the_report() -> None:
    scene = watched(drift())
    told(scene, 0, fine(3000, seed=50))
    changed = fine(3000, seed=60) | {"amount": numbers(amounts(3000) * 100.0)}
    told(scene, 1, changed, version="v4", samples=["9.9e+03"])
    scene.wait(1200.0)
    alert = one(scene)
    assert alert.entity == PAYMENTS
    assert alert.labels["kind"] == "drift"
    assert alert.labels["dataset"] == "payments"
    assert "1 of 3 fields drifted in version v4 against the profile of v3" in alert.annotations["summary"]
    assert "amount: values ×100 (unit change?)" in alert.annotations["summary"]
    assert alert.annotations["columns"] == "amount"
    assert alert.annotations["dataset_version"] == "v4"
    assert alert.annotations["samples"] == "amount: 9.9e+03"
    assert alert.annotations["profile"].startswith("v3 (")
    assert alert.annotations["histograms"].startswith("amount: |")
    assert alert.value is not None
    assert alert.threshold == 0.2
    assert alert.value > alert.threshold
    report = msgspec.json.decode(alert.annotations["drift_report"], type=DriftReport)
    (field,) = report.fields
    assert field.bars is not None
    assert sum(field.bars.before) == pytest.approx(1.0, abs=0.01)


def test_it_is_over_when_the_data_is_as_before() -> None:
    scene = watched(drift())
    told(scene, 0, fine(3000, seed=1) | {"currency": currencies(3000, 0.2)})
    told(scene, 1, fine(3000, seed=2))
    scene.wait(1800.0)
    name = f"Drift {PAYMENTS}"
    assert scene.course() == [(600.0, name, "firing"), (1200.0, name, "resolved")]


def test_one_window_is_not_drift_where_several_are_asked_for() -> None:
    scene = watched(drift(2, 3))
    bad = fine(3000) | {"amount": numbers(amounts(3000) * 100.0)}
    for window, fields in enumerate((bad, fine(3000), fine(3000), bad, bad)):
        told(scene, window, fields)
    scene.wait(3600.0)
    assert [at for at, _, status in scene.course() if status == "firing"] == [5 * EVERY]


def test_counts_of_a_window_are_added_up_in_whatever_order_they_come() -> None:
    parts = [fine(700, seed=seed) | {"amount": numbers(amounts(700, seed) * 3.0)} for seed in range(4)]
    found = []
    for order in (parts, parts[::-1]):
        scene = watched(drift())
        for at, part in enumerate(order):
            scene.tell(10.0 * at, *records(T0, part))
        scene.wait(600.0)
        found.append(one(scene).annotations["drift_report"])
    assert json.loads(found[0])["rows"] == 2800
    assert found[0] == found[1]


@pytest.mark.parametrize("of", [1, 3])
@pytest.mark.parametrize("late_s", range(0, 4000, 500))
def test_what_comes_late_is_judged_all_the_same(of: int, late_s: int) -> None:
    scene = watched(drift(1, of))
    bad = fine(3000) | {"amount": numbers(amounts(3000) * 100.0)}
    scene.tell(5_000.0, *records(T0 + 5_000.0 - late_s, bad))
    scene.wait(5_000.0 + EVERY)
    assert "values ×100" in one(scene).annotations["description"]


def test_how_late_it_came_is_told_by_its_age() -> None:
    scene = watched(drift(), schema("age", age_s=3600.0))
    bad = fine(3000) | {"amount": numbers(amounts(3000) * 100.0)}
    scene.tell(86_400.0, *records(T0 + 60.0, bad))
    scene.wait(86_400.0 + EVERY)
    found = {alert.labels["alertname"]: alert.annotations["description"] for alert in scene.firing}
    assert "values ×100" in found["Drift"]
    assert "the newest row is 1d" in found["Schema"]


def test_few_rows_say_nothing() -> None:
    scene = watched(drift())
    told(scene, 0, fine(100) | {"amount": numbers(amounts(100) * 100.0)})
    scene.wait(1200.0)
    assert not scene.alerts


def test_entities_without_a_profile_and_other_segments_are_left_alone() -> None:
    scene = watched(drift(), schema("columns", "nulls"))
    bad = {"amount": numbers(amounts(3000) * 100.0)}
    told(scene, 0, bad, segment="region=eu")
    other = [msgspec.structs.replace(record, entity="dataset/other") for record in records(T0, bad)]
    scene.tell(60.0, *other)
    scene.wait(1200.0)
    assert not scene.alerts


@pytest.mark.parametrize(
    ("check", "wrong", "said"),
    [
        ("columns", "renamed", '"amount" is missing and "amount_eur" is new: renamed?'),
        ("columns", "missing", '"age" (number) is missing'),
        ("types", "retyped", '"age" was number and is text now'),
        ("nulls", "nulls", '"amount": 50.0% of the values are missing; it was 0.0%'),
        ("values", "bad", '"amount": 50.0% of the values are no number values, or infinite; it was 0.0%'),
        ("rows", "few", "3 rows, fewer than 69"),
        ("clock", "skew", "its records are up to 1h ahead of now"),
        ("version", "version", 'the data is version "v9", its profile is of version "v3"'),
    ],
)
def test_each_thing_that_is_wrong_is_an_alert_of_its_own(check: Check, wrong: str, said: str) -> None:
    scene = watched(schema(check))
    fields, version, at = fine(200, seed=9), "v3", T0 + 60.0
    half = len(amounts(200)) // 2
    match wrong:
        case "renamed":
            fields["amount_eur"] = fields.pop("amount")
        case "missing":
            del fields["age"]
        case "retyped":
            fields["age"] = currencies(200)
        case "nulls" | "bad":
            values = amounts(200)
            values[:half] = float("nan" if wrong == "nulls" else "inf")
            fields["amount"] = numbers(values)
        case "few":
            fields = fine(3)
        case "skew":
            at = T0 + 60.0 + 3600.0
        case "version":
            version = "v9"
    scene.tell(60.0, *records(at, fields, version=version))
    scene.wait(600.0)
    assert said in one(scene).annotations["description"]


def test_what_is_as_the_profile_describes_it_is_no_alert_whatever_is_checked() -> None:
    scene = watched(schema("columns", "types", "nulls", "values", "rows", "clock", "version"))
    told(scene, 0, fine(140, seed=4))
    scene.wait(600.0)
    assert not scene.alerts


def test_rows_that_do_not_come_grow_old() -> None:
    scene = watched(schema("age", age_s=3600.0))
    told(scene, 0, fine(140))
    scene.wait(3600.0)
    assert not scene.alerts
    scene.wait(7200.0)
    assert "old, 1h is allowed" in one(scene).annotations["description"]
    told(scene, 12, fine(140))
    scene.wait(8400.0)
    assert not scene.firing


def test_how_old_rows_are_is_told_by_their_time_where_the_profile_names_it() -> None:
    fields = fine(500) | {"made_at": numbers(T0 - amounts(500), "time")}
    scene = watched(schema("age", age_s=3600.0), time="made_at", fields=fields)
    told(scene, 0, fine(500) | {"made_at": numbers(T0 - 86_400.0 - amounts(500), "time")})
    scene.wait(600.0)
    assert "the newest row is 1d" in one(scene).annotations["description"]


def test_whoever_validates_drift_asks_how_the_newest_rows_are() -> None:
    scene = watched(drift())
    bad = fine(3000, seed=1) | {"currency": currencies(3000, 0.2), "amount": numbers(amounts(3000) * 100.0)}
    told(scene, 0, bad)
    scene.wait(600.0)

    def asked(**need: float) -> tuple[dict[str, Any], str]:
        state, marks = scene.engine.state, [alert.fingerprint for alert in scene.firing]
        present = partial(present_drift, scene.rulebook, state)
        return validated(state, marks, {"need": need}, T0 + 700.0, present)

    output, said = asked(columns=2, effect=0.2)
    assert output["valid"], said
    assert output["column_names"] == ["amount", "currency"]
    assert output["present"][0]["said"][0] == "amount: values ×100 (unit change?)"
    assert asked(columns=3)[1] == "drift is not validated: columns: 2, 3 needed"
    told(scene, 1, fine(3000, seed=2))  # the window is not over, and the alert still fires
    output, said = asked(columns=1)
    assert not output["valid"]
    assert said == "drift is not validated: the newest rows of dataset/payments are as the profile has them"


def test_a_profile_made_anew_begins_anew_and_the_state_is_kept_over_restarts() -> None:
    scene = watched(drift(2, 2))
    told(scene, 0, {"amount": numbers(amounts(3000) * 100.0)})
    scene.wait(600.0)
    again = Engine.restored(scene.rulebook, scene.engine.snapshot())
    assert again.snapshot() == scene.engine.snapshot()
    for engine in (scene.engine, again):
        engine.decide(records(T0 + 700.0, {"amount": numbers(amounts(3000) * 100.0)}), T0 + 700.0)
        engine.decide([], T0 + 1200.0)
        assert [alert.firing for alert in engine.state.alerts.values()] == [True]
    fresh = profile({"amount": numbers(amounts(20_000) * 100.0)}, version="v4")
    again.use(msgspec.structs.replace(scene.rulebook, version="2", profiles=(fresh,)))
    for window in (3, 4, 5):
        at = T0 + window * EVERY + 60.0
        again.decide(records(at, {"amount": numbers(amounts(3000) * 100.0)}, version="v4"), at)
    again.decide([], T0 + 4800.0)
    assert [alert.firing for alert in again.state.alerts.values()] == [False]
