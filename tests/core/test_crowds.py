"""Many alerts that would page alone at one time are told of together, and none of them is lost for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, Scene, consistent, matcher, rulebook, says, silence
from quell.core.crowds import Crowds
from quell.core.engine import Engine
from quell.expressions.matchers import parse_matchers
from quell.model.alert import fingerprint
from quell.model.decision import IncidentChanged, Page
from quell.model.incident import Incident
from quell.model.records import AlertRecord, DependencyRecord
from quell.model.rulebook import Route, Triage, TriageRule

HOUR = 3600.0
BARE: dict[str, Any] = {"entities": (), "dependencies": ()}


def lone(number: int, at: float = 0.0, name: str = "", status: Any = "firing", **labels: str) -> AlertRecord:
    """A critical alert that has nothing in common with any other."""
    told = {"alertname": name or f"Rule{number}", "instance": f"i-{number * 7919 % 99991:05x}", "severity": "critical"}
    times: dict[str, float] = {"starts_at": T0 + at} if status == "firing" else {"ends_at": T0 + at}
    return AlertRecord(at=T0 + at, status=status, labels={**told, **labels}, source="prom", **times)


def mark(record: AlertRecord) -> str:
    return fingerprint(record.labels, record.source)


def crowd(scene: Scene) -> Incident:
    (only,) = [one for one in scene.incidents if one.crowd]
    return only


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("apart", [0.0, 2.5])
def test_a_hundred_at_once_are_one_page(restarts: bool, apart: float) -> None:
    scene = Scene(rulebook(**BARE))
    records = [lone(number, apart * number) for number in range(100)]
    scene.tell(*records)
    if restarts:
        scene.wait(400.0)
        scene.restart()
    scene.wait(HOUR / 2)
    (page,) = scene.pages
    assert page.at <= T0 + 600.0
    told = crowd(scene)
    assert set(told.alerts) == {mark(record) for record in records}
    assert told.title == "100 critical alerts without known relation: Rule0, Rule1 and 98 more"
    assert page.reason == "100 alerts at one time, without known relation"
    assert len(scene.calls) == 1
    assert "Rule0: " in scene.calls[0].params["text"]
    assert "and 94 more rules" in scene.calls[0].params["text"]
    consistent(scene.engine)


def test_nobody_waits_for_longer() -> None:
    scene, alone = Scene(rulebook(**BARE)), Scene(rulebook(**BARE))
    alone.tell(lone(0))
    alone.wait(700.0)
    scene.tell(*(lone(number, 40.0 * number) for number in range(6)))
    scene.wait(1000.0)
    assert [page.at for page in scene.pages] == [page.at for page in alone.pages]


@pytest.mark.parametrize(
    ("names", "pages"),
    [
        ([""] * 4, 4),
        ([""] * 5, 1),
        (["Down"] * 2, 2),
        (["Down"] * 3, 1),
        (["Down", "Down", "Down", ""], 2),
    ],
)
def test_how_many_are_many(names: list[str], pages: int) -> None:
    scene = Scene(rulebook(**BARE))
    scene.tell(*(lone(number, 10.0 * number, name) for number, name in enumerate(names)))
    scene.wait(HOUR / 2)
    assert len(scene.pages) == pages


def test_what_comes_later_is_another_page() -> None:
    scene = Scene(rulebook(**BARE))
    scene.tell(*(lone(number, 10.0 * number) for number in range(5)), *(lone(10 + n, 400.0 + n) for n in range(6)))
    scene.wait(HOUR / 2)
    assert sorted(len(one.alerts) for one in scene.open) == [5, 6]
    assert len(scene.pages) == 2


def test_who_waits_for_other_pages_gets_them() -> None:
    """A page on one route is none on another, and neither is one with the key of another team."""
    ours = Route(name="ours", action="pager.call", matchers=parse_matchers("team=a"))
    theirs = Route(
        name="theirs", action="pager.call", matchers=parse_matchers('team=~"b|c"'), params={"to": "${labels.team}"}
    )
    scene = Scene(rulebook(**BARE, routes=(ours, theirs)))
    scene.tell(*(lone(number, team="abc"[number % 3]) for number in range(30)))
    scene.wait(HOUR / 2)
    assert len(scene.pages) == 3
    told = {(call.key.rsplit("/", 1)[1], call.params.get("to")) for call in scene.calls}
    assert told == {("ours", None), ("theirs", "b"), ("theirs", "c")}


def test_wording_and_what_only_the_incident_knows_keep_nothing_apart() -> None:
    route = Route(name="ours", action="pager.call", params={"text": "${labels.alertname}!", "key": "${incident.id}"})
    scene = Scene(rulebook(**BARE, routes=(route,)))
    scene.tell(*(lone(number) for number in range(30)))
    scene.wait(HOUR / 2)
    assert len(scene.pages) == 1


def test_what_a_team_wants_paged_at_once_is_paged_at_once() -> None:
    """One by one as it comes; together only what came together, whatever its severity."""
    rule = TriageRule(name="wages", matchers=parse_matchers("team=a"), verdict="page")
    scene = Scene(rulebook(**BARE, triage=Triage(rules=(rule,))))
    scene.tell(*(lone(number, team="b") for number in range(20, 22)))
    scene.tell(*(lone(number, team="a") for number in range(6)))
    assert len(scene.pages) == 6
    scene.tell(*(lone(number, team="a", severity="info") for number in range(10, 15)), at=20.0)
    assert len(scene.pages) == 7
    assert crowd(scene).title == "5 info alerts without known relation: Rule10, Rule11 and 3 more"


@pytest.mark.parametrize("restarts", [False, True])
def test_what_a_team_wants_paged_at_once_does_not_ask_all_that_are_held(
    restarts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a storm ten thousand wait for company; each page would look at them all."""
    rule = TriageRule(name="wages", matchers=parse_matchers("team=a"), verdict="page")
    scene = Scene(rulebook(**BARE, triage=Triage(rules=(rule,))))
    scene.tell(*(lone(number, team="b") for number in range(200)))
    if restarts:
        scene.restart()
    asked: list[str] = []
    usual = Crowds._waits

    def counted(crowds: Crowds, mark: str) -> bool:
        asked.append(mark)
        return usual(crowds, mark)

    monkeypatch.setattr(Crowds, "_waits", counted)
    for number in range(300, 310):
        scene.tell(lone(number, team="a"), at=number / 100)
    assert len(scene.pages) == 10
    assert len(asked) < 100


@pytest.mark.parametrize("named", [False, True])
def test_what_a_silence_held_back_is_one_page_when_that_ends(named: bool) -> None:
    """Also where no alert names an entity."""
    scene = Scene(rulebook(**BARE))
    scene.tell(silence("s", 0.0, HOUR, matcher("severity", "critical")))
    more = {} if named else {"instance": ""}
    scene.tell(*(lone(number, 10.0, **more) for number in range(40)))
    scene.wait(HOUR - 1.0)
    assert not scene.pages
    scene.restart()
    scene.wait(HOUR + 60.0)
    assert len(scene.pages) == 1
    assert len(crowd(scene).alerts) == 40


def test_without_a_wait_they_are_told_together_too() -> None:
    scene = Scene(rulebook(**BARE, triage=Triage(lone_page_after_s=0.0)))
    scene.tell(*(lone(number) for number in range(40)), at=0.0)
    scene.wait(60.0)
    assert len(scene.pages) == 1


def test_what_waits_for_another_reason_is_not_called_early() -> None:
    scene = Scene(rulebook(**BARE))
    scene.tell(*(lone(number) for number in range(5)), *(lone(10 + n, env="staging") for n in range(5)))
    scene.wait(700.0)
    assert len(crowd(scene).alerts) == 5
    scene.wait(HOUR + 60.0)
    assert len(scene.pages) == 2


def test_it_ends_when_all_are_over_and_comes_back_with_one() -> None:
    scene = Scene(rulebook(**BARE))
    scene.tell(*(lone(number) for number in range(10)))
    scene.wait(700.0)
    scene.tell(*(lone(number, 800.0, status="resolved") for number in range(9)))
    scene.wait(1200.0)
    assert crowd(scene).is_open
    scene.tell(lone(9, 1300.0, status="resolved"))
    scene.wait(1500.0)
    assert crowd(scene).status == "resolved"
    scene.tell(lone(3, 1600.0))
    assert crowd(scene).is_open
    consistent(scene.engine)


def test_a_firing_that_begins_anew_stands_for_itself() -> None:
    scene = Scene(rulebook(**BARE))
    scene.tell(*(lone(number) for number in range(10)))
    scene.wait(700.0)
    scene.tell(lone(3, 800.0, status="resolved"))
    scene.tell(lone(3, 2000.0))
    assert len(crowd(scene).alerts) == 9
    consistent(scene.engine)
    scene.wait(3000.0)
    assert len(scene.pages) == 2


def test_somebody_takes_it_and_nobody_is_reminded() -> None:
    scene = Scene(rulebook(**BARE))
    scene.tell(*(lone(number) for number in range(10)))
    scene.wait(700.0)
    scene.tell(says("ack", crowd(scene).id, 710.0))
    scene.wait(5 * HOUR)
    assert not scene.reminders


def test_why_says_that_nothing_is_known() -> None:
    scene = Scene(rulebook(**BARE))
    scene.tell(*(lone(number, name=f"Rule{number % 2}") for number in range(10)))
    scene.wait(700.0)
    text = scene.text()
    assert "nothing is known that its alerts have in common" in text
    assert "10 critical alerts without known relation: 5 Rule0, 5 Rule1" in text


def test_what_finds_its_company_leaves_the_crowd() -> None:
    """As dependencies are told and more of it fires, some of it becomes an incident with a cause."""
    services = ("ledger", "payments", "checkout", "frontend")
    scene = Scene(rulebook(entities=(), dependencies=()))
    scene.tell(*(lone(number) for number in range(6)))
    scene.tell(*(lone(10 + at, 12.0 * at, instance="", service=name) for at, name in enumerate(services)))
    scene.wait(610.0)
    before = crowd(scene)
    assert len(scene.pages) == 1
    assert len(before.alerts) == 10
    for number, (caller, callee) in enumerate(zip(services[1:], services, strict=False)):
        at = T0 + 620.0 + number
        scene.tell(DependencyRecord(at=at, from_=f"service/{caller}", to=f"service/{callee}", type="calls"))
    for at, name in enumerate(services):
        scene.tell(lone(20 + at, 640.0 + at, f"SlowRequests{at}", instance="", service=name))
    scene.wait(800.0)
    consistent(scene.engine)
    scene.restart()
    found = [one for one in scene.open if not one.crowd]
    moved = {name for one in found for name in one.alerts}
    left = crowd(scene)
    assert set(left.alerts) == set(before.alerts) - moved == {mark(lone(number)) for number in range(6)}
    assert left.title == "6 critical alerts without known relation: Rule0, Rule1 and 4 more"
    scene.tell(*(lone(number, 900.0, status="resolved") for number in range(6)))
    for at, name in enumerate(services):
        over: dict[str, Any] = {"status": "resolved", "instance": "", "service": name}
        scene.tell(lone(10 + at, 910.0, **over), lone(20 + at, 910.0, f"SlowRequests{at}", **over), at=910.0)
    scene.wait(2 * HOUR)
    assert not scene.open
    consistent(scene.engine)


STORY = st.lists(
    st.tuples(
        st.integers(0, 30), st.floats(0.0, 1500.0), st.sampled_from([60.0, 500.0, 800.0, 5000.0]), st.integers(0, 2)
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(story=STORY, restarts=st.booleans())
def test_whatever_would_page_alone_is_told_no_later(story: list[tuple[int, float, float, int]], restarts: bool) -> None:
    book = rulebook(**BARE, triage=Triage(learn=False))
    together, apart = Scene(book), Scene(book)
    firings: dict[int, tuple[float, float, str]] = {n: (at, lasts, f"Rule{k}") for n, at, lasts, k in story}
    for number, (at, lasts, name) in firings.items():
        records = [lone(number, at, name), lone(number, at + lasts, name, "resolved")]
        single = Scene(book)
        single.tell(*records)
        single.wait(8000.0)
        apart.decisions += single.decisions
    told = sorted(
        (record for number, (at, lasts, name) in firings.items()
         for record in (lone(number, at, name), lone(number, at + lasts, name, "resolved"))),
        key=lambda record: record.at,
    )  # fmt: skip
    for record in told:
        together.tell(record)
        if restarts:
            together.restart()
    together.wait(8000.0)
    consistent(together.engine)

    def first_told(scene: Scene) -> dict[str, float]:
        """When each alert was first in an incident that had paged."""
        when: dict[str, float] = {}
        for one in scene.decisions:
            if isinstance(one, IncidentChanged) and one.incident.paged_at is not None:
                for name in one.incident.alerts:
                    when.setdefault(name, one.at)
        return when

    pages = [one for one in together.decisions if isinstance(one, Page)]
    late, never = first_told(together), first_told(apart)
    assert len(pages) <= len([one for one in apart.decisions if isinstance(one, Page)])
    for name, at in never.items():
        assert late[name] <= at


def test_whoever_reads_meanwhile_finds_the_incident_that_alerts_name() -> None:
    engine = Engine(rulebook(**BARE))
    engine.decide([lone(number) for number in range(20)], T0)
    state, named = engine.state, 0
    for second in range(0, 1000, 5):
        for _ in engine.parts([], T0 + second):
            names = {alert.incident for alert in state.alerts.values() if alert.incident is not None}
            assert names <= state.incidents.keys()
            named += len(names)
    assert named
