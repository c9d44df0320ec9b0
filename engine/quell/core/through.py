"""What units in trouble pass on to those that lie behind them: a way through another unit that alerts itself.

A *leg* leads from a symptom to a unit that could have caused it; what that one may come from in turn, at a discount,
goes on along the leg. What is broken by its own doing, as a pod that crashes, passes on only what could have broken it:
itself and where it stands. What it asks did not break it, and so did not reach others through it either.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping

from quell.core.families import COUNT
from quell.core.graph import Graph
from quell.core.itself import Itself
from quell.core.reach import Claim, Reach, Reacher, key
from quell.model.state import Unit

LEG_LIMIT = 3.2
"""Nats that a leg, or what is passed on, costs at most."""
Pair = tuple[int, int]
"""A unit and a cause."""
Claiming = Callable[[int, int, Claim], None]
"""Is told what a unit claims of a cause."""


class Through:
    """Legs by both their ends, and what is passed on; all ways are the cheapest there are, whatever came first."""

    def __init__(self, graph: Graph, reacher: Reacher, itself: Itself) -> None:
        self._graph = graph
        self._reacher = reacher
        self._itself = itself
        self._believed = graph.weights.prices.believed
        self.onward: dict[int, dict[int, Claim]] = {}
        self.legs_from: defaultdict[int, dict[int, Claim]] = defaultdict(dict)
        self.legs_into: defaultdict[int, dict[int, Claim]] = defaultdict(dict)
        self._broken: dict[int, int] = {}
        """By unit that is broken itself the node that it is at."""

    def begin(self, unit: Unit) -> None:
        """A unit passes on nothing yet."""
        self.onward[unit.id] = {}
        if self._itself.concerns(unit):
            self._broken[unit.id] = self._graph.node(unit.entity)

    def starts(self, unit_id: int, found: Reach) -> list[int]:
        """A unit that passes on nothing yet does so with what the graph alone leads to it; returns these causes."""
        believed, one, onward = self._believed, self._reacher.one, self.onward[unit_id]
        for cause, (cost, lag) in zip(found.keys, found.claims, strict=True):
            passed = believed * cost
            if passed <= LEG_LIMIT and self._passes(unit_id, cause):
                onward[cause] = one((passed, lag))
        return list(onward)

    def _drop(self, unit_id: int) -> None:
        self.onward.pop(unit_id, None)
        self._broken.pop(unit_id, None)
        for other in self.legs_from.pop(unit_id, ()):
            self.legs_into[other].pop(unit_id, None)
        for other in self.legs_into.pop(unit_id, ()):
            self.legs_from[other].pop(unit_id, None)

    def tie(self, symptom: int, cause: int, claim: Claim) -> None:
        """A leg from one unit to another, unless a cheaper one is known."""
        into = self.legs_into[cause]
        if symptom not in into or claim < into[symptom]:
            into[symptom] = claim
            self.legs_from[symptom][cause] = claim

    def lower(self, unit_id: int, cause: int, claim: Claim) -> bool:
        """Whether a unit passes on a cause at less than before."""
        if claim[0] > LEG_LIMIT:
            return False
        onward = self.onward[unit_id]
        known = onward.get(cause)
        if (known is not None and known <= claim) or not self._passes(unit_id, cause):
            return False
        onward[cause] = self._reacher.one(claim)
        return True

    def _passes(self, unit_id: int, cause: int) -> bool:
        node = self._broken.get(unit_id)
        return node is None or self._itself.may_break(node, cause // COUNT)

    def leave(
        self,
        gone: Collection[int],
        units: Mapping[int, Unit],
        claims_by: Callable[[int, int, Claim], bool],
        claim: Claiming,
    ) -> list[Pair]:
        """Units are taken out, with all their legs; ``claim`` is told what others claim by another way then.

        Returns which claims of these may be by way of one of those, as ``claims_by`` says of a unit, a cause and what
        that way costs: the best that is left is to be asked for.
        """
        out = frozenset(gone)
        into = {one: found for one in gone if (found := self._outside(one, out))}
        left = deque((one, cause, way) for one in into for cause, way in self.onward[one].items())
        dearer, claims = list[Pair](), list[Pair]()
        while left:
            changed, cause, (cost, lag) = left.popleft()
            legs = into.get(changed)
            if legs is None:
                legs = into[changed] = self._outside(changed, out)
            for symptom, leg, leg_lag in legs:
                if claims_by(symptom, cause, (leg + cost, leg_lag + lag)):
                    claims.append((symptom, cause))
                onward, way = self.onward[symptom], (self._believed * leg + cost, leg_lag + lag)
                if onward.get(cause) == way:  # what costs anything else came another way
                    del onward[cause]
                    left.append((symptom, cause, way))
                    dearer.append((symptom, cause))
        for one in gone:
            self._drop(one)
        self._anew(dearer, units, claim)
        return claims

    def _outside(self, unit_id: int, out: Collection[int]) -> list[tuple[int, float, float]]:
        """The legs into a unit from others than these."""
        legs = self.legs_into.get(unit_id, {}).items()
        return [(symptom, leg, lag) for symptom, (leg, lag) in legs if symptom not in out]

    def _anew(self, dearer: Iterable[Pair], units: Mapping[int, Unit], claim: Claiming) -> None:
        """What was passed on by a way that there is no more is passed on by the best that is left."""
        work: deque[Pair] = deque()
        for unit_id, cause in dearer:
            other_way = self.ways(units[unit_id], cause, self._believed)
            if other_way is not None and self.lower(unit_id, cause, other_way):
                work.append((unit_id, cause))
        self.spread(work, claim)

    def spread(self, work: deque[Pair], claim: Claiming) -> None:
        """Ways that became cheaper make those of the units cheaper that lead through them, until nothing changes.

        ``claim`` is told what units claim by that.
        """
        believed = self._believed
        while work:
            changed, cause = work.popleft()
            into = self.legs_into.get(changed)
            if not into:
                continue
            cost, lag = self.onward[changed][cause]
            for symptom, (leg, leg_lag) in into.items():
                through = believed * leg + cost
                onward = self.onward.get(symptom)
                if onward is None or through > LEG_LIMIT:
                    continue
                known = onward.get(cause)
                if (known is None or (through, leg_lag + lag) < known) and self._passes(symptom, cause):
                    onward[cause] = self._reacher.one((through, leg_lag + lag))
                    work.append((symptom, cause))
                claim(symptom, cause, (leg + cost, leg_lag + lag))

    def ways(self, unit: Unit, cause: int, discount: float = 1.0) -> Claim | None:
        """The cheapest of all ways from a cause to a unit: by the graph, or by what the others pass on."""
        reach = self._reacher.reach(key(self._graph.node(unit.entity), unit.family))
        at = bisect_left(reach.keys, cause)
        best: Claim | None = None
        if at < len(reach.keys) and reach.keys[at] == cause:
            cost, lag = reach.claims[at]
            best = discount * cost, lag
        for other, (leg, leg_lag) in self.legs_from[unit.id].items():
            passed = self.onward[other].get(cause)
            if passed is not None:
                way = discount * leg + passed[0], leg_lag + passed[1]
                best = way if best is None or way < best else best
        return best if best is not None and best[0] <= LEG_LIMIT else None

    def broke(self, unit: Unit, units: Mapping[int, Unit], claim: Claiming) -> set[Pair]:
        """A unit that is woven in is broken itself, as is told only now: it passes on less.

        Whose claims on what may have led through it is answered; all others are as they were.
        """
        node = self._broken[unit.id] = self._graph.node(unit.entity)
        mine = self.onward[unit.id]
        shut = [cause for cause in mine if not self._itself.may_break(node, cause // COUNT)]
        left = deque((unit.id, cause, mine.pop(cause)) for cause in shut)
        dearer, claims = [(unit.id, cause) for cause in shut], set[Pair]()
        while left:
            changed, cause, (cost, lag) = left.popleft()
            for symptom, (leg, leg_lag) in self.legs_into.get(changed, {}).items():
                claims.add((symptom, cause))
                onward, way = self.onward[symptom], (self._believed * leg + cost, leg_lag + lag)
                if onward.get(cause) == way:  # what costs anything else came another way
                    del onward[cause]
                    left.append((symptom, cause, way))
                    dearer.append((symptom, cause))
        self._anew(dearer, units, claim)
        return claims
