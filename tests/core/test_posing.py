"""What a group is posed as: ways cost what they should by way of hubs, whether all causes are looked at or some."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from core.random_story import lived
from quell.core import hubs
from quell.core.engine import Engine
from quell.core.families import COUNT
from quell.core.problem import Symptoms
from quell.core.steps import finished
from quell.core.web import Web
from quell.model.state import Group, Unit

EACH = ("keys", "starts", "unit", "cost", "lag", "weight", "onsets")


def posed(engine: Engine, group: Group, causes: set[int] | None) -> tuple[list[int], Symptoms]:
    correlator = engine._chart.correlator
    return finished(correlator._posing.of(group, correlator.web, causes, engine.state.now))


def by_way_of_hubs(web: Web, unit: Unit, cause: int) -> float:
    """By how much a claim is dearer, asked of each cause at each hub on its own."""
    claims, cost = web.claims[unit.id], web.claims[unit.id][cause][0]
    most = 0.0
    for hub in range(web.graph.known):
        for there in range(hub * COUNT, (hub + 1) * COUNT) if hub != cause // COUNT and web.hubs.nats(hub) else ():
            to_hub = claims.get(there, (0.0, 0.0))[0]
            keys, legs, _ = web.reacher.rows(there)
            behind = dict(zip(keys.tolist(), legs.tolist(), strict=True)).get(cause)
            if to_hub > 0.0 and behind is not None and cost >= to_hub + behind - hubs.SAME:
                most = max(most, web.hubs.nats(hub))
    return most


def expected(web: Web, unit: Unit, cause: int) -> tuple[float, bool]:
    """What a claim costs with all that is paid besides, and whether some of that is for a way by a hub."""
    dearer = web.itself.dearer([unit], np.zeros(1, dtype=np.int64), np.array([cause]))
    by_way = by_way_of_hubs(web, unit, cause)
    cost = web.claims[unit.id][cause][0] + by_way + (0.0 if dearer is None else float(dearer[0]))
    return (cost + web.hubs.nats(cause // COUNT) if cost > 0.0 else cost), by_way > 0.0


@pytest.mark.parametrize("seed", range(3))
def test_a_look_at_some_causes_asks_what_one_at_all_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MANY", 3)
    chance, behind = Random(seed), 0
    for engine, _ in lived(Random(seed)):
        web, units = engine._chart.correlator.web, engine.state.units
        for group in engine.state.groups.values():
            ids, found = posed(engine, group, None)
            again, narrow = posed(engine, group, set(found.keys.tolist()))
            assert again == ids
            assert all(np.array_equal(getattr(found, name), getattr(narrow, name)) for name in EACH)
            for at, cause in enumerate(found.keys.tolist()):
                row = chance.randrange(found.starts[at], found.starts[at + 1])
                cost, by_way = expected(web, units[ids[found.unit[row]]], cause)
                assert found.cost[row] == pytest.approx(cost)
                behind += by_way
    assert behind > 10
