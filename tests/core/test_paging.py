"""Pages that did not arrive are told again, and what cannot be told leaves a trace."""

from __future__ import annotations

import pytest

from core.stage import T0, Stage, incident, playbook, step
from quell.core.paging import ATTEMPTS, UNSURE_ATTEMPTS


def paged() -> Stage:
    stage = Stage()
    stage.state.incidents["INC-1"] = incident()
    stage.decisions += stage.automation.pages(incident(), None, T0, "trouble", "opened")
    return stage


def test_a_page_that_arrived_is_forgotten():
    stage = paged()
    stage.answer(outcome="pending")
    assert len(stage.state.telling) == 1
    stage.answer()
    assert stage.state.telling == {}
    assert stage.answer() == []


SURE = {"unreachable", "denied"}


@pytest.mark.parametrize(
    ("outcome", "failure"), [("failed", "unreachable"), ("failed", "denied"), ("failed", "timeout"), ("in_doubt", "")]
)
def test_a_page_that_did_not_arrive_is_told_again_with_growing_waits(outcome, failure):
    stage = paged()
    first = stage.performs[0]
    waits = []
    most = ATTEMPTS if failure in SURE else UNSURE_ATTEMPTS
    for _ in range(most - 1):
        stage.answer(outcome=outcome, failure=failure)
        stage.answer(outcome=outcome, failure=failure)
        due = stage.automation.next_due()
        waits.append(due - stage.now)
        stage.restart().at(due - T0)
    assert waits == [10, 30, 90, 270, *[300] * (most - 5)]
    assert 86_000 < sum(waits) < 86_400.5 or (failure not in SURE and 3600 < sum(waits) < 5000)
    assert [one.key for one in stage.performs] == [first.key, *(f"{first.key}/{n}" for n in range(2, most + 1))]
    assert {one.token for one in stage.performs} == {first.token}
    assert {one.params["text"] for one in stage.performs} == {"trouble"}
    stage.answer(outcome=outcome, failure=failure, error="no route to host")
    assert stage.audits == [f"quell page not delivered INC-1: pager.call after {most} attempts: no route to host"]
    assert (stage.state.telling, stage.automation.next_due()) == ({}, None)


def test_a_refused_page_is_not_repeated():
    stage = paged()
    stage.fail("refused", "bad key")
    assert stage.audits == ["quell page not delivered INC-1: pager.call after 1 attempt: bad key"]


def test_a_page_about_an_incident_that_is_over_is_not_repeated():
    stage = paged()
    stage.fail("unreachable")
    stage.state.incidents["INC-1"] = incident(status="resolved")
    stage.at(10)
    assert len(stage.performs) == 1
    assert stage.audits[0].endswith("incident INC-1 is resolved by now")


def test_a_page_without_an_incident_is_repeated_too():
    stage = Stage()
    stage.decisions += stage.automation.pages(None, stage.state.alerts["a1"], T0, "alone")
    stage.fail("unreachable")
    stage.at(10)
    assert stage.performs[1].key == "page/alert-a1/1/on-call/2"


def test_what_was_never_answered_is_forgotten_after_a_day():
    stage = paged()
    stage.now = T0 + 86_401
    stage.decisions += stage.automation.pages(incident("INC-2"), None, stage.now, "trouble")
    assert list(stage.state.telling) == ["page/INC-2/1/on-call"]


def test_pages_of_runs_are_told_again_but_those_of_dry_runs_are_not():
    stages = [
        Stage(playbook(step("one", check="false", otherwise="escalate"), mode=mode)) for mode in ("enforce", "shadow")
    ]
    for stage in stages:
        stage.news()
        stage.answer()
    assert len(stages[0].state.telling) == 1
    assert len(stages[1].state.telling) == 0
    probe = step("one", effect="read", check="false", otherwise="escalate")
    stage = Stage(playbook(probe, mode="shadow"))
    stage.news()
    stage.answer()
    assert (stage.performs[-1].dry_run, stage.state.telling) == (True, {})
    assert "would tell 1 route" in stage.audits[-1]
