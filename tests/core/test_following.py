"""Pages that follow their incident: people act here and there at once, words pass each other, and both end alike."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from core.scene import T0, Scene, outage, rulebook, says
from quell.core.engine import Engine
from quell.core.following import is_page, standing
from quell.model.decision import Perform
from quell.model.incident import Incident
from quell.model.oncall import Chain, Rota, Stage
from quell.model.records import AnyRecord, CommandRecord, StepFinished
from quell.model.rulebook import Route

ROUTE = Route(
    name="on-call",
    action="pd.trigger",
    params={"routing_key": "env:KEY", "links": ["https://wiki"]},
    source="pd",
    taken="pd.acknowledge",
    over="pd.resolve",
    shared=("key", "incident", "routing_key"),
)
EXAMPLES = 5_000 if os.environ.get("QUELL_LONG") else 150


FOLLOWS: dict[str, Any] = {name: getattr(ROUTE, name) for name in ("source", "taken", "over", "shared")}
STEP = Stage(action="pd.trigger", params={"routing_key": "env:KEY"}, rota="web", to="rota/web", wait_s=100.0, **FOLLOWS)
ALONG = Chain(name="web", stages=(STEP, replace(STEP, rota="", people=("cy",), to="person/cy")), repeat=20)
"""All of its steps call people by one key there, whoever that is."""
ALONG_ROUTE = Route(name="along", action="", chain="web")

_BEGUN: dict[str, tuple[bytes, list[Perform]]] = {}
"""By route: what is known once an outage is an incident and people are called, so that no test has to wait for that."""


class There:
    """What people are called by: it takes events, people act in it, and every difference is told some time later."""

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew
        self.status = ""
        self.history: list[str] = []
        self.words: list[CommandRecord] = []

    def take(self, deed: Perform, now: float) -> None:
        new = {"pd.trigger": "open", "pd.acknowledge": "acknowledged", "pd.resolve": "resolved"}[deed.action]
        may = {"open": ("", "resolved"), "acknowledged": ("open",), "resolved": ("open", "acknowledged")}[new]
        if self.status in may:
            self._turn(deed.incident, new, now, echo=True)

    def act(self, verb: str, name: str, now: float) -> None:
        old, new = {
            "ack": ("open", "acknowledged"),
            "unack": ("acknowledged", "open"),
            "reopen": ("resolved", "open"),
            "resolve": ("", "resolved"),
        }[verb]
        if (self.status == old) if old else self.status in {"open", "acknowledged"}:
            self._turn(name, new, now)

    def _turn(self, name: str, status: str, now: float, *, echo: bool = False) -> None:
        self.status = status
        self.history.append(status)
        number = len(self.history)
        args: dict[str, Any] = {"status": status, "there": "P1", "echo": echo}
        at = now + self.skew + number * 1e-3
        self.words.append(
            CommandRecord(
                at=at, seen=now, source="pd", id=f"w{number}", verb="follow", target=name, by="bob", args=args
            )
        )


class Two:
    """Quell and the other, with a line between them that loses, repeats and reorders."""

    def __init__(self, route: Route = ROUTE, skew: float = 0.0, chain: Chain = ALONG) -> None:
        turns = Rota(name="web", people=("ana", "bo"), first_day=719164, every_days=1)
        self.book = rulebook(routes=(route,), chains=(chain,), rotas=(turns,))
        self.engine = Engine(self.book)
        self.there = There(skew)
        self.now = T0
        self.waiting: list[Perform] = []
        self.deeds: list[Perform] = []
        begun = f"{route.source} {route.chain} {chain.stages[0].params}"
        if begun not in _BEGUN:
            for record in outage():
                self.tell(record, at=record.at)
            self.tell(at=T0 + 120.0)
            _BEGUN[begun] = self.engine.snapshot(), self.deeds
        snapshot, deeds = _BEGUN[begun]
        self.engine, self.now = Engine.restored(self.book, snapshot), T0 + 120.0
        self.deeds, self.waiting = [*deeds], [*deeds]
        (self.name,) = self.engine.state.incidents

    def tell(self, *records: AnyRecord, at: float | None = None) -> None:
        self.now = max(self.now, self.now if at is None else at)
        for decision in self.engine.decide(records, self.now):
            if isinstance(decision, Perform):
                self.waiting.append(decision)
                self.deeds.append(decision)

    def answer(self, how: str = "done", nth: int = 0) -> None:
        """The other hears a deed, or does not, or does and nobody knows."""
        deed = self.waiting.pop(nth)
        if how in {"done", "in_doubt", "unknown"}:
            self.there.take(deed, self.now)
        lost = how in {"unreachable", "unknown"}
        outcome: Any = "failed" if lost else how
        failure: Any = "unreachable" if lost else ""
        self.tell(StepFinished(at=self.now, key=deed.key, outcome=outcome, failure=failure, unknown=how == "unknown"))

    def hear(self, nth: int = 0, *, again: bool = False) -> None:
        word = self.there.words[nth]
        if not again:
            del self.there.words[nth]
        self.tell(word)

    def say(self, verb: str, by: str = "ana") -> None:
        self.tell(says(verb, self.name, self.now - T0, by))

    def act(self, verb: str) -> None:
        self.there.act(verb, self.name, self.now)

    def restart(self) -> None:
        self.engine = Engine.restored(self.book, self.engine.snapshot())

    def calm(self) -> None:
        """The line is well again and everything said arrives."""
        for _ in range(2000):
            for _ in range(100):
                if self.waiting:
                    self.answer()
                if self.there.words:
                    self.hear()
            assert not self.waiting, "it flips for ever"
            if not self.engine.state.telling:
                return
            self.tell(at=self.now + 60.0)
        raise AssertionError("it does not come to rest")

    @property
    def incident(self) -> Incident:
        return self.engine.state.incidents[self.name]

    @property
    def actions(self) -> list[str]:
        return [deed.action.removeprefix("pd.") for deed in self.deeds]


def called() -> Two:
    two = Two()
    two.calm()
    assert (two.there.status, two.incident.status, two.actions) == ("open", "open", ["trigger"])
    return two


def test_what_a_person_does_here_is_done_there_once() -> None:
    two = called()
    two.say("ack")
    two.calm()
    two.say("resolve")
    two.calm()
    two.say("reopen")
    two.calm()
    assert two.actions == ["trigger", "acknowledge", "resolve", "trigger"]
    assert two.there.status == standing(two.incident) == "open"
    ack = two.deeds[1]
    assert ack.key == ack.token == f"follow/{two.name}/1/on-call"
    assert ack.params == {"incident": two.name, "routing_key": "env:KEY"}
    assert (ack.repeat, ack.effect) == ("state", "tell")


def test_what_a_person_does_there_is_done_here_and_not_sent_back() -> None:
    two = called()
    for verb, status in (("ack", "acknowledged"), ("unack", "open"), ("ack", "acknowledged"), ("resolve", "resolved")):
        two.act(verb)
        two.calm()
        assert standing(two.incident) == two.there.status == status
    assert [(one.what, one.by) for one in two.incident.timeline[-4:]] == [
        ("acknowledged", "bob"),
        ("let go", "bob"),
        ("acknowledged", "bob"),
        ("resolved", "bob"),
    ]
    two.act("reopen")
    two.calm()
    assert two.incident.status == "open"
    assert two.actions == ["trigger"]


def test_a_word_that_comes_twice_or_late_says_nothing() -> None:
    two = called()
    two.act("ack")
    two.hear(again=True)
    two.act("resolve")
    two.hear(1)
    assert two.incident.status == "resolved"
    two.hear()
    two.calm()
    assert two.incident.status == "resolved"
    assert [one.what for one in two.incident.timeline].count("acknowledged") == 1


def test_an_hour_without_the_other_loses_nothing() -> None:
    two = Two()
    two.say("ack")
    for _ in range(60):
        while two.waiting:
            two.answer("unreachable")
        two.tell(at=two.now + 60.0)
        two.restart()
    two.calm()
    assert two.there.history == ["open", "acknowledged"]
    assert two.now - T0 < 3600.0 + 600.0


def test_what_is_over_before_it_was_heard_there_is_not_called_for() -> None:
    two = Two()
    two.answer("unreachable")
    two.say("resolve")
    two.calm()
    assert (two.there.history, two.incident.status) == ([], "resolved")


@pytest.mark.parametrize("how", ["in_doubt", "unknown"])
def test_what_may_have_been_heard_is_ended_there(how: str) -> None:
    two = Two()
    two.answer(how)
    two.say("resolve")
    two.calm()
    assert two.there.status == "resolved"


def test_a_page_that_may_have_come_before_somebody_ended_it_there_is_not_taken_to_be_open() -> None:
    two = Two()
    two.answer("in_doubt")
    two.act("resolve")
    two.hear()
    two.hear()
    assert two.incident.status == "resolved"
    two.tell(at=two.now + 30.0)
    two.answer("unreachable")
    two.say("reopen")
    two.say("ack")
    two.calm()
    assert two.there.status == standing(two.incident) == "acknowledged"


def test_only_the_last_of_many_acts_is_said() -> None:
    two = called()
    two.say("ack")
    two.answer("unreachable")
    two.say("resolve")
    two.calm()
    assert two.actions[-1] == "resolve"
    assert two.there.history == ["open", "resolved"]


def test_notes_from_there_stand_in_the_timeline() -> None:
    two = called()
    word = CommandRecord(
        at=two.now, source="pd", id="n1", verb="follow", by="bob", args={"status": "note", "there": "P1", "note": "db"}
    )
    two.tell(word, word)
    assert (two.incident.timeline[-1].what, two.incident.timeline[-1].text) == ("note", "db")
    two.tell(CommandRecord(at=two.now, source="pd", id="n2", verb="follow", args={"status": "note", "there": "P2"}))
    assert [one.text for one in two.incident.timeline if one.what == "note"] == ["db"]


def test_what_is_not_about_our_incidents_leaves_no_trace() -> None:
    scene = Scene()
    scene.tell(says("follow", "somebody-elses", status="resolved"))
    assert scene.decisions == []


def test_a_route_that_does_not_follow_is_left_alone() -> None:
    two = Two(Route(name="on-call", action="pd.trigger"))
    two.calm()
    two.say("resolve")
    assert (two.actions, two.engine.state.followed) == (["trigger"], {})
    two.act("ack")
    two.calm()
    assert two.incident.status in {"acknowledged", "resolved"}


def test_steps_of_a_chain_follow_as_routes_do() -> None:
    two = Two(ALONG_ROUTE)
    two.calm()
    two.tell(at=two.now + 31.0)
    two.answer()
    assert (two.actions, two.there.history) == (["trigger", "trigger"], ["open"])
    assert two.deeds[0].lane == two.deeds[1].lane == f"{two.name}/web/1/all"
    two.act("ack")
    two.calm()
    assert (two.incident.status, two.incident.acknowledged_by) == ("acknowledged", "bob")
    two.tell(at=two.now + 300.0)
    two.say("resolve")
    two.calm()
    two.say("reopen")
    two.calm()
    assert two.actions == ["trigger", "trigger", "resolve", "trigger"]
    assert (two.there.status, standing(two.incident)) == ("open", "open")
    assert two.deeds[2].params == {"incident": two.name, "routing_key": "env:KEY"}
    assert len(two.engine.state.followed[two.name]) == 1


def test_whom_a_chain_calls_by_a_key_of_their_own_is_told_of_the_end_and_not_called_again() -> None:
    step = replace(STEP, params={"routing_key": "${oncall.id}"})
    two = Two(ALONG_ROUTE, chain=replace(ALONG, stages=(step, replace(step, rota="", people=("cy",), to="person/cy"))))
    two.calm()
    two.tell(at=two.now + 31.0)
    two.answer()
    first = two.deeds[0].params["routing_key"]
    assert [one.params["routing_key"] for one in two.deeds] == [first, "cy"]
    two.say("resolve")
    while two.waiting:
        two.answer()
    assert sorted(one.params["routing_key"] for one in two.deeds[2:]) == sorted([first, "cy"])
    two.say("reopen")
    while two.waiting:
        two.answer()
    assert [(one.action, one.params["routing_key"]) for one in two.deeds[4:]] == [("pd.trigger", "cy")], "its turn"


HERE = ("ack", "resolve", "reopen")
ELSEWHERE = ("ack", "unack", "resolve", "reopen")


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from((0.0, -5.0, 5.0, 90.0, -90.0)), st.booleans())
def test_both_end_alike_whatever_people_do_and_however_words_travel(seed: int, skew: float, along: bool) -> None:
    chance = random.Random(seed)
    two = Two(ALONG_ROUTE if along else ROUTE, skew=skew)
    for _ in range(chance.randrange(3, 25)):
        two.tell(at=two.now + chance.choice((0.0, 0.5, 3.0, 20.0)))
        what = chance.random()
        if what < 0.25:
            two.say(chance.choice(HERE))
        elif what < 0.5:
            two.act(chance.choice(ELSEWHERE))
        elif what < 0.75 and two.waiting:
            two.answer(
                chance.choice(("done", "done", "unreachable", "in_doubt", "unknown")),
                chance.randrange(len(two.waiting)),
            )
        elif what < 0.97 and two.there.words:
            two.hear(chance.randrange(len(two.there.words)), again=chance.random() < 0.2)
        else:
            two.restart()
    chance.shuffle(two.there.words)
    two.calm()
    if two.there.status:
        assert standing(two.incident) == two.there.status, (two.actions, two.there.history)
    before = [one for one in two.deeds if not is_page(one)]
    two.tell(at=two.now + 1.0)
    two.calm()
    assert [one for one in two.deeds if not is_page(one)] == before
