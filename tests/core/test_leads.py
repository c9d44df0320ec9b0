"""A change of data is weighed only where it may show, and what comes out is as if all were weighed anew."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from core.scene import T0, rulebook
from quell.core.engine import Engine
from quell.core.graph import Graph
from quell.core.leads import downstream
from quell.core.trail import trail
from quell.core.web import Web
from quell.model.records import AlertRecord, AnyRecord, ChangeRecord, ChangeType, DependencyRecord
from quell.model.rulebook import Correlate
from quell.model.topology import Change, Dependency, Entity

KINDS = ("dataset", "feature", "model", "pipeline", "kpi", "service", "column")
EDGES = ("derived_from", "calls", "fed_by", "produced_by", "predicts_with")


def names(chance: Random) -> list[str]:
    return [f"{chance.choice(KINDS)}/{number}" for number in range(30)]


def edges(chance: Random, entities: list[str]) -> list[tuple[str, str, str]]:
    return [
        (entities[at], chance.choice(entities[at + 1 : at + 6]), chance.choice(EDGES))
        for at in range(len(entities) - 1)
        for _ in range(chance.choice((1, 1, 2)))
    ]


def story(chance: Random, entities: list[str]) -> list[tuple[float, AnyRecord]]:
    found: list[tuple[float, AnyRecord]] = []
    for number in range(60):
        at = T0 + chance.uniform(0.0, 4000.0)
        entity = chance.choice(entities)
        if chance.random() < 0.3:
            kind: ChangeType = chance.choice(("schema", "data", "deploy", "model"))
            told = at - chance.choice((0.0, 60.0, 3000.0, 80_000.0))
            name = f"c{chance.randrange(8)}"  # some are told again, of another entity or time
            found.append((at, ChangeRecord(at=told, id=name, type=kind, entity=entity)))
        else:
            began = at - chance.choice((0.0, 0.0, 400.0))
            labels = {
                "alertname": chance.choice(("Down", "DataQuality", "Slow")),
                "severity": "critical",
                "n": str(number),
            }
            found.append((at, AlertRecord(at=at, status="firing", labels=labels, entity=entity, starts_at=began)))
    return sorted(found, key=lambda one: one[0])


def woven(web: Web) -> tuple[object, ...]:
    return (
        web.claims,
        {cause: sorted(units) for cause, units in web._claimed_by.items() if units},
        {cause: units for cause, units in web._shared_by.items() if units},
        {unit: onward for unit, onward in web._through.onward.items() if onward},
    )


@pytest.mark.parametrize("seed", range(12))
def test_claims_are_as_if_all_were_woven_anew(seed: int) -> None:
    chance = Random(seed)
    entities = names(chance)
    told = edges(chance, entities)
    engine = Engine(rulebook(entities=(), dependencies=()))
    engine.decide([DependencyRecord(at=T0 - 9e4, from_=a, to=b, type=kind) for a, b, kind in told], T0 - 9e4)
    compared = 0
    for at, record in story(chance, entities):
        engine.decide([record], at)
        if isinstance(record, ChangeRecord):
            web = engine._chart.correlator.web
            assert woven(web) == woven(Web(web.graph, engine.state))
            compared += bool(engine.state.units)
    assert compared
    engine.decide([], T0 + 3 * 86_400.0 + 7200.0)  # all changes are forgotten by then
    web = engine._chart.correlator.web
    assert woven(web) == woven(Web(web.graph, engine.state))


@pytest.mark.parametrize("seed", range(6))
def test_downstream_is_wherever_a_trail_leads_from(seed: int) -> None:
    chance = Random(seed)
    entities = names(chance)
    graph = Graph(
        [Entity(entity=name) for name in entities],
        [Dependency(from_=a, to=b, type=kind) for a, b, kind in edges(chance, entities)],
        Correlate(),
    )
    for changed in entities:
        one = Change(id="c", at=T0 - 1.0, type="schema", entity=changed)
        found = {
            graph.number[name]
            for name in entities
            if trail(graph, lambda entity, one=one: [one] if entity == one.entity else [], name, T0)
        }
        assert found <= downstream(graph, [changed])
    assert downstream(graph, ["dataset/none"]) == set()


def test_only_what_is_made_of_the_changed_is_weighed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(rulebook(entities=(), dependencies=()))
    chains = [[f"dataset/{chain}-{at}" for at in range(4)] for chain in range(20)]
    lines = [pair for chain in chains for pair in pairwise(chain)]
    engine.decide([DependencyRecord(at=T0, from_=a, to=b, type="derived_from") for a, b in lines], T0)
    alerts = [
        AlertRecord(at=T0, status="firing", labels={"alertname": "DataQuality", "n": chain[0]}, entity=chain[0])
        for chain in chains
    ]
    engine.decide(alerts, T0 + 1.0)
    weighed: list[str] = []
    lead = Web._lead
    monkeypatch.setattr(Web, "_lead", lambda self, unit: (weighed.append(unit.entity), lead(self, unit)))
    engine.decide([ChangeRecord(at=T0, id="c", type="schema", entity=chains[7][3])], T0 + 2.0)
    web = engine._chart.correlator.web
    assert weighed == [chains[7][0]]
    assert web is engine._chart.correlator.web
