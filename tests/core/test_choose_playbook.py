"""Which playbooks begin: triggers, conditions, settling, and each guard."""

from __future__ import annotations

import pytest

from core.stage import T0, Stage, incident, playbook, step, suspect
from quell.model.mute import Matcher
from quell.model.playbook import Guards

DAY = 86_400.0


@pytest.mark.parametrize(
    ("on", "event", "status", "runs"),
    [
        ("opened", "opened", "open", 1),
        ("opened", "reopened", "open", 1),
        ("opened", "updated", "open", 0),
        ("opened", "suspects_changed", "open", 0),
        ("suspects_changed", "suspects_changed", "open", 1),
        ("escalated", "escalated", "acknowledged", 1),
        ("resolved", "resolved", "resolved", 1),
        ("resolved", "merged", "merged", 0),
        ("opened", "opened", "resolved", 0),
        ("resolved", "resolved", "open", 0),
    ],
)
def test_a_playbook_begins_on_its_events(on, event, status, runs):
    stage = Stage(playbook(on=(on,)))
    stage.news(incident(status=status), event)
    assert len(stage.runs) == runs


def test_a_repeated_trigger_makes_no_second_run():
    stage = Stage(playbook(on=("opened", "suspects_changed")))
    for event in ("opened", "suspects_changed", "suspects_changed", "reopened"):
        stage.news(incident(), event)
    stage.answer()
    stage.news(incident(), "suspects_changed")
    assert len(stage.runs) == 1
    stage.news(incident("INC-2"))
    assert len(stage.runs) == 2
    assert len({one.id for one in stage.runs}) == 2


def test_another_identity_makes_another_run_for_the_same_incident():
    stage = Stage(playbook(on=("opened", "suspects_changed"), guards=Guards(each=("suspect.service", "incident.id"))))
    stage.news()
    stage.news(incident(suspects=(suspect("db", None),)), "suspects_changed")
    assert [one.each for one in stage.runs] == ['["checkout","INC-1"]', '["db","INC-1"]']


@pytest.mark.parametrize(("mode", "runs"), [("off", 0), ("shadow", 1), ("propose", 1), ("enforce", 1)])
def test_modes(mode, runs):
    stage = Stage(playbook(mode=mode))
    stage.news()
    assert [(one.mode, one.dry) for one in stage.runs] == [(mode, mode == "shadow")] * runs
    assert len(stage.performs) == (mode in {"shadow", "enforce"})


CONDITIONS = [
    ('incident.severity in ["critical", "high"] && suspect.kind == "deploy" && suspect.confidence >= 0.7', True),
    ('suspect.change.age < duration("45m")', True),
    ('suspect.change.age < duration("5m")', False),
    ('incident.alerts.exists(a, a.labels.team == "payments" && a.name == "HighErrors")', True),
    ('alerts[0].entity == "service/checkout" && size(incident.entities) == 0 && change.id == "c1"', True),
    ('incident.opened_at <= now && incident.age == duration("0s")', True),
    ('incident["alerts"].size() == 1 && alerts.size() == 1', True),
    ("suspect.nothing == 1", False),
    ("suspect.", False),
    ('"text"', False),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
def test_conditions_over_the_incident(condition, holds):
    stage = Stage(playbook(if_=condition))
    decisions = stage.news()
    assert bool(stage.runs) is holds
    assert bool(decisions) is holds


def test_without_a_suspect_a_condition_on_it_is_false_and_says_why_when_asked():
    stage = Stage(
        playbook(if_='suspect.kind == "deploy"'),
        playbook(name="any", mode="off"),
        playbook(name="bare"),
        playbook(name="dear", if_="true"),
        playbook(name="eager", if_="false"),
    )
    about = incident(suspects=())
    assert [one.playbook for one in stage.runs] == []
    considered = dict(stage.automation.considered(about, T0))
    assert considered.pop("rollback").startswith("its condition cannot be told and counts as false: ")
    opens = "but it waits until the incident opens"
    assert considered == {
        "any": "is off", "bare": f"has no condition, {opens}", "dear": f"its condition holds, {opens}",
        "eager": "its condition is false",
    }  # fmt: skip


def test_a_condition_must_hold_for_as_long_as_it_is_to_settle():
    stage = Stage(playbook(if_="suspect.confidence > 0.5", settled_for_s=90.0))
    assert stage.news() == []
    assert stage.automation.next_due() == T0 + 90
    stage.at(60).news(incident(suspects=(suspect(confidence=0.1),)), "updated")
    assert stage.automation.next_due() is None
    stage.at(100).news(incident(), "updated")
    stage.at(120).news(incident(), "suspects_changed")
    stage.at(189)
    assert stage.runs == []
    stage.at(190)
    assert stage.run.why == "incident INC-1 opened: suspect.confidence > 0.5 held for 1m30s"
    assert stage.run.started_at == T0 + 190
    assert stage.state.settling == {}


def test_a_condition_that_time_itself_makes_false_does_not_settle():
    stage = Stage(playbook(if_='suspect.change.age < duration("11m")', settled_for_s=90.0))
    stage.news()
    stage.at(90)
    assert (stage.runs, stage.automation.next_due()) == ([], None)


def test_what_settles_is_off_when_the_incident_is_over_forgotten_or_the_playbook_gone():
    stage = Stage(playbook(settled_for_s=90.0))
    stage.news()
    stage.news(incident("INC-2"))
    stage.at(10).news(incident(status="resolved"), "resolved")
    assert list(stage.state.settling) == ["INC-2/rollback"]
    del stage.state.incidents["INC-2"]
    stage.at(100)
    assert (stage.runs, stage.state.settling) == ([], {})
    stage.news()
    stage.rulebook = type(stage.rulebook)()
    stage.restart().at(300)
    assert (stage.runs, stage.state.settling) == ([], {})


def test_resolution_settles_too():
    stage = Stage(playbook(on=("resolved",), settled_for_s=60.0))
    stage.news(incident(status="resolved"), "resolved")
    stage.at(30).news(incident(status="resolved"), "updated")
    stage.at(60)
    assert stage.run.trigger == "resolved"
    stage.at(70).news(incident("INC-2", status="resolved"), "resolved")
    stage.news(incident("INC-2"), "reopened")
    stage.at(200)
    assert len(stage.runs) == 1


def blocked_by(guards: Guards, *, gap_s: float, over: bool = True, first: int = 1) -> Stage:
    """After ``first`` runs, an hour apart, another incident triggers ``gap_s`` after the last began."""
    stage = Stage(playbook(guards=guards))
    for number in range(first):
        stage.at(number * 3600).news(incident(f"INC-{number}"))
        if over:
            stage.answer()
    stage.at((first - 1) * 3600 + gap_s).news(incident("INC-again"))
    return stage


@pytest.mark.parametrize(
    ("guards", "gap_s", "over", "first", "why"),
    [
        (Guards(), 1, True, 1, ""),
        (Guards(cooldown_s=1800.0), 1799, True, 1, "cooldown of 30m after run {0} holds until {1}T22:43:20.000Z"),
        (Guards(cooldown_s=1800.0), 1800, True, 1, ""),
        (Guards(cooldown_s=1800.0), 1900, False, 1, "cooldown: run {0} is not over yet"),
        (Guards(limit_runs=2, limit_per_s=DAY), 60, True, 1, ""),
        (Guards(limit_runs=2, limit_per_s=DAY), 60, True, 2, "limit of 2 runs in 1d is reached until {2}T{3}"),
        (Guards(limit_runs=2, limit_per_s=DAY), DAY, True, 2, ""),
        (Guards(cooldown_s=1e12), DAY, True, 1, "cooldown of 11574074d1h46m40s after run {0} holds for good"),
        (Guards(limit_runs=1), DAY * 90, True, 1, "limit of 1 runs is reached"),
        (Guards(one_at_a_time=("service:${suspect.service}",)), 60, True, 1, ""),
        (
            Guards(one_at_a_time=("service:${suspect.service}",)), 60, False, 1,
            'lock "service:checkout" is held by run {0} of rollback until it is over',
        ),
        (Guards(each=("incident.id",), cooldown_s=1800.0, limit_runs=1), 1, True, 1, ""),
    ],
)  # fmt: skip
def test_guards(guards, gap_s, over, first, why):
    stage = blocked_by(guards, gap_s=gap_s, over=over, first=first)
    last = stage.run
    if why:
        assert (last.state, last.incident) == ("skipped", "INC-again")
        named = why.format(stage.runs[0].id, "2023-11-14", "2023-11-15", "22:13:20.000Z")
        assert last.why == f"incident INC-again opened; not run: {named}"
        assert {one.state for one in last.steps} == {"skipped"}
        assert [one.incident for one in stage.performs if one.effect == "change"] == [f"INC-{n}" for n in range(first)]
    else:
        assert last.state == "running"


def test_a_lock_is_shared_by_all_playbooks():
    guards = Guards(one_at_a_time=("service:${suspect.service}", "deploys"))
    other = playbook(name="restart", guards=Guards(one_at_a_time=("service:checkout",)))
    stage = Stage(playbook(guards=guards, mode="propose"), other)
    stage.news()
    assert [(one.playbook, one.state) for one in stage.runs] == [("rollback", "proposed"), ("restart", "skipped")]
    assert 'lock "service:checkout" is held' in stage.run.why


def test_trying_something_out_uses_up_nobody_s_turn():
    stage = Stage(playbook(guards=Guards(cooldown_s=1800.0, one_at_a_time=("x",))))
    stage.state.incidents["INC-1"] = incident()
    stage.say("run", "rollback", incident="INC-1", dry=True)
    stage.news()
    assert [one.state for one in stage.runs] == ["running", "running"]


def test_a_blocked_run_is_said_once_and_begins_on_a_later_trigger_when_nothing_blocks_it():
    stage = blocked_by(Guards(cooldown_s=1800.0), gap_s=60)
    stage.rulebook = type(stage.rulebook)(
        playbooks=(playbook(on=("opened", "suspects_changed"), guards=Guards(cooldown_s=1800.0)),)
    )
    stage.restart()
    about = incident("INC-again")
    stage.at(100).news(about, "reopened")
    stage.at(200).news(about, "suspects_changed")
    assert len(stage.runs) == 2
    stage.at(1800).news(about, "suspects_changed")
    assert (len(stage.runs), stage.run.state) == (3, "running")


def test_the_same_trigger_after_a_skipped_run_has_another_id():
    stage = blocked_by(Guards(cooldown_s=1800.0), gap_s=60)
    skipped = stage.run
    stage.at(1800).news(incident("INC-again"), "reopened")
    assert stage.run.state == "running"
    assert stage.run.id != skipped.id
    assert stage.state.runs[skipped.id] == skipped


def test_a_person_is_held_to_the_guards_too():
    stage = blocked_by(Guards(cooldown_s=1800.0), gap_s=60)
    (audit,) = stage.say("run", "rollback", incident="INC-0")
    assert audit.detail.startswith("refused: cooldown of 30m")


def test_while_paused_nothing_begins():
    stage = Stage(playbook())
    stage.say("pause")
    stage.news()
    assert (stage.run.state, stage.run.why) == ("skipped", "incident INC-1 opened; not run: ana paused all playbooks")
    assert stage.performs == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"guards": Guards(each=("suspect.nothing",))}, 'guards.each: no name "nothing" for ${suspect.nothing}'),
        ({"guards": Guards(one_at_a_time=("${nothing}",))}, 'guards.one_at_a_time: no name "nothing" for ${nothing}'),
        ({"vars": {"good": "${suspect.change.next}"}}, 'vars.good: no name "next" for ${suspect.change.next}'),
    ],
)
def test_what_cannot_be_prepared_is_not_run(given, why):
    stage = Stage(playbook(step("one"), **given))
    stage.news()
    assert (stage.run.state, stage.run.why) == ("skipped", f"incident INC-1 opened; not run: {why}")


def test_variables_build_on_each_other_and_are_read_bare_or_by_name():
    stage = Stage(
        playbook(
            step("one", with_={"a": "${app}", "b": "${vars.both}", "n": "${incident.id}"}),
            vars={"app": "${suspect.service}", "both": ["${app}", "${suspect.change.age}"], "incident": "shadowed"},
        )
    )
    stage.news()
    assert stage.performs[0].params == {"a": "checkout", "b": ["checkout", "10m"], "n": "INC-1"}


def test_only_what_json_carries_reaches_an_action():
    parts = {"t": "${now}", "d": "${change.age}", "b": '${b"ab"}', "l": "${[1, 2.5, true, null]}", "k": "${type(1)}"}
    stage = Stage(playbook(step("one", with_=parts), step("two", with_={"was": "${steps.one.output}"})))
    stage.news()
    stage.answer(output={"points": (1, 2), 3: Matcher(name="a", value="b")})
    assert stage.performs[1].params == {"was": {"points": [1, 2], "3": 'a="b"'}}
    assert stage.performs[0].params == {
        "t": "2023-11-14T22:13:20.000Z", "d": "10m", "b": "ab", "l": [1, 2.5, True, None], "k": "int",
    }  # fmt: skip


def test_runs_long_over_whose_incident_is_forgotten_are_forgotten():
    stage = Stage(playbook(guards=Guards(limit_runs=9, limit_per_s=DAY)))
    stage.news()
    stage.answer()
    stage.at(30 * DAY).news(incident("INC-2"))
    assert len(stage.runs) == 2
    del stage.state.incidents["INC-1"]
    stage.at(31 * DAY).news(incident("INC-3"))
    assert [one.incident for one in stage.runs] == ["INC-2", "INC-3"]


def test_a_run_that_a_person_rejected_uses_up_no_cooldown():
    guarded = Guards(cooldown_s=1800.0, limit_runs=1, limit_per_s=DAY)
    stage = Stage(playbook(mode="propose", guards=guarded))
    stage.news(incident("INC-1"))
    stage.say("reject", note="not now")
    stage.news(incident("INC-2"))
    assert [one.state for one in stage.runs] == ["stopped", "proposed"]
