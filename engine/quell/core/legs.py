"""Legs between a new unit and the live ones: which of two in trouble could have brought about the other.

Most follow what depends on what. Others join what is at one entity, what is alike where no dependency is known, and
what a dependent brings about at what it depends on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from quell.core.families import COUNT, Family
from quell.core.graph import Graph
from quell.core.itself import JOBS
from quell.core.kin import Kin
from quell.core.leads import Leads
from quell.core.nearness import Nearness
from quell.core.reach import Claim, Reacher, key
from quell.core.through import LEG_LIMIT
from quell.model.state import State, Unit

BACKWARD = {int(Family.IDLE): 1.0, int(Family.SLOW): 2.8}
"""Families that trouble at a dependent brings about, in nats: no work arrives, or too much; nothing fails by it."""
BACKWARD_LAG_S = 60.0
"""How long that takes."""
TROUBLED = (Family.FAILING, Family.SLOW, Family.IDLE)
"""Families of a dependent's trouble that bring it about."""
HUB_FANOUT = 64
"""What shows where more than these depend on one entity says nothing of any one of them."""
Leg = tuple[int, int, Claim]
"""The ids of the symptom and of what could have caused it, and the cost (nats) and lag (seconds) of that."""
_DATA = int(Family.DATA)


class Legs:
    """Reads the live units by their own key (``at``) and by what they claim (``claimed_by``)."""

    def __init__(
        self,
        graph: Graph,
        state: State,
        reacher: Reacher,
        *,
        at: Mapping[int, Sequence[int]],
        claimed_by: Mapping[int, Sequence[int]],
        leads: Leads,
        kin: Kin,
        nearness: Nearness,
    ) -> None:
        self._graph = graph
        self._state = state
        self._reacher = reacher
        self._prices = graph.weights.prices
        self._at = at
        self._claimed_by = claimed_by
        self._leads = leads
        self._kin = kin
        self._nearness = nearness

    def of(self, unit: Unit) -> Iterator[Leg]:
        """Legs in both directions; of two units there may be several."""
        node = self._graph.node(unit.entity)
        yield from self._by_graph(unit, key(node, unit.family))
        yield from self._at_one_place(unit, node)
        yield from self._from_dependents(unit, node)
        yield from self._to_needed(unit, node)
        for other, cost in self._kin.ties(unit):
            if not self._nearness.apart(unit, self._state.units[other]):
                yield unit.id, other, (cost, 0.0)
                yield other, unit.id, (cost, 0.0)

    def _leading(self, unit: Unit, at: int) -> Iterator[int]:
        """The live units with this key through which a way to a unit may lead, or the other way round."""
        for other in self._at.get(at, ()):
            if self._nearness.may_lead(unit, self._state.units[other]):
                yield other

    def _by_graph(self, unit: Unit, here: int) -> Iterator[Leg]:
        static = self._reacher.reach(here)
        for cause, claim in zip(static.keys, static.claims, strict=True):
            if cause in self._at and claim[0] <= LEG_LIMIT:
                for other in self._leading(unit, cause):
                    yield unit.id, other, claim
        for other in self._claimed_by.get(here, ()):
            if self._leads.alone(other, here):
                continue  # what lies along lineage only is no way from here
            other_unit = self._state.units[other]
            reach = self._reacher.reach(key(self._graph.node(other_unit.entity), other_unit.family))
            at = bisect_left(reach.keys, here)
            known = at < len(reach.keys) and reach.keys[at] == here and reach.claims[at][0] <= LEG_LIMIT
            if known and self._nearness.may_lead(unit, other_unit):
                yield other, unit.id, reach.claims[at]

    def _at_one_place(self, unit: Unit, node: int) -> Iterator[Leg]:
        for family in range(COUNT):
            cost = self._prices.other_family_leg if family != unit.family else self._prices.same_place_leg
            for other in self._leading(unit, key(node, family)):
                if self._brings(node, family, unit.family):
                    yield unit.id, other, (cost, 0.0)
                if self._brings(node, unit.family, family):
                    yield other, unit.id, (cost, 0.0)

    def _brings(self, node: int, cause: int, symptom: int) -> bool:
        """Whether one kind of trouble at an entity may bring about another: bad data do in what runs to its end."""
        return cause != _DATA or symptom == _DATA or self._graph.kind(node) in JOBS

    def _from_dependents(self, unit: Unit, node: int) -> Iterator[Leg]:
        """No work arrives at what is depended on, or too much of it."""
        cost = BACKWARD.get(unit.family)
        if cost is None or len(self._graph.inn[node]) > HUB_FANOUT:
            return
        for dependent, _, _ in self._graph.inn[node]:
            for family in TROUBLED:
                for other in self._leading(unit, key(dependent, family)):
                    yield unit.id, other, (cost, BACKWARD_LAG_S)

    def _to_needed(self, unit: Unit, node: int) -> Iterator[Leg]:
        """The same, seen from the dependent."""
        if unit.family not in TROUBLED:
            return
        for needed, _, _ in self._graph.out[node]:
            if len(self._graph.inn[needed]) > HUB_FANOUT:
                continue
            for brought, cost in BACKWARD.items():
                for other in self._leading(unit, key(needed, brought)):
                    yield other, unit.id, (cost, BACKWARD_LAG_S)
