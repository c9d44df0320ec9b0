"""Pages of one incident to one place come in order, whatever is lost on the way: none overtakes another."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from core.scene import LAB, SHOP, T0, ends, fires, rulebook, says
from core.stage import Stage, incident, playbook, step
from quell.core.engine import Engine
from quell.core.lanes import UNANSWERED_S
from quell.core.paging import LONGEST_WAIT_S
from quell.model.decision import Audit, Perform
from quell.model.oncall import Chain, Rota
from quell.model.oncall import Stage as ChainStep
from quell.model.records import AnyRecord, CommandRecord, StepFinished
from quell.model.rulebook import Route, Triage

EXAMPLES = 2_000 if os.environ.get("QUELL_LONG") else 60
CHAIN = Chain(
    name="web",
    stages=(
        ChainStep(action="phone.call", params={"who": "${oncall.id}"}, people=("ana", "bo"), to="role/a", wait_s=120.0),
        ChainStep(action="phone.call", params={"who": "${oncall.id}"}, rota="web", to="rota/web", wait_s=60.0),
        ChainStep(action="chat.say", to="chat.say", wait_s=60.0),
    ),
    repeat=3,
)
ROUTES = (
    Route(name="mail", action="mail.send"),
    Route(name="desk", action="chat.say", params={"severity": "${incident.severity}"}),
    Route(name="calls", action="", chain="web"),
)
BOOK = rulebook(
    routes=ROUTES,
    chains=(CHAIN,),
    rotas=(Rota(name="web", people=("ana", "cy"), first_day=719164, every_days=1),),
    triage=Triage(remind_after_s=120.0),
)


class Line:
    """Quell and all that calls people, with answers that are lost, late and out of order."""

    def __init__(self) -> None:
        self.engine = Engine(BOOK)
        self.now = T0
        self.under_way: list[Perform] = []
        self.wire: list[Perform] = []
        self.done: set[str] = set()
        self.given_up: set[str] = set()
        self.decided: dict[str, dict[str, float]] = defaultdict(dict)
        """By lane: the tokens of its pages, in order."""

    def tell(self, *records: AnyRecord, at: float | None = None) -> None:
        self.now = max(self.now, self.now if at is None else at)
        decisions = self.engine.decide(records, self.now)
        self.given_up |= {
            one.target for one in decisions if isinstance(one, Audit) and one.what == "page not delivered"
        }
        for deed in (one for one in decisions if isinstance(one, Perform)):
            lanes = {one.lane for one in self.under_way}
            assert deed.lane not in lanes, "two of one lane are under way"
            self.under_way.append(deed)
        for telling in sorted(self.engine.state.telling.values(), key=lambda one: one.number):
            self.decided[telling.deed.lane].setdefault(telling.deed.token, telling.number)

    def answer(self, how: str, nth: int = 0) -> None:
        deed = self.under_way.pop(nth)
        if how != "unreachable":
            assert deed.token not in self.done, "what has arrived is not sent again"
            self.wire.append(deed)
        if how == "done":
            self.done.add(deed.token)
        outcome: Any = "failed" if how == "unreachable" else how
        failure = how if how == "unreachable" else ""
        self.tell(StepFinished(at=self.now, key=deed.key, outcome=outcome, failure=failure))

    def restart(self) -> None:
        self.engine = Engine.restored(BOOK, self.engine.snapshot())
        self.tell(CommandRecord(at=self.now, verb="resumed"))

    def calm(self) -> None:
        """The line is well again: all that is still to be told arrives."""
        for _ in range(2000):
            while self.under_way:
                self.answer("done")
            if not self.engine.state.telling:
                return
            due = self.engine.next_due()
            assert due is not None
            self.tell(at=max(due, self.now))
        raise AssertionError("it does not come to rest")

    def stands_still(self) -> set[str]:
        """Lanes in which nothing is under way and nothing will be soon."""
        busy = {one.lane for one in self.under_way}
        late = self.now + LONGEST_WAIT_S
        soon = {
            one.deed.lane for one in self.engine.state.telling.values() if one.due_at is not None and one.due_at <= late
        }
        return {one.deed.lane for one in self.engine.state.telling.values()} - busy - soon


def something(chance: random.Random, line: Line) -> AnyRecord:
    at = line.now - T0
    service = chance.choice([*SHOP, *LAB, "ledger", "disk"])
    severity = chance.choice(("warning", "critical", "critical"))
    what = chance.random()
    if what < 0.6 or not line.engine.state.incidents:
        return fires(service, at, chance.choice(("HighErrorRate", "Slow", "Down")), severity)
    if what < 0.75:
        return ends(service, at, "HighErrorRate", severity)
    name = chance.choice(sorted(line.engine.state.incidents))
    return says(chance.choice(("ack", "resolve", "reopen")), name, at)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_pages_keep_their_order_and_none_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    line = Line()
    for step_ in range(4):
        line.tell(*(fires(one, step_ * 12.0) for one in (("ledger", "payments", "checkout", "frontend")[step_],)))
    line.tell(*(fires(one, 60.0) for one in ("disk", "warehouse", "reports")), at=T0 + 60.0)
    for _ in range(chance.randrange(5, 60)):
        line.tell(at=line.now + chance.choice((0.0, 1.0, 11.0, 40.0, 130.0)))
        while line.under_way and line.under_way[0].at + UNANSWERED_S / 2 < line.now:  # an attempt has its time limit
            line.answer(chance.choice(("unreachable", "in_doubt")))
        what = chance.random()
        if what < 0.35:
            line.tell(something(chance, line))
        elif what < 0.95 and line.under_way:
            how = chance.choice(("done", "unreachable", "unreachable", "in_doubt"))
            line.answer(how, chance.randrange(len(line.under_way)))
        else:
            line.restart()
        assert not line.stands_still()
    line.calm()
    for lane, tokens in line.decided.items():
        heard = [deed.token for deed in line.wire if deed.lane == lane]
        order = list(tokens)
        assert [order.index(token) for token in heard] == sorted(order.index(token) for token in heard), lane
        told = line.engine.state.incidents[lane.split("/", 1)[0]]
        if told.is_open and told.id not in line.given_up:
            assert order[-1] in line.done, "the latest of all has arrived"


def paged(*routes: Route) -> Stage:
    stage = Stage(routes=routes or (Route(name="on-call", action="pager.call"),))
    stage.state.incidents["INC-1"] = incident()
    stage.decisions += stage.automation.pages(incident(), None, T0, "trouble", "1")
    return stage


def more(stage: Stage, text: str, reason: str) -> None:
    stage.decisions += stage.automation.pages(incident(), None, stage.now, text, reason)


def texts(stage: Stage) -> list[str]:
    return [one.params["text"] for one in stage.performs]


def test_what_waits_for_the_answer_of_another_is_told_after_it() -> None:
    stage = paged()
    more(stage, "worse", "2")
    assert texts(stage) == ["trouble"]
    stage.restart().answer()
    assert texts(stage) == ["trouble", "worse"]
    stage.answer()
    assert stage.state.telling == {}


def test_a_page_that_did_not_arrive_gives_way_to_a_newer_one() -> None:
    stage = paged()
    stage.fail("unreachable")
    stage.at(5)
    more(stage, "worse", "2")
    assert texts(stage) == ["trouble", "worse"]
    assert stage.audits == [
        "quell page replaced INC-1: pager.call after 1 attempt: page/INC-1/2/on-call is told instead"
    ]
    stage.answer()
    stage.at(86_400)
    assert (texts(stage), stage.state.telling) == (["trouble", "worse"], {})


def test_of_several_that_wait_only_the_newest_is_told() -> None:
    stage = paged()
    more(stage, "worse", "2")
    more(stage, "far worse", "3")
    stage.fail("unreachable")
    assert texts(stage) == ["trouble", "far worse"]


def test_what_a_run_asks_waits_for_its_turn_and_is_not_replaced() -> None:
    stage = Stage(playbook(step("one", check="false", otherwise="escalate"), mode="enforce"))
    stage.state.incidents["INC-1"] = incident()
    stage.decisions += stage.automation.pages(incident(), None, T0, "trouble", "1")
    page = stage.performs[-1].key
    stage.news()
    stage.answer()
    assert [one.action for one in stage.performs] == ["pager.call", "argocd.rollback"], "the page is not answered"
    stage.answer(page, "failed", failure="unreachable")
    more(stage, "worse", "2")
    stage.answer()
    stage.answer()
    asked = "Playbook rollback (run"
    assert [one.params["text"].partition(" R-")[0] for one in stage.performs if one.action == "pager.call"] == [
        "trouble",
        asked,
        "worse",
    ]
    assert stage.state.telling == {}


def test_other_incidents_and_places_do_not_wait() -> None:
    two = (Route(name="on-call", action="pager.call"), Route(name="mail", action="mail.send"))
    stage = paged(*two)
    stage.state.incidents["INC-2"] = incident("INC-2")
    stage.decisions += stage.automation.pages(incident("INC-2"), None, T0, "other trouble", "1")
    assert len(stage.performs) == 4
    stage.answer("page/INC-1/1/on-call")
    more(stage, "worse", "2")
    assert stage.performs[-1].key == "page/INC-1/2/on-call"


def test_an_answer_that_never_comes_holds_nothing_back_for_ever() -> None:
    stage = paged()
    more(stage, "worse", "2")
    stage.at(UNANSWERED_S - 1)
    assert texts(stage) == ["trouble"]
    stage.at(UNANSWERED_S)
    assert texts(stage) == ["trouble", "worse"]
    stage.answer("page/INC-1/1/on-call", "failed", failure="unreachable")
    assert stage.automation.next_due() > stage.now
    stage.answer("page/INC-1/2/on-call")
    stage.at(2 * UNANSWERED_S)
    assert texts(stage) == ["trouble", "worse"], "what was true before is not told after what is"
    assert stage.state.telling == {}


def test_an_answer_that_comes_after_a_newer_page_arrived_changes_nothing() -> None:
    stage = paged()
    more(stage, "worse", "2")
    stage.at(UNANSWERED_S)
    stage.answer("page/INC-1/2/on-call")
    assert stage.state.telling == {}
    stage.answer("page/INC-1/1/on-call", "failed", failure="unreachable")
    stage.at(86_400)
    assert texts(stage) == ["trouble", "worse"]


def test_after_a_restart_the_answer_is_awaited_anew() -> None:
    stage = paged()
    more(stage, "worse", "2")
    stage.now = T0 + 3600.0
    stage.restart()
    stage.decisions += stage.automation.resumed(stage.now)
    stage.at(3600.0)
    assert texts(stage) == ["trouble"], "it is being taken up by the ledger"
    stage.answer()
    assert texts(stage) == ["trouble", "worse"]


def test_what_is_over_by_its_turn_is_not_told() -> None:
    stage = paged()
    more(stage, "worse", "2")
    stage.state.incidents["INC-1"] = incident(status="resolved")
    stage.answer()
    assert (texts(stage), stage.state.telling) == (["trouble"], {})
    assert stage.audits[-1].endswith("pager.call after 0 attempts: incident INC-1 is resolved by now")


def test_a_page_of_another_kind_hurries_the_first_but_not_before_the_other_side_wants_one() -> None:
    stage = paged()
    for offset in (0, 10, 40):
        stage.at(offset)
        stage.fail("unreachable")
    more(stage, "a question", "R")
    ask = [one for one in stage.state.telling.values() if one.attempt == 0]
    assert ask == [], "it replaces the page, as it says the same to the same people"
    stage = paged(Route(name="on-call", action="pager.call", params={"urgent": "${title}"}))
    stage.answer(outcome="failed", failure="unreachable", retry_after_s=100.0)
    stage.decisions += stage.automation.pages(replace(incident(), title="other"), None, stage.now, "worse", "2")
    assert texts(stage) == ["trouble"]
    stage.at(99)
    assert texts(stage) == ["trouble"]
    stage.at(100)
    stage.answer()
    assert texts(stage) == ["trouble", "trouble", "worse"]


def test_whom_a_chain_could_not_reach_is_not_called_once_somebody_has_it() -> None:
    step = ChainStep(action="phone.call", params={"who": "${oncall.id}"}, people=("bo",), to="person/bo")
    stage = Stage(routes=(Route(name="calls", action="", chain="web"), Route(name="mail", action="mail.send")))
    stage.rulebook = replace(stage.rulebook, chains=(Chain(name="web", stages=(step,)),))
    stage.restart()
    stage.state.incidents["INC-1"] = incident()
    stage.decisions += stage.automation.pages(incident(), None, T0, "trouble", "1")
    call, mail = stage.performs
    for deed in (call, mail):
        stage.answer(deed.key, "failed", failure="unreachable")
    stage.state.incidents["INC-1"] = incident(status="acknowledged", acknowledged_by="ana")
    stage.at(10)
    assert [one.key for one in stage.performs[2:]] == [f"{mail.key}/2"], "who reads mail is told all the same"
    assert stage.audits == ["quell page not delivered INC-1: phone.call after 1 attempt: ana has taken INC-1 by now"]
