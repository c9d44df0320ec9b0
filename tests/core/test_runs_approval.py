"""Approvals: who may say yes, to what exactly, by when; and that nothing is done before."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from core.stage import T0, Stage, incident, playbook, step, suspect
from quell.model.playbook import Guards
from quell.model.topology import Change

ROLL = step("roll", with_={"app": "${app}", "to": "${suspect.change.previous}"})
VARS = {"app": "${suspect.service}"}


def proposed(**given: Any) -> Stage:
    stage = Stage(playbook(ROLL, mode="propose", vars=VARS, summary="Roll back", timeout_s=600.0, **given))
    stage.news()
    return stage


def asked(**with_: Any) -> Stage:
    ask = step("ask", "approve", with_=with_, timeout_s=300.0, otherwise="escalate")
    stage = Stage(playbook(step("probe", effect="read"), ask, ROLL, vars=VARS))
    stage.news()
    stage.at(10).answer()
    return stage


def test_a_proposed_run_shows_what_it_would_do_and_does_it_after_a_yes():
    stage = proposed()
    run = stage.run
    assert (run.state, stage.performs) == ("proposed", [])
    assert run.steps[0].params == {"app": "checkout", "to": "v8"}
    assert (run.approval.step, run.approval.text, run.approval.expires_at) == ("", "Roll back", T0 + 600)
    stage.at(500).say("approve", note="looks right")
    assert stage.audits == [f"ana approve {run.id}: looks right"]
    assert (stage.run.state, stage.run.deadline) == ("running", T0 + 1100)
    assert stage.performs[0].params == {"app": "checkout", "to": "v8"}
    stage.answer()
    assert (stage.run.state, stage.run.approval.approved_by) == ("done", ("ana",))


def test_nobody_s_answer_is_not_a_yes():
    stage = proposed()
    assert stage.automation.next_due() == T0 + 600
    stage.at(600)
    assert (stage.run.state, stage.run.error) == ("stopped", "nobody approved it within 10m")
    assert stage.performs == []
    assert stage.say("approve")[0].detail == f"refused: run {stage.run.id} is stopped"


@pytest.mark.parametrize(("otherwise", "pages"), [("escalate", 1), ("stop", 0), ("finish", 0)])
def test_an_approval_step_that_expires_stops_and_escalates_if_it_says_so(otherwise, pages):
    stage = Stage(playbook(step("ask", "approve", timeout_s=300.0, otherwise=otherwise), ROLL, vars=VARS))
    stage.news()
    assert (stage.run.state, stage.states) == ("waiting", ["waiting", "planned"])
    stage.at(300)
    assert (stage.run.state, stage.states) == ("stopped", ["skipped", "skipped"])
    assert [one.key for one in stage.performs] == [f"page/INC-1/{stage.run.id}-ask-expired/on-call"] * pages
    if pages:
        assert "nobody approved it within 5m" in stage.performs[0].params["text"]


def test_a_step_s_approval_lets_the_run_go_on():
    stage = asked(who=["role:sre", "owner:${suspect.owner}"], text="Roll ${app} back?")
    assert stage.run.approval.who == ("role:sre", "owner:payments")
    assert stage.run.approval.text == "Roll checkout back?"
    stage.say("approve", roles=["owner:payments"])
    assert (stage.states, stage.run.steps[1].sentence) == (["done", "done", "acting"], "approved by ana")


@pytest.mark.parametrize("mode", ["proposed", "asked"])
def test_a_no_stops_the_run(mode):
    stage = proposed() if mode == "proposed" else asked()
    stage.say("reject", note="not now")
    assert (stage.run.state, stage.run.error, stage.run.approval.rejected_by) == (
        "stopped",
        "rejected by ana: not now",
        "ana",
    )
    assert len(stage.performs) == (mode == "asked")


def test_need_counts_different_people():
    stage = asked(need=2)
    stage.say("approve")
    assert stage.say("approve")[0].detail == "refused: ana has approved already, 2 different people are needed"
    assert stage.run.state == "waiting"
    stage.say("approve", by="ben")
    assert (stage.run.state, stage.run.steps[1].sentence) == ("running", "approved by ana, ben")


@pytest.mark.parametrize(
    ("with_", "by", "args", "why"),
    [
        ({"who": ["role:sre"]}, "ana", {"roles": ["viewer"]}, "refused: ana is none of role:sre"),
        ({"who": ["role:sre"]}, "ana", {"roles": ["sre"]}, ""),
        ({"who": ["role:sre"]}, "ana", {"roles": ["role:sre"]}, ""),
        ({"who": ["role:sre", "user:ana"]}, "ana", {"roles": []}, ""),
        ({"who": "role:sre"}, "ana", {"roles": []}, "refused: ana is none of role:sre"),
        ({"who": ["role:sre"]}, "ana", {}, ""),
        ({}, "ana", {"roles": []}, ""),
        ({}, "", {}, "refused: an approval needs a name"),
    ],
)
def test_who_may_approve(with_, by, args, why):
    stage = asked(**with_)
    stage.say("approve", by=by, **args)
    assert why in stage.audits[-1]
    assert stage.run.state == ("waiting" if why else "running")


def test_who_asked_for_a_run_may_not_approve_it_where_that_is_said():
    ask = step("ask", "approve", with_={"not_requester": True})
    stage = Stage(playbook(ask, ROLL, vars=VARS))
    stage.state.incidents["INC-1"] = incident()
    stage.say("run", "rollback", incident="INC-1")
    assert "somebody else must approve" in stage.say("approve")[0].detail
    stage.say("approve", by="ben")
    assert stage.run.state == "running"


@pytest.mark.parametrize("need", [0, -1, True, "many", 1.5, None])
def test_a_senseless_number_of_people_fails_the_step(need):
    stage = asked(need=need)
    assert stage.run.state == "failed"
    assert "is not a number of people" in stage.run.error


def test_a_number_of_people_in_words_of_digits_will_do():
    assert asked(need="2").run.approval.need == 2


def test_an_approval_that_cannot_be_worded_fails_the_step():
    assert asked(text="${nothing}").run.error == 'step ask: no name "nothing" for ${nothing}'


def test_a_changed_argument_voids_the_approval_and_it_is_asked_for_again():
    stage = proposed()
    bound_to = stage.run.approval.bound_to
    stage.state.changes["c1"] = Change(id="c1", at=T0 - 600, type="deploy", entity=None, previous="v7")
    stage.at(100).say("approve")
    approval = stage.run.approval
    assert (stage.run.state, stage.performs) == ("proposed", [])
    assert "refused: what the run would do has changed" in stage.audits[-1]
    assert (approval.approved_by, approval.asked_at, approval.expires_at) == ((), T0 + 100, T0 + 700)
    assert approval.bound_to != bound_to
    assert stage.run.steps[0].params["to"] == "v7"
    stage.at(200).say("approve")
    assert stage.performs[0].params == {"app": "checkout", "to": "v7"}


def test_an_earlier_yes_is_void_as_well_when_arguments_change():
    stage = asked(need=2)
    stage.say("approve")
    stage.news(incident(suspects=(suspect(confidence=0.95),)), "updated")
    stage.say("approve", by="ben")
    assert stage.run.state == "running"
    stage = asked(need=2)
    stage.say("approve")
    stage.news(incident(suspects=(suspect("checkout", "c2"),)), "updated")
    stage.state.changes["c2"] = Change(id="c2", at=T0, type="deploy", entity=None, previous="v3")
    stage.say("approve", by="ben")
    assert (stage.run.state, stage.run.approval.approved_by) == ("waiting", ())


def test_what_was_approved_is_performed_whatever_is_known_by_then():
    stage = Stage(playbook(step("probe", effect="read"), ROLL, mode="propose", vars=VARS))
    stage.news()
    stage.say("approve")
    stage.state.changes["c1"] = Change(id="c1", at=T0, type="deploy", entity=None, previous="v1")
    stage.answer()
    assert stage.performs[1].params == {"app": "checkout", "to": "v8"}


def test_time_alone_voids_nothing():
    late = step("roll", with_={"age": "${suspect.change.age}", "at": "${now}", "begun": "${begun}"})
    stage = Stage(playbook(step("ask", "approve", timeout_s=600.0), late, vars={"begun": "${now}"}))
    stage.news()
    stage.at(300).say("approve")
    assert stage.performs[0].params == {
        "age": "10m", "at": "2023-11-14T22:13:20.000Z", "begun": "2023-11-14T22:13:20.000Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("suspects", "why"),
    [
        ((suspect("db"),), 'the run was about "checkout, service:checkout", it would now be about "db, service:db"'),
        ((), 'no name "service" for ${suspect.service}'),
    ],
)
def test_a_run_about_something_else_than_it_would_be_now_is_not_needed(suspects, why):
    guards = Guards(each=("suspect.service",), one_at_a_time=("service:${suspect.service}",))
    stage = proposed(guards=guards)
    stage.news(incident(suspects=suspects), "updated")
    stage.say("approve")
    assert (stage.run.state, stage.performs) == ("stopped", [])
    assert why in stage.run.error


def test_a_forgotten_incident_s_run_is_not_needed():
    stage = proposed()
    del stage.state.incidents["INC-1"]
    stage.say("approve")
    assert stage.run.error == "no longer needed: incident INC-1 is forgotten"


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_only_a_run_that_asks_is_answered(verb):
    stage = Stage(playbook(ROLL, vars=VARS))
    stage.news()
    assert stage.say(verb)[0].detail == f"refused: run {stage.run.id} is running and waits for nobody's approval"


def test_a_yes_after_the_time_is_refused_even_before_the_timer_ran():
    stage = proposed()
    stage.now = T0 + 600
    assert stage.say("approve")[0].detail == "refused: the time to approve is over"


@pytest.mark.parametrize(
    ("event", "status"), [("resolved", "resolved"), ("withdrawn", "withdrawn"), ("merged", "merged")]
)
def test_an_incident_that_is_over_calls_off_what_waits_for_people(event, status):
    for stage in (proposed(), asked()):
        stage.news(incident(status=status), event)
        assert (stage.run.state, stage.run.error) == ("stopped", f"no longer needed: incident INC-1 is {status}")


def test_a_run_that_began_on_resolution_is_called_off_when_the_incident_is_back():
    stage = Stage(playbook(ROLL, mode="propose", vars=VARS, on=("resolved",)))
    stage.news()
    assert stage.runs == []
    stage.news(incident(status="resolved"), "resolved")
    assert stage.run.state == "proposed"
    stage.news(incident(), "reopened")
    assert stage.run.state == "stopped"


def test_a_run_in_flight_goes_on_when_its_incident_resolves():
    stage = asked()
    stage.say("approve")
    stage.news(incident(status="resolved"), "resolved")
    stage.answer()
    assert stage.run.state == "done"


def test_a_second_approval_covers_what_is_left_then():
    stage = Stage(playbook(step("first", "approve"), step("a"), step("second", "approve"), ROLL, vars=VARS))
    stage.news()
    stage.say("approve")
    stage.answer()
    assert (stage.run.state, stage.run.approval.step) == ("waiting", "second")
    stage.say("approve", by="ben")
    stage.answer()
    assert (stage.run.state, stage.states) == ("done", ["done"] * 4)


def test_a_yes_to_what_was_asked_before_is_no_yes_to_what_is_asked_now():
    stage = proposed()
    shown = stage.run.approval.bound_to
    stage.state.changes["c1"] = replace(stage.state.changes["c1"], previous="v7")
    stage.at(10).say("approve", bound=shown)
    assert stage.run.approval.bound_to != shown, "it asks again"
    stage.at(10).say("approve", by="bo", bound=shown)
    assert (stage.run.state, stage.run.approval.approved_by, stage.performs) == ("proposed", (), [])
    assert stage.audits[-1] == (
        f"bo approve {stage.run.id}: refused: it asks for something else than what bo was shown; look at it again"
    )
    stage.at(11).say("approve", by="bo", bound=stage.run.approval.bound_to)
    assert stage.performs[0].params == {"app": "checkout", "to": "v7"}


def drifting() -> Stage:
    stage = Stage(
        playbook(
            step("pause", "airflow.pause", with_={"dag": "${model}"}),
            step("ask", "approve", timeout_s=5 * 86400.0),
            step("resume", "airflow.unpause", with_={"dag": "${model}"}),
            vars={"model": "${drift.model}"},
            guards=Guards(each=("drift.model",), one_at_a_time=("model:${drift.model}",)),
            timeout_s=9 * 86400.0,
        )
    )
    alert = stage.state.alerts["a1"]
    labels = {"alertname": "DataDrift", "kind": "drift", "model": "churn", "dataset": "clicks"}
    told = {"columns": "price", "histograms": "price: |▁▃▇| → |▇▃▁|", "drift_report": "{}"}
    stage.state.alerts["a1"] = replace(alert, labels=labels, annotations=told)
    return stage


def test_a_yes_counts_when_the_drift_that_a_run_is_about_is_forgotten():
    stage = drifting()
    stage.news()
    stage.at(10).answer()
    assert stage.run.state == "waiting"
    assert stage.run.drift == {
        "model": "churn", "dataset": "clicks", "columns": "price", "histograms": "price: |▁▃▇| → |▇▃▁|",
    }  # fmt: skip
    del stage.state.alerts["a1"]  # over for a day
    stage.at(2 * 86400).say("approve")
    assert stage.performs[-1].action == "airflow.unpause"
    assert stage.performs[-1].params == {"dag": "churn"}


def test_a_yes_counts_when_the_report_of_the_drift_has_other_numbers_by_then():
    stage = drifting()
    stage.news()
    stage.at(10).answer()
    alert = stage.state.alerts["a1"]
    stage.state.alerts["a1"] = replace(alert, annotations={"columns": "price, city"})
    stage.at(600).say("approve")
    assert stage.performs[-1].action == "airflow.unpause"
