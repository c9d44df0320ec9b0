"""Groups that may have to do with one another though no known way leads between them: the graph leaves some out.

Where it does, what began at neighbours at the same time is looked at together, and what is over when other trouble
near it is as well.
"""

from __future__ import annotations

from collections import defaultdict

from quell.core.graph import Graph
from quell.core.same_spell import AT_ONCE_S, BEGAN_S, ENDED_S
from quell.model.state import State, Unit

ROOM = 2.0
"""A unit may lie so many times further from another than their causes from one another."""


class Fellows:
    """The live units by namespace, if any ways are missing. Made anew from the state, it is the same."""

    def __init__(self, graph: Graph, state: State) -> None:
        self._graph = graph
        self._state = state
        self._of: defaultdict[str, set[int]] = defaultdict(set)
        for unit in state.units.values() if graph.gaps.some else ():
            self.add(unit)

    def add(self, unit: Unit) -> None:
        """Notes a new unit."""
        if scope := self._scope(unit):
            self._of[scope].add(unit.id)

    def drop(self, unit: Unit) -> None:
        """Forgets a unit."""
        if scope := self._scope(unit):
            self._of[scope].discard(unit.id)
            if not self._of[scope]:
                del self._of[scope]

    def beside(self, unit: Unit) -> set[int]:
        """The units near a new one that began when it did."""
        units, others = self._state.units, self._of.get(self._scope(unit), ())
        return {other for other in others if abs(units[other].first - unit.first) <= ROOM * AT_ONCE_S}

    def over_with(self, unit: Unit) -> set[int]:
        """The other groups with causes of their own in which something near came and went with this unit."""
        own, end = self._state.groups[unit.group], _end(unit)
        found: set[int] = set()
        if end is None or not own.solution:
            return found
        for other_id in self._of.get(self._scope(unit), ()):
            other = self._state.units[other_id]
            if other.group in found or other.group == own.id or abs(other.first - unit.first) > ROOM * BEGAN_S:
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
