"""Ties between units at entities of which no dependency is known: what they carry and say has to stand in for it."""

from __future__ import annotations

from collections.abc import Iterator

from quell.core.alike import ALIKE, Alike, tokens_of
from quell.core.graph import Graph
from quell.model.alert import Alert
from quell.model.state import State, Unit

WITHIN_S = 300.0
MOST_KIN = 16
NEAREST_LEG = 0.8
FARTHEST_LEG = 2.2
OTHER_FAMILY_KIN = 0.3


class Kin:
    """What each unit was like when it came is kept with it, so that nothing depends on when this is made anew."""

    def __init__(self, graph: Graph, state: State) -> None:
        self._graph = graph
        self._state = state
        self._alike = Alike(state.rarity)
        for unit_id in sorted(state.units):
            if state.units[unit_id].tokens:
                self._alike.tell(unit_id, state.units[unit_id].tokens)

    def admit(self, unit: Unit, alert: Alert) -> None:
        """Notes what a new unit is like, if nothing else ties it to others."""
        node = self._graph.node(unit.entity)
        if self._graph.out[node] or self._graph.inn[node]:
            return
        unit.tokens = tokens_of(alert)
        self._alike.tell(unit.id, unit.tokens)
        near = [
            (other, likeness)
            for other, likeness in self._alike.near(unit.id)
            if likeness >= ALIKE and abs(self._state.units[other].first - unit.first) <= WITHIN_S
        ]
        unit.kin = near[:MOST_KIN]

    def ties(self, unit: Unit) -> Iterator[tuple[int, float]]:
        """The live units that came before this one and are like it, with what a leg between the two costs."""
        for other_id, likeness in unit.kin:
            other = self._state.units.get(other_id)
            if other is not None:
                share = (1.0 - min(likeness, 1.0)) / (1.0 - ALIKE)
                cost = NEAREST_LEG + (FARTHEST_LEG - NEAREST_LEG) * share
                yield other_id, cost + (OTHER_FAMILY_KIN if other.family != unit.family else 0.0)

    def drop(self, unit: Unit) -> None:
        """Forgets a unit, but not how common is what it carried."""
        if unit.tokens:
            self._alike.drop(unit.id)
            self._state.rarity.fade()
