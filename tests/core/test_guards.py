"""What holds runs back: freezes, conditions, locks of stuck runs, blast radius, the cap of changes, new commits."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from core.stage import T0, Guards, Stage, incident, playbook, step, suspect, undo
from quell.model.playbook import BlastRadius, Place
from quell.model.rulebook import Caps, Freeze, Window
from quell.model.topology import Dependency, Entity

HOUR = 3600.0


def frozen(name: str = "release-freeze", starts: float = 0.0, ends: float = HOUR, **given: Any) -> Freeze:
    return Freeze(name=name, window=Window(name=name, matchers=(), starts_at=T0 + starts, ends_at=T0 + ends), **given)


def scene(*playbooks: Any, **rules: Any) -> Stage:
    stage = Stage(*playbooks)
    stage.rulebook = replace(stage.rulebook, **rules)
    return stage.restart()


def change(name: str, **given: Any) -> Any:
    return step(name, with_={"x": name}, **given)


READ = step("look", do="prometheus.query", effect="read", with_={"x": "1"})


@pytest.mark.parametrize(
    ("freeze", "held"),
    [
        (frozen(), True),
        (frozen(starts=10.0), False),
        (frozen(playbooks=("other",)), False),
        (frozen(playbooks=("rollback",)), True),
        (frozen(playbooks=()), False),
        (frozen(except_=("rollback",)), False),
        (frozen(effects=("tell",)), False),
    ],
)
def test_a_freeze_holds_whom_it_says(freeze, held):
    stage = scene(playbook(), freezes=(freeze,))
    stage.news()
    assert (stage.run.state == "skipped") is held
    if held:
        said = 'freeze "release-freeze" holds until 2023-11-14T23:13:20.000Z'
        assert stage.run.error == said
        assert stage.state.incidents["INC-1"].timeline[-1].text.endswith(f"not run: {said}")


def test_a_freeze_holds_what_changes_something_and_whoever_names_it():
    stage = scene(playbook(READ, name="reads"), freezes=(frozen(reason="holidays"),))
    stage.news()
    assert stage.run.state == "running"
    named = playbook(READ, guards=Guards(unless_open=("quiet",)))
    stage = scene(named, freezes=(frozen("quiet", playbooks=(), reason="holidays"),))
    stage.news()
    assert stage.run.error == 'freeze "quiet" (holidays) holds until 2023-11-14T23:13:20.000Z'


def test_a_maintenance_window_holds_whoever_names_it():
    window = Window(name="db", matchers=(), minute=22 * 60, duration_s=2 * HOUR, zone="UTC")
    stage = scene(playbook(guards=Guards(unless_open=("db",))), playbook(name="free"), windows=(window,))
    stage.news()
    assert [(one.playbook, one.state) for one in stage.runs] == [("rollback", "skipped"), ("free", "running")]
    assert stage.runs[0].error == 'window "db" holds until 2023-11-15T00:00:00.000Z'


def test_a_freeze_that_begins_while_people_think_holds_the_change_until_it_is_over():
    stage = scene(playbook(mode="propose", timeout_s=3 * HOUR), freezes=(frozen(starts=60.0),))
    stage.news()
    stage.at(120).say("approve")
    assert stage.performs == []
    assert (stage.run.state, stage.states) == ("waiting", ["waiting"])
    assert 'held back: freeze "release-freeze" holds until' in stage.run.steps[0].sentence
    assert stage.state.incidents["INC-1"].timeline[-1].what == "run_held"
    stage.restart().at(HOUR)
    assert len(stage.performs) == 1
    assert stage.run.state == "running"


def test_a_run_that_is_held_for_too_long_fails():
    stage = scene(playbook(mode="propose", timeout_s=1800.0), freezes=(frozen(starts=60.0),))
    stage.news()
    stage.at(120).say("approve")
    stage.at(120 + 1800)
    assert (stage.run.state, stage.run.error) == ("failed", "the run took longer than 30m")
    assert stage.performs == []


def test_a_held_run_is_called_off_with_its_incident():
    stage = scene(playbook(mode="propose"), freezes=(frozen(starts=60.0),))
    stage.news()
    stage.at(120).say("approve")
    stage.news(incident(status="resolved"), "resolved")
    assert stage.run.state == "stopped"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('open_run("restore")', 'unless: open_run("restore")'),
        ('incident.severity == "critical"', 'unless: incident.severity == "critical"'),
        ('vars.app == "checkout"', 'unless: vars.app == "checkout"'),
        ("suspect.nothing == 1", "unless: suspect.nothing == 1 cannot be told and counts as true: "),
        ('open_run("rollback")', ""),
        ('open_run("nobody") || size(alerts) > 5', ""),
    ],
)
def test_a_condition_under_unless_holds_the_run(text, said):
    stage = scene(
        playbook(change("r"), name="restore", on=(), by_hand=True),
        playbook(vars={"app": "${suspect.service}"}, guards=Guards(unless=(text,))),
    )
    stage.state.incidents["INC-1"] = incident()
    stage.say("run", "restore")
    stage.news()
    assert stage.run.error.startswith(said)
    assert (stage.run.state == "skipped") is bool(said)


def test_what_opened_while_it_waited_holds_it_and_is_asked_after_every_minute():
    restore = playbook(change("r"), name="restore", on=(), by_hand=True)
    stage = scene(restore, playbook(mode="propose", guards=Guards(unless=('open_run("restore")',))))
    stage.news()
    stage.at(10).say("run", "restore")
    stage.say("approve", stage.runs[0].id)
    assert len(stage.performs) == 1
    assert stage.runs[0].steps[0].due_at == T0 + 70
    stage.answer()
    stage.at(70)
    assert len(stage.performs) == 2


ESTATE = {
    "entities": (
        Entity(entity="service/web", labels={"replicas": "10"}, tier=0),
        Entity(entity="service/checkout", labels={"replicas": "6"}, tier=1),
        Entity(entity="service/db", labels={"replicas": "4", "fleet": "databases"}, tier=2),
        Entity(entity="service/cache", labels={"fleet": "databases", "replicas": "12"}),
        Entity(entity="service/lost", labels={"replicas": "many"}),
        Entity(entity="job/web", labels={"replicas": "1"}),
        Entity(entity="service/alerted"),
    ),
    "dependencies": (
        Dependency(from_="service/web", to="service/checkout", type="calls"),
        Dependency(from_="service/checkout", to="service/db", type="calls"),
        Dependency(from_="service/lost", to="service/db", type="calls"),
    ),
}
BLAST = [
    ("checkout", {"services": 1, "dependents": 1, "replicas": 6, "share_of_fleet": 0.375, "tier_at_least": 1}, ""),
    ("checkout", {"services": 0}, "it would touch service/checkout, services may be 0 at most"),
    ("checkout", {"dependents": 0}, "1 or more entities depend on service/checkout, dependents may be 0 at most"),
    ("db", {"dependents": 3}, ""),
    ("db", {"dependents": 2}, "3 or more entities depend on service/db"),
    ("checkout", {"replicas": 5}, "service/checkout has 6 replicas, replicas may be 5 at most"),
    ("checkout", {"share_of_fleet": 0.37}, '6 of 16 replicas of the fleet "service" are 38%'),
    ("db", {"share_of_fleet": 0.25}, ""),
    ("db", {"share_of_fleet": 0.2}, '4 of 16 replicas of the fleet "databases" are 25%, share_of_fleet may be 20%'),
    ("web", {"tier_at_least": 1}, "service/web is of tier 0, tier_at_least is 1"),
    ("cache", {"tier_at_least": 1}, "the tier of service/cache is not known"),
    ("lost", {"replicas": 5}, 'how many replicas service/lost has is not known (its label "replicas")'),
    ("nowhere", {"dependents": 5}, '"service/nowhere" is not in the dependency graph'),
    ("nowhere", {"services": 1}, ""),
    ("alerted", {"dependents": 5}, '"service/alerted" is not in the dependency graph'),
]


@pytest.mark.parametrize(("service", "limits", "said"), BLAST)
def test_blast_radius_of_what_the_run_touches(service, limits, said):
    stage = scene(playbook(guards=Guards(blast_radius=BlastRadius(**limits))), **ESTATE)
    stage.state.entities.clear()
    stage.news(incident(suspects=(suspect(service, None),)))
    assert stage.run.error.startswith("blast radius: " if said else "")
    assert said in stage.run.error
    assert (stage.run.state == "skipped") is bool(said)


@pytest.mark.parametrize(
    ("targets", "touched"),
    [
        (("suspect.entity",), ("service/db",)),
        (('["checkout", "service/web"]',), ("service/checkout", "service/web")),
        (("service/${suspect.service}", "'job/web'", "'web'"), ("service/db", "job/web", "service/web")),
        (("'nobody'",), ("nobody",)),
    ],
)
def test_targets_are_what_the_playbook_says(targets, touched):
    stage = scene(playbook(guards=Guards(blast_radius=BlastRadius(targets=targets, services=9))), **ESTATE)
    stage.news(incident(suspects=(suspect("db", None),)))
    assert stage.run.targets == touched


def test_what_the_identity_names_is_touched_too():
    stage = scene(playbook(guards=Guards(each=("'web'", "suspect.service", "incident.id"))), **ESTATE)
    stage.news(incident(suspects=(suspect("db", None),)))
    assert stage.run.targets == ("service/web", "service/db")


def test_targets_that_cannot_be_told_keep_the_run_from_beginning():
    limits = BlastRadius(targets=("suspect.owner.first",), services=1)
    stage = scene(playbook(guards=Guards(blast_radius=limits)), **ESTATE)
    stage.news()
    assert stage.run.error.startswith("guards.blast_radius.targets: ")
    without = scene(playbook(on=(), by_hand=True, guards=Guards(blast_radius=BlastRadius(services=1))), **ESTATE)
    without.say("run", "rollback")
    assert without.audits[-1].endswith("refused: blast radius: what it would touch is not known")


def test_the_cap_of_changes_holds_for_all_playbooks_and_says_until_when():
    stage = scene(
        playbook(change("a"), change("b"), timeout_s=2 * HOUR),
        playbook(change("c"), READ, name="other"),
        caps=Caps(changes_per_hour=2),
    )
    stage.news()
    assert len(stage.performs) == 2
    stage.at(60).answer(stage.performs[0].key)
    assert len(stage.performs) == 2
    said = "held back: cap of 2 changes per hour over all playbooks is reached until 2023-11-14T23:13:20.000Z"
    assert stage.runs[0].steps[1].sentence == said
    stage.at(61).answer(stage.performs[1].key)
    assert stage.performs[-1].effect == "read"
    stage.restart().at(HOUR)
    assert [one.params for one in stage.performs if one.effect == "change"] == [{"x": name} for name in ("a", "c", "b")]


def test_a_cap_of_nothing_changes_nothing_and_dry_runs_do_not_count():
    stage = scene(
        playbook(change("a"), name="dry", mode="shadow"), playbook(change("a")), caps=Caps(changes_per_hour=0)
    )
    stage.news()
    assert [one.dry_run for one in stage.performs] == [True]
    assert stage.state.changed_at == []
    assert "changes_per_hour is 0, so nothing is changed" in stage.run.steps[0].sentence


def test_taking_back_counts_but_waits_for_nobody():
    steps = (change("a", undo=undo(with_={"x": "back"}, effect="change")), change("b", on_failure="undo"))
    stage = scene(playbook(*steps), caps=Caps(changes_per_hour=2))
    stage.news()
    stage.answer()
    stage.fail()
    assert stage.keys == ["a/1", "b/1", "a/undo/1"]
    assert len(stage.state.changed_at) == 3


def stuck(**given: Any) -> Stage:
    steps = (change("a", undo=undo(with_={"x": "back"}, effect="change")), change("b", on_failure="undo"))
    locks = Guards(one_at_a_time=("deploys",))
    stage = scene(playbook(*steps, guards=locks), playbook(name="other"), playbook(name="third", guards=locks), **given)
    stage.state.incidents["INC-1"] = incident()
    stage.say("run", "rollback", incident="INC-1")
    stage.answer()
    stage.fail()
    stage.fail(error="it is gone")
    assert stage.run.state == "stuck"
    return stage


def test_a_stuck_run_keeps_its_locks_and_its_target_until_it_is_released():
    stage = stuck()
    name = stage.run.id
    stage.restart()
    stage.news(incident("INC-2"))
    free = incident("INC-3", suspects=(suspect("web", None),))
    stage.news(free)
    held = {(one.playbook, one.incident): one.error for one in stage.runs if one.state == "skipped"}
    look = f"which is stuck, until somebody has looked and says `quell release {name}`"
    assert held["other", "INC-2"] == f"service/checkout is locked by run {name} of rollback, {look}"
    assert held["third", "INC-3"] == f'lock "deploys" is kept by run {name} of rollback, {look}'
    assert ("other", "INC-3") not in held
    stage.say("release", name, note="looked at it")
    assert stage.audits[-1].startswith(f"ana release {name}: deploys, target:service/checkout; looked at it")
    assert stage.state.runs[name].released_by == "ana"
    assert stage.state.incidents["INC-1"].timeline[-1].text == f"ana released the locks of run {name} of rollback"
    stage.news(incident("INC-4"))
    assert "skipped" not in {one.state for one in stage.runs if one.incident == "INC-4" and one.playbook == "other"}


@pytest.mark.parametrize("again", [False, True])
def test_only_a_stuck_run_is_released_and_once(again):
    stage = stuck() if again else Stage(playbook())
    if again:
        stage.say("release", stage.run.id)
    else:
        stage.news()
    stage.say("release", stage.run.id)
    said = "ana released run" if again else "is running, only a stuck run keeps its locks"
    assert f"refused: {said}" in stage.audits[-1] or said in stage.audits[-1]


def at_commit(commit: str, **given: Any) -> Any:
    return replace(playbook(change("a"), **given), place=Place(file="p.yaml", line=3, commit=commit))


def test_the_first_runs_of_a_new_commit_wait_for_a_person():
    caps = Caps(first_runs_propose=2)
    stage = scene(at_commit("abc123"), caps=caps)
    for number, (left, answer) in enumerate([(2, "done"), (1, "failed"), (1, "done")]):
        stage.at(number * 60).news(incident(f"INC-{number}"))
        assert (stage.run.state, stage.run.mode) == ("proposed", "propose")
        assert stage.run.why.endswith(f"it waits for a person, as commit abc123 changed it: {left} to go")
        stage.say("approve")
        stage.answer(outcome=answer, failure="" if answer == "done" else "refused")
    stage.news(incident("INC-8"))
    assert stage.run.state == "running"
    stage.rulebook = replace(stage.rulebook, playbooks=(at_commit("def456"),))
    stage.restart().news(incident("INC-9"))
    assert stage.run.state == "running", "a commit that did not change the playbook"
    stage.rulebook = replace(stage.rulebook, playbooks=(at_commit("def789", timeout_s=99.0),))
    stage.restart().news(incident("INC-10"))
    assert stage.run.state == "proposed"


def test_files_without_a_commit_are_trusted():
    stage = scene(at_commit(""), caps=Caps(first_runs_propose=2))
    stage.news()
    assert stage.run.state == "running"
