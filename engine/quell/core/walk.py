"""Random walk with restart from the symptoms towards what they depend on (Tong, Faloutsos, Pan 2006).

The walker starts at a symptom, follows dependencies with the probability that trouble travels over them, and returns
to the symptoms now and then. Where it stays longest much of the trouble could come from. On its own this rewards
hubs, so it is one piece of evidence among others, and measured against what a walker finds from the mean symptom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from quell.core.families import COUNT
from quell.core.graph import Graph

RESTART = 0.25
STEPS = 16
HOPS = 4
LIMIT = 160


def visits(graph: Graph, symptoms: Mapping[int, float]) -> dict[int, float]:
    """Share of time at each node (at most `LIMIT` nodes), for symptoms given as key → weight."""
    start: dict[int, float] = {}
    for key, weight in symptoms.items():
        start[key // COUNT] = start.get(key // COUNT, 0.0) + weight
    nodes = _around(graph, sorted(start))
    place = {node: at for at, node in enumerate(nodes)}
    matrix = np.zeros((len(nodes), len(nodes)))
    for node, at in place.items():
        for other, how, weight in graph.out[node]:
            to = place.get(other)
            if to is not None:
                matrix[to, at] += max(max(row) for row in how.p) * weight
        # Staying is what a node without troubled dependencies does: the cause may be here.
        matrix[at, at] += 0.5 + start.get(node, 0.0)
    matrix /= matrix.sum(axis=0, keepdims=True)
    restart = np.array([start.get(node, 0.0) for node in nodes])
    restart /= restart.sum()
    share: NDArray[np.float64] = restart.copy()
    for _ in range(STEPS):
        share = (1.0 - RESTART) * (matrix @ share) + RESTART * restart
    return dict(zip(nodes, share.tolist(), strict=True))


def _around(graph: Graph, start: Sequence[int]) -> list[int]:
    seen = dict.fromkeys(start)
    ring = list(start)
    for _ in range(HOPS):
        reached = []
        for node in ring:
            for other, _, _ in graph.out[node]:
                if other not in seen and len(seen) < LIMIT:
                    seen[other] = None
                    reached.append(other)
        ring = reached
    return list(seen)
