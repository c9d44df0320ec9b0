"""Reads of a run: the state before an act, measures, several reads at once; and undo from what was read."""

from __future__ import annotations

from typing import Any

import pytest

from core.stage import PLACE, T0, Stage, playbook, step, undo
from quell.model.playbook import Measure, Retry, Step

RATE = Measure(name="metrics.rate", place=PLACE, do="prom.query", params=("service",),
               with_={"query": 'rate{service="${service}"}'}, value="result.value")  # fmt: skip
OWN = undo("airflow.unpause", takes=("dag", "runs"), repeat="state")


def begun(*steps: Step, **given: Any) -> Stage:
    stage = Stage(playbook(*steps, **given))
    stage.news()
    return stage


def pausing(**given: Any) -> Step:
    given = {"undo": OWN, "on_failure": "undo", "repeat": "state", **given}
    return step("pause", "airflow.pause", with_={"dag": "train", "runs": "stop"}, before="airflow.is_paused",
                before_takes=("dag",), **given)  # fmt: skip


LAST = step("verify", "prom.query", effect="read", check="result.value < 1", otherwise="stop", on_failure="undo")


def test_the_state_before_an_act_is_read_before_its_intent():
    stage = begun(pausing(), LAST)
    (read,) = stage.performs
    assert (read.action, read.params, read.effect) == ("airflow.is_paused", {"dag": "train"}, "read")
    assert stage.keys == ["pause/before/1"]
    assert stage.run.steps[0].state == "reading"
    stage.answer(output={"already": False, "runs": "r1"})
    assert stage.keys == ["pause/before/1", "pause/1"]
    assert stage.performs[1].params == {"dag": "train", "runs": "stop"}
    assert stage.run.steps[0].before == {"runs": "r1"}
    stage.answer()
    stage.fail()
    assert stage.performs[-1].action == "airflow.unpause"
    assert stage.performs[-1].params == {"dag": "train", "runs": "r1"}, "what was read goes before what was given"
    stage.answer()
    assert (stage.run.state, stage.states) == ("undone", ["undone", "failed"])


def test_what_was_as_wanted_already_is_left_alone_by_the_act_and_by_the_undo():
    stage = begun(pausing(), LAST)
    stage.answer(output={"already": True}, sentence="DAG train is paused by ana.")
    paused = stage.run.steps[0]
    assert (paused.state, paused.left) == ("done", True)
    assert paused.sentence == "already so: DAG train is paused by ana; left as it is"
    assert [one.action for one in stage.performs] == ["airflow.is_paused", "prom.query"]
    stage.fail()
    assert (stage.run.state, stage.states) == ("failed", ["done", "failed"])
    assert [one.action for one in stage.performs] == ["airflow.is_paused", "prom.query"]


def test_undo_reads_what_was_before_and_no_newer_truth():
    back = undo("flags.set", with_={"to": "${before.value}"})
    turned = step("off", "flags.off", before="flags.state", undo=back, on_failure="undo",
                  retry=Retry(times=1, wait_s=5.0))  # fmt: skip
    stage = begun(turned, LAST)
    stage.answer(output={"already": False, "value": "blue"})
    stage.fail("unreachable")
    stage.at(10)
    assert stage.keys == ["off/before/1", "off/1", "off/2"], "the state before is read once"
    stage.answer()
    stage.fail()
    assert stage.performs[-1].params == {"to": "blue"}


@pytest.mark.parametrize("failure", ["unreachable", "timeout"])
def test_a_read_before_is_tried_again_and_its_failure_leaves_everything_as_it_was(failure):
    stage = begun(pausing(), LAST)
    for offset in (5, 10):
        stage.fail(failure)
        stage.at(offset)
    assert stage.keys == ["pause/before/1", "pause/before/2", "pause/before/3"]
    stage.answer(outcome="failed", failure=failure, error="503 from airflow")
    assert stage.run.state == "failed"
    assert stage.run.steps[0].error == "the state before it cannot be told: 503 from airflow"
    assert {one.effect for one in stage.performs} == {"read"}


def test_a_read_that_is_never_answered_is_asked_again():
    stage = begun(pausing(), LAST)
    stage.at(60 + 30)
    assert stage.keys == ["pause/before/1"]
    stage.at(60 + 30 + 5)
    assert stage.keys == ["pause/before/1", "pause/before/2"]


def test_a_dry_run_really_reads_the_state_before():
    stage = Stage(playbook(pausing(), mode="shadow"))
    stage.news()
    assert [(one.action, one.dry_run) for one in stage.performs] == [("airflow.is_paused", False)]
    stage.answer(output={"already": True}, sentence="DAG train is paused")
    assert stage.run.steps[0].sentence == "already so: DAG train is paused; would be left as it is"
    other = Stage(playbook(pausing(), mode="shadow"))
    other.news()
    other.answer(output={"already": False})
    assert [(one.action, one.dry_run) for one in other.performs][1:] == [("airflow.pause", True)]


def test_a_condition_reads_a_measure_once_and_keeps_it_over_a_restart():
    stage = begun(step("act", if_="metrics.rate(suspect.service) > 0.5"), measures=(RATE,))
    (read,) = stage.performs
    assert read.params == {"query": 'rate{service="checkout"}'}
    assert stage.keys == ["act/read/1"]
    stage.restart()
    stage.answer(output={"value": 0.9})
    assert stage.keys == ["act/read/1", "act/1"]
    low = begun(step("act", if_="metrics.rate(suspect.service) > 0.5"), measures=(RATE,))
    low.answer(output={"value": 0.1})
    assert (low.run.state, low.states) == ("done", ["skipped"])


def test_one_reading_serves_a_whole_condition_and_a_second_is_asked_only_once_too():
    text = 'metrics.rate("a") > 0.5 && metrics.rate("a") < 2.0 && metrics.rate("b") < metrics.rate("a")'
    stage = begun(step("act", if_=text), measures=(RATE,))
    assert stage.keys == ["act/read/1", "act/read/2"]
    a, b = stage.performs
    stage.answer(b.key, output={"value": 0.1})
    assert stage.states == ["reading"]
    stage.answer(a.key, output={"value": 1.0})
    assert stage.states == ["acting"]


def test_a_check_may_read_and_sees_its_own_result():
    stage = begun(
        step("act", check='result.value > metrics.rate("a")', otherwise="stop"), step("next"), measures=(RATE,)
    )
    stage.answer(output={"value": 5})
    assert stage.keys == ["act/1", "act/read/1"]
    stage.restart()
    stage.answer(output={"value": 3})
    assert stage.states == ["done", "acting"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"outcome": "failed", "failure": "refused", "error": "403 forbidden"}, "403 forbidden"),
        ({"output": {}}, '"value" is not there in "result.value"'),
    ],
)
def test_a_measure_that_cannot_be_read_fails_the_step(answer, said):
    stage = begun(step("act", if_='metrics.rate("a") > 0.5'), measures=(RATE,))
    stage.answer(**answer)
    assert stage.run.state == "failed"
    assert stage.run.steps[0].error == f'its condition cannot be told: metrics.rate("a") could not be read: {said}'


def test_reads_of_a_group_are_asked_at_once_and_the_run_goes_on_when_all_are_answered():
    members = [step(name, "prom.query", effect="read", group="g") for name in ("one", "two", "three")]
    stage = begun(*members, step("act", with_={"sum": "${steps.one.output.v}${steps.three.output.v}"}))
    assert stage.keys == ["one/1", "two/1", "three/1"]
    stage.answer(f"{stage.run.id}/three/1", output={"v": 3})
    stage.restart()
    stage.answer(f"{stage.run.id}/one/1", output={"v": 1})
    assert stage.states == ["done", "acting", "done", "planned"]
    stage.answer(f"{stage.run.id}/two/1")
    assert stage.performs[-1].params == {"sum": "13"}


def test_a_read_of_a_group_that_fails_ends_the_run_and_the_others_are_not_awaited():
    members = [step(name, "prom.query", effect="read", group="g") for name in ("one", "two")]
    stage = begun(*members, step("act"))
    stage.answer(f"{stage.run.id}/two/1", outcome="failed", failure="refused", error="no such metric")
    assert (stage.run.state, stage.states) == ("failed", ["skipped", "failed", "skipped"])
    assert stage.answer(f"{stage.run.id}/one/1") == []


def test_each_read_of_a_group_has_its_own_retry_and_time():
    again = Retry(times=1, wait_s=5.0)
    members = [
        step("one", "prom.query", effect="read", repeat="state", group="g", retry=again),
        step("two", "prom.query", effect="read", repeat="state", group="g", timeout_s=10.0),
    ]
    stage = begun(*members, step("act"))
    stage.answer(f"{stage.run.id}/one/1", outcome="failed", failure="unreachable")
    stage.at(5)
    assert stage.keys == ["one/1", "two/1", "one/2"]
    stage.at(40)
    assert stage.keys == ["one/1", "two/1", "one/2", "two/2"], "its answer never came"
    stage.answer(f"{stage.run.id}/two/2")
    stage.answer(f"{stage.run.id}/one/2")
    assert stage.states == ["done", "done", "acting"]


def test_a_retry_waits_longer_each_time_and_never_less_than_the_other_side_asks():
    stage = begun(step("act", retry=Retry(times=4, wait_s=10.0, backoff=2.0, most_s=30.0)))
    waits = []
    for after in (None, None, None, 120.0):
        stage.answer(outcome="failed", failure="unreachable", retry_after_s=after)
        waits.append(stage.automation.next_due() - stage.now)
        stage.at(stage.now - T0 + waits[-1])
    assert waits == [10.0, 20.0, 30.0, 120.0]


def test_a_stuck_run_pages_and_keeps_its_target_locked():
    stage = Stage(playbook(pausing(), LAST), playbook(step("other"), name="another", on=("suspects_changed",)))
    stage.news()
    stage.answer(output={"already": False})
    stage.answer()
    stage.fail()
    stage.fail()
    run = stage.run
    assert (run.state, "target:service/checkout" in run.locks) == ("stuck", True)
    assert "stays locked until the run is released" in str(stage.performs[-1].params)
    stage.news(event="suspects_changed")
    assert stage.run.playbook == "another"
    assert stage.run.state == "skipped"
