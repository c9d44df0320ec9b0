"""What many depend on is blamed only for what its dependents show beyond what the like of them show elsewhere.

When a zone is lost, a tenth of all services fails, and so does a tenth of those that call a service which everybody
calls. It is near all of these and explains none. Of what fails among *n* dependents, a share of 1 - *b*/*q* is due to
what they have in common: *q* is how many of them are in trouble, *b* how many of their kinds are that do not depend on
it. (In epidemiology that is the attributable fraction: M. L. Levin, 1953.) The logarithm of that share is what each
way from such a cause costs besides.
"""

from __future__ import annotations

from collections import Counter
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from quell.core.families import COUNT
from quell.core.graph import Graph

MANY = 40
"""Of fewer dependents, or fewer others, it is no rate that tells."""
MOST = 2.0
"""Nats that it costs at most: somebody may be reached by what hardly anyone is."""
_LEAST = exp(-MOST)
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Hubs:
    """Counts who is in trouble by kind, and among those that depend on an entity with many dependents."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._many = np.array([len(arcs) >= MANY for arcs in graph.inn], dtype=np.bool_)
        self._some = bool(self._many.any())
        self._kinds = Counter(graph.kind(node) for node in range(graph.known)) if self._some else Counter[str]()
        self._troubled: Counter[str] = Counter()
        self._shown: Counter[int] = Counter()
        self._fails: set[int] = set()
        self._of: dict[int, tuple[str, ...]] = {}

    def turned(self, node: int, *, alerting: bool) -> None:
        """Something at a node is in trouble now, or nothing is any more. Strangers are no rate: nobody counted them."""
        if not self._some or node >= self._graph.known:
            return
        step = 1 if alerting else -1
        self._troubled[self._graph.kind(node)] += step
        if self._is_hub(node):
            (self._fails.add if alerting else self._fails.discard)(node)
        for needed, _, _ in self._graph.out[node]:
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

    def _is_hub(self, node: int) -> bool:
        return node < len(self._many) and bool(self._many[node])

    def _nats(self, hub: int) -> float:
        """By how much a way from a hub is dearer than one from a cause that explains all that it could."""
        shown = self._shown[hub]
        if not shown:
            return 0.0
        inside, kinds = len(self._graph.inn[hub]), self._kinds_of(hub)
        itself = self._graph.kind(hub) in kinds
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
            kinds = {self._graph.kind(node) for node, _, _ in self._graph.inn[hub]}
            known = self._of[hub] = tuple(sorted(kinds))
        return known
