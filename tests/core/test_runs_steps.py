"""A run from step to step: parameters, conditions, checks, retries, doubt, failure and undo."""

from __future__ import annotations

from typing import Any

import pytest

from core.stage import PAGER, T0, Stage, incident, playbook, step, suspect, undo
from quell.model.mute import Matcher
from quell.model.playbook import Retry, Step
from quell.model.rulebook import Route

TELL = undo("pager.call", with_={"text": "${run.error}"}, effect="tell")


def begun(*steps: Step, **given: Any) -> Stage:
    stage = Stage(playbook(*steps, **given))
    stage.news()
    return stage


def test_steps_follow_each_other_and_the_run_says_why_it_ran():
    stage = begun(step("one", with_={"app": "${suspect.service}", "to": "${good}"}), step("two", "ticket.open"),
                  vars={"good": "${suspect.change.previous}"}, if_='suspect.kind == "deploy"')  # fmt: skip
    first = stage.performs[0]
    assert (first.action, first.params) == ("argocd.rollback", {"app": "checkout", "to": "v8"})
    assert first.key == f"{stage.run.id}/one/1"
    assert (first.timeout_s, first.dry_run, first.run, first.incident) == (60.0, False, stage.run.id, "INC-1")
    assert stage.run.why == 'incident INC-1 opened: suspect.kind == "deploy"'
    stage.answer(sentence="rolled checkout back to v8", output={"revision": "v8"})
    assert stage.keys == ["one/1", "two/1"]
    stage.answer()
    assert (stage.run.state, stage.states) == ("done", ["done", "done"])
    assert stage.run.steps[0].sentence == "rolled checkout back to v8"
    assert stage.automation.next_due() is None


def test_a_later_step_reads_the_output_of_an_earlier_one():
    stage = begun(
        step("probe", "prometheus.query"), step("tell", "ticket.open", with_={"n": "${steps.probe.output.value}"})
    )
    stage.answer(output={"value": 3})
    assert stage.performs[1].params == {"n": 3}


@pytest.mark.parametrize(
    ("condition", "states"),
    [
        ("suspect.confidence > 0.95", ["skipped", "acting"]),
        ("suspect.confidence > 0.5", ["acting", "planned"]),
        ("${suspect.confidence > 0.5}", ["acting", "planned"]),
    ],
)
def test_a_step_whose_condition_is_false_is_skipped(condition, states):
    stage = begun(step("one", if_=condition), step("two"))
    assert stage.states == states
    assert stage.run.steps[0].error == ""


def test_a_step_whose_condition_cannot_be_told_fails():
    stage = begun(step("one", if_="suspect.nothing > 0.95"), step("two"), on_failure=(TELL,))
    assert stage.run.steps[0].state == "failed"
    assert stage.run.steps[0].error.startswith("its condition cannot be told: ")
    assert '"nothing" is not there' in stage.run.steps[0].error
    assert [perform.action for perform in stage.performs] == ["pager.call"]
    stage.answer()
    assert (stage.run.state, stage.states) == ("failed", ["failed", "skipped"])
    went_on = begun(step("one", if_="suspect.nothing > 0.95", on_failure="continue"), step("two"))
    assert went_on.states == ["failed", "acting"]


def test_all_steps_skipped_is_a_run_done():
    stage = begun(step("one", if_="false"))
    assert stage.run.state == "done"


def test_a_reference_to_nothing_fails_the_step_before_it_acts():
    stage = begun(step("one", with_={"to": "${suspect.change.next}"}))
    assert stage.performs == []
    assert stage.run.state == "failed"
    assert stage.run.error == 'step one: no name "next" for ${suspect.change.next}'


def test_an_unknown_previous_revision_is_missing_so_nothing_is_rolled_back_to_it():
    stage = Stage(playbook(step("one", with_={"to": "${suspect.change.previous}"})))
    stage.state.changes["c1"] = stage.state.changes["c1"].__class__(id="c1", at=T0, type="deploy", entity=None)
    stage.news()
    assert (stage.performs, stage.run.state) == ([], "failed")


@pytest.mark.parametrize(
    ("otherwise", "state", "pages"), [("finish", "done", 0), ("stop", "stopped", 0), ("escalate", "stopped", 1)]
)
def test_a_false_check_ends_the_run_as_the_step_says(otherwise, state, pages):
    stage = begun(
        step("probe", "prometheus.query", effect="read", check="result.value > 0.5", otherwise=otherwise), step("act")
    )
    stage.answer(output={"value": 0.1})
    assert (stage.run.state, stage.states) == (state, ["done", "skipped"])
    told = [one for one in stage.performs if one.effect == "tell"]
    assert len(told) == pages
    if pages:
        assert told[0].key == f"page/INC-1/{stage.run.id}-probe-check/on-call"
        assert "result.value > 0.5 is false" in told[0].params["text"]


def test_a_true_check_goes_on_and_one_that_cannot_be_told_fails():
    stage = begun(step("probe", check="result.value > 0.5"), step("act"))
    stage.answer(output={"value": 0.9})
    assert stage.keys == ["probe/1", "act/1"]
    stage = begun(step("probe", check="result.value > 0.5"), step("act"))
    stage.answer(output={})
    assert stage.run.state == "failed"
    assert "its check cannot be told" in stage.run.error


def test_failures_named_in_retry_are_repeated_after_the_wait():
    stage = begun(step("one", retry=Retry(times=2, wait_s=20.0), repeat="state"))
    stage.fail("unreachable", "connection refused")
    assert stage.states == ["waiting"]
    assert stage.automation.next_due() == T0 + 20
    assert stage.run.steps[0].sentence == "attempt 1 failed, trying again in 20s"
    stage.at(19)
    assert stage.keys == ["one/1"]
    stage.at(20).fail("timeout")
    stage.at(20)
    assert stage.keys == ["one/1", "one/2"]


def test_retry_stops_after_its_times_and_at_failures_it_does_not_name():
    stage = begun(step("one", retry=Retry(times=1, wait_s=0.0)))
    stage.fail("unreachable")
    stage.at(0).fail("unreachable")
    assert (stage.run.state, stage.keys) == ("failed", ["one/1", "one/2"])
    stage = begun(step("one", retry=Retry(times=5)))
    stage.fail("refused", "no")
    assert (stage.run.state, stage.run.error) == ("failed", "step one: no")


def test_continue_goes_on_after_a_failure():
    stage = begun(step("one", on_failure="continue"), step("two"))
    stage.fail()
    stage.answer()
    assert (stage.run.state, stage.states) == ("done", ["failed", "done"])


def test_undo_takes_completed_steps_back_from_the_last_with_what_was_kept_before():
    stage = begun(
        step("a", undo=undo("a.back", with_={"to": "${suspect.change.revision}"})),
        step("b"),
        step("c", undo=undo("c.back", with_={"id": "${steps.c.output.id}"})),
        step("verify", "prometheus.query", on_failure="undo"),
    )
    stage.answer()
    stage.answer()
    stage.answer(output={"id": 7})
    del stage.state.changes["c1"]
    stage.fail("refused", "errors are still there")
    assert (stage.performs[-1].key, stage.performs[-1].params) == (f"{stage.run.id}/c/undo/1", {"id": 7})
    stage.answer()
    assert (stage.performs[-1].action, stage.performs[-1].params) == ("a.back", {"to": "v9"})
    assert not stage.run.over
    stage.answer()
    assert (stage.run.state, stage.states) == ("undone", ["undone", "done", "undone", "failed"])
    assert stage.run.error == "step verify: errors are still there"


def test_with_nothing_to_take_back_undo_is_a_plain_failure():
    stage = begun(step("verify", on_failure="undo"))
    stage.fail()
    assert stage.run.state == "failed"


@pytest.mark.parametrize("fails", ["answer", "reference"])
def test_an_undo_that_fails_leaves_the_run_stuck_and_tells_people(fails):
    reference = {"x": "${steps.a.output.id}"} if fails == "reference" else {}
    stage = begun(
        step("a", undo=undo("a.back", with_=reference)),
        step("b", undo=undo("b.back")),
        step("verify", on_failure="undo"),
        on_failure=(TELL,),
    )
    stage.answer()
    stage.answer()
    stage.fail()
    if fails == "answer":
        stage.fail("refused", "gone")
        assert [one.state for one in stage.run.deeds] == ["failed", "skipped", "acting"]
    else:
        stage.answer()
    assert any("undo failed" in line for line in stage.audits)
    assert "page/INC-1/" + stage.run.id + "-stuck/on-call" in stage.keys + [one.key for one in stage.performs]
    stage.answer()
    assert stage.run.state == "stuck"


def test_a_failed_run_does_its_deeds_and_one_that_fails_does_not_keep_the_others():
    stage = begun(step("one"), on_failure=(undo("ticket.open", with_={"a": "${nothing}"}), TELL, undo("pager.note")))
    stage.fail()
    assert stage.keys == ["one/1", "on_failure/2/1"]
    assert stage.performs[-1].params == {"text": "step one: no such application"}
    assert stage.run.state == "running"
    stage.fail("unreachable")
    stage.at(10)
    assert stage.keys[-1] == "on_failure/2/2"
    stage.fail("refused")
    stage.answer()
    assert (stage.run.state, [one.state for one in stage.run.deeds]) == ("failed", ["failed", "failed", "done"])


@pytest.mark.parametrize("repeat", ["state", "keyed", "lookup"])
def test_an_answer_that_never_comes_is_asked_for_again_where_that_is_safe_then_people_decide(repeat):
    stage = begun(step("one", repeat=repeat, timeout_s=10.0))
    assert stage.automation.next_due() == T0 + 40
    stage.at(39.9)
    assert stage.keys == ["one/1"]
    stage.at(40)
    assert stage.keys == ["one/1", "one/2"]
    stage.at(200)
    assert stage.keys[:3] == ["one/1", "one/2", "one/3"]
    assert stage.run.state == "in_doubt"
    assert len([one for one in stage.performs if one.action == "argocd.rollback"]) == 3


@pytest.mark.parametrize("how", ["silence", "in_doubt", "timeout"])
def test_what_must_never_be_repeated_waits_for_a_person(how):
    stage = begun(step("one", timeout_s=10.0, retry=Retry(times=3)), step("two"))
    if how == "silence":
        stage.at(40)
    else:
        stage.answer(outcome="failed" if how == "timeout" else how, failure="timeout" if how == "timeout" else "")
    assert (stage.run.state, stage.states) == ("in_doubt", ["in_doubt", "planned"])
    assert f"`quell approve {stage.run.id} --took-effect` if it did" in stage.run.steps[0].sentence
    assert any("in doubt" in line for line in stage.audits)
    before = len(stage.decisions)
    stage.answer(f"{stage.run.id}/one/1", "in_doubt")
    stage.at(7200)
    assert len(stage.decisions) == before
    assert stage.run.state == "in_doubt"


@pytest.mark.parametrize(("word", "state"), [("approve", "done"), ("reject", "failed")])
def test_a_person_settles_a_doubt(word, state):
    stage = begun(step("one", on_failure="stop"))
    stage.answer(outcome="in_doubt")
    stage.say(word)
    assert (stage.run.state, stage.states) == (state, ["done" if word == "approve" else "failed"])
    assert any(f"ana {word}" in line for line in stage.audits)


def test_a_late_answer_settles_a_doubt_too():
    stage = begun(step("one"), step("two"))
    stage.answer(outcome="in_doubt")
    stage.answer(f"{stage.run.id}/one/1", "done")
    assert (stage.run.state, stage.keys[-1]) == ("running", "two/1")


@pytest.mark.parametrize(("word", "state", "taken"), [("approve", "undone", "undone"), ("reject", "stuck", "done")])
def test_a_doubtful_undo_is_settled_like_a_step(word, state, taken):
    stage = begun(step("a", undo=undo()), step("verify", on_failure="undo"))
    stage.answer()
    stage.fail()
    stage.answer(outcome="in_doubt")
    assert stage.run.state == "in_doubt"
    stage.say(word)
    assert (stage.run.state, stage.states[0]) == (state, taken)


def test_telling_is_not_worth_asking_people_about():
    stage = begun(step("tell", effect="tell", on_failure="continue"))
    stage.answer(outcome="in_doubt", error="cut off")
    assert (stage.run.state, stage.states) == ("done", ["failed"])


def test_a_read_is_repeated_when_in_doubt():
    stage = begun(step("probe", effect="read"))
    stage.answer(outcome="in_doubt")
    assert stage.keys == ["probe/1", "probe/2"]


def test_pending_goes_on_waiting_up_to_the_time_limit_of_the_step():
    stage = begun(step("one", timeout_s=100.0, repeat="state"))
    stage.at(60).answer(outcome="pending", check_after_s=30.0, sentence="still syncing")
    assert stage.run.steps[0].sentence == "still syncing"
    assert stage.automation.next_due() == T0 + 160
    stage.at(99).answer(outcome="pending")
    assert stage.run.state == "running"
    stage.at(100).answer(outcome="pending")
    assert (stage.run.state, stage.run.error) == ("failed", "step one: still not finished after 1m40s")


def test_a_run_that_takes_too_long_fails_and_is_taken_back():
    stage = begun(
        step("a", undo=undo()), step("wait", timeout_s=5000.0, on_failure="undo"), timeout_s=600.0, on_failure=(TELL,)
    )
    stage.at(10).answer()
    stage.at(600)
    assert stage.states == ["done", "in_doubt"]
    assert stage.keys[-1] == "a/undo/1"
    stage.answer()
    stage.answer()
    assert (stage.run.state, stage.run.error) == ("undone", "the run took longer than 10m")
    stage.answer(f"{stage.run.id}/wait/1")
    assert stage.run.state == "undone"


def test_shadow_reads_for_real_and_does_the_rest_dry():
    stage = begun(
        step("probe", "prometheus.query", effect="read", check="result.value > 0.5"),
        step("ask", "approve"),
        step("act", undo=undo(), check="result.id != 0"),
        step("verify", on_failure="undo"),
        mode="shadow",
        on_failure=(TELL,),
    )
    stage.answer(output={"value": 1.0})
    stage.answer(sentence="would roll back")
    stage.fail()
    assert [(one.action, one.dry_run) for one in stage.performs] == [
        ("prometheus.query", False), ("argocd.rollback", True), ("argocd.rollback", True), ("pager.call", True),
    ]  # fmt: skip
    stage.answer()
    assert (stage.run.dry, stage.run.state) == (True, "failed")
    assert stage.states == ["done", "done", "done", "failed"]


def test_what_is_doubtful_in_a_dry_run_concerns_nobody():
    stage = begun(step("act"), mode="shadow")
    for _ in range(3):
        stage.answer(outcome="in_doubt")
    assert (stage.run.state, len(stage.performs)) == ("failed", 3)


def test_a_reload_does_not_change_a_run_that_began():
    stage = begun(step("one"), step("two", with_={"x": 1}))
    stage.rulebook = type(stage.rulebook)(playbooks=(playbook(step("one"), step("two", with_={"x": 2})),))
    stage.restart().answer()
    assert stage.performs[-1].params == {"x": 1}


def test_a_run_keeps_its_suspect_when_another_comes_first():
    stage = begun(step("one"), step("two", with_={"app": "${suspect.service}"}))
    stage.news(incident(suspects=(suspect("db", None),)), "updated")
    stage.answer()
    assert stage.performs[-1].params == {"app": "checkout"}


def test_answers_nobody_waits_for_change_nothing():
    stage = begun(step("one"), step("two"))
    first = stage.performs[0].key
    stage.answer()
    for key in ("", "page/INC-1/1/on-call", "R-00000000/one/1", first, f"{stage.run.id}/two/2"):
        assert stage.answer(key or "x") == []
    stage.answer()
    assert stage.answer() == []


def test_stop_ends_a_run_and_leaves_what_is_in_flight_in_doubt():
    stage = begun(step("one"), step("two"))
    stage.say("stop", note="wrong service")
    assert (stage.run.state, stage.run.error, stage.states) == ("stopped", "stopped by ana", ["in_doubt", "skipped"])
    assert stage.answer() == []
    assert stage.say("stop", stage.run.id)[-1].detail == f"refused: run {stage.run.id} is stopped"


def test_stop_between_attempts_leaves_a_failed_step():
    stage = begun(step("one", retry=Retry(times=1)))
    stage.fail("unreachable")
    stage.say("stop")
    assert stage.states == ["failed"]


def test_pause_holds_runs_back_until_it_is_released():
    stage = begun(step("one", undo=undo()), step("two", on_failure="undo"))
    stage.say("pause", note="incident in the deploy system")
    assert stage.state.paused_by == "ana"
    stage.answer()
    assert (stage.run.state, len(stage.performs)) == ("waiting", 1)
    assert stage.run.steps[1].sentence == "held back: ana paused all playbooks"
    stage.say("unpause")
    assert (stage.run.state, len(stage.performs)) == ("running", 2)
    stage.say("pause", by="")
    stage.fail()
    assert (stage.run.state, stage.run.phase, len(stage.performs)) == ("waiting", "undo", 2)
    stage.at(9999)
    assert len(stage.performs) == 2
    stage.news(incident(status="resolved"), "resolved")
    assert stage.run.state == "waiting"
    stage.say("unpause")
    stage.answer()
    assert stage.run.state == "undone"


def test_a_run_held_back_before_it_did_anything_is_called_off_with_its_incident():
    stage = Stage(playbook(step("one"), mode="propose"))
    stage.news()
    stage.say("pause")
    stage.say("approve")
    assert (stage.run.state, stage.performs) == ("waiting", [])
    stage.news(incident(status="resolved"), "resolved")
    assert (stage.run.state, stage.states) == ("stopped", ["skipped"])


def test_time_runs_out_while_a_run_is_held_back():
    stage = begun(step("one"), step("two"), timeout_s=600.0)
    stage.say("pause")
    stage.answer()
    stage.at(600)
    assert (stage.run.state, stage.states) == ("failed", ["done", "skipped"])


@pytest.mark.parametrize(
    ("verb", "target", "args", "detail"),
    [
        ("approve", "R-unknown", {}, 'refused: there is no run "R-unknown"'),
        ("run", "nothing", {"incident": "INC-1"}, 'refused: there is no playbook "nothing"'),
        ("run", "rollback", {"incident": "INC-9"}, 'refused: there is no incident "INC-9"'),
        ("run", "idle", {"incident": "INC-1"}, "refused: playbook idle is off; only a dry run is possible"),
    ],
)
def test_refused_commands_are_in_the_audit_trail(verb, target, args, detail):
    stage = Stage(playbook(), playbook(name="idle", mode="off"))
    stage.state.incidents["INC-1"] = incident()
    (audit,) = stage.say(verb, target, **args)
    assert (audit.who, audit.what, audit.target, audit.detail) == ("ana", verb, target, detail)
    assert stage.say("ack", "INC-1") == []


def test_a_person_runs_a_playbook_by_hand():
    stage = Stage(playbook(step("one"), if_="false", on=(), guards=playbook().guards))
    stage.state.incidents["INC-1"] = incident()
    stage.say("run", "rollback", incident="INC-1")
    assert (stage.run.by, stage.run.why, stage.run.trigger) == ("ana", "ana asked for it", "command")
    assert stage.audits == [f"ana run rollback: run {stage.run.id} for incident INC-1"]
    stage.say("run", "rollback", incident="INC-1")
    assert stage.audits[-1].endswith(f"refused: run {stage.run.id} is running for the same")
    stage.answer()
    stage.say("run", "rollback", incident="INC-1", dry="true")
    assert (len(stage.runs), stage.run.dry, stage.performs[-1].dry_run) == (2, True, True)
    stage.say("run", "rollback", incident="INC-1")
    assert len({one.id for one in stage.runs}) == 3


def test_without_a_route_an_escalation_says_that_nobody_was_told():
    stage = Stage(playbook(step("one", check="false", otherwise="escalate")), routes=())
    stage.news()
    stage.answer()
    assert stage.audits[-1].endswith("no route matches, so nobody was told")


def test_pages_go_by_the_routes_that_match():
    pay = Route(
        name="pay", action="chat.post", matchers=(_team("payments"),), params={"to": "${labels.team}", "b": "${x}"}
    )
    stage = Stage(routes=(pay, Route(name="web", action="chat.post", matchers=(_team("web"),))))
    about = incident(page_alert="a1", severity="")
    stage.state.incidents["INC-1"] = about
    (page,) = stage.automation.pages(about, stage.state.alerts["a1"], T0, "trouble", "opened")
    assert (page.key, page.effect, page.action) == ("page/INC-1/opened/pay", "tell", "chat.post")
    assert page.params == {
        "text": 'trouble (route "pay": b: no name "x" for ${x})',
        "incident": "INC-1", "title": "trouble INC-1", "severity": "critical", "to": "payments",
    }  # fmt: skip
    stage.answer(page.key)
    (page,) = stage.automation.pages(about, None, T0, "again")
    assert page.key == "page/INC-1/1/pay"
    (page,) = stage.automation.pages(None, stage.state.alerts["a1"], T0, "alone")
    assert (page.key, page.params["title"]) == ("page/alert-a1/1/pay", "HighErrors")
    assert stage.automation.pages(None, None, T0, "nothing") == []


def test_a_route_whose_matchers_cannot_be_read_takes_every_page():
    broken = Route(name="broken", action="chat.post", matchers=(_team("(", is_regex=True),))
    stage = Stage(routes=(broken,))
    (page,) = stage.automation.pages(incident(no_clear_cause=True, suspects=()), None, T0, "trouble")
    assert page.key == "page/INC-1/1/broken"


def test_routes_of_one_name_are_told_apart():
    stage = Stage(routes=(PAGER, PAGER, PAGER))
    keys = [page.key for page in stage.automation.pages(incident(), None, T0, "trouble")]
    assert keys == ["page/INC-1/1/on-call", "page/INC-1/1/on-call-2", "page/INC-1/1/on-call-3"]


def _team(value: str, **given: Any) -> Matcher:
    return Matcher(name="team", value=value, **given)


@pytest.mark.parametrize("restarts", [False, True])
def test_an_act_that_was_not_begun_before_a_pause_is_held_and_costs_no_try(restarts: bool):
    once = Retry(times=1, wait_s=5.0, on=("unreachable",))
    stage = begun(step("one", repeat="never", retry=once), step("two"))
    for _ in range(2):
        stage.say("pause")
        stage.answer(outcome="failed", failure="held", error="not begun: ana paused all playbooks")
        if restarts:
            stage.restart()
        act = stage.run.steps[0]
        assert (stage.run.state, act.state, act.tries) == ("waiting", "planned", 0)
        assert act.sentence == "held back: ana paused all playbooks"
        stage.at(stage.now - T0 + 50.0)
        stage.say("unpause")
        assert stage.run.state == "running"
    assert stage.keys == ["one/1", "one/2", "one/3"]
    assert {one.token for one in stage.performs} == {f"{stage.run.id}/one"}
    stage.fail("unreachable")
    assert stage.run.steps[0].sentence == "attempt 1 failed, trying again in 5s"
    stage.at(stage.now - T0 + 5.0)
    stage.fail("unreachable")
    assert stage.run.state == "failed"


def test_what_is_not_begun_when_the_pause_is_over_by_then_is_begun_at_once():
    stage = begun(step("one"))
    stage.say("pause")  # the pause is over before word of the act comes
    stage.say("unpause")
    stage.answer(outcome="failed", failure="held")
    assert (stage.run.state, stage.keys) == ("running", ["one/1", "one/2"])
    stage.answer()
    assert stage.run.state == "done"


def test_an_act_that_is_held_may_be_called_off_with_its_incident():
    stage = begun(step("one"))
    stage.say("pause")
    stage.answer(outcome="failed", failure="held")
    stage.news(incident(status="resolved"), "resolved")
    assert (stage.run.state, stage.states) == ("stopped", ["skipped"])
