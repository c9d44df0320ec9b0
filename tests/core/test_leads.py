"""A change of data is weighed only where it may show, and what comes out is as if all were weighed anew."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from core.random_story import edges, lived, names, woven
from core.scene import T0, rulebook
from quell.core.engine import Engine
from quell.core.graph import Graph
from quell.core.leads import downstream
from quell.core.trail import trail
from quell.core.web import Web
from quell.model.records import AlertRecord, ChangeRecord, DependencyRecord
from quell.model.rulebook import Correlate
from quell.model.topology import Change, Dependency, Entity


@pytest.mark.parametrize("seed", range(12))
def test_claims_are_as_if_all_were_woven_anew(seed: int) -> None:
    compared = 0
    for engine, record in lived(Random(seed)):
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
