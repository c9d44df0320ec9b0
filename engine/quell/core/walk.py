"""Random walk with restart from the symptoms towards what they depend on (Tong, Faloutsos, Pan 2006).

The walker starts at a symptom, follows dependencies with the probability that trouble travels over them, and returns
to the symptoms now and then. Where it stays longest much of the trouble could come from. On its own this rewards
hubs, so it is one piece of evidence among others, and measured against what a walker finds from the mean symptom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    for to, at, chance in zip(*_steps(graph, place, start), strict=True):
        matrix[to, at] += chance
    matrix /= matrix.sum(axis=0, keepdims=True)
    return matrix.__matmul__


def _sparse(graph: Graph, place: Mapping[int, int], start: Mapping[int, float]) -> Step:
    """The same where thousands are in trouble: of a million pairs few are joined."""
    told, left, likely = _steps(graph, place, start)
    to, at, chance = np.array(told, dtype=np.int64), np.array(left, dtype=np.int64), np.array(likely)
    chance /= np.bincount(at, chance)[at]

    def step(share: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(to, chance * share[at], minlength=len(place)).astype(np.float64)

    return step


def _steps(
    graph: Graph, place: Mapping[int, int], start: Mapping[int, float]
) -> tuple[list[int], list[int], list[float]]:
    """Where the walker may go from where (told the other way round), and how much speaks for it."""
    travels: dict[int, float] = {}
    told: list[int] = []
    left: list[int] = []
    likely: list[float] = []
    to_place, out = place.get, graph.out
    for node, at in place.items():
        for other, how, weight in out[node]:
            to = to_place(other)
            if to is not None:
                most = travels.get(id(how))
                if most is None:
                    most = travels[id(how)] = max(max(row) for row in how.p)
                told.append(to)
                left.append(at)
                likely.append(most * weight)
        # Staying is what a node without troubled dependencies does: the cause may be here.
        told.append(at)
        left.append(at)
        likely.append(0.5 + start.get(node, 0.0))
    return told, left, likely


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
