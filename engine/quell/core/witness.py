"""What telemetry says of the entities around a symptom, for whoever ranks suspects; nothing when none was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quell.core.evidence.surroundings import Surroundings
from quell.core.evidence.weigh import Verdict, weigh
from quell.core.graph import Graph
from quell.model.state import State

BELOW_HOPS = 8
ABOUT_HOPS = 3
MOST_NODES = 400
ALONE = 3
"""With fewer nodes known around a symptom, every entity that telemetry speaks of is looked at."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """Verdicts by entity; empty when nothing is known. ``around`` is what was looked at."""

    around: Surroundings
    verdicts: dict[str, Verdict]

    def nats(self, entity: str) -> float:
        """What telemetry is worth for an entity, 0 where it says nothing."""
        verdict = self.verdicts.get(entity)
        return 0.0 if verdict is None else verdict.nats


def testimony(graph: Graph, state: State, entities: Sequence[str], names: Sequence[str], began: float) -> Testimony:
    """All that telemetry says around the ``entities`` at which alerts of these ``names`` fire since ``began``."""
    around = surroundings(graph, state, entities) if state.signals else Surroundings((), (), (), ())
    signals = [state.signals.get(name) for name in around.names]
    if not any(signals):
        return Testimony(around, {})
    return Testimony(around, weigh(around, signals, began, names))


def surroundings(graph: Graph, state: State, entities: Sequence[str]) -> Surroundings:
    """What the entities depend on, then what is near in any direction."""
    names = dict.fromkeys(entities)
    start = [graph.number[name] for name in names if name in graph.number]
    found = dict.fromkeys(start)
    _spread(graph, found, start, BELOW_HOPS, both=False)
    _spread(graph, found, list(found), ABOUT_HOPS, both=True)
    names |= dict.fromkeys(graph.name(node) for node in found)
    if len(names) < ALONE:
        names |= dict.fromkeys(sorted(state.signals)[: MOST_NODES - len(names)])
    number = {name: at for at, name in enumerate(names)}
    out: list[list[int]] = [[] for _ in names]
    inn: list[list[int]] = [[] for _ in names]
    for name, at in number.items():
        node = graph.number.get(name)
        below = [] if node is None else [graph.name(other) for other, _, _ in graph.out[node]]
        for other in dict.fromkeys(below):
            if other in number:
                out[at].append(number[other])
                inn[number[other]].append(at)
    symptoms = tuple(number[name] for name in dict.fromkeys(entities))
    return Surroundings(tuple(names), tuple(map(tuple, out)), tuple(map(tuple, inn)), symptoms)


def _spread(graph: Graph, found: dict[int, None], ring: list[int], hops: int, *, both: bool) -> None:
    for _ in range(hops):
        reached = []
        for node in ring:
            arcs = [*graph.out[node], *graph.inn[node]] if both else graph.out[node]
            for other, _, _ in arcs:
                if other not in found and len(found) < MOST_NODES:
                    found[other] = None
                    reached.append(other)
        ring = reached
