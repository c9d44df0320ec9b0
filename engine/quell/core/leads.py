"""What live units may come from along lineage, beside their other claims, kept up as changes of data are told.

A change reaches what is made of its entity and nothing else: only those units are weighed anew. What a unit would claim
without any change is remembered for the few causes that changes give it, so that they can be taken back.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

from quell.core.families import Family
from quell.core.graph import Graph
from quell.core.reach import Claim, key
from quell.core.trail import FURTHEST, OTHER_STEP, STEP, Trails
from quell.model.state import State, Unit

_ROUNDING = 1e-9


class Leads:
    """Of units that are of data: ``_led`` are the claims that changes give them, by unit and cause.

    For the same causes, ``_bare`` has the claims that a unit has anyway, and ``_own`` those that it shares anyway.
    """

    def __init__(self, graph: Graph, state: State) -> None:
        self._graph = graph
        self._state = state
        self._trails = Trails(graph, state.changes.values())
        self._weighed: set[int] = set()
        self._led: dict[int, dict[int, Claim]] = {}
        self._bare: dict[int, dict[int, Claim]] = {}
        self._own: dict[int, set[int]] = {}

    def weighed(self, unit_id: int) -> bool:
        """Whether changes may lead to a unit at all."""
        return unit_id in self._weighed

    def follow(self, entities: Iterable[str]) -> list[int]:
        """The units to be weighed anew after changes at these entities were told, told otherwise, or forgotten."""
        self._trails = Trails(self._graph, self._state.changes.values())
        nodes = downstream(self._graph, entities)
        units, number = self._state.units, self._graph.number
        return [unit_id for unit_id in sorted(self._weighed) if number[units[unit_id].entity] in nodes]

    def lead(
        self, unit: Unit, claims: Mapping[int, Claim], shared_by: Mapping[int, list[int]], limit: float
    ) -> Iterator[tuple[int, Claim | None, bool | None]]:
        """The causes of which a unit's claim may differ, with the best it has now, and whether it shares that.

        None is as before. What is shared (claims up to ``limit``) is left open for a unit that is just being woven in.
        """
        unit_id = unit.id
        fresh = unit_id not in self._weighed
        self._weighed.add(unit_id)
        before = self._led.pop(unit_id, {})
        now = {key(node, Family.DATA): (cost, lag) for node, cost, lag in self._trails.claims(unit.entity, unit.onset)}
        if now:
            self._led[unit_id] = now
        bare, own = self._bare.setdefault(unit_id, {}), self._own.setdefault(unit_id, set())
        for cause in sorted(before.keys() | now.keys()):
            if cause not in before:
                if cause in claims:
                    bare[cause] = claims[cause]
                if unit_id in shared_by.get(cause, ()):
                    own.add(cause)
            led, woven = now.get(cause), bare.get(cause)
            best = min((claim for claim in (led, woven) if claim is not None), default=None)
            shared = None if fresh else cause in own or (led is not None and led[0] <= limit)
            if led is None:
                bare.pop(cause, None)
                own.discard(cause)
            yield cause, best, shared
        if not now:
            del self._bare[unit_id], self._own[unit_id]

    def woven(self, unit_id: int, limit: float) -> None:
        """A unit is woven in: of the causes that changes give it, it shares some anyway."""
        if unit_id in self._led:
            self._own[unit_id] = {cause for cause, claim in self._bare[unit_id].items() if claim[0] <= limit}

    def lower(self, unit_id: int, cause: int, claim: Claim) -> None:
        """A unit has a claim without any change."""
        led = self._led.get(unit_id)
        if led is not None and cause in led:
            bare = self._bare[unit_id]
            known = bare.get(cause)
            if known is None or claim < known:
                bare[cause] = claim

    def anew(self, unit_id: int, cause: int, bare: Claim | None) -> Claim | None:
        """What a unit claims of a cause of which all other ways were asked anew, with what changes give it."""
        led = self._led.get(unit_id, {}).get(cause)
        if led is None:
            return bare
        if bare is None:
            self._bare[unit_id].pop(cause, None)
            return led
        self._bare[unit_id][cause] = bare
        return min(led, bare)

    def leads(self, unit_id: int, cause: int) -> bool:
        """Whether a change gives a unit a claim on a cause, whatever else does."""
        led = self._led.get(unit_id)
        return led is not None and cause in led

    def alone(self, unit_id: int, cause: int) -> bool:
        """Whether a unit claims a cause because of a change only."""
        led = self._led.get(unit_id)
        return led is not None and cause in led and cause not in self._bare[unit_id]

    def drop(self, unit_id: int) -> None:
        """A unit is taken out."""
        self._weighed.discard(unit_id)
        for known in (self._led, self._bare, self._own):
            known.pop(unit_id, None)


def downstream(graph: Graph, entities: Iterable[str]) -> set[int]:
    """The nodes from which `quell.core.trail.trail` may come to one of these entities."""
    starts = sorted({node for entity in entities if (node := graph.number.get(entity)) is not None})
    cost: dict[int, float] = {}
    heap = [(0.0, node) for node in starts]
    while heap:
        price, node = heapq.heappop(heap)
        if node in cost:
            continue
        cost[node] = price
        for other, how, _ in graph.inn[node]:
            onward = price + (STEP if how.lineage else OTHER_STEP)
            if onward <= FURTHEST + _ROUNDING and other not in cost:
                heapq.heappush(heap, (onward, other))
    return set(cost)
