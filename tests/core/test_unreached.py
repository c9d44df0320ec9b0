"""Who gets no work while those who ask it go on asking others is in trouble itself, and is told first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest

from core.scene import T0, Scene, consistent, fires, rulebook
from quell.core.families import Family
from quell.core.graph import Graph
from quell.core.reach import FEW_SENDERS, key
from quell.core.symptoms import Case
from quell.core.unreached import EACH, MOST, Unreached
from quell.model.rulebook import Correlate
from quell.model.state import Unit
from quell.model.topology import Dependency, Entity

ASKED = ["ads", "hints", "reviews", "search"]
CALLS = [
    *(("front", one) for one in ASKED),
    ("proxy", "front"),
    ("front", "money"),
    ("till", "money"),
    ("front", "till"),
    ("hints", "hosts"),
]
EDGES = tuple(Dependency(from_=f"service/{a}", to=f"service/{b}", type="calls") for a, b in CALLS)
ENTITIES = tuple(Entity(entity=name) for name in sorted({end for edge in EDGES for end in (edge.from_, edge.to)}))


def case(*units: Unit) -> Case:
    return Case(units, defaultdict(dict))


def peers(
    entity: str,
    *others: tuple[str, Family, float],
    itself: bool = False,
    edges: Sequence[Dependency] = EDGES,
    more: Sequence[str] = (),
    told_apart: Sequence[str] = (),
) -> int:
    """How many go on beside an entity that gets no work, where these others are in trouble so long after it.

    Those that are ``told_apart`` are in trouble for another reason.
    """
    graph = Graph([*ENTITIES, *(Entity(entity=name) for name in more)], edges, Correlate())
    units = {
        at: Unit(
            id=at, entity=f"service/{name}", family=family, first=T0 + after, onset=T0 + after, last=T0 + after,
            group=0, itself=itself and family == Family.FAILING,
        )
        for at, (name, family, after) in enumerate([(entity, Family.IDLE, 0.0), *others])
    }  # fmt: skip
    together = [unit for unit in units.values() if unit.entity.removeprefix("service/") not in told_apart]
    places: defaultdict[int, list[int]] = defaultdict(list)
    for unit in units.values():
        places[key(graph.node(unit.entity), unit.family)].append(unit.id)
    return Unreached(graph, lambda at: places.get(at, []), units).peers(units[0], case(*together))


FAILS = ("front", Family.FAILING, -100.0)


def test_those_that_go_on_are_counted() -> None:
    assert peers("ads", FAILS) == 4  # hints, reviews, search and till get all their work from the same
    assert peers("ads", FAILS, ("proxy", Family.IDLE, -50.0)) == 4  # who asks those who ask it is another matter


@pytest.mark.parametrize(
    "others",
    [
        (),  # nobody fails who would send it work
        (("front", Family.SLOW, -100.0),),
        (("front", Family.FAILING, -1000.0),),  # long ago
        (FAILS, ("front", Family.IDLE, -50.0)),  # who sends it work gets none
        (FAILS, ("hints", Family.IDLE, 30.0)),  # others get none either: it is sent no more
        (FAILS, ("money", Family.IDLE, 30.0)),  # also where others ask that as well
    ],
)
def test_it_says_nothing_if_nobody_need_send_it_any(others: tuple[tuple[str, Family, float], ...]) -> None:
    assert peers("ads", *others) == 0


def test_callers_that_fail_for_another_reason_say_nothing() -> None:
    assert peers("ads", FAILS, told_apart=["front"]) == 0
    assert peers("ads", FAILS, told_apart=["proxy"]) == 4


def test_who_does_not_run_sends_no_work() -> None:
    assert peers("ads", FAILS, itself=True) == 0


def test_an_entity_without_any_like_it_tells_nothing() -> None:
    assert peers("hosts", ("hints", Family.FAILING, -60.0)) == 0
    assert peers("front", ("proxy", Family.FAILING, -60.0)) == 0
    assert peers("stranger", FAILS) == 0


def test_of_many_who_send_work_some_of_it_arrives() -> None:
    more = [Dependency(from_=f"service/c{at}", to="service/ads", type="calls") for at in range(FEW_SENDERS)]
    assert peers("ads", FAILS, edges=(*EDGES, *more)) == 0


def test_what_fails_only_says_nothing() -> None:
    graph = Graph(ENTITIES, EDGES, Correlate())
    unit = Unit(id=0, entity="service/ads", family=Family.FAILING, first=T0, onset=T0, last=T0, group=0)
    assert Unreached(graph, lambda _at: [], {0: unit}).nats(unit, case(unit)) == 0.0


def test_it_is_worth_more_the_more_go_on_and_has_a_limit() -> None:
    graph = Graph(ENTITIES, EDGES, Correlate())
    unit = Unit(id=0, entity="service/ads", family=Family.IDLE, first=T0, onset=T0, last=T0, group=0)
    front = Unit(id=1, entity="service/front", family=Family.FAILING, first=T0, onset=T0, last=T0, group=0)
    there = {key(graph.node("service/front"), Family.FAILING): [1]}
    assert (
        Unreached(graph, lambda at: there.get(at, []), {0: unit, 1: front}).nats(unit, case(unit, front))
        == min(MOST, 4 * EACH)
        == MOST
    )


def scene(*starved: str) -> Scene:
    told = Scene(rulebook(entities=ENTITIES, dependencies=EDGES))
    told.tell(
        fires("front", 0.0),
        fires("proxy", 10.0),
        fires("proxy", 20.0, "HighLatency"),
        *(fires(name, 120.0 + at, "NoRequestsReceived", "warning") for at, name in enumerate(starved)),
    )
    told.wait(300.0)
    consistent(told.engine)
    return told


def test_it_is_the_first_suspect_and_its_evidence_says_why() -> None:
    first = scene("ads").incident.suspects[0]
    assert first.entity == "service/ads"
    (told,) = [one for one in first.evidence if one.code == "unreached"]
    assert told.text == "service/ads gets no work, though those who ask it go on asking 4 others"
    assert told.weight == MOST


def test_where_several_get_no_work_whoever_sends_it_is_first() -> None:
    suspects = scene("ads", "hints", "reviews").incident.suspects
    assert suspects[0].entity == "service/front"
    assert all(one.code != "unreached" for suspect in suspects for one in suspect.evidence)


def test_no_incident_comes_or_goes_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = scene("ads").incident
    monkeypatch.setattr(Unreached, "peers", lambda *_: 0)
    without = scene("ads").incident
    assert without.suspects[0].entity == "service/front"
    assert (with_it.alerts, with_it.opened_at) == (without.alerts, without.opened_at)


def test_where_no_dependency_is_known_nobody_is_known_to_send_work() -> None:
    assert peers("ads", FAILS, edges=()) == 0


def test_it_speaks_as_much_for_where_an_entity_stands() -> None:
    stands = Dependency(from_="service/ads", to="host/h1", type="runs_on")
    told = Scene(rulebook(entities=(*ENTITIES, Entity(entity="host/h1")), dependencies=(*EDGES, stands)))
    told.tell(
        fires("h1", 0.0, "HostDown", entity="host/h1"),
        fires("h1", 5.0, "PingFails", entity="host/h1"),
        fires("front", 20.0),
        fires("proxy", 30.0),
        fires("ads", 150.0, "NoRequestsReceived", "warning"),
    )
    told.wait(300.0)
    first = told.incident.suspects[0]
    assert first.entity == "host/h1"
    assert told.services(told.incident) >= {"front", "ads"}


def test_where_dependencies_are_missing_nobody_knows_who_else_sends_work() -> None:
    names = [f"service/s{at}" for at in range(50)]
    placed = [Dependency(from_=name, to="host/h1", type="runs_on") for name in names[:40]]
    assert peers("ads", FAILS, edges=(*EDGES, *placed)) == 4  # the others are not known to be
    assert peers("ads", FAILS, edges=(*EDGES, *placed), more=names) == 0
