"""The smallest set of causes that explains a group of symptoms: facility location with a noise hypothesis.

Every unit earns what its best open cause explains of it; every open cause costs. A unit that no cause explains well
enough to pay stays noise. Two outages that overlap stay two because one cause explains the symptoms of the other
badly: they lie off its paths, or begin at the wrong time. Solved greedily with lazy evaluation (Minoux 1978), then
improved by swaps; causes that another cause explains are folded into it, paid once per cause and not per symptom.
All quantities are in nats. The solution depends only on the set of units, their claims and the time, never on the
order of arrival.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EVIDENCE = 4.2
MORE_EVIDENCE = 1.0
MORE_LIMIT = 3
OPENING = 5.0
FOLD_MARGIN = 2.5
FOLD_SPREAD_S = 45.0
EARLY_S = 45.0
LATE_S = 300.0
LAG_SPREAD = 0.6
TRIAL_TIMES = 12
ROUNDS = 2
SWAP_TRIALS = 12


@dataclass(frozen=True, slots=True)
class Symptoms:
    """The problem as flat arrays: one row per (unit, cause) claim, rows sorted by cause.

    ``onsets`` per unit in seconds, ``weight`` per unit in nats (what explaining it earns); ``unit``, ``cost``, ``lag``
    per row; ``keys`` distinct causes and ``starts`` where the rows of each begin (one more entry than keys).
    """

    onsets: Floats
    weight: Floats
    keys: Ints
    starts: Ints
    unit: Ints
    cost: Floats
    lag: Floats


def _leads(parents: Mapping[int, int], start: int, goal: int) -> bool:
    while start in parents:
        start = parents[start]
    return start == goal


@dataclass(slots=True)
class Fit:
    """How well one cause, begun at ``began``, explains: ``gain`` nets what it adds over what others explain already."""

    cause: int
    began: float
    gain: float
    opening: float
    rows: Ints
    worth: Floats


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of the solution: index into ``keys``, when it began, its units and the nats it nets."""

    key: int
    began: float
    units: tuple[int, ...]
    net: float
    folded: tuple[int, ...]
    rivals: tuple[tuple[int, float, float], ...]


def misfit(late: Floats, lag: Floats) -> Floats:
    """Nats lost for a symptom that begins ``late`` seconds after it was due: a rule holds back, never runs ahead."""
    scale = np.where(late < 0.0, EARLY_S, LATE_S) + LAG_SPREAD * lag
    lost: Floats = 2.0 * np.log1p((late / scale) ** 2 / 3.0)
    return lost


class Cover:
    """One group's problem, solved once.

    ``opening(key, began)`` prices a cause in nats, ``claims_of(key)`` gives what could have caused that cause (key →
    cost in nats, lag in s), ``cheapest`` is the least any cause can cost.
    """

    def __init__(
        self,
        symptoms: Symptoms,
        opening: Callable[[int, float], float],
        claims_of: Callable[[int], Mapping[int, tuple[float, float]]],
        cheapest: float,
    ) -> None:
        self._s = symptoms
        self._opening = opening
        self._claims_of = claims_of
        self._due = symptoms.onsets[symptoms.unit] - symptoms.lag
        self._plain = symptoms.weight[symptoms.unit] - symptoms.cost
        bound = np.add.reduceat(np.maximum(self._plain, 0.0), symptoms.starts[:-1])
        self._bound = bound
        self._hopeful = np.flatnonzero(bound > cheapest)

    def solve(self) -> list[Cause]:
        """The causes, best first."""
        best = np.zeros(len(self._s.onsets))
        chosen = self._greedy(best)
        for _ in range(ROUNDS):
            chosen = self._improve(chosen)
        owners = self._owners(chosen)
        return self._fold(chosen, owners)

    def _fit(self, cause: int, already: Floats) -> Fit:
        rows = np.arange(self._s.starts[cause], self._s.starts[cause + 1])
        plain, due = self._plain[rows], self._due[rows]
        have = already[self._s.unit[rows]]
        keep = plain > have
        rows, plain, due, have = rows[keep], plain[keep], due[keep], have[keep]
        if not len(rows):
            return Fit(cause, 0.0, -OPENING, OPENING, rows, plain)
        times = due
        if len(times) > TRIAL_TIMES:
            order = np.sort(due)
            times = order[np.linspace(0, len(order) - 1, TRIAL_TIMES).round().astype(np.int64)]
            times = np.append(times, due[np.argmax(plain)])
        late = due[None, :] - times[:, None]
        worth = plain[None, :] - misfit(late, self._s.lag[rows][None, :])
        gains = np.maximum(worth - have[None, :], 0.0).sum(axis=1)
        top = int(np.argmax(gains))
        began = float(times[top])
        opening = self._opening(int(self._s.keys[cause]), began)
        return Fit(cause, began, float(gains[top]) - opening, opening, rows, worth[top])

    def _greedy(self, best: Floats) -> list[Fit]:
        heap = [(-(fit := self._fit(int(cause), best)).gain, int(cause)) for cause in self._hopeful]
        heapq.heapify(heap)
        chosen: list[Fit] = []
        fresh: dict[int, int] = dict.fromkeys((cause for _, cause in heap), 0)
        while heap and heap[0][0] < 0.0:
            _, cause = heapq.heappop(heap)
            fit = self._fit(cause, best)
            if fresh[cause] != len(chosen) and heap and -fit.gain > heap[0][0]:
                fresh[cause] = len(chosen)
                if fit.gain > 0.0:
                    heapq.heappush(heap, (-fit.gain, cause))
                continue
            if fit.gain <= 0.0:
                continue
            chosen.append(fit)
            units = self._s.unit[fit.rows]
            best[units] = np.maximum(best[units], fit.worth)
        return chosen

    def _worths(self, chosen: Sequence[Fit]) -> Floats:
        table = np.zeros((len(chosen) + 1, len(self._s.onsets)))
        for at, fit in enumerate(chosen):
            rows = np.arange(self._s.starts[fit.cause], self._s.starts[fit.cause + 1])
            worth = self._plain[rows] - misfit(self._due[rows] - fit.began, self._s.lag[rows])
            table[at, self._s.unit[rows]] = np.maximum(worth, 0.0)
        return table

    def _owners(self, chosen: Sequence[Fit]) -> Ints:
        """For every unit the index of its cause, or len(chosen) for noise."""
        table = self._worths(chosen)
        owners: Ints = np.argmax(table, axis=0).astype(np.int64)
        owners[table.max(axis=0) <= 0.0] = len(chosen)
        return owners

    def _improve(self, chosen: list[Fit]) -> list[Fit]:
        """For each cause, the best of all causes to stand in its place; causes that stop paying go."""
        for at in range(len(chosen)):
            table = self._worths(chosen)
            table[at] = 0.0
            others = table.max(axis=0)
            mine = np.flatnonzero(self._owners(chosen) == at)
            swap = self._fit(chosen[at].cause, others)
            for cause in self._contenders(mine):
                trial = self._fit(cause, others)
                if trial.gain > swap.gain + 1e-9:
                    swap = trial
            chosen[at] = swap
        kept = [fit for fit in chosen if fit.gain > 0.0]
        unique = {fit.cause: fit for fit in kept}
        return list(unique.values())

    def _contenders(self, units: Ints) -> list[int]:
        """The causes that could at best explain most of these units, most promising first."""
        if not len(units):
            return []
        member = np.zeros(len(self._s.onsets), dtype=bool)
        member[units] = True
        share = np.where(member[self._s.unit], np.maximum(self._plain, 0.0), 0.0)
        bound = np.add.reduceat(share, self._s.starts[:-1])
        order = np.lexsort((self._s.keys, -bound))[:SWAP_TRIALS]
        return [int(cause) for cause in order if bound[cause] > 0.0]

    def _fold(self, chosen: list[Fit], owners: Ints) -> list[Cause]:
        """Causes that another cause, open or not yet open, explains cheaply become part of it."""
        parents = self._parents(chosen)
        groups: dict[int, list[int]] = {}
        for at, fit in enumerate(chosen):
            root = int(self._s.keys[fit.cause])
            while root in parents:
                root = parents[root]
            groups.setdefault(root, []).append(at)
        causes = []
        for root, parts in groups.items():
            units = tuple(int(unit) for at in parts for unit in np.flatnonzero(owners == at))
            if not units:
                continue
            keys = [int(self._s.keys[chosen[at].cause]) for at in parts]
            began = [chosen[at].began for at, key in zip(parts, keys, strict=True) if key == root]
            causes.append(
                Cause(
                    key=root,
                    began=began[0] if began else min(chosen[at].began for at in parts),
                    units=units,
                    net=sum(chosen[at].gain for at in parts),
                    folded=tuple(key for key in keys if key != root),
                    rivals=self._rivals(np.array(units), root),
                )
            )
        return sorted(causes, key=lambda cause: (-cause.net, cause.key))

    def _parents(self, chosen: list[Fit]) -> dict[int, int]:
        """For every cause that folds the cause (both by key) that it folds into."""
        opened = {int(self._s.keys[fit.cause]): fit for fit in chosen}
        offers: dict[int, list[tuple[int, float, float, float]]] = {}
        for key, fit in opened.items():
            for parent, (cost, lag) in self._claims_of(key).items():
                saved = fit.opening - FOLD_MARGIN - cost
                if parent != key and saved > 0.0:
                    offers.setdefault(parent, []).append((key, saved, fit.began - lag, lag))
        parents: dict[int, int] = {}
        while True:
            best: tuple[float, int, list[int]] = (1e-9, 0, [])
            for parent in sorted(offers):
                left = [
                    offer
                    for offer in offers[parent]
                    if offer[0] not in parents and not _leads(parents, parent, offer[0])
                ]
                total, children = self._saving(parent, left, opened, known=parent in parents.values())
                if total > best[0]:
                    best = (total, parent, children)
            if not best[2]:
                return parents
            parents.update(dict.fromkeys(best[2], best[1]))

    def _saving(
        self, parent: int, offers: Sequence[tuple[int, float, float, float]], opened: Mapping[int, Fit], *, known: bool
    ) -> tuple[float, list[int]]:
        """Nats saved by folding into a parent the causes that fit its beginning, and which they are."""
        best: tuple[float, list[int]] = (0.0, [])
        times = [opened[parent].began] if parent in opened else [due for _, _, due, _ in offers]
        for began in times:
            total, children = 0.0, []
            for key, saved, due, lag in offers:
                left = saved - 2.0 * log1p(((due - began) / (FOLD_SPREAD_S + LAG_SPREAD * lag)) ** 2 / 3.0)
                if left > 0.0:
                    total += left
                    children.append(key)
            if parent not in opened and not known:
                total -= self._opening(parent, began)
            if total > best[0]:
                best = (total, children)
        return best

    def _rivals(self, units: Ints, root: int) -> tuple[tuple[int, float, float], ...]:
        """(key, net, began) of the other causes that could stand for these units, best first."""
        already = np.full(len(self._s.onsets), np.inf)
        already[units] = 0.0
        trials = [self._fit(cause, already) for cause in self._contenders(units) if cause != root]
        trials.sort(key=lambda fit: (-fit.gain, fit.cause))
        return tuple((int(self._s.keys[fit.cause]), fit.gain, fit.began) for fit in trials[:5])
