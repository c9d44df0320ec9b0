"""No way leads through what is broken by its own doing to what that asks, whenever it is told that it is."""

from __future__ import annotations

from random import Random

import pytest

from core.random_story import edges as lineage
from core.random_story import names, woven
from core.scene import T0, Scene, fires, rulebook
from quell.core.engine import Engine
from quell.core.families import Family
from quell.core.reach import key
from quell.core.web import Web
from quell.model.records import AlertRecord, ChangeRecord, DependencyRecord
from quell.model.topology import Dependency

CHAIN = (
    Dependency(from_="service/front", to="service/shop", type="calls"),
    Dependency(from_="service/shop", to="database/stock", type="reads"),
    Dependency(from_="service/shop", to="host/h1", type="runs_on"),
    Dependency(from_="host/h1", to="rack/r1", type="in_rack"),
)


def claim(*names: str, on: str) -> float | None:
    """What the front claims of another entity after the shop said all this."""
    scene = Scene(rulebook(entities=(), dependencies=CHAIN))
    scene.tell(fires("front", 0.0), *(fires("shop", 1.0 + at, name) for at, name in enumerate(names)))
    web = scene.engine._chart.correlator.web
    front = next(unit for unit in scene.engine.state.units.values() if unit.entity == "service/front")
    found = web.claims[front.id].get(key(web.graph.node(on), Family.FAILING))
    assert woven(web) == woven(Web(web.graph, scene.engine.state))
    return None if found is None else found[0]


def test_what_it_asks_is_reached_by_the_graph_alone() -> None:
    silent = claim(on="database/stock")
    assert silent is not None
    failing = claim("HighErrorRate", on="database/stock")
    assert failing is not None
    assert failing < silent
    assert claim("PodCrashLooping", on="database/stock") == silent


@pytest.mark.parametrize("names", [("HighErrorRate", "PodCrashLooping"), ("PodNotReady", "HighErrorRate")])
def test_it_does_not_matter_when_it_is_told(names: tuple[str, str]) -> None:
    assert claim(*names, on="database/stock") == claim("PodCrashLooping", on="database/stock")


@pytest.mark.parametrize("place", ["service/shop", "host/h1", "rack/r1"])
def test_where_it_stands_is_reached_as_before(place: str) -> None:
    assert claim("PodCrashLooping", on=place) == claim("HighErrorRate", on=place)


@pytest.mark.parametrize("seed", range(6))
def test_claims_are_as_if_all_were_woven_anew(seed: int) -> None:
    chance = Random(seed)
    entities = names(chance)
    told = lineage(chance, entities)
    needs = [(f"service/{a}", f"service/{chance.randrange(max(0, a - 4), a)}", "calls") for a in range(1, 12)]
    stands = [(f"service/{a}", f"host/{a % 3}", "runs_on") for a in range(0, 12, 2)]
    engine = Engine(rulebook(entities=(), dependencies=()))
    known = [*told, *needs, *stands]
    engine.decide([DependencyRecord(at=T0 - 9e4, from_=a, to=b, type=kind) for a, b, kind in known], T0 - 9e4)
    late, at = 0, T0
    everything = sorted({*entities, *(f"service/{a}" for a in range(12)), "host/0", "host/1", "host/2"})
    for number in range(220):
        at += chance.choice((5.0, 10.0, 20.0, 60.0))
        if chance.random() < 0.1:
            changed = ChangeRecord(at=at, id=f"c{number % 5}", type="schema", entity=chance.choice(entities))
            engine.decide([changed], at)
            continue
        name = chance.choice(("HighErrorRate", "Down", "PodCrashLooping", "Slow", "DataQuality", "PodNotReady"))
        labels = {"alertname": name, "n": str(number), "severity": "warning"}
        before = {unit.id for unit in engine.state.units.values() if not unit.itself}
        one = AlertRecord(at=at, status="firing", labels=labels, entity=chance.choice(everything), starts_at=at)
        engine.decide([one], at)
        told_late = any(unit.itself and unit.id in before for unit in engine.state.units.values())
        late += told_late
        if told_late or number % 10 == 0:
            web = engine._chart.correlator.web
            assert woven(web) == woven(Web(web.graph, engine.state))
    assert late > 5
    for unit in list(engine.state.units)[::4]:
        engine._chart.correlator.web.drop([unit])
        web = engine._chart.correlator.web
        assert woven(web) == woven(Web(web.graph, engine.state))
