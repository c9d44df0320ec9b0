"""What may hang together though nobody told of it: units of one namespace that began within a minute or two.

Some dependencies are always unknown. Where hardly anything else begins, two services of one namespace that begin to
fail within a minute have something to do with each other. Where much begins at once, or all there is is in a few
namespaces, that says nothing. So what counts is how much of all that began between the two would be in that namespace
by chance. In a storm on 98,000 entities, 97 of 100 pairs that chance would hardly bring together were of one outage;
on 600 entities, where chance explains nearly all of them, half were.

It is no dependency, so it explains no symptom and no root is found by it: what was found to be two causes is told as
one, the later as part of the earlier. Whoever is known to depend on the other is left to what is known.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice, takewhile
from math import log1p

from quell.core.families import COUNT
from quell.core.graph import Graph
from quell.core.reach import Reacher, key
from quell.model.state import State, Unit

WITHIN_S = 120.0
MOST = 4
"""To so many of the nearest is a unit tied."""
LEG = 1.0
"""Nats that it costs where nothing else begins."""
FARTHEST = 2.2
BY_CHANCE = 0.01
"""So much may be expected there by chance before that counts."""


class Vicinity:
    """Whom a unit was tied to when it came is kept with it, so that nothing depends on when this is made anew."""

    def __init__(self, graph: Graph, state: State, reacher: Reacher) -> None:
        self._graph = graph
        self._reacher = reacher
        self._units = state.units
        self._size = Counter(entity.labels.get("namespace", "") for entity in graph.entities)
        self._began = sorted([unit.first for unit in state.units.values()])
        self._here: dict[str, list[tuple[float, int]]] = {}
        """By namespace when units began, in order, and which; without those that are tied to none."""
        for unit_id in sorted(state.units):
            self._note(state.units[unit_id])

    def admit(self, unit: Unit) -> None:
        """Notes a new unit, and which of those that are there it is tied to at what cost."""
        insort(self._began, unit.first)
        scope = self._scope(unit)
        if scope and not unit.plain:
            unit.near = self._near(unit, scope)
        self._note(unit)

    def ties(self, unit: Unit) -> Iterator[tuple[int, float]]:
        """The live units that this was tied to when it came, with what that costs."""
        return ((other, cost) for other, cost in unit.near if other in self._units)

    def drop(self, unit: Unit) -> None:
        """Forgets a unit."""
        del self._began[bisect_left(self._began, unit.first)]
        scope = "" if unit.plain else self._scope(unit)
        if scope:
            here = self._here[scope]
            del here[bisect_left(here, (unit.first, unit.id))]
            if not here:
                del self._here[scope]

    def _scope(self, unit: Unit) -> str:
        return self._graph.scope(self._graph.node(unit.entity))

    def _note(self, unit: Unit) -> None:
        scope = "" if unit.plain else self._scope(unit)
        if scope:
            insort(self._here.setdefault(scope, []), (unit.first, unit.id))

    def _near(self, unit: Unit, scope: str) -> list[tuple[int, float]]:
        """The nearest in time of those in a namespace, as far as chance would not have brought them there."""
        near = takewhile(lambda one: one[0] <= WITHIN_S, _by_distance(self._here.get(scope, []), unit.first))
        others = (self._units[other] for _, other in near)
        share = self._size[scope] / len(self._graph.entities)
        found: list[tuple[int, float]] = []
        for other in islice((other for other in others if other.entity != unit.entity), MOST):
            earlier, later = sorted((unit.first, other.first))
            between = bisect_right(self._began, later) - bisect_left(self._began, earlier)
            cost = LEG + log1p(between * share / BY_CHANCE)
            if cost <= FARTHEST and not self._depends(unit, other) and not self._depends(other, unit):
                found.append((other.id, round(cost, 3)))
        return found

    def _depends(self, one: Unit, other: Unit) -> bool:
        """Whether trouble at the other could have reached this one by what is known."""
        node = self._graph.node(other.entity)
        keys = self._reacher.reach(key(self._graph.node(one.entity), one.family)).keys
        at = bisect_left(keys, node * COUNT)
        return at < len(keys) and keys[at] < (node + 1) * COUNT


def _by_distance(here: Sequence[tuple[float, int]], at: float) -> Iterator[tuple[float, int]]:
    """How far off these began, nearest first, and which; of equals the one with the lowest number first."""
    later = bisect_left(here, (at,))
    after = ((here[place][0] - at, here[place][1]) for place in range(later, len(here)))
    return merge(after, _back(here, later, at))


def _back(here: Sequence[tuple[float, int]], end: int, at: float) -> Iterator[tuple[float, int]]:
    while end:
        first = here[end - 1][0]
        start = bisect_left(here, (first,))
        yield from ((at - first, here[place][1]) for place in range(start, end))
        end = start
