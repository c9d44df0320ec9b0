"""Which change is blamed for trouble: never one that came after it had shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scene import T0, Scene, deploy, fires, outage, playbook, rulebook
from quell.core.blame import SKEW_S, change_bonus, doubt, nearest_change, too_late
from quell.core.engine import Engine
from quell.model.records import AlertRecord, ChangeRecord, DependencyRecord, EntityRecord, SampleRecord
from quell.model.rulebook import Rulebook
from quell.model.topology import Change
from quell.model.weights import DEFAULT

LEDGER = "service/ledger"


def change(at: float, name: str = "c") -> Change:
    return Change(id=name, at=at, type="deploy", entity=LEDGER, revision="v9")


def told(scene: Scene, code: str) -> list[str]:
    return [one.text for one in scene.incident.suspects[0].evidence if one.code == code]


def test_a_deploy_after_the_first_alerts_is_not_blamed_and_begins_no_rollback():
    rollback = playbook("rollback", on=("opened", "suspects_changed"), if_='suspect.kind == "deploy"')
    named = playbook("named", on=("opened", "suspects_changed"), if_='suspect.change.revision == "v9"')
    scene = Scene(rulebook(playbooks=(rollback, named)))
    scene.tell(*outage())
    scene.tell(deploy("ledger", 59.0), fires("cart", 70.0), at=59.0)
    scene.wait(600.0)
    first = scene.incident.suspects[0]
    assert (first.entity, first.change, first.kind) == (LEDGER, None, "entity")
    assert scene.incident.changes == ()
    assert scene.engine.state.runs == {}
    text = (
        "deploy v9 on service/ledger, came 59s after the first alert that it would explain: too late to have caused it"
    )
    assert told(scene, "change_late") == [text]
    assert f"  - {text}" in scene.text()
    assert "No change is near enough to blame." in scene.text()


def test_the_same_deploy_before_the_first_alert_is_blamed_and_begins_the_rollback():
    rollback = playbook("rollback", on=("opened", "suspects_changed"), if_='suspect.kind == "deploy"')
    scene = Scene(rulebook(playbooks=(rollback,)))
    scene.tell(deploy("ledger", -59.0), *outage())
    scene.wait(600.0)
    assert scene.incident.suspects[0].change == "deploy-ledger"
    assert [run.playbook for run in scene.engine.state.runs.values()] == ["rollback"]


@pytest.mark.parametrize(("at", "blamed"), [(-1.0, True), (10.0, True), (40.0, False), (61.0, False), (119.0, False)])
def test_clocks_that_differ_excuse_a_few_seconds_only(at: float, *, blamed: bool):
    scene = Scene()
    scene.tell(*sorted([deploy("ledger", at), *outage()], key=lambda one: one.at), at=max(at, 40.0))
    scene.wait(300.0)
    assert (scene.incident.suspects[0].change == "deploy-ledger") is blamed
    assert bool(told(scene, "change_late")) is not blamed


@pytest.mark.parametrize(("at", "blamed"), [(-20.0, True), (59.0, False)])
def test_a_silent_host_that_was_changed_after_the_first_alerts_is_not_blamed_for_that(at: float, *, blamed: bool):
    hosts = [f"pay-{number}" for number in range(4)]
    scene = Scene()
    scene.tell(
        EntityRecord(at=T0 - 60, entity="host/h1", labels={"namespace": "shop"}),
        *(EntityRecord(at=T0 - 60, entity=f"service/{name}", labels={"namespace": "shop"}) for name in hosts),
        *(DependencyRecord(at=T0 - 60, from_=f"service/{name}", to="host/h1", type="runs_on") for name in hosts),
        at=-60.0,
    )
    made = ChangeRecord(at=T0 + at, id="kernel", type="config", entity="host/h1")
    alerts = [fires(name, 2.0 * number, "TargetDown") for number, name in enumerate(hosts)]
    scene.tell(*sorted([made, *alerts], key=lambda one: one.at), at=max(at, 10.0))
    scene.wait(300.0)
    first = scene.incident.suspects[0]
    assert first.entity == "host/h1"
    assert (first.change == "kernel") is blamed


def test_what_was_changed_before_is_blamed_though_more_was_changed_after():
    scene = Scene()
    scene.tell(deploy("ledger", -90.0, "bad"), *outage())
    scene.tell(deploy("ledger", 100.0, "cure", revision="v8", previous="v9"), at=100.0)
    scene.wait(600.0)
    assert scene.incident.suspects[0].change == "bad"
    assert told(scene, "change_late") == []


@pytest.mark.parametrize(("after", "blamed"), [(-60.0, True), (15.0, True), (59.0, False), (300.0, False)])
@pytest.mark.parametrize("telemetry", [False, True])
def test_an_alert_without_company_blames_no_change_after_it(after: float, *, blamed: bool, telemetry: bool):
    engine = Engine(Rulebook())
    labels = {"alertname": "Slow", "severity": "critical"}
    alert = AlertRecord(at=T0, status="firing", labels=labels, entity=LEDGER, starts_at=T0)
    made = ChangeRecord(at=T0 + after, type="deploy", entity=LEDGER, revision="v2")
    times = [float(at) for at in range(-1800, 300, 60)] if telemetry else []
    samples = [SampleRecord(at=T0 + at, entity=LEDGER, metric="latency", value=9.0 if at >= 0 else 1.0) for at in times]
    engine.decide([made, alert, *samples], T0 + 300.0)
    engine.decide((), T0 + 4000.0)
    (incident,) = engine.state.incidents.values()
    first = incident.suspects[0]
    assert (first.change is not None) is blamed
    assert [one.code for one in first.evidence if one.code.startswith("change")] == [
        "change" if blamed else "change_late"
    ]


def test_a_late_change_makes_the_first_suspect_no_surer():
    sure = []
    for late in ([], [deploy("ledger", 59.0)]):
        scene = Scene()
        scene.tell(*outage(), at=40.0)
        scene.tell(*late, fires("cart", 70.0), at=70.0)
        scene.wait(300.0)
        first = scene.incident.suspects[0]
        sure.append((first.entity, first.confidence, first.score))
    assert sure[0] == sure[1]


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_no_change_beyond_the_skew_is_ever_worth_anything(at: float, began: float, first: float):
    one = change(at)
    worth = change_bonus([one], began, first)
    assert 0.0 <= worth <= DEFAULT.prices.changed
    assert 0.0 <= doubt(one, first) <= 1.0
    if at > first + SKEW_S:
        assert worth == 0.0
        assert nearest_change([one], began, first) == (None, 0.0)
    if at > first:
        assert worth <= change_bonus([change(first)], first, first)


def test_only_the_first_of_late_changes_is_told_and_none_of_a_day_later():
    changes = [change(500.0, "b"), change(400.0, "a"), change(9e4, "c")]
    (point,) = too_late(changes, LEDGER, 100.0)
    assert point.weight < 0
    assert "came 5m after the first alert" in point.text
    assert too_late([change(9e4), change(110.0), change(0.0)], LEDGER, 100.0) == ()
