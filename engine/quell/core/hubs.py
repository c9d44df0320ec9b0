"""What many depend on is blamed only for what its dependents show beyond what the like of them show elsewhere.

When a zone is lost, a tenth of all services fails, and so does a tenth of those that call a service which everybody
calls. It is near all of these and explains none. Of what fails among *n* dependents, a share of 1 - *b*/*q* is due to
what they have in common: *q* is how many of them are in trouble, *b* how many of their kinds are that do not depend on
it. (In epidemiology that is the attributable fraction: M. L. Levin, 1953.) The logarithm of that share is what each
way from such a cause costs besides. What lies behind it, such as the host that it runs on, reaches its dependents by
way of it, and explains of these as little; what stands there too is reached otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from quell.core.families import COUNT
from quell.core.graph import Graph
from quell.core.reach import Reacher

MANY = 40
"""Of fewer dependents, or fewer others, it is no rate that tells."""
MOST = 2.0
"""Nats that it costs at most: somebody may be reached by what hardly anyone is."""
_LEAST = exp(-MOST)
SAME = 1e-6
"""Costs so near each other are of one way."""
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Hubs:
    """Counts who is in trouble by kind, and among those that depend on an entity with many dependents."""

    def __init__(self, graph: Graph, reacher: Reacher | None = None) -> None:
        self.graph = graph
        self._reacher = Reacher(graph) if reacher is None else reacher
        self._many = np.array([len(arcs) >= MANY for arcs in graph.inn], dtype=np.bool_)
        self._some = bool(self._many.any())
        self._kinds = Counter(graph.kind(node) for node in range(graph.known)) if self._some else Counter[str]()
        self._troubled: Counter[str] = Counter()
        self._shown: Counter[int] = Counter()
        self._fails: set[int] = set()
        self._of: dict[int, tuple[str, ...]] = {}

    def turned(self, node: int, *, alerting: bool) -> None:
        """Something at a node is in trouble now, or nothing is any more. Strangers are no rate: nobody counted them."""
        if not self._some or node >= self.graph.known:
            return
        step = 1 if alerting else -1
        self._troubled[self.graph.kind(node)] += step
        if self._is_hub(node):
            (self._fails.add if alerting else self._fails.discard)(node)
        for needed, _, _ in self.graph.out[node]:
            if self._is_hub(needed):
                self._shown[needed] += step

    def dearer(self, causes: Ints) -> Floats | None:
        """By how much a way from each of these causes is dearer; None where none is."""
        if not self._some:
            return None
        nodes = causes // COUNT
        known = np.minimum(nodes, len(self._many) - 1)
        at = np.flatnonzero(self._many[known] & (nodes == known))
        if not len(at):
            return None
        some, place = np.unique(nodes[at], return_inverse=True)
        nats = np.zeros(len(causes))
        nats[at] = np.array([self._nats(node) for node in some.tolist()])[place]
        return nats if nats.any() else None

    def through(self, causes: Ints, costs: Floats, at_hub: Callable[[int], Floats | float | None]) -> Floats | None:
        """By how much ways are dearer that lead from a cause to a unit by way of a hub; None where none is.

        ``at_hub`` says at what cost the same units claim a hub; inf is not at all, None that none of them does.
        """
        found: Floats | None = None
        for hub, nats in self._dear():
            for family in range(COUNT):
                there = at_hub(hub * COUNT + family)
                if there is None:
                    continue
                keys, legs, _ = self._reacher.rows(hub * COUNT + family)
                at = np.minimum(np.searchsorted(keys, causes), len(keys) - 1)
                by_way = (keys[at] == causes) & (costs >= there + legs[at] - SAME) & (causes // COUNT != hub)
                by_way &= np.asarray(there) > 0.0
                if by_way.any():
                    found = np.zeros(len(causes)) if found is None else found
                    found[by_way] = np.maximum(found[by_way], nats)
        return found

    def dearly(self, causes: Ints, costs: Floats) -> Floats:
        """What one that is in trouble pays for each of these causes, which are in order, with all that is besides."""

        def at_hub(hub: int) -> float | None:
            at = int(np.searchsorted(causes, hub))
            return float(costs[at]) if at < len(causes) and causes[at] == hub else None

        dearer, through = self.dearer(causes), self.through(causes, costs, at_hub)
        if dearer is not None:
            costs = costs + dearer
        return costs if through is None else costs + through

    def _dear(self) -> Iterator[tuple[int, float]]:
        """The hubs from which ways are dearer now."""
        for hub in sorted(self._shown):
            nats = self._nats(hub)
            if nats > 0.0:
                yield hub, nats

    def _is_hub(self, node: int) -> bool:
        return node < len(self._many) and bool(self._many[node])

    def _nats(self, hub: int) -> float:
        """By how much a way from a hub is dearer than one from a cause that explains all that it could."""
        shown = self._shown[hub]
        if not shown:
            return 0.0
        inside, kinds = len(self.graph.inn[hub]), self._kinds_of(hub)
        itself = self.graph.kind(hub) in kinds
        outside = sum(self._kinds[kind] for kind in kinds) - inside - itself
        if outside < MANY:
            return 0.0
        own = itself and hub in self._fails
        besides = max(0, sum(self._troubled[kind] for kind in kinds) - shown - own)
        return -log(max(_LEAST, 1.0 - besides / outside * inside / shown))

    def _kinds_of(self, hub: int) -> tuple[str, ...]:
        """The kinds of what depends on a hub."""
        known = self._of.get(hub)
        if known is None:
            kinds = {self.graph.kind(node) for node, _, _ in self.graph.inn[hub]}
            known = self._of[hub] = tuple(sorted(kinds))
        return known
