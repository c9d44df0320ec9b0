"""Causes that another cause explains are folded into it: paid once per cause and not per symptom.

A host that fails takes ten services with it. Each of these explains its own symptoms best, and is a cause by itself;
that they began when the host would have made them is what tells. The host need not be open, nor alert, to take them
in: it is opened when what it saves pays for it. All quantities are in nats.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log1p

MARGIN = 2.0
SPREAD_S = 90.0
LAG_SPREAD = 0.6
CHEAPEST = 3.0
"""No cause costs less to open."""
Offer = tuple[int, float, float, float]
"""A cause that could fold: its key, nats saved at best, when its parent would have begun, lag in seconds."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An open cause: when it began, and its price in nats."""

    began: float
    price: float


def folded(
    opened: Mapping[int, Begun],
    claims_of: Callable[[int], Mapping[int, tuple[float, float]]],
    opening: Callable[[int, float], float],
) -> dict[int, int]:
    """For every open cause that folds, the cause (both by key) that it folds into.

    ``claims_of(key)`` gives what could have caused that cause (key → cost in nats, lag in s), ``opening(key, began)``
    prices a cause that is not open yet. What saves most folds first; a promise still best when renewed is kept.
    """
    offers = _offers(opened, claims_of)
    parents: dict[int, int] = {}
    heap = [
        (-most, parent)
        for parent in offers
        if (most := sum(offer[1] for offer in offers[parent])) > (0.0 if parent in opened else CHEAPEST)
    ]
    heapq.heapify(heap)
    while heap:
        promised, parent = heapq.heappop(heap)
        left = [offer for offer in offers[parent] if offer[0] not in parents and not _leads(parents, parent, offer[0])]
        known = parent in parents.values()
        total, children = _saving(parent, left, opened, None if known else opening)
        if total <= 1e-9:
            continue
        if heap and -total > heap[0][0] and -total > promised + 1e-9:
            heapq.heappush(heap, (-total, parent))
            continue
        parents.update(dict.fromkeys(children, parent))
        heapq.heappush(heap, (-sum(offer[1] for offer in left), parent))
    return parents


def _offers(
    opened: Mapping[int, Begun], claims_of: Callable[[int], Mapping[int, tuple[float, float]]]
) -> dict[int, list[Offer]]:
    """By parent, the open causes that it might take in."""
    offers: dict[int, list[Offer]] = {}
    for key, one in opened.items():
        for parent, (cost, lag) in claims_of(key).items():
            saved = one.price - MARGIN - cost
            if parent != key and saved > 0.0:
                offers.setdefault(parent, []).append((key, saved, one.began - lag, lag))
    return offers


def _saving(
    parent: int,
    offers: Sequence[Offer],
    opened: Mapping[int, Begun],
    opening: Callable[[int, float], float] | None,
) -> tuple[float, list[int]]:
    """Nats saved by folding into a parent the causes that fit its beginning, and which they are.

    Without ``opening`` the parent is paid for already.
    """
    best: tuple[float, list[int]] = (0.0, [])
    times = [opened[parent].began] if parent in opened else [due for _, _, due, _ in offers]
    for began in times:
        total, children = 0.0, []
        for key, saved, due, lag in offers:
            left = saved - 2.0 * log1p(((due - began) / (SPREAD_S + LAG_SPREAD * lag)) ** 2 / 3.0)
            if left > 0.0:
                total += left
                children.append(key)
        if parent not in opened and opening is not None:
            total -= opening(parent, began)
        if total > best[0]:
            best = (total, children)
    return best


def _leads(parents: Mapping[int, int], start: int, goal: int) -> bool:
    while start in parents:
        start = parents[start]
    return start == goal
