"""What must not go wrong at night: effects that nobody takes back, truths that grew old, texts that change a query."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.stage import PLACE, Guards, Stage, incident, playbook, step, undo
from quell.model.playbook import BlastRadius, Deed, Each, Measure, Retry, Schedule, Step, Wait
from quell.model.topology import Entity

RATE = Measure(name="metrics.rate", place=PLACE, do="prom.query", params=("service",),
               with_={"query": 'rate{service="${service}"}'}, value="result.value")  # fmt: skip
BACK = undo("argocd.sync", with_={"app": "a"}, repeat="state")


def begun(*steps: Step, **given: object) -> Stage:
    stage = Stage(playbook(*steps, **given))
    stage.news()
    return stage


@pytest.mark.parametrize("check", ["result.healthy", "metrics.rate('a') < 1.0"])
def test_a_change_whose_check_cannot_be_told_is_taken_back_like_any_other(check):
    changes = step("roll", check=check, otherwise="stop", undo=BACK, on_failure="undo", repeat="state")
    stage = begun(changes, measures=(RATE,))
    stage.answer(output={})
    if stage.performs[-1].effect == "read":
        stage.fail("refused")
    assert stage.performs[-1].action == "argocd.sync", "what was done is taken back"
    stage.answer()
    assert (stage.run.state, stage.states) == ("undone", ["undone"])
    assert "its check cannot be told" in stage.run.error


@pytest.mark.parametrize("held", ["paused", "between"])
def test_what_was_read_before_an_act_is_read_anew_after_it_was_held_back(held):
    pause = step("pause", "airflow.pause", with_={"dag": "train"}, before="airflow.is_paused", before_takes=("dag",),
                 undo=undo("airflow.unpause", takes=("dag",)), on_failure="undo", repeat="state")  # fmt: skip
    stage = begun(pause)
    stage.say("pause")
    stage.answer(output={"already": False})
    assert [one.action for one in stage.performs] == ["airflow.is_paused"]
    stage.at(1800).say("unpause")
    assert [one.action for one in stage.performs] == ["airflow.is_paused"] * 2, "ana may have paused it meanwhile"
    stage.answer(output={"already": True}, sentence="DAG train is paused")
    assert [one.effect for one in stage.performs] == ["read", "read"]
    assert stage.run.steps[0].left


@pytest.mark.parametrize("bad", ['a"} or vector(0) or x{s="', "a'", "a\\", "a`", "a\nb"])
def test_a_text_that_would_end_the_quotes_of_a_query_is_refused(bad):
    given = {"ours": {"app": bad}}
    stage = begun(step("act", if_="metrics.rate(vars.ours.app) > 0.5"), measures=(RATE,), vars=given)
    assert stage.performs == []
    assert stage.run.state == "failed"
    assert "metrics.rate" in stage.run.error
    assert "quote" in stage.run.error


ASKS = {"query": 'up{app="${vars.app}"}', "note": "${vars.app}"}
ASKED = Deed(do="prom.query", with_=ASKS, effect="read", queries=("query",))
REFUSED = "query: an argument within a text may hold no quote, backslash or line break"


@pytest.mark.parametrize("where", ["step", "wait", "item"])
@pytest.mark.parametrize("bad", ['a"} or vector(0) or x{s="', "a'", "a\\", "a`", "a\nb"])
def test_a_step_puts_no_such_text_into_a_query_either(bad, where):
    each = Each(of=["${vars.app}"], most=1)
    asking = {
        "step": step("look", "prom.query", with_=ASKS, effect="read", queries=("query",)),
        "wait": step("look", "wait", wait=Wait(until="result.x", within_s=60.0, query=ASKED), effect="read"),
        "item": step(
            "look", "prom.query", with_={"query": "x${item}"}, for_each=each, effect="read", queries=("query",)
        ),
    }[where]
    stage = begun(asking, vars={"app": bad})
    if where == "wait":
        stage.at(100.0)
    assert (stage.run.state, stage.performs) == ("failed", [])
    assert REFUSED in stage.run.error


def test_what_takes_back_and_what_follows_a_failure_put_no_such_text_into_a_query_either():
    acts = (step("act", with_={"app": "x"}, undo=ASKED), step("next", on_failure="undo"))
    stage = begun(*acts, vars={"app": 'a"'}, on_failure=(ASKED,))
    stage.answer()
    stage.fail()
    assert "prom.query" not in {one.action for one in stage.performs}
    assert stage.run.state == "stuck", "people are called"
    assert [REFUSED in one.error for one in stage.run.deeds] == [True, True]


def test_what_is_no_query_or_a_query_as_a_whole_goes_into_a_step_as_it_is():
    with_ = {"query": "${vars.q}", "note": "it's ${vars.app}", "n": "${vars.app}"}
    given = {"q": 'up{job="a"}', "app": 'say "x"'}
    stage = begun(step("look", "prom.query", with_=with_, effect="read", queries=("query",)), vars=given)
    assert stage.performs[-1].params == {"query": 'up{job="a"}', "note": 'it\'s say "x"', "n": 'say "x"'}


def test_a_query_that_is_an_argument_as_a_whole_goes_through_as_it_is():
    whole = Measure(name="metrics.of", place=PLACE, do="prom.query", params=("query",), with_={"query": "${query}"})
    stage = begun(step("act", if_="metrics.of('up{job=\"a\"}') > 0.5"), measures=(whole,))
    assert stage.performs[-1].params == {"query": 'up{job="a"}'}


def test_an_approval_covers_what_is_done_for_each_item():
    ask = step("ask", "approve", timeout_s=300.0)
    each = step("roll", with_={"app": "${item}", "why": "${incident.title}"}, for_each=Each(of=["a", "b"], most=3))
    stage = begun(ask, each)
    stage.at(10)
    about = stage.state.incidents["INC-1"]
    stage.news(replace(about, title="another title"), "updated")
    stage.say("approve")
    if stage.run.state == "waiting":
        stage.say("approve")
        return  # asked again
    assert stage.performs[-1].params["why"] == about.title


def test_a_run_whose_time_is_over_tells_people_of_the_change_that_had_not_answered():
    stage = begun(step("roll", timeout_s=5000.0, on_failure="undo"), timeout_s=600.0)
    stage.at(600)
    (told,) = [one for one in stage.performs if one.effect == "tell"]
    assert "nobody knows whether argocd.rollback took effect" in told.params["text"]
    assert (stage.run.state, stage.states) == ("failed", ["in_doubt"])


def test_runs_of_the_clock_are_forgotten_where_no_incident_ever_opens():
    note = step("note", "quell.validate_drift", effect="read")
    stage = Stage(playbook(note, on=(), schedule=Schedule(every_s=3600.0)))
    for day in range(1, 20):
        stage.at(day * 86_400.0)
        stage.state.now = stage.now
    assert 7 * 24 <= len(stage.runs) <= 9 * 24


def test_a_yes_to_what_has_changed_since_is_refused_and_says_so():
    roll = step("roll", with_={"to": "${suspect.change.previous}"})
    stage = Stage(playbook(roll, mode="propose"))
    stage.news()
    stage.state.changes["c1"] = replace(stage.state.changes["c1"], previous="v7")
    stage.say("approve")
    assert stage.audits[-1].startswith(f"ana approve {stage.run.id}: refused: what the run would do has changed")
    assert (stage.run.state, stage.performs) == ("proposed", [])


def test_the_items_of_a_list_count_for_the_blast_radius():
    drain = step("drain", with_={"service": "${item}"}, for_each=Each(of="${incident.entities}", most=10))
    guards = Guards(blast_radius=BlastRadius(services=2))
    names = ("service/checkout", "service/cart", "service/web")
    stage = Stage(playbook(drain, guards=guards))
    stage.state.entities |= {name: Entity(entity=name) for name in names}
    stage.restart().news(incident(entities=names))
    assert (stage.run.state, stage.performs) == ("skipped", [])
    assert "services may be 2 at most" in stage.run.error
    stage.news(incident("INC-2", entities=names[:2]))
    assert stage.run.state == "running"


@pytest.mark.parametrize("answer", [{"failure": "timeout"}, {"failure": "unreachable", "unknown": True}])
def test_a_change_that_may_have_taken_effect_is_taken_back_too(answer):
    changes = step("roll", undo=BACK, on_failure="undo", repeat="state", retry=Retry(times=1, wait_s=5.0))
    stage = begun(changes)
    stage.answer(outcome="failed", error="cut off", **answer)
    stage.restart().at(5)
    stage.answer(outcome="failed", failure="refused", error="403")
    assert stage.performs[-1].action == "argocd.sync"
    stage.answer()
    assert (stage.run.state, stage.states) == ("undone", ["undone"])


def test_a_change_that_was_surely_not_made_is_not_taken_back():
    stage = begun(step("roll", undo=BACK, on_failure="undo", repeat="state"))
    stage.fail("unreachable")
    assert (stage.run.state, len(stage.performs)) == ("failed", 1)
    asked = begun(step("roll", undo=BACK, on_failure="undo", repeat="never"))
    asked.fail("timeout")
    asked.say("reject")
    assert (asked.run.state, [one.effect for one in asked.performs]) == ("failed", ["change", "tell"])
