"""Work that is saved where groups are small, or much is asked at once, changes nothing that is decided."""

from __future__ import annotations

from contextlib import nullcontext
from random import Random

import pytest

from core.test_sifting import estate, noise
from quell.core import correlate, walk
from quell.core.alerts import Alerts
from quell.core.engine import Engine
from quell.core.graph import Graph
from quell.core.reach import key
from quell.model.decision import AnyDecision
from quell.model.rulebook import Correlate
from quell.model.topology import Dependency


def told(seed: int, kind: str) -> tuple[list[AnyDecision], bytes]:
    chance = Random(seed)
    engine = Engine(estate(chance, kind))
    decisions = [
        one
        for at, records in noise(chance, kind, 1.5 if kind == "service" else 4.0)
        for one in engine.decide(records, at)
    ]
    return decisions, engine.snapshot()


@pytest.mark.parametrize("kind", ["dataset", "service"])
@pytest.mark.parametrize("saving", ["few are noise at once", "company is looked for once"])
def test_decisions_and_state_are_the_same_without_it(saving: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = [told(seed, kind) for seed in range(2)]
    if saving.startswith("few"):
        monkeypatch.setattr(correlate, "FEW", 0)
    else:
        monkeypatch.setattr(Alerts, "unchanged", lambda _: nullcontext())
    assert [told(seed, kind) for seed in range(2)] == with_it


@pytest.mark.parametrize("seed", range(4))
def test_a_walk_from_thousands_finds_what_a_walk_from_few_would(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(seed)
    edges = [
        Dependency(from_=f"service/{at}", to=f"service/{chance.randrange(at)}", type=chance.choice(("calls", "reads")))
        for at in range(1, 60)
        for _ in range(2)
    ]
    graph = Graph((), edges, Correlate())
    symptoms = {key(chance.randrange(60), chance.randrange(2)): chance.choice((1.0, 2.0)) for _ in range(40)}
    monkeypatch.setattr(walk, "LIMIT", 12)  # fewer than are in trouble
    found = walk.visits(graph, symptoms)
    monkeypatch.setattr(walk, "_sparse", walk._dense)
    assert found == pytest.approx(walk.visits(graph, symptoms), rel=1e-9, abs=1e-12)
