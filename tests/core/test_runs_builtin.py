"""What quell does itself: notes, calls for people, the judgement of drift, an act after an approval."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core.stage import PAGER, T0, Stage, incident, playbook, step, suspect, undo
from quell.model.alert import Alert
from quell.model.decision import IncidentChanged, Perform
from quell.model.playbook import Place, Step
from quell.model.rulebook import Route


def begun(*steps: Step, **given: Any) -> Stage:
    stage = Stage(playbook(*steps, **given))
    stage.news()
    return stage


def note(**given: Any) -> Step:
    return step("tell", "incident.note", with_={"text": "Rolled ${suspect.service} back."}, effect="tell", **given)


def test_a_note_is_an_entry_in_the_timeline():
    stage = begun(note())
    assert stage.run.state == "done"
    assert stage.run.steps[0].sentence == "noted in the incident: Rolled checkout back."
    (entry,) = [one for one in stage.state.incidents["INC-1"].timeline if one.what == "note"]
    assert (entry.text, entry.by) == ("Rolled checkout back.", f"rollback ({stage.run.id})")
    changed = [one for one in stage.decisions if isinstance(one, IncidentChanged)]
    assert changed[-1].incident == stage.state.incidents["INC-1"]


def test_a_dry_run_notes_nothing():
    stage = begun(note(), mode="shadow")
    assert stage.run.steps[0].sentence == "would note in the incident: Rolled checkout back."
    assert not [one for one in stage.state.incidents["INC-1"].timeline if one.what == "note"]


def test_an_escalation_takes_the_routes_and_may_follow_a_failure():
    stage = begun(
        step("act"), on_failure=(undo("escalate", with_={"text": "did not help: ${run.error}"}, effect="tell"),)
    )
    stage.fail()
    assert stage.run.state == "failed"
    assert stage.performs[-1].params["text"] == "did not help: step act: no such application"
    assert stage.run.deeds[0].sentence.startswith("told 1 route: did not help")
    silent = Stage(playbook(step("page", "escalate", effect="tell")), routes=())
    silent.news()
    assert silent.run.steps[0].sentence.startswith("no route matches, so nobody was told")


def drifts(name: str, column: str, **given: Any) -> Alert:
    labels = {"alertname": "FeatureDrift", "model": "churn", "dataset": "clicks", "feature": column}
    given = {"count": 3, "annotations": {"effect_size": "0.31"}, "updated_at": T0 - 60, **given}
    return Alert(fingerprint=name, source="t", labels=labels, status="firing", starts_at=T0 - 60,
                 onset_seen=T0 - 60, **given)  # fmt: skip


VALIDATE = step(
    "validate", "quell.validate_drift", effect="read", check="result.valid", otherwise="finish",
    with_={"model": "${drift.model}", "need": {"columns": 2, "windows": 3, "effect": 0.2}, "fresh_within": "2h"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ([drifts("d1", "age"), drifts("d2", "income")],
         "drift of churn is validated: 2 columns, 3 windows, effect 0.31"),
        ([drifts("d1", "age"), drifts("d2", "age")], "drift of churn is not validated: columns: 1, 2 needed"),
        ([drifts("d1", "age", count=1), drifts("d2", "income", count=1)],
         "drift of churn is not validated: windows: 1, 3 needed"),
        ([drifts("d1", "age", annotations={}), drifts("d2", "income", annotations={})],
         "drift of churn is not validated: effect: none is told, 0.2 needed"),
        ([drifts("d1", "age", annotations={}, value=-0.4), drifts("d2", "income", annotations={})],
         "drift of churn is validated: 2 columns, 3 windows, effect 0.4"),
        # One column, found in the table and in the feature table made of it: its label "feature" is that table.
        ([drifts("d1", "features_of_clicks", annotations={"effect": "0.3", "columns": "age"}),
          drifts("d2", "", annotations={"effect": "0.3", "columns": "age"})],
         "drift of churn is not validated: columns: 1, 2 needed"),
        ([drifts("d1", "age", updated_at=T0 - 7201)],
         "drift of churn is not validated: no drift alert of churn fires and was told within 2h"),
    ],
)  # fmt: skip
def test_drift_is_judged_by_what_its_alerts_say(alerts, said):
    stage = Stage(playbook(VALIDATE, step("pause", "airflow.pause", with_={"dag": "${drift.dataset}"})))
    stage.state.alerts |= {one.fingerprint: one for one in alerts}
    stage.news(incident(alerts=tuple(one.fingerprint for one in alerts)))
    if "not validated" in said:
        assert (stage.run.state, stage.performs) == ("done", [])
        assert stage.run.steps[0].sentence == f"no longer needed: {said}"
    else:
        assert stage.performs[0].params == {"dag": "clicks"}
        assert stage.run.steps[0].sentence == said


def test_a_run_keeps_the_drift_that_it_began_for():
    stage = Stage(playbook(step("one"), step("two", with_={"model": "${drift.model}"})))
    stage.state.alerts["d1"] = drifts("d1", "age")
    stage.news(incident(alerts=("d1",)))
    del stage.state.alerts["d1"]
    del stage.state.incidents["INC-1"]
    stage.answer()
    assert stage.performs[-1].params == {"model": "churn"}


def test_an_act_after_an_approval_is_skipped_when_that_was_not_needed():
    ask = step("back.approval", "approve", with_={"who": ["role:ml"]}, if_="suspect.confidence > 0.99", effect="tell")
    stage = begun(ask, step("back", "airflow.unpause", needs="back.approval"))
    assert (stage.run.state, stage.states) == ("done", ["skipped", "skipped"])
    sure = begun(msgspec.structs.replace(ask, if_=""), step("back", "airflow.unpause", needs="back.approval"))
    assert sure.run.approval.step == "back"
    sure.say("approve", roles=["ml"])
    assert sure.keys == ["back/1"]


def test_the_owner_of_an_entity_approves_as_its_team():
    stage = begun(step("ask", "approve", with_={"who": ["owner:${suspect.service}"]}, effect="tell"), step("act"))
    assert stage.run.approval.who == ("owner:checkout", "team:payments")
    stage.say("approve", by="eve", roles=["team:search"])
    assert stage.run.state == "waiting"
    stage.say("approve", by="bob", roles=["team:payments"])
    assert stage.run.state == "running"


@pytest.mark.parametrize("what", ["commit", "severity", "suspect", "another alert"])
def test_an_approval_covers_commit_and_incident_but_not_every_alert_that_joins(what):
    book = playbook(step("ask", "approve", with_={"who": ["role:sre"]}, effect="tell"), step("act"))
    stage = Stage(book)
    stage.news()
    version = stage.run.approval.incident_version
    assert version >= 1
    now = stage.state.incidents["INC-1"]
    if what == "commit":
        place = Place(file="x", line=1, commit="abc")
        stage.state.begun[stage.run.id] = msgspec.structs.replace(book, place=place)
    elif what == "severity":
        stage.state.incidents["INC-1"] = msgspec.structs.replace(now, severity="low", version=9, material_version=2)
    elif what == "suspect":
        other = suspect(change="c2")
        changed = msgspec.structs.replace(now, suspects=(other,), version=9, material_version=2)
        stage.state.incidents["INC-1"] = changed
    else:
        stage.state.incidents["INC-1"] = msgspec.structs.replace(now, alerts=("a1", "a2"), version=9)
    stage.say("approve", roles=["sre"])
    if what == "another alert":
        assert stage.run.state == "running"
        return
    assert stage.run.state == "waiting"
    assert "asks again" in stage.audits[-1]
    assert stage.run.approval.approved_by == ()


def test_a_channel_that_is_a_route_is_told_of_the_question():
    chat = Route(name="chat", action="slack.post", params={"to": "#incidents"}, matchers=())
    ask = step("ask", "approve", with_={"who": ["role:sre"], "channel": "chat"}, effect="tell")
    stage = Stage(playbook(ask, step("act")), routes=(PAGER, chat))
    stage.news()
    (asked,) = [one for one in stage.decisions if isinstance(one, Perform)]
    assert asked.action == "slack.post"
    assert f"quell runs {stage.run.id}" in asked.params["text"]


def test_a_dry_run_says_whom_it_would_ask():
    stage = begun(step("ask", "approve", with_={"who": ["role:sre"], "need": 2}, effect="tell"), mode="shadow")
    assert stage.run.steps[0].sentence == "would ask 2 of role:sre for approval"
