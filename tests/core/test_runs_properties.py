"""What holds for runs whatever happens, in whatever order: a random world with restarts in between."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stage import PLACE, T0, Stage, incident, playbook, step, suspect, undo
from quell.core.news import due
from quell.model.decision import AnyDecision, Audit, Perform
from quell.model.playbook import Each, Guards, Measure, Playbook, Retry, Step, Wait
from quell.model.run import Run
from quell.model.topology import Change

EFFECTS = st.sampled_from(["read", "tell", "change"])
REPEATS = st.sampled_from(["state", "keyed", "lookup", "never"])
PARAMS = st.sampled_from([
    {}, {}, {}, {"app": "${suspect.service}"}, {"app": "${suspect.service}"}, {"to": "${suspect.change.previous}"},
    {"n": "${steps.s0.output.value}"},
    {"at": "${now}", "age": "${suspect.change.age}"}, {"v": "${vars.app}"}, {"x": "${nothing}"},
])  # fmt: skip
CONDITIONS = st.sampled_from(
    ["", "", "", "true", "true", "false", 'suspect.kind == "deploy"', "suspect.confidence > 0.5", "oops"]
)
CHECKS = st.sampled_from(["", "", "", "", "result.value > 1", "false", "result.oops"])
READINGS = st.sampled_from(["", "", "", 'metrics.rate("a") > 1', 'metrics.rate("a") > metrics.rate(suspect.service)'])
EACH = st.none() | st.none() | st.sampled_from([
    Each(of=["a", "b"], most=3), Each(of=[], most=3), Each(of=["a", "b"], most=1), Each(of="${nothing}", most=1),
])  # fmt: skip
WAITS = st.builds(
    Wait,
    until=st.sampled_from(["true", "false", "oops", "result.value > 1", 'metrics.rate("a") > 1']),
    within_s=st.sampled_from([0.0, 60.0, 300.0]),
    hold_s=st.sampled_from([0.0, 60.0]),
    every_s=st.sampled_from([0.0, 30.0]),
    query=st.none() | st.just(undo("app.look", effect="read")),
)
RATE = Measure(name="metrics.rate", place=PLACE, do="prom.query", params=("service",))
RETRIES = st.none() | st.builds(Retry, times=st.integers(0, 2), wait_s=st.sampled_from([0.0, 5.0, 60.0]))
UNDO = st.builds(undo, with_=PARAMS, effect=EFFECTS, repeat=REPEATS)
UNDOS = st.one_of(UNDO, UNDO, UNDO, st.none())


def plain(draw: Any, number: int) -> dict[str, Any]:
    """What only an act of a connector may have."""
    own = draw(st.booleans())
    return {
        "with_": draw(PARAMS),
        "undo": undo("app.back", takes=("app", "was")) if own else draw(UNDOS),
        "before": draw(st.sampled_from(["", "", "app.state"])),
        "before_takes": ("app",),
        "for_each": draw(EACH),
        "repeat": draw(REPEATS),
        "effect": draw(EFFECTS),
        "id": f"s{number}",
    }


@st.composite
def playbooks(draw: Any, name: str) -> Playbook:
    steps = []
    for number in range(draw(st.integers(1, 4))):
        do = draw(st.sampled_from(["app.act", "app.act", "app.act", "approve", "wait", "incident.note", "read"]))
        given = plain(draw, number) if do == "app.act" else {"id": f"s{number}", "effect": "read", "repeat": "state"}
        given |= {"with_": {"text": "hello"}} if do == "incident.note" else {}
        given |= {"wait": draw(WAITS)} if do == "wait" else {}
        given |= {"group": draw(st.sampled_from(["g", "h"]))} if do == "read" else {}
        steps.append(drawn(draw, do, given))
    return playbook(
        *steps,
        measures=(RATE,),
        name=name,
        mode=draw(st.sampled_from(["shadow", "propose", "enforce", "enforce"])),
        on=draw(st.sampled_from([("opened",), ("opened", "suspects_changed"), ("opened", "resolved", "escalated")])),
        if_=draw(CONDITIONS),
        settled_for_s=draw(st.sampled_from([0.0, 0.0, 30.0])),
        timeout_s=draw(st.sampled_from([60.0, 600.0, 3600.0])),
        vars=draw(st.sampled_from([{}, {"app": "${suspect.service}"}])),
        guards=Guards(
            each=draw(st.sampled_from([(), ("suspect.service",)])),
            cooldown_s=draw(st.sampled_from([0.0, 120.0])),
            limit_runs=draw(st.sampled_from([0, 2])),
            limit_per_s=draw(st.sampled_from([0.0, 300.0])),
            one_at_a_time=draw(st.sampled_from([(), ("service:${suspect.service}",), ("all",)])),
        ),
        on_failure=draw(st.sampled_from([(), (undo(effect="tell"), undo(with_={"e": "${run.error}"}))])),
    )


def drawn(draw: Any, do: str, given: dict[str, Any]) -> Step:
    name = given.pop("id")
    return step(
        name,
        do,
        if_=draw(st.one_of(CONDITIONS, READINGS)),
        check=draw(st.one_of(CHECKS, READINGS)),
        otherwise=draw(st.sampled_from(["finish", "stop", "escalate"])),
        timeout_s=draw(st.sampled_from([0.0, 10.0, 60.0, 600.0])),
        retry=draw(RETRIES),
        on_failure=draw(st.sampled_from(["stop", "continue", "undo", "undo", "undo"])),
        **given,
    )


NEWS = st.tuples(
    st.just("news"),
    st.sampled_from(["INC-1", "INC-2"]),
    st.sampled_from(["opened", "updated", "suspects_changed", "escalated", "reopened", "resolved", "merged"]),
    st.sampled_from([(suspect(),), (suspect("db", None, confidence=0.3),), ()]),
)
ANSWERS = st.tuples(
    st.just("answer"),
    st.sampled_from([0, 0, 0, 0, 1, 2, 5]),
    st.sampled_from(["done", "done", "done", "done", "failed", "failed", "pending", "in_doubt"]),
    st.sampled_from(["unreachable", "timeout", "refused"]),
    st.sampled_from([{}, {"value": 2}, {"value": 0.5}, {"already": True}, {"already": False, "was": "v7"}]),
)
WORDS = st.tuples(
    st.just("say"),
    st.sampled_from(["approve", "approve", "approve", "approve", "reject", "stop", "run", "pause", "unpause"]),
    st.integers(0, 3),
    st.sampled_from(["ana", "ben"]),
)
TIME = st.tuples(st.just("time"), st.sampled_from([0.0, 1.0, 5.0, 29.0, 45.0, 130.0, 700.0, 4000.0]))
CHANGE = st.tuples(st.just("change"), st.sampled_from(["v7", "v8", ""]))
FIRST = ("news", "INC-1", "opened", (suspect(),))
EVENTS = st.lists(
    st.one_of(NEWS, ANSWERS, ANSWERS, ANSWERS, ANSWERS, WORDS, TIME, CHANGE), min_size=1, max_size=25
).map(lambda events: [FIRST, *events])
WORLDS = st.tuples(playbooks("first"), playbooks("second"))


def happen(stage: Stage, event: tuple[Any, ...]) -> list[AnyDecision]:
    """One thing happens, after the timers up to now; what it led to."""
    before = len(stage.decisions)
    match event:
        case ("news", name, what, suspects):
            status = {"resolved": "resolved", "merged": "merged"}.get(what, "open")
            stage.news(incident(name, status=status, suspects=suspects), what)
        case ("answer", back, outcome, failure, output) if stage.performs:
            performs = stage.performs
            failure = failure if outcome == "failed" else ""
            stage.answer(performs[-1 - back % len(performs)].key, outcome, failure=failure, output=output)
        case ("say", "run", number, by):
            stage.say("run", ["first", "second", "first", "third"][number], by=by, incident="INC-1", dry=number == 2)
        case ("say", verb, number, by):
            runs = sorted(stage.state.runs)
            target = runs[number % len(runs)] if runs else "R-none"
            stage.say(verb, "" if "pause" in verb else target, by=by)
        case ("time", span):
            stage.at(stage.now - T0 + span)
        case ("change", previous):
            stage.state.changes["c1"] = Change(id="c1", at=T0 - 60, type="deploy", entity=None, previous=previous)
    return stage.decisions[before:]


@st.composite
def undoable(draw: Any) -> Playbook:
    """Steps that can be taken back, and a last one that asks for it."""
    number = draw(st.integers(1, 3))
    repeat = draw(REPEATS)
    steps = [step(f"s{n}", undo=draw(UNDOS), repeat=repeat, on_failure="undo") for n in range(number)]
    last = step("verify", effect="read", check="result.value > 1", otherwise="stop", on_failure="undo")
    return playbook(*steps, last, name="first", timeout_s=draw(st.sampled_from([600.0, 4000.0])))


def check_world(stage: Stage, over: dict[str, Run]) -> None:
    keys = [one.key for one in stage.performs]
    assert len(keys) == len(set(keys)), "at most one intent per key"
    live = {name: run for name, run in stage.state.runs.items() if not run.over}
    assert stage.state.begun.keys() == live.keys()
    for name, run in over.items():
        assert stage.state.runs[name] == run, "a run that is over never changes"
    over |= {name: run for name, run in stage.state.runs.items() if run.over}
    for run in live.values():
        held_back = run.state == "waiting" and stage.state.paused_by
        assert due(run) is not None or run.state == "in_doubt" or held_back, "no run is lost"
    locks = [lock for run in live.values() if not run.dry for lock in run.locks]
    assert len(locks) == len(set(locks)), "a lock has one holder"


def check_intents(stage: Stage, decisions: list[AnyDecision]) -> None:
    said = [one for one in stage.decisions if isinstance(one, Audit) and one.what == "approve"]
    granted = {one.target for one in said if not one.detail.startswith(("refused", "void"))}
    for one in decisions:
        if isinstance(one, Perform):
            run = stage.state.runs[one.run]
            assert not run.dry or one.dry_run or one.effect == "read", "a dry run only reads"
            asked = run.mode == "propose" and not run.dry and not one.key.startswith("page/")
            assert not asked or one.run in granted, "nothing is done before the approval"


@settings(max_examples=400, deadline=None)
@given(WORLDS, EVENTS)
def test_whatever_happens(world, events):
    stage = Stage(*world)
    over: dict[str, Run] = {}
    for event in events:
        check_intents(stage, happen(stage, event))
        check_world(stage, over)
        next_due = stage.automation.next_due()
        assert event[0] != "time" or next_due is None or next_due > stage.now


@settings(max_examples=200, deadline=None)
@given(WORLDS, EVENTS)
def test_a_restart_anywhere_changes_nothing(world, events):
    whole, pieces = Stage(*world), Stage(*world)
    for event in events:
        happen(whole, event)
        happen(pieces.restart(), event)
        pieces.restart()
    assert msgspec.json.encode(whole.decisions) == msgspec.json.encode(pieces.decisions)
    assert msgspec.msgpack.encode(whole.state) == msgspec.msgpack.encode(pieces.state)


@settings(max_examples=200, deadline=None)
@given(WORLDS, EVENTS)
def test_the_same_answer_twice_changes_nothing(world, events):
    stage = Stage(*world)
    for event in events:
        performs = stage.performs
        happen(stage, event)
        if event[0] == "answer" and performs:
            before = msgspec.msgpack.encode(stage.state)
            failure = event[3] if event[2] == "failed" else ""
            key = performs[-1 - event[1] % len(performs)].key
            assert stage.answer(key, event[2], failure=failure, output=event[4]) == []
            assert msgspec.msgpack.encode(stage.state) == before


@settings(max_examples=100, deadline=None)
@given(WORLDS, EVENTS)
def test_left_alone_every_run_ends_or_asks_people(world, events):
    stage = Stage(*world)
    for event in events:
        happen(stage, event)
    stage.say("unpause")
    stage.at(stage.now - T0 + 40_000)
    assert {run.state for run in stage.runs if not run.over} <= {"in_doubt"}
    assert stage.automation.next_due() is None


@settings(max_examples=300, deadline=None)
@given(undoable(), st.lists(st.one_of(ANSWERS, ANSWERS, ANSWERS, ANSWERS, ANSWERS, WORDS, TIME), max_size=15))
def test_what_is_taken_back_was_done_and_goes_from_the_last_to_the_first(world, events):
    stage = Stage(world)
    over: dict[str, Run] = {}
    for event in [FIRST, *events]:
        check_intents(stage, happen(stage, event))
        check_world(stage, over)
    for run in stage.runs:
        with_undo = {one.id for one in world.steps if one.undo}
        begun = [one.id.removesuffix("/undo") for one in run.deeds if one.id.endswith("/undo") and one.attempt]
        states = {one.id: one.state for one in run.steps}
        order = [one.id for one in world.steps]
        assert begun == sorted(begun, key=order.index, reverse=True)
        unknown = {one.id for one in run.steps if one.unknown}
        assert all((states[name] in {"done", "undone"} or name in unknown) and name in with_undo for name in begun)
        if run.state == "undone":
            assert not any(state == "done" and name in with_undo for name, state in states.items())
