"""The version of an incident that people decide by: what makes another of it, what does not, and what a yes is to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.scene import T0, Scene, deploy, ends, fires, outage, playbook, rulebook, says
from core.stage import Stage, incident, step
from core.stage import playbook as staged
from quell.model.playbook import Place, Step

PLACE = Place(file="playbooks/test.yaml", line=1)


def version(scene: Scene) -> int:
    return scene.incident.material_version


def test_more_alerts_and_repeats_are_the_same_version():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(60.0)
    before = scene.incident
    scene.tell(fires("cart", 61.0), fires("ledger", 62.0, "Slow"), *outage(63.0), at=70.0)
    scene.wait(130.0)
    assert len(scene.incident.alerts) > len(before.alerts)
    assert scene.incident.version > before.version
    assert scene.incident.impact == before.impact
    assert version(scene) == before.material_version
    scene.tell(says("ack", scene.incident.id, 131.0), at=131.0)
    assert version(scene) == before.material_version, "who has it does not change what it is"


def test_another_first_suspect_is_another_version():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(60.0)
    before = version(scene)
    scene.tell(replace(deploy("ledger", -30.0), seen=T0 + 70.0), at=70.0)
    scene.wait(90.0)
    assert scene.incident.suspects[0].change == "deploy-ledger"
    assert version(scene) == before + 1


def test_worse_over_and_open_again_are_other_versions():
    scene = Scene()
    scene.tell(*outage(of=("ledger", "payments")))
    scene.tell(
        *(fires(name, 30.0 + at, severity="warning") for at, name in enumerate(("checkout", "frontend"))), at=31.0
    )
    scene.wait(60.0)
    first = version(scene)
    scene.tell(says("resolve", scene.incident.id, 70.0), at=70.0)
    assert version(scene) == first + 1
    scene.tell(says("reopen", scene.incident.id, 80.0), at=80.0)
    assert version(scene) == first + 2


def test_a_severity_that_rises_is_another_version():
    scene = Scene()
    scene.tell(
        *(fires(name, 2.0 * at, severity="warning") for at, name in enumerate(("ledger", "payments", "checkout")))
    )
    scene.wait(700.0)
    before = version(scene)
    scene.tell(fires("frontend", 701.0, severity="critical"), at=701.0)
    scene.wait(760.0)
    assert scene.incident.severity == "critical"
    assert version(scene) > before


def test_merged_and_split_by_people_are_other_versions():
    scene = Scene()
    scene.tell(*outage(), *outage(3.0, of=("disk", "warehouse", "reports", "dashboard")))
    scene.wait(120.0)
    one, other = scene.open
    scene.tell(says("merge", one.id, 130.0, incident=other.id), at=130.0)
    state = scene.engine.state.incidents
    assert state[other.id].status == "merged"
    assert state[other.id].material_version == other.material_version + 1
    whole = state[one.id]
    assert whole.material_version > one.material_version
    marks = [mark for mark in whole.alerts if mark in other.alerts][:1]
    scene.tell(says("split", one.id, 140.0, alerts=marks), at=140.0)
    assert state[one.id].material_version > whole.material_version


def test_all_that_resolves_by_itself_makes_one_more_version():
    scene = Scene()
    scene.tell(*outage())
    scene.wait(60.0)
    before = version(scene)
    scene.tell(*(ends(name, 100.0) for name in ("ledger", "payments", "checkout", "frontend")), at=100.0)
    scene.wait(400.0)
    assert scene.incident.status == "resolved"
    assert version(scene) == before + 1


def test_a_yes_is_one_to_the_version_that_was_asked_for():
    asks = (
        Step(id="ask", do="approve", place=PLACE, with_={"who": ["role:sre"]}, effect="tell", timeout_s=3600.0),
        Step(id="act", do="ticket.open", place=PLACE, with_={"title": "x"}, effect="tell"),
    )
    scene = Scene(rulebook(playbooks=(playbook("ask", on=("opened",), steps=asks),)))
    scene.tell(*outage())
    scene.wait(60.0)
    (run,) = scene.engine.state.runs.values()
    assert run.approval is not None
    assert run.approval.incident_version == version(scene)
    scene.tell(fires("cart", 61.0), at=61.0)
    scene.wait(100.0)
    assert scene.incident.version > run.approval.incident_version
    scene.tell(says("approve", run.id, 101.0, roles=["sre"]), at=101.0)
    assert scene.engine.state.runs[run.id].steps[0].state == "done", "an alert more voids no yes"


@pytest.mark.parametrize(("read", "counts"), [("", True), ("2", True), (2, True), ("1", False), ("3", False)])
def test_a_yes_may_name_the_version_that_was_read(read: object, *, counts: bool):
    stage = Stage(staged(step("ask", "approve", with_={"who": ["role:sre"]}, effect="tell"), step("act")))
    stage.news(incident(material_version=2))
    assert stage.run.approval.incident_version == 2
    stage.say("approve", roles=["sre"], version=read)
    assert (stage.run.state == "running") is counts
    if not counts:
        said = f"incident INC-1 is at version 2, ana has read version {read}; look at it again"
        assert stage.audits[-1] == f"ana approve {stage.run.id}: refused: {said}"
        assert stage.run.approval.approved_by == ()


def test_a_yes_after_the_incident_became_another_is_asked_again_and_says_why():
    stage = Stage(staged(step("ask", "approve", with_={"who": ["role:sre"]}, effect="tell"), step("act")))
    stage.news()
    stage.state.incidents["INC-1"] = replace(stage.state.incidents["INC-1"], material_version=3, impact=("kpi/orders",))
    stage.say("approve", roles=["sre"], version=3)
    said = "incident INC-1 was at version 1 then, it is at 3; it asks again with the new arguments"
    assert stage.audits[-1].endswith(f"refused: {said}")
    assert stage.run.approval.incident_version == 3
    stage.say("approve", roles=["sre"], version=3)
    assert stage.run.state == "running"


def test_a_run_about_no_incident_has_no_version_to_name():
    stage = Stage(
        staged(step("ask", "approve", with_={"who": ["role:sre"]}, effect="tell"), step("act"), on=(), by_hand=True)
    )
    stage.say("run", "rollback", incident="")
    stage.say("approve", roles=["sre"], by="bo", version="1")
    assert "is about no incident, bo has read version 1" in stage.audits[-1]
    stage.say("approve", roles=["sre"], by="bo")
    assert stage.run.state == "running"
