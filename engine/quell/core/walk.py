"""Random walk with restart from the symptoms towards what they depend on (Tong, Faloutsos, Pan 2006).

The walker starts at a symptom, follows dependencies with the probability that trouble travels over them, and returns
to the symptoms now and then. Where it stays longest much of the trouble could come from. On its own this rewards
hubs, so it is one piece of evidence among others, and measured against what a walker finds from the mean symptom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from quell.core.families import COUNT
from quell.core.graph import Graph

RESTART = 0.25
STEPS = 16
HOPS = 4
LIMIT = 160

Step = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Where walkers are after a step, by where they were."""


def visits(graph: Graph, symptoms: Mapping[int, float]) -> dict[int, float]:
    """Share of time at each node (at most `LIMIT` nodes), for symptoms given as key → weight."""
    start: dict[int, float] = {}
    for key, weight in symptoms.items():
        start[key // COUNT] = start.get(key // COUNT, 0.0) + weight
    nodes = _around(graph, sorted(start))
    place = {node: at for at, node in enumerate(nodes)}
    restart = np.array([start.get(node, 0.0) for node in nodes])
    restart /= restart.sum()
    step = _sparse(graph, place, start) if len(nodes) > LIMIT else _dense(graph, place, start)
    share: NDArray[np.float64] = restart.copy()
    for _ in range(STEPS):
        share = (1.0 - RESTART) * step(share) + RESTART * restart
    return dict(zip(nodes, share.tolist(), strict=True))


def _dense(graph: Graph, place: Mapping[int, int], start: Mapping[int, float]) -> Step:
    matrix = np.zeros((len(place), len(place)))
    for to, at, chance in _steps(graph, place, start):
        matrix[to, at] += chance
    matrix /= matrix.sum(axis=0, keepdims=True)
    return matrix.__matmul__


def _sparse(graph: Graph, place: Mapping[int, int], start: Mapping[int, float]) -> Step:
    """The same where thousands are in trouble: of a million pairs few are joined."""
    steps = np.array(list(_steps(graph, place, start)))
    to, at = steps[:, 0].astype(np.int64), steps[:, 1].astype(np.int64)
    chance = steps[:, 2] / np.bincount(at, steps[:, 2])[at]

    def step(share: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(to, chance * share[at], minlength=len(place)).astype(np.float64)

    return step


def _steps(graph: Graph, place: Mapping[int, int], start: Mapping[int, float]) -> Iterator[tuple[int, int, float]]:
    """Where the walker may go from where, and how much speaks for it."""
    travels: dict[int, float] = {}
    for node, at in place.items():
        for other, how, weight in graph.out[node]:
            to = place.get(other)
            if to is not None:
                most = travels.get(id(how))
                if most is None:
                    most = travels[id(how)] = max(max(row) for row in how.p)
                yield to, at, most * weight
        # Staying is what a node without troubled dependencies does: the cause may be here.
        yield at, at, 0.5 + start.get(node, 0.0)


def _around(graph: Graph, start: Sequence[int]) -> list[int]:
    seen = dict.fromkeys(start)
    ring = list(start)
    for _ in range(HOPS):
        reached = []
        for node in ring:
            for other, _, _ in graph.out[node]:
                if other not in seen:
                    if len(seen) >= LIMIT:
                        return list(seen)
                    seen[other] = None
                    reached.append(other)
        ring = reached
    return list(seen)
