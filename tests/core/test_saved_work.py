"""Work that is saved where groups are small, or much is asked at once, changes nothing that is decided."""

from __future__ import annotations

from contextlib import nullcontext
from math import inf
from random import Random

import pytest

from core.test_sifting import estate, noise
from quell.core import correlate, folding, rank, rosters, standing, walk
from quell.core.alerts import Alerts
from quell.core.conclude import Conclusion
from quell.core.engine import Engine
from quell.core.graph import Graph
from quell.core.impact import AtKpis
from quell.core.reach import key
from quell.core.weighed import Weighed
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


SAVINGS: dict[str, tuple[object, str, object]] = {
    "few are noise at once": (correlate, "FEW", 0),
    "company is looked for once": (Alerts, "unchanged", lambda _: nullcontext()),
    "beginnings that stay the best are not asked again": (Weighed, "stays", lambda *_: False),
    "moves that gain what they did are not weighed again": (Weighed, "move", lambda *_: None),
    "parents that could not pay fold nothing": (folding, "_most", lambda *_: inf),
    "what the alerts of a cause come to is kept": (rosters, "MOST_KEPT", 0),
    "where firings are kept is remembered of large groups": (standing, "FEW", 10**9),
    "whom causes reach is remembered": (rank, "MOST_KEPT", 0),
    "rivals that could not be told are not weighed": (Conclusion, "_least", lambda *_: -inf),
    "ways that no search goes are not looked for": (rank, "HOP_LIMIT", 99),
    "alerts at KPIs are known": (AtKpis, "of", lambda self, _: iter(self._alerts.values())),
}


@pytest.mark.parametrize("kind", ["dataset", "service"])
def test_decisions_and_state_are_the_same_without_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = [told(seed, kind) for seed in range(2)]
    for saving, (where, name, without) in SAVINGS.items():
        with monkeypatch.context() as patch:
            patch.setattr(where, name, without)
            assert [told(seed, kind) for seed in range(2)] == with_it, saving


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
