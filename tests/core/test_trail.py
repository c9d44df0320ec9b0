"""Back along lineage to changes of data, however many steps lie between."""

from __future__ import annotations

from itertools import pairwise

import pytest

from core.scene import T0, rulebook
from quell.core.engine import Engine
from quell.core.graph import Graph
from quell.core.trail import MOST_FOUND, WITHIN_S, WORTH, Trails, trail
from quell.model.records import AlertRecord, ChangeRecord, ChangeType, DependencyRecord
from quell.model.rulebook import Correlate
from quell.model.topology import Change, Dependency, Entity

LONG = [f"dataset/d{at:02}" for at in range(12)]
"""The first is made of the second, and so on."""


def graph(names: list[str], kind: str = "derived_from") -> Graph:
    edges = [Dependency(from_=from_, to=to, type=kind) for from_, to in pairwise(names)]
    return Graph([Entity(entity=name) for name in names], edges, Correlate())


def change(entity: str, before: float, kind: str = "schema", name: str = "c") -> Change:
    return Change(id=name, at=T0 - before, type=kind, entity=entity)


def found(changes: list[Change], names: list[str] = LONG, kind: str = "derived_from") -> list[tuple[str, int]]:
    of = {one.entity or "": [each for each in changes if each.entity == one.entity] for one in changes}
    led = trail(graph(names, kind), lambda name: of.get(name, ()), names[0], T0)
    return [(one.entity, len(one.path)) for one in led]


def test_a_change_of_data_is_found_a_long_way_off() -> None:
    assert found([change(LONG[-1], 600.0)]) == [(LONG[-1], 12)]
    assert found([change(LONG[0], 600.0)]) == [(LONG[0], 1)]


def test_the_later_and_the_nearer_change_comes_first() -> None:
    assert [name for name, _ in found([change(LONG[2], 600.0), change(LONG[8], 600.0)])] == [LONG[2], LONG[8]]
    assert [name for name, _ in found([change(LONG[2], 9 * 3600.0), change(LONG[8], 600.0)])] == [LONG[8], LONG[2]]
    assert len(found([change(name, 600.0) for name in LONG])) == MOST_FOUND


@pytest.mark.parametrize(("before", "kind"), [(-60.0, "schema"), (WITHIN_S + 1, "schema"), (600.0, "deploy")])
def test_what_came_later_long_ago_or_is_no_change_of_data_is_not_blamed(before: float, kind: str) -> None:
    assert found([change(LONG[3], before, kind)]) == []


def test_calls_lead_less_far_than_lineage() -> None:
    assert found([change(LONG[3], 600.0)], kind="calls") == [(LONG[3], 4)]
    assert found([change(LONG[-1], 600.0)], kind="calls") == []


def test_circles_end_and_an_entity_without_lineage_has_none() -> None:
    assert found([change(LONG[3], 600.0)], [*LONG, LONG[0]]) == [(LONG[3], 4)]
    assert trail(graph(LONG), lambda _: (), "kpi/none", T0) == []


def test_claims_tell_how_unlikely_and_how_long() -> None:
    made = graph(LONG)
    (claim,) = Trails(made, [change(LONG[5], 1200.0), change(LONG[4], 60.0, "deploy")]).claims(LONG[0], T0)
    node, cost, lag = claim
    assert (made.name(node), lag) == (LONG[5], 1200.0)
    assert 0.0 < cost < WORTH / 2
    assert Trails(made, []).claims(LONG[0], T0) == []


def world(*changes: ChangeRecord) -> Engine:
    engine = Engine(rulebook(entities=(), dependencies=()))
    names = [*(f"kpi/k{at}" for at in range(2)), *LONG]
    edges = [(names[0], LONG[0]), (names[1], LONG[0]), *pairwise(LONG)]
    engine.decide([DependencyRecord(at=T0 - 9e4, from_=a, to=b, type="derived_from") for a, b in edges], T0 - 9e4)
    engine.decide(list(changes), T0 - 60)
    return engine


def fell(entity: str, after: float, name: str) -> AlertRecord:
    labels = {"alertname": name, "severity": "critical"}
    return AlertRecord(at=T0 + after, status="firing", labels=labels, starts_at=T0 + after, entity=entity)


def told(kind: ChangeType = "schema", before: float = 900.0) -> ChangeRecord:
    return ChangeRecord(at=T0 - before, id="c", type=kind, entity=LONG[-1], summary="column a changed")


@pytest.mark.parametrize("apart", [60.0, 300.0, 1200.0])
def test_two_numbers_far_from_one_change_are_one_incident_also_over_a_restart(apart: float) -> None:
    results = []
    for restart in (False, True):
        engine = world(told())
        for at, name in enumerate(("kpi/k0", "kpi/k1")):
            engine.decide([fell(name, apart * at, f"RevenueFell{at}")], T0 + apart * at)
            if restart:
                engine = Engine.restored(engine.rulebook, engine.snapshot())
        engine.decide([], T0 + 3600.0)
        assert sum(one.paged_at is not None for one in engine.state.incidents.values()) == 1
        shown = [one for one in engine.state.incidents.values() if one.status == "open"]
        results.append([(one.id, one.suspects[0].entity, one.suspects[0].change, len(one.alerts)) for one in shown])
        assert len(shown) == 1
        assert shown[0].suspects[0].path[0] == LONG[-1]
        assert shown[0].suspects[0].path[-1].startswith("kpi/")
    assert results[0] == results[1]
    assert results[0][0][1:] == (LONG[-1], "c", 2)


def test_a_change_that_is_told_after_the_number_counts_by_when_it_was_made() -> None:
    engine = world()
    engine.decide([fell("kpi/k0", 0.0, "RevenueFell0")], T0)
    engine.decide([told()], T0 + 60.0)
    engine.decide([fell("kpi/k1", 1200.0, "RevenueFell1")], T0 + 1200.0)
    again = Engine.restored(engine.rulebook, engine.snapshot())
    for one in (engine, again):
        one.decide([], T0 + 3600.0)
        (shown,) = (each for each in one.state.incidents.values() if each.status == "open")
        assert (shown.suspects[0].change, len(shown.alerts)) == ("c", 2)


def test_a_deploy_so_far_away_ties_nothing() -> None:
    engine = world(told("deploy"))
    engine.decide([fell("kpi/k0", 0.0, "RevenueFell")], T0)
    engine.decide([], T0 + 3600.0)
    (shown,) = (one for one in engine.state.incidents.values() if one.status == "open")
    assert [one.change for one in shown.suspects] == [None]
