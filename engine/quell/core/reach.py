"""From a symptom to the causes that could have brought it about: a bounded shortest-path search along dependencies.

The cost of a path is the sum of -log p over its edges plus a price for every silent node passed, in nats; so it is a
log-likelihood, and searching from the symptom keeps it small however many dependents a hub has.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import log

import numpy as np
from numpy.typing import NDArray

from quell.core.edges import into
from quell.core.families import COUNT, Family
from quell.core.graph import Graph

COST_LIMIT = 5.0
HOP_LIMIT = 4
MOST_SHARED = 50_000
"""So many claims, and so many keys, are kept for being shared; an estate with more ways than these has few alike."""

Claim = tuple[float, float]
"""Cost in nats and lag in seconds."""
Rows = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
"""Claims as arrays: causes, costs and lags."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Causes within reach of one symptom, sorted by key (node * families + family).

    ``claims`` are what each costs in nats with its lag in s, ``nearer`` the place of the next key on the cheapest path
    from each to the symptom (its own at the symptom).
    """

    keys: tuple[int, ...]
    nearer: bytes | array[int]
    claims: tuple[Claim, ...]


def key(node: int, family: Family | int) -> int:
    """One number for a node and a family of trouble at it."""
    return node * COUNT + int(family)


STARVED = ((Family.FAILING, 0.27, 60.0), (Family.IDLE, 0.4, 60.0))
"""Who is in what kind of trouble sends no work, how surely that shows where it used to arrive, and after what lag."""
STOPPED = 0.2, 60.0
"""That what fails at an entity shows as work that does not arrive there."""
FEW_SENDERS = 12
"""Where more than so many send work, some of it arrives whichever of them is in trouble."""
MOST_KNOWN = 20_000
"""So many searches are remembered, at some kilobytes each: where many fire, most of an estate does one day."""
MOST_ROWS = 2_000
"""So many are kept as arrays, for causes that are open though nothing alerts there."""
FEW = 256
"""Places among so many take a byte each."""


class Reacher:
    """Searches and remembers; the graph must not change under it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._prices = graph.weights.prices
        self._known: dict[int, Reach] = {}
        self._claims: dict[Claim, Claim] = {}
        self._keys: dict[int, int] = {}
        self._rows: dict[int, Rows] = {}
        self._ways: list[dict[tuple[int, float], tuple[tuple[int, float, float], ...]]] = [{} for _ in range(COUNT)]
        """By symptom, then by kind of edge (one object for all of a kind) and weight, what `into` says."""

    def one(self, claim: Claim) -> Claim:
        """One object for all claims that are equal: dependencies of a kind are alike, so hundreds of thousands are."""
        known = self._claims.get(claim)
        if known is None:
            if len(self._claims) >= MOST_SHARED:
                self._claims.clear()
            known = self._claims[claim] = claim
        return known

    def reach(self, start: int) -> Reach:
        """All causes within the limits of cost and hops from the symptom with this key, itself at cost 0 included."""
        known = self._known.get(start)
        if known is None:
            best, previous = self._search(start)
            keys = sorted(best)
            place = {k: at for at, k in enumerate(keys)}
            nearer = [place[previous[k]] for k in keys]
            if len(self._keys) >= MOST_SHARED:
                self._keys.clear()
            same = self._keys.setdefault
            known = Reach(
                tuple([same(k, k) for k in keys]),
                bytes(nearer) if len(keys) <= FEW else array("I", nearer),
                tuple([self.one(best[k]) for k in keys]),
            )
            if len(self._known) >= MOST_KNOWN:
                for oldest in list(islice(self._known, MOST_KNOWN // 4)):
                    del self._known[oldest]
            self._known[start] = known
        return known

    def rows(self, start: int) -> Rows:
        """What `reach` finds, as arrays."""
        known = self._rows.get(start)
        if known is None:
            found = self.reach(start)
            claims = np.array(found.claims, dtype=np.float64)
            known = np.array(found.keys, dtype=np.int64), claims[:, 0].copy(), claims[:, 1].copy()
            if len(self._rows) >= MOST_ROWS:
                for oldest in list(islice(self._rows, MOST_ROWS // 4)):
                    del self._rows[oldest]
            self._rows[start] = known
        return known

    def path(self, start: int, cause: int) -> list[int]:
        """Keys from the cause to the symptom along the cheapest path; empty when the cause is out of reach."""
        reach = self.reach(start)
        at = bisect_left(reach.keys, cause)
        if at == len(reach.keys) or reach.keys[at] != cause:
            return []
        steps = [cause]
        while steps[-1] != start:
            at = reach.nearer[at]
            steps.append(reach.keys[at])
        return steps

    def _toll(self, node: int, family: int) -> float:
        """The price of passing a silent entity."""
        if family == Family.IDLE:
            return self._prices.unaware if self._graph.hands_on(node) else self._prices.silent
        aware = family != Family.DATA or self._graph.made_of_data(node)
        return self._prices.silent if aware else self._prices.unaware

    def _starved(self, node: int, *, start: bool) -> Iterator[tuple[int, float, float]]:
        """Against the arrows: what could have kept work from a node, as (key, nats, lag)."""
        if start:
            yield key(node, Family.FAILING), -log(STOPPED[0]), STOPPED[1]
        senders = self._graph.inn[node]
        if len(senders) <= FEW_SENDERS:
            for sender, how, weight in senders:
                if how.work:
                    for family, p, lag in STARVED:
                        yield key(sender, family), -log(p * weight), lag

    def _search(self, start: int) -> tuple[dict[int, tuple[float, float]], dict[int, int]]:
        best: dict[int, tuple[float, float]] = {}
        previous: dict[int, int] = {}
        heap: list[tuple[float, float, int, int, int]] = [(0.0, 0.0, start, 0, start)]
        push, pop, out = heapq.heappush, heapq.heappop, self._graph.out
        while heap:
            cost, lag, here, hops, came = pop(heap)
            if here in best:
                continue
            best[here] = (cost, lag)
            previous[here] = came
            if hops == HOP_LIMIT:
                continue
            node, family = divmod(here, COUNT)
            toll = self._toll(node, family) if hops else 0.0
            known, so_far, further = self._ways[family], cost + toll, hops + 1
            for other, how, weight in out[node]:
                ways = known.get((id(how), weight))
                if ways is None:
                    ways = known[id(how), weight] = into(how, family, weight)
                for cause, likely, later in ways:
                    onward = so_far - likely
                    if onward <= COST_LIMIT and (step := other * COUNT + cause) not in best:
                        push(heap, (onward, lag + later, step, further, here))
            if family == Family.IDLE:
                for step, nats, more_s in self._starved(node, start=not hops):
                    if so_far + nats <= COST_LIMIT and step not in best:
                        push(heap, (so_far + nats, lag + more_s, step, further, here))
        return best, previous
