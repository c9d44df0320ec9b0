"""A yes that was meant for an approval is never taken for a word on what became of an act that is in doubt."""

from __future__ import annotations

import pytest

from core.stage import Stage, playbook, step


def doubted() -> Stage:
    stage = Stage(playbook(step("act", repeat="never")))
    stage.news()
    stage.answer(outcome="in_doubt", error="its answer never came")
    assert stage.run.state == "in_doubt"
    return stage


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_word_on_an_approval_settles_no_doubt(verb: str) -> None:
    stage = doubted()
    stage.say(verb, answers="approval")
    assert stage.run.state == "in_doubt"
    assert "refused: run" in stage.audits[-1]
    assert "--took-effect" in stage.audits[-1]


@pytest.mark.parametrize(("verb", "state"), [("approve", "done"), ("reject", "failed")])
def test_who_looked_says_what_became_of_it(verb: str, state: str) -> None:
    stage = doubted()
    stage.say(verb, answers="doubt")
    assert stage.run.state == state


def test_a_word_on_a_doubt_is_no_approval() -> None:
    stage = Stage(playbook(step("ask", "approve", with_={"who": ["role:sre"]}), step("act")))
    stage.news()
    stage.say("approve", answers="doubt", roles=["role:sre"])
    assert stage.run.state == "waiting"
    assert "not in doubt" in stage.audits[-1]
    stage.say("approve", answers="approval", roles=["role:sre"])
    assert stage.run.state == "running"
