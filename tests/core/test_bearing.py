"""What bears on a suspect besides what it explains: its own word, and what it asks that says nothing."""

from __future__ import annotations

from math import log

import pytest

from core.scene import T0, Scene, fires, outage, rulebook
from quell.core.bearing import asked, by_itself, unknown, with_unknown
from quell.core.graph import Graph
from quell.model.incident import Evidence, Suspect
from quell.model.rulebook import Correlate
from quell.model.state import Unit
from quell.model.topology import Dependency, Entity

EDGES = [Dependency(from_="service/till", to=f"service/{name}", type="calls") for name in ("a", "b", "c", "d", "e")]
EDGES.append(Dependency(from_="service/till", to="host/h1", type="runs_on"))
ENTITIES = [Entity(entity=name) for name in sorted({end for edge in EDGES for end in (edge.from_, edge.to)})]
OWN = Evidence(code="alerts_itself", text="", weight=3.0)


def told(*alerting: str, of: str = "service/till") -> Suspect:
    graph = Graph(ENTITIES, EDGES, Correlate())
    units = [
        Unit(id=at, entity=f"service/{name}", family=0, first=T0, onset=T0, last=T0, group=0)
        for at, name in enumerate(alerting)
    ]
    return with_unknown(Suspect(entity=of, evidence=(OWN,)), units, graph)


def test_what_it_asks_that_says_nothing_is_named_and_where_it_stands_is_not() -> None:
    first, said = told("till", "b").evidence
    assert first == OWN
    assert (
        said.text == "4 of what it asks do not alert and may fail it in silence: service/a, service/c, service/d, ..."
    )
    assert asked([said]) == pytest.approx(log(5), abs=0.001)
    (_, said) = told("till", "a", "b", "c", "d").evidence
    assert said.text == "1 of what it asks does not alert and may fail it in silence: service/e"


def test_a_leaf_and_one_of_which_all_alerts_ask_nothing_in_silence() -> None:
    assert told("till", "a", "b", "c", "d", "e").evidence == (OWN,)
    assert told("till", of="service/a").evidence == (OWN,)
    assert asked([OWN]) == 0.0


def test_who_says_that_it_is_broken_itself_has_that_as_evidence() -> None:
    scene = Scene()
    scene.tell(*outage(), fires("ledger", 5.0, "PodCrashLooping"))
    scene.wait(60.0)
    first = scene.incident.suspects[0]
    assert first.entity == "service/ledger"
    assert not by_itself(first.evidence)  # nothing is known that it asks: nobody could have failed it
    scene = Scene()
    scene.tell(*outage(of=("payments", "checkout", "frontend")), fires("payments", 5.0, "PodCrashLooping"))
    scene.wait(60.0)
    first = scene.incident.suspects[0]
    assert first.entity == "service/payments"
    assert by_itself(first.evidence)
    assert asked(first.evidence) == 0.0  # whatever the ledger is silent about did not make it crash


def test_only_the_first_is_told_what_it_asks() -> None:
    scene = Scene(rulebook())
    scene.tell(*outage(of=("payments", "checkout", "frontend")))
    scene.wait(60.0)
    first, *others = scene.incident.suspects
    assert asked(first.evidence) > 0.0
    assert all(asked(one.evidence) == 0.0 for one in others)


def test_where_dependencies_are_missing_that_is_said() -> None:
    placed = [Dependency(from_=f"service/s{at}", to="host/h1", type="runs_on") for at in range(40)]
    names = sorted({*(edge.from_ for edge in placed), *(f"service/s{at}" for at in range(50)), "host/h1"})
    graph = Graph([Entity(entity=name) for name in names], placed, Correlate())
    assert graph.gaps.some
    suspect = with_unknown(Suspect(entity="service/s1", evidence=(OWN,)), [], graph)
    (said,) = [one for one in suspect.evidence if one.code == "gaps"]
    assert said.text == "about 20% of all dependencies are not known: the cause may lie beyond one of these"
    assert unknown(suspect.evidence) == pytest.approx(2.0)
    assert unknown([OWN]) == 0.0
