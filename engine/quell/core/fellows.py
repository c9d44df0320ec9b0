"""Groups that may have to do with one another though no known way leads between them: the graph leaves some out.

Where it does, what began at neighbours at the same time is looked at together, and what is over when other trouble
near it is as well.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from math import inf

from quell.core.graph import Graph
from quell.core.same_spell import AT_ONCE_S, BEGAN_S, ENDED_S
from quell.model.state import State, Unit

ROOM = 2.0
"""A unit may lie so many times further from another than their causes from one another."""
NEAREST = 8
"""So many on either side are asked what they belong to."""


class Fellows:
    """The live units by namespace, if any ways are missing. Made anew from the state, it is the same."""

    def __init__(self, graph: Graph, state: State, full: Callable[[int], bool]) -> None:
        self._graph = graph
        self._state = state
        self._full = full
        self._of: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        """By namespace when units began, in order, and which."""
        for unit in state.units.values() if graph.gaps.some else ():
            self.add(unit)

    def add(self, unit: Unit) -> None:
        """Notes a new unit."""
        if scope := self._scope(unit):
            insort(self._of[scope], (unit.first, unit.id))

    def drop(self, unit: Unit) -> None:
        """Forgets a unit."""
        if scope := self._scope(unit):
            here = self._of[scope]
            del here[bisect_left(here, (unit.first, unit.id))]
            if not here:
                del self._of[scope]

    def beside(self, unit: Unit) -> set[int]:
        """Units near a new one that began when it did, of groups that take in more.

        The nearest before it and after it stand for all: what began so near them has joined their groups already.
        """
        here = self._of.get(self._scope(unit), [])
        at, reach = bisect_left(here, (unit.first, unit.id)), ROOM * AT_ONCE_S
        near = (*here[max(at - NEAREST, 0) : at], *here[at : at + NEAREST])
        units = self._state.units
        return {
            other for first, other in near if abs(first - unit.first) <= reach and not self._full(units[other].group)
        }

    def over_with(self, unit: Unit) -> set[int]:
        """The other groups with causes of their own in which something near came and went with this unit."""
        own, end = self._state.groups[unit.group], _end(unit)
        found: set[int] = set()
        if end is None or not own.solution:
            return found
        here, reach = self._of.get(self._scope(unit), []), ROOM * BEGAN_S
        for _, other_id in islice(
            here, bisect_left(here, (unit.first - reach,)), bisect_right(here, (unit.first + reach, inf))
        ):
            other = self._state.units[other_id]
            if other.group in found or other.group == own.id:
                continue
            ended = _end(other)
            if ended is not None and abs(ended - end) <= ROOM * ENDED_S and self._state.groups[other.group].solution:
                found.add(other.group)
        return found

    def _scope(self, unit: Unit) -> str:
        return self._graph.scope(self._graph.node(unit.entity)) if self._graph.gaps.some else ""


def _end(unit: Unit) -> float | None:
    """When half of what fires there had ended; None as long as it has not."""
    ends = sorted(unit.ends.values())
    return ends[len(ends) // 2] if ends and 2 * len(ends) >= len(unit.alerts) else None
