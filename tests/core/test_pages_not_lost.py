"""No page is lost: whatever outage it is, whatever becomes of its incident; and what runs tell comes at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from core.scene import T0, Scene, fires, outage, rulebook, says
from core.stage import Stage, incident, playbook, step, undo
from quell.core.paging import UNSURE_ATTEMPTS
from quell.model.decision import AnyDecision, Perform
from quell.model.oncall import Chain
from quell.model.oncall import Stage as ChainStep
from quell.model.records import AnyRecord, StepFinished
from quell.model.rulebook import Route, Triage

FOLLOWS = Route(
    name="on-call", action="pd.trigger", source="pd", taken="pd.acknowledge", over="pd.resolve", shared=("incident",)
)


def paged() -> Stage:
    stage = Stage()
    stage.state.incidents["INC-1"] = incident()
    stage.decisions += stage.automation.pages(incident(), None, T0, "trouble", "1")
    return stage


@pytest.mark.parametrize("failure", ["timeout", "unreachable"])
def test_a_page_outlasts_an_hour_in_which_nothing_is_answered(failure: str) -> None:
    stage = paged()
    while stage.now < T0 + 3600.0:
        stage.fail(failure)
        stage.restart().at(stage.automation.next_due() - T0)
    stage.answer()
    assert (stage.audits, stage.state.telling) == ([], {})


def test_one_doubt_after_many_attempts_that_surely_failed_does_not_end_a_page() -> None:
    stage = paged()
    for _ in range(UNSURE_ATTEMPTS + 2):
        stage.fail("unreachable")
        stage.at(stage.automation.next_due() - T0)
    stage.fail("timeout")
    assert stage.audits == []
    stage.at(stage.automation.next_due() - T0)
    stage.answer()
    assert stage.state.telling == {}


def test_people_hear_of_an_undo_that_failed_though_the_incident_is_over() -> None:
    first = step("one", effect="change", undo=undo(effect="change"))
    stage = Stage(playbook(first, step("two", on_failure="undo")))
    stage.news()
    stage.answer()
    stage.state.incidents["INC-1"] = incident(status="resolved")
    stage.fail()
    stage.fail()
    assert stage.run.state == "stuck"
    page = stage.performs[-1]
    assert (page.action, "is stuck" in page.params["text"]) == ("pager.call", True), stage.audits
    stage.fail("unreachable")
    stage.at(10)
    assert stage.performs[-1].key == f"{page.key}/2"


def test_what_a_run_asks_no_more_is_not_told_later() -> None:
    ask = step("ask", do="approve", with_={"channel": "on-call"}, timeout_s=900.0)
    stage = Stage(playbook(ask, step("two")))
    stage.news()
    stage.fail("unreachable")
    stage.say("reject")
    stage.at(3600)
    assert [one.action for one in stage.performs] == ["pager.call"]
    assert "asks no more" in stage.audits[-1]


def test_a_body_that_says_to_whom_is_not_replaced_by_one_to_others() -> None:
    body = {"channel": "#${severity}", "text": "${text}"}
    stage = Stage(routes=(Route(name="chat", action="http.post", params={"body": body}),))
    stage.state.incidents["INC-1"] = incident(severity="warning")
    for number, severity in enumerate(("warning", "critical", "critical"), 1):
        about = incident(severity=severity)
        stage.decisions += stage.automation.pages(about, None, T0, f"word {number}", str(number))
    stage.fail("unreachable")
    stage.at(10)
    stage.answer()
    stage.answer()
    told = [(one.params["body"]["channel"], one.params["body"]["text"]) for one in stage.performs]
    assert told == [("#warning", "word 1")] * 2 + [("#critical", "word 3")]


def test_thousands_of_pages_that_do_not_arrive_cost_little() -> None:
    stage = Stage(routes=tuple(Route(name=f"r{number}", action="pager.call") for number in range(3)))
    began = time.process_time()
    for number in range(1000):
        stage.state.incidents[f"INC-{number}"] = incident(f"INC-{number}")
        stage.automation.pages(incident(f"INC-{number}"), None, T0, "trouble", "1")
    for _ in range(3):
        for key in list(stage.state.telling):
            stage.answer(key, "failed", failure="unreachable")
        due = stage.automation.next_due()
        assert due is not None
        assert len(stage.automation.on_time(due)) == 3000
        stage.now = due
    assert time.process_time() - began < 3.0, "it takes half a second; to look through all for each took 15"


class Away(Scene):
    """A scene in which nobody can be reached for as long as ``away`` says so."""

    away = False

    def _decide(self, records: Sequence[AnyRecord], at: float) -> list[AnyDecision]:
        self.at = max(self.at, at)
        decisions = self.engine.decide(records, T0 + self.at)
        how: dict[str, Any] = {"outcome": "failed", "failure": "unreachable"} if self.away else {"outcome": "done"}
        deeds = [one for one in decisions if isinstance(one, Perform)]
        self.decisions += decisions
        answers = [StepFinished(at=T0 + self.at, key=one.key, **how) for one in deeds]
        return decisions + self._decide(answers, at) if answers else decisions


def two(*routes: Route, away: bool, **given: Any) -> tuple[Away, str, str]:
    """Two incidents, of which only the first has paged; whether that did not arrive and nobody can be reached."""
    scene = Away(rulebook(routes=routes, triage=Triage(remind_after_s=0.0), **given))
    scene.away = away
    scene.tell(*outage())
    scene.wait(300.0)
    first = scene.incident
    assert first.paged_at is not None
    scene.tell(fires("disk", 300.0), fires("warehouse", 305.0), fires("reports", 310.0), at=310.0)
    scene.wait(330.0)
    other = next(one for one in scene.open if one.id != first.id)
    fields = ("paged_at", "page_alert", "page_record", "told_severity")
    scene.engine.state.incidents[other.id] = replace(other, **dict.fromkeys(fields))
    state = scene.engine.state
    state.followed.pop(other.id, None)
    state.climbs.pop(f"{other.id}/web", None)
    for key in [key for key, one in state.telling.items() if one.deed.incident == other.id]:
        del state.telling[key]
    return scene, first.id, other.id


def merged(scene: Away, gone: str, heir: str) -> list[tuple[str, str]]:
    """What is done once the one is part of the other, and a while later."""
    before = len(scene.calls)
    scene.away = False
    scene.tell(says("merge", heir, 335.0, incident=gone), at=335.0)
    assert scene.engine.state.incidents[gone].merged_into == heir
    scene.restart().wait(3600.0)
    assert scene.engine.state.telling == {}
    return sorted((one.action, one.incident) for one in scene.calls[before:])


def test_a_page_that_did_not_arrive_is_told_of_the_incident_that_absorbed_its_own() -> None:
    scene, gone, heir = two(Route(name="desk", action="chat.say"), away=True)
    assert merged(scene, gone, heir) == [("chat.say", heir)]


def test_a_page_that_arrived_is_not_told_again_of_the_incident_that_absorbed_its_own() -> None:
    scene, gone, heir = two(Route(name="desk", action="chat.say"), away=False)
    assert merged(scene, gone, heir) == []


@pytest.mark.parametrize("away", [False, True])
def test_who_was_called_there_for_what_another_absorbs_is_called_there_for_that(away: bool) -> None:
    scene, gone, heir = two(FOLLOWS, away=away)
    assert merged(scene, gone, heir) == [*([] if away else [("pd.resolve", gone)]), ("pd.trigger", heir)]
    before = len(scene.calls)
    scene.tell(says("resolve", heir, 3610.0), at=3610.0)
    assert [(one.action, one.incident) for one in scene.calls[before:]] == [("pd.resolve", heir)]


def test_a_step_of_a_chain_calls_there_for_what_absorbs_the_incident() -> None:
    follows = {name: getattr(FOLLOWS, name) for name in ("action", "source", "taken", "over", "shared")}
    steps = ChainStep(people=("bo",), wait_s=3000.0, **follows), ChainStep(action="mail.send", wait_s=3000.0)
    scene, gone, heir = two(
        Route(name="along", action="", chain="web"), away=False, chains=(Chain(name="web", stages=steps),)
    )
    before = len(scene.calls)
    scene.tell(says("merge", heir, 335.0, incident=gone), at=335.0)
    told = [(one.action, one.incident) for one in scene.calls[before:]]
    assert sorted(told) == [("pd.resolve", gone), ("pd.trigger", heir)]
    scene.wait(3100.0)
    assert [(one.action, one.incident) for one in scene.calls[before:][2:]] == [("mail.send", heir)]


@pytest.mark.parametrize("taken", ["gone", "heir"])
@pytest.mark.parametrize("away", [False, True])
def test_who_has_taken_one_of_two_that_become_one_is_not_called(taken: str, away: bool) -> None:
    scene, gone, heir = two(FOLLOWS, away=away)
    state, name = scene.engine.state, gone if taken == "gone" else heir
    state.incidents[name] = replace(state.incidents[name], status="acknowledged", acknowledged_by="bo")
    assert ("pd.trigger", heir) not in merged(scene, gone, heir)
