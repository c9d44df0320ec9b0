"""Steps that wait until something is true and stays so, and steps for each item of a list."""

from __future__ import annotations

from typing import Any

import pytest

from core.stage import PLACE, T0, Stage, incident, playbook, step, undo
from quell.core.wait_words import words_of
from quell.model.playbook import Each, Measure, Step, Wait

RATE = Measure(name="metrics.rate", place=PLACE, do="prom.query", params=("service",), with_={"q": "${service}"})
LOW = "metrics.rate(suspect.service) < 0.1"


def begun(*steps: Step, **given: Any) -> Stage:
    stage = Stage(playbook(*steps, measures=(RATE,), **{"timeout_s": 1e6, **given}))
    stage.news()
    return stage


def waiting(**given: Any) -> Step:
    given = {"until": LOW, "within_s": 600.0, "hold_s": 60.0, "every_s": 30.0, **given}
    return step("verify", "wait", wait=Wait(**given), effect="read", repeat="state", on_failure="undo")


def test_a_wait_ends_once_it_was_true_at_every_look_for_long_enough():
    stage = begun(waiting(), step("next"))
    looked = []
    for value in (0.5, 0.05, 0.5, 0.05, 0.05, 0.05):
        looked.append(stage.now - T0)
        stage.answer(output={"value": value})
        if stage.states[0] != "done":
            assert stage.states[0] == "verifying"
            stage.restart().at(stage.automation.next_due() - T0)
    assert looked == [0, 30, 60, 90, 120, 150]
    assert stage.states == ["done", "acting"]
    assert stage.run.steps[0].sentence == f"{LOW} was true for 1m"
    assert stage.keys[:6] == [f"verify/read/{n}" for n in range(1, 7)]


def test_a_wait_that_takes_too_long_fails_and_what_was_done_is_taken_back():
    acted = step("act", undo=undo(with_={"app": "x"}), on_failure="undo")
    stage = begun(acted, waiting(hold_s=0.0, within_s=50.0))
    stage.answer()
    for due in (30, 50):
        stage.answer(output={"value": 1.0})
        stage.at(due)
    stage.answer(output={"value": 0.7})
    assert stage.run.error == f"step verify: it did not come true within 50s: {LOW} is false"
    stage.answer()
    assert (stage.run.state, stage.states) == ("undone", ["undone", "failed"])


def test_many_runs_are_each_looked_at_in_their_own_time():
    wait = step("calm", "wait", wait=Wait(until='incident.status == "resolved"', within_s=900.0, every_s=60.0))
    stage = Stage(playbook(wait, timeout_s=1e6))
    begun_at = {f"INC-{number}": 7.0 * number for number in range(5)}
    for name, offset_s in begun_at.items():
        stage.at(offset_s).news(incident(name))
    for number in range(1, 16):
        for name, offset_s in begun_at.items():
            due = offset_s + number * 60.0
            assert stage.automation.next_due() == T0 + due, name
            stage.at(due)
            if number == 7:
                stage.restart()
    assert stage.automation.next_due() is None
    assert [(run.state, run.steps[0].looks) for run in stage.runs] == [("failed", 15)] * 5


def test_true_but_not_for_long_enough_is_said():
    stage = begun(waiting(hold_s=60.0, within_s=70.0))
    stage.answer(output={"value": 1.0})
    stage.at(30)
    stage.answer(output={"value": 0.0})
    stage.at(60)
    stage.answer(output={"value": 0.0})
    stage.at(70)
    stage.answer(output={"value": 0.0})
    assert stage.run.error == "step verify: it was true for 40s of 1m only when 1m10s were over"


@pytest.mark.parametrize("answer", [{"outcome": "failed", "failure": "refused", "error": "403"}, {"output": {}}, None])
def test_what_cannot_be_told_is_false_and_the_reason_is_kept(answer):
    stage = begun(waiting(hold_s=0.0))
    if answer is None:
        stage.at(60)
    else:
        stage.answer(**answer)
    found = stage.run.steps[0]
    assert found.state == "verifying"
    assert found.error.startswith('it cannot be told: metrics.rate("checkout") could not be read: ')
    stage.at(stage.automation.next_due() - T0)
    stage.answer(output={"value": 0.0})
    assert stage.run.state == "done"


def test_a_wait_may_query_for_itself_without_a_measure():
    stage = begun(
        waiting(until="result.pods == 3", query=undo("k8s.get", with_={"app": "${suspect.service}"}), hold_s=0.0)
    )
    assert (stage.performs[0].action, stage.performs[0].params) == ("k8s.get", {"app": "checkout"})
    assert stage.performs[0].effect == "read"
    stage.answer(output={"pods": 2})
    assert stage.run.steps[0].sentence == "waits until result.pods == 3; result.pods == 3 is false"
    stage.at(30)
    stage.answer(output={"pods": 3})
    assert stage.run.state == "done"


def test_a_wait_without_readings_looks_at_what_is_known():
    stage = begun(waiting(until='incident.status == "resolved"', hold_s=0.0))
    assert stage.states == ["verifying"]
    stage.state.incidents["INC-1"] = stage.state.incidents["INC-1"].__class__(
        id="INC-1", title="t", status="resolved", opened_at=T0, updated_at=T0
    )
    stage.at(30)
    assert stage.run.state == "done"


def test_a_dry_run_looks_once_and_says_what_it_would_wait_for():
    stage = begun(waiting(), mode="shadow")
    assert not stage.performs[0].dry_run
    stage.answer(output={"value": 0.5})
    assert stage.run.state == "done"
    assert (
        stage.run.steps[0].sentence
        == f"would wait until {LOW} for 1m, 10m at most; it is not true now ({LOW} is false)"
    )


def test_a_run_stopped_while_it_waits_is_over():
    stage = begun(waiting(), step("next"))
    stage.say("stop")
    assert (stage.run.state, stage.states) == ("stopped", ["skipped", "skipped"])
    assert stage.automation.next_due() is None


def each(of: Any, most: int = 3, **given: Any) -> Step:
    given = {"with_": {"pod": "${item}"}, **given}
    return step("drain", "k8s.drain", for_each=Each(of=of, most=most), **given)


def test_items_are_done_one_after_the_other_each_with_its_own_keys():
    stage = begun(each("${steps.list.output.pods}"), step("next", with_={"n": "${steps.drain.output.items}"}))
    assert stage.run.state == "failed"
    stage = begun(step("list", effect="read"), each("${steps.list.output.pods}"), step("next"))
    stage.answer(output={"pods": ["a", "b"]})
    assert stage.keys[-1] == "drain/1/1"
    stage.restart().answer(sentence="drained a")
    assert stage.keys[-1] == "drain/2/1"
    assert [one.params for one in stage.performs[1:]] == [{"pod": "a"}, {"pod": "b"}]
    stage.answer()
    assert stage.states == ["done", "done", "acting"]
    assert stage.run.steps[1].sentence == "2 of 2 done"
    assert [one.sentence for one in stage.run.steps[1].items] == ["drained a", "k8s.drain was done"]


@pytest.mark.parametrize(
    ("of", "error"),
    [
        (["a", "b", "c", "d"], "for_each: 4 items, 3 are allowed; nothing was done"),
        ("${incident.id}", "for_each: str is not a list"),
        (["a", None], "for_each: item 2 is null"),
        ("${nothing}", 'no name "nothing" for ${nothing}'),
    ],
)
def test_a_list_that_does_not_fit_fails_before_anything_is_done(of, error):
    stage = begun(each(of))
    assert stage.performs == []
    assert (stage.run.state, stage.run.steps[0].error) == ("failed", error)


def test_nothing_in_the_list_is_nothing_to_do():
    stage = begun(each([]), step("next"))
    assert stage.states == ["done", "acting"]
    assert stage.run.steps[0].sentence == "nothing to do: the list is empty"


def test_an_item_that_fails_takes_the_others_back_from_the_last():
    stage = begun(each(["a", "b", "c"], undo=undo("k8s.uncordon", with_={"pod": "${item}"}), on_failure="undo"))
    stage.answer()
    stage.answer()
    stage.fail()
    assert stage.keys[-1] == "drain/2/undo/1"
    stage.restart().answer()
    assert stage.keys[-1] == "drain/1/undo/1"
    assert [one.params for one in stage.performs[-2:]] == [{"pod": "b"}, {"pod": "a"}]
    stage.answer()
    (whole,) = stage.run.steps
    assert stage.run.state == "undone"
    assert [one.state for one in whole.items] == ["undone", "undone", "failed"]


def test_each_item_has_its_own_state_before_and_those_left_alone_stay_so():
    own = undo("k8s.uncordon", takes=("pod",), repeat="state")
    drained = each(["a", "b", "c"], before="k8s.state", before_takes=("pod",), undo=own, on_failure="undo")
    stage = begun(drained)
    stage.answer(output={"already": True})
    stage.answer(output={"already": False})
    stage.answer()
    stage.answer(output={"already": False})
    stage.fail()
    assert stage.keys == ["drain/1/before/1", "drain/2/before/1", "drain/2/1", "drain/3/before/1", "drain/3/1",
                          "drain/2/undo/1"]  # fmt: skip
    stage.answer()
    assert [one.state for one in stage.run.steps[0].items] == ["done", "undone", "failed"]


def test_an_item_that_is_not_needed_is_skipped_and_one_that_fails_may_be_passed_over():
    stage = begun(each(["a", "b", "c"], if_='item != "b"', on_failure="continue"), step("next"))
    stage.fail()
    assert stage.keys[-1] == "drain/3/1"
    stage.answer()
    assert stage.states == ["failed", "acting"]
    assert stage.run.steps[0].sentence == "1 of 3 done, 1 failed, 1 skipped"


def test_a_run_stopped_among_items_does_no_further_one():
    stage = begun(each(["a", "b"]))
    stage.say("stop")
    assert (stage.run.state, stage.states) == ("stopped", ["in_doubt"])
    assert [one.state for one in stage.run.steps[0].items] == ["in_doubt", "skipped"]
    assert stage.automation.next_due() is None


def test_items_foreseen_are_part_of_what_is_approved():
    stage = begun(step("ask", "approve", effect="tell"), each("${vars.pods}"), vars={"pods": ["a", "b"]})
    assert stage.run.steps[1].params == {"for_each": ["a", "b"], "each": [{"pod": "a"}, {"pod": "b"}]}
    stage.say("approve")
    assert stage.performs[-1].params == {"pod": "a"}


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ('!alerts.exists(a, a.kind == "drift" && a.status == "firing")', "no alert of kind drift fires"),
        ("alerts.exists(x, x.name == 'Slow' && x.entity == 'service/a')", "an alert Slow at service/a is there"),
        ('!alerts.exists(a, a.name == "Slow" && a.severity == "critical" && a.status == "firing")',
         "no alert Slow that is critical fires"),
        ('incident.status == "resolved"', "the incident is over"),
        ('incident.status != "open"', "the incident is not open"),
        ('alert.status != "firing"', "the alert does not fire"),
        ('!alerts.exists(a, a.kind == "drift" || a.status == "firing")', ""),
        ('!alerts.exists(a, b.kind == "drift")', ""),
        ("!alerts.exists(a, a.value > 1.0)", ""),
        ("result.value < 0.01", ""),
    ],
)  # fmt: skip
def test_conditions_that_are_written_often_have_words(until: str, words: str) -> None:
    assert words_of(Wait(until=until, within_s=1.0)) == words


def test_people_read_words_and_the_expression_behind_them() -> None:
    stage = begun(waiting(says="errors are rare"))
    stage.answer(output={"value": 0.05})
    assert stage.run.steps[0].sentence == f"errors are rare ({LOW}) is true, must hold for 1m"
    for at in (30, 60):
        stage.at(at)
        stage.answer(output={"value": 0.05})
    assert stage.run.steps[0].sentence == f"errors are rare for 1m ({LOW})"
    late = begun(waiting(says="errors are rare", hold_s=0.0, within_s=10.0))
    late.answer(output={"value": 1.0})
    assert late.run.steps[0].sentence == f"waits until errors are rare; {LOW} is false"
    late.at(10)
    late.answer(output={"value": 1.0})
    assert late.run.error == (f"step verify: errors are rare: it did not come to that within 10s: {LOW} is false")
