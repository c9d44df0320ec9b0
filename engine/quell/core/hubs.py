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
from collections.abc import Iterable, Iterator, Sequence
from math import exp, log
from typing import NamedTuple

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


class Place(NamedTuple):
    """A hub, which of some causes are that, and which lie behind it."""

    hub: int
    own: slice
    behind: Ints


class Hubs:
    """Counts who is in trouble by kind, and among those that depend on an entity with many dependents."""

    def __init__(self, graph: Graph, reacher: Reacher) -> None:
        self.graph = graph
        self._reacher = reacher
        self._many = np.array([len(arcs) >= MANY for arcs in graph.inn], dtype=np.bool_)
        self._some = bool(self._many.any())
        self._kinds = Counter(graph.kind(node) for node in range(graph.known)) if self._some else Counter[str]()
        self._troubled: Counter[str] = Counter()
        self._shown: Counter[int] = Counter()
        self._fails: set[int] = set()
        self._of: dict[int, tuple[str, ...]] = {}
        self._priced: dict[int, float] = {}
        """What ways from hubs cost besides, as long as nobody else is in trouble."""
        self._dear: list[tuple[int, float]] | None = None

    def turned(self, node: int, *, alerting: bool) -> None:
        """Something at a node is in trouble now, or nothing is any more. Strangers are no rate: nobody counted them."""
        if not self._some or node >= self.graph.known:
            return
        step = 1 if alerting else -1
        self._troubled[self.graph.kind(node)] += step
        self._priced.clear()
        self._dear = None
        if self._is_hub(node):
            (self._fails.add if alerting else self._fails.discard)(node)
        for needed, _, _ in self.graph.out[node]:
            if self._is_hub(needed):
                self._shown[needed] += step

    def nats(self, hub: int) -> float:
        """By how much a way from a hub is dearer than one from a cause that explains all that it could."""
        known = self._priced.get(hub)
        if known is None:
            known = self._priced[hub] = self._nats(hub)
        return known

    def dearer(self, causes: Ints) -> Floats | None:
        """By how much a way from each of these causes, which are in order, is dearer; None where none is."""
        found: Floats | None = None
        for hub, own in self._at(causes):
            nats = self.nats(hub)
            if nats > 0.0:
                found = np.zeros(len(causes)) if found is None else found
                found[own] = nats
        return found

    def dear_among(self, causes: Ints) -> list[tuple[int, float]]:
        """Those of some causes, which are in order, that are at hubs from which ways are dearer now, and by how much.

        These are told by where they are.
        """
        dear = ((own, self.nats(hub)) for hub, own in self._at(causes))
        return [(at, nats) for own, nats in dear if nats > 0.0 for at in range(own.start, own.stop)]

    def dear_keys(self) -> list[tuple[int, float]]:
        """All causes at hubs from which ways are dearer now, and by how much."""
        if self._dear is None:
            dear = ((hub, self.nats(hub)) for hub in sorted(self._shown))
            self._dear = [(hub * COUNT + kind, nats) for hub, nats in dear if nats > 0.0 for kind in range(COUNT)]
        return self._dear

    def through(
        self, causes: Ints, starts: Ints, unit: Ints, costs: Floats, told: Iterable[tuple[int, float, Floats]]
    ) -> Floats | None:
        """By how much ways are dearer that lead from a cause to a unit by way of a hub; None where none is.

        Ways are rows, in order of their ``causes``; the rows of each begin where ``starts`` says (one more entry than
        causes). ``told`` are causes at hubs, by how much ways from there are dearer, and at what cost each unit claims
        them; inf is not at all.
        """
        found: Floats | None = None
        for there_key, nats, there in told:
            keys, legs, _ = self._reacher.rows(there_key)
            hub = there_key // COUNT
            at = np.minimum(np.searchsorted(causes, keys), len(causes) - 1)
            here = np.flatnonzero((causes[at] == keys) & (keys // COUNT != hub))
            first = starts[at[here]]
            counts = starts[at[here] + 1] - first
            rows = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))
            way = there[unit[rows]]
            by_way = rows[(costs[rows] >= way + np.repeat(legs[here], counts) - SAME) & (way > 0.0)]
            if len(by_way):
                found = np.zeros(len(costs)) if found is None else found
                found[by_way] = np.maximum(found[by_way], nats)
        return found

    def places(self, causes: Ints, costs: Floats) -> list[Place]:
        """Which of these causes, which are in order, are hubs and which lie behind these: the graph alone says that.

        ``costs`` are what one that is in trouble pays for each of them by all that is known of ways.
        """
        found = []
        for hub, own in self._at(causes):
            behind = np.zeros(len(causes), dtype=np.bool_)
            for row in range(own.start, own.stop):
                if costs[row] > 0.0:
                    keys, legs, _ = self._reacher.rows(int(causes[row]))
                    at = np.minimum(np.searchsorted(keys, causes), len(keys) - 1)
                    behind |= (keys[at] == causes) & (costs >= costs[row] + legs[at] - SAME)
            behind[own] = False
            found.append(Place(hub, own, np.flatnonzero(behind)))
        return found

    def dearly(self, costs: Floats, places: Sequence[Place]) -> Floats:
        """What one that is in trouble pays for causes with all that is besides, by the `places` of these."""
        some = [(place, nats) for place in places if (nats := self.nats(place.hub)) > 0.0]
        if not some:
            return costs
        dearer, through = np.zeros(len(costs)), np.zeros(len(costs))
        for place, nats in some:
            dearer[place.own] = nats
            through[place.behind] = np.maximum(through[place.behind], nats)
        more: Floats = costs + dearer + through
        return more

    def _at(self, causes: Ints) -> Iterator[tuple[int, slice]]:
        """The hubs among causes, which are in order, and where they are."""
        if not self._some:
            return
        nodes = causes // COUNT
        some = np.flatnonzero(self._many[np.minimum(nodes, len(self._many) - 1)] & (nodes < len(self._many)))
        first = 0
        listed = nodes[some].tolist()
        for past in range(1, len(listed) + 1):
            if past == len(listed) or listed[past] != listed[first]:
                yield listed[first], slice(int(some[first]), int(some[past - 1]) + 1)
                first = past

    def _is_hub(self, node: int) -> bool:
        return node < len(self._many) and bool(self._many[node])

    def _nats(self, hub: int) -> float:
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
