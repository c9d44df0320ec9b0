"""Whatever happens, with restarts in between: locks exclude, the cap holds, the clock never bursts."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from core.stage import T0, Guards, Stage, incident, playbook, step, suspect, undo
from core.test_triggers import alert, tells
from quell.core.shelf import Shelf, kept_locks
from quell.model.mute import Matcher
from quell.model.playbook import BlastRadius, Playbook, Schedule
from quell.model.rulebook import Caps, Freeze, Window
from quell.model.topology import Entity

HOUR = 3600.0
CAP = 3
TRIGGERS = st.sampled_from([
    {"on": ("opened", "suspects_changed")}, {"on": ("opened",), "settled_for_s": 60.0},
    {"on": (), "alert": (Matcher(name="alertname", value="Drift"),)},
    {"on": (), "alert": (Matcher(name="team", value="m.", is_regex=True),), "settled_for_s": 60.0},
    {"on": (), "schedule": Schedule(every_s=900.0)}, {"on": (), "schedule": Schedule(cron="*/20 * * * *", zone="UTC")},
    {"on": (), "by_hand": True},
])  # fmt: skip


@st.composite
def playbooks(draw: Any, name: str) -> Playbook:
    steps = [
        step(
            f"s{number}",
            with_={"n": str(number)},
            timeout_s=draw(st.sampled_from([10.0, 600.0])),
            undo=draw(st.sampled_from([None, undo(with_={"n": "back"}, effect="change", repeat="state")])),
            on_failure=draw(st.sampled_from(["stop", "continue", "undo", "undo"])),
            effect=draw(st.sampled_from(["change", "change", "tell"])),
            repeat=draw(st.sampled_from(["state", "never"])),
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    return playbook(
        *steps,
        name=name,
        mode=draw(st.sampled_from(["propose", "enforce", "enforce", "shadow"])),
        timeout_s=draw(st.sampled_from([600.0, 3 * HOUR])),
        guards=Guards(
            one_at_a_time=draw(st.sampled_from([(), ("all",), ("all", "some"), ("some",)])),
            cooldown_s=draw(st.sampled_from([0.0, 300.0])),
            unless=draw(st.sampled_from([(), ('open_run("first")',)])),
            unless_open=draw(st.sampled_from([(), ("quiet",)])),
            blast_radius=draw(st.sampled_from([None, None, BlastRadius(services=1), BlastRadius(replicas=5)])),
        ),
        **draw(TRIGGERS),
    )


NEWS = st.tuples(
    st.just("news"),
    st.sampled_from(["INC-1", "INC-2"]),
    st.sampled_from(["opened", "suspects_changed", "updated", "resolved"]),
    st.sampled_from([(suspect(),), (suspect("db", None),), ()]),
)
ALERT = st.tuples(
    st.just("alert"), st.sampled_from(["d1", "d2"]), st.sampled_from(["firing", "resolved"]), st.integers(1, 2)
)
ANSWER = st.tuples(st.just("answer"), st.integers(0, 4), st.sampled_from(["done", "done", "failed", "in_doubt"]))
SAY = st.tuples(
    st.just("say"),
    st.sampled_from(["approve", "approve", "run", "reject", "stop", "release", "pause", "unpause"]),
    st.integers(0, 5),
)
TIME = st.tuples(st.just("time"), st.sampled_from([1.0, 61.0, 400.0, 1800.0, 4000.0]))
DOWN = st.tuples(st.just("down"), st.sampled_from([100.0, 2000.0, 9000.0]))
EVENTS = st.lists(st.one_of(NEWS, NEWS, ALERT, ANSWER, ANSWER, ANSWER, SAY, TIME, DOWN), min_size=1, max_size=30)
WORLDS = st.tuples(playbooks("first"), playbooks("second"), playbooks("third"))
QUIET = Freeze(
    name="quiet",
    window=Window(name="quiet", matchers=(), minute=23 * 60, duration_s=1200.0, zone="UTC"),
    playbooks=("second",),
)


def world(books: tuple[Playbook, ...]) -> Stage:
    stage = Stage(*books)
    entity = Entity(entity="service/checkout", labels={"replicas": "4"})
    rules = {"freezes": (QUIET,), "caps": Caps(changes_per_hour=CAP), "entities": (entity,)}
    stage.rulebook = replace(stage.rulebook, **rules)
    return stage.restart()


def happen(stage: Stage, event: tuple[Any, ...]) -> None:
    stage.at(stage.now - T0)
    match event:
        case ("news", name, what, suspects):
            status = "resolved" if what == "resolved" else "open"
            stage.news(incident(name, status=status, suspects=suspects), what)
        case ("alert", name, status, episode):
            tells(stage, alert(name, status=status, episode=episode))
        case ("answer", back, outcome) if stage.performs:
            performs = stage.performs
            failure = "refused" if outcome == "failed" else ""
            stage.answer(performs[-1 - back % len(performs)].key, outcome, failure=failure)
        case ("say", "run", number):
            stage.say("run", ["first", "second", "third"][number % 3], incident="INC-1" if number < 3 else "")
        case ("say", verb, number):
            runs = sorted(stage.state.runs)
            stage.say(verb, "" if "pause" in verb else runs[number % len(runs)] if runs else "R-none")
        case ("time", span):
            stage.at(stage.now - T0 + span)
        case ("down", span):
            stage.now += span
            stage.decisions += stage.automation.resumed(stage.now)
            stage.at(stage.now - T0)
    stage.state.now = stage.now


def exclusive(stage: Stage) -> None:
    """No lock is kept twice, among runs that act as among dry ones."""
    kept: dict[tuple[str, bool], str] = {}
    for run in stage.runs:
        for lock in run.locks if run.holds else ():
            assert kept.setdefault((lock, run.dry), run.id) == run.id, f"{lock} is kept by two"


def capped(stage: Stage) -> None:
    """No hour holds more begun changes than the cap; taking back does not count here, for it waits for nobody."""
    times = [one.at for one in stage.performs if one.effect == "change" and not one.dry_run and "/undo" not in one.key]
    for first, last in zip(times, times[CAP:], strict=False):
        assert last - first >= HOUR, f"{CAP + 1} changes within {last - first} s"


@settings(max_examples=150, deadline=None)
@given(WORLDS, EVENTS)
def test_guards_hold_whatever_happens(books: tuple[Playbook, ...], events: list[tuple[Any, ...]]) -> None:
    stage = world(books)
    for event in events:
        happen(stage, event)
        exclusive(stage)
        capped(stage)
        clocked = [one for one in stage.runs if one.trigger == "schedule" and not one.over]
        assert len({one.playbook for one in clocked}) == len(clocked)
        assert len({one.key for one in stage.performs}) == len(stage.performs)


@settings(max_examples=100, deadline=None)
@given(WORLDS, EVENTS, st.sets(st.integers(0, 30)))
def test_a_world_that_restarts_goes_on_alike(
    books: tuple[Playbook, ...], events: list[tuple[Any, ...]], restarts: set[int]
) -> None:
    plain, broken = world(books), world(books)
    for number, event in enumerate(events):
        if number in restarts:
            broken.restart()
        happen(plain, event)
        happen(broken, event)
    assert broken.decisions == plain.decisions
    assert msgspec.msgpack.encode(broken.state) == msgspec.msgpack.encode(plain.state)


@settings(max_examples=60, deadline=None)
@given(WORLDS, EVENTS)
def test_the_index_of_runs_says_what_the_runs_say(books: tuple[Playbook, ...], events: list[tuple[Any, ...]]) -> None:
    stage = world(books)
    for event in events:
        happen(stage, event)
    kept = stage.automation._desk.shelf  # an index is right if it is what a fresh one would be
    fresh = Shelf(stage.state.runs)
    for run in stage.runs:
        assert list(kept.about(run)) == list(fresh.about(run))
        assert list(kept.same(run)) == list(fresh.same(run))
        assert list(kept.open(run.playbook)) == list(fresh.open(run.playbook))
        assert kept.live_of(run.incident) == fresh.live_of(run.incident)
        assert kept.newest(run.playbook) == fresh.newest(run.playbook)
        assert kept.keeper(kept_locks(run), run) == fresh.keeper(kept_locks(run), run)
