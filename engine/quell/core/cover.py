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
from functools import partial
from math import log1p

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Offer = tuple[int, float, float, float]
"""A cause that could fold: its key, nats saved at best, when its parent would have begun, lag in seconds."""

EVIDENCE = 4.2
MORE_EVIDENCE = 1.0
MORE_LIMIT = 3
OPENING = 5.0
CHEAPEST = 3.0
FOLD_MARGIN = 2.5
FOLD_SPREAD_S = 45.0
EARLY_S = 45.0
LATE_S = 300.0
LAG_SPREAD = 0.6
TRIAL_TIMES = 8
ROUNDS = 2
SWAP_TRIALS = 6


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


@dataclass(frozen=True, slots=True)
class Fit:
    """One cause, begun at ``began``: it ``explains`` so many nats that nothing else does, at the price ``opening``.

    ``units`` are those it could explain and ``worth`` what it is worth to each.
    """

    cause: int
    began: float
    explains: float
    opening: float
    units: Ints
    worth: Floats

    @property
    def gain(self) -> float:
        """What choosing it nets."""
        return self.explains - self.opening


def _owners(table: Floats) -> Ints:
    """For every unit (column) the row that is worth most to it, or the number of rows for noise."""
    if not len(table):
        return np.zeros(table.shape[1], dtype=np.int64)
    owners: Ints = table.argmax(axis=0).astype(np.int64)
    owners[table.max(axis=0) <= 0.0] = len(table)
    return owners


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of the solution: its key, when it began, its units, the nats it nets, the causes folded into it.

    ``rivals`` answers (key, nats, beginning) of the others that could stand in its place, best first.
    """

    key: int
    began: float
    units: tuple[int, ...]
    net: float
    folded: tuple[int, ...]
    rivals: Callable[[], tuple[tuple[int, float, float], ...]]


def misfit(late: Floats, lag: Floats) -> Floats:
    """Nats lost for a symptom that begins ``late`` seconds after it was due: a rule holds back, never runs ahead."""
    scale = np.where(late < 0.0, EARLY_S, LATE_S) + LAG_SPREAD * lag
    lost: Floats = 2.0 * np.log1p((late / scale) ** 2 / 3.0)
    return lost


class Cover:
    """One group's problem, solved once.

    ``opening(key, began)`` prices a cause in nats, ``claims_of(key)`` gives what could have caused that cause (key →
    cost in nats, lag in s), ``floor(key)`` is the least a cause can cost. ``promise`` remembers, by key, what a cause
    could at best explain; it is filled here and may be passed again for the keys none of whose rows changed since.
    With ``fresh`` (one flag a unit) only the causes of such units are improved by swaps.
    """

    def __init__(
        self,
        symptoms: Symptoms,
        opening: Callable[[int, float], float],
        claims_of: Callable[[int], Mapping[int, tuple[float, float]]],
        *,
        floor: Callable[[int], float],
        promise: dict[int, float],
        fresh: NDArray[np.bool_] | None = None,
    ) -> None:
        self._s = symptoms
        self._opening = opening
        self._claims_of = claims_of
        self._floor = floor
        self._promise = promise
        self._fresh = fresh
        self._due = symptoms.onsets[symptoms.unit] - symptoms.lag
        self._plain = symptoms.weight[symptoms.unit] - symptoms.cost
        self._cause = np.repeat(np.arange(len(symptoms.keys)), np.diff(symptoms.starts))
        order = np.argsort(symptoms.unit, kind="stable")
        self._by_unit = order
        self._unit_starts = np.searchsorted(symptoms.unit[order], np.arange(len(symptoms.onsets) + 1))

    def solve(self) -> list[Cause]:
        """The causes, best first."""
        chosen = self._greedy()
        for _ in range(ROUNDS):
            if not self._improve(chosen):
                break
        owners = _owners(self._worths(chosen))
        return self._fold(chosen, owners)

    def _fit(self, cause: int, already: Floats | None) -> Fit:
        rows = slice(int(self._s.starts[cause]), int(self._s.starts[cause + 1]))
        units, plain, due, lag = self._s.unit[rows], self._plain[rows], self._due[rows], self._s.lag[rows]
        have = np.zeros(len(units)) if already is None else already[units]
        keep = plain > have
        if not keep.all():
            units, plain, due, have, lag = units[keep], plain[keep], due[keep], have[keep], lag[keep]
        if not len(units):
            return Fit(cause, 0.0, 0.0, OPENING, units, plain)
        times = due
        if len(times) > TRIAL_TIMES:
            picks = np.append(np.arange(TRIAL_TIMES) * (len(times) - 1) // (TRIAL_TIMES - 1), 0)
            times = np.sort(due)[picks]
            times[-1] = due[np.argmax(plain)]
        worth = plain - misfit(due - times[:, None], lag)
        gains = np.maximum(worth - have, 0.0).sum(axis=1)
        top = int(gains.argmax())
        began = float(times[top])
        return Fit(cause, began, float(gains[top]), self._opening(int(self._s.keys[cause]), began), units, worth[top])

    def _greedy(self) -> list[Fit]:
        """Takes the cause that nets most until none pays; a promise that is still best when renewed is kept."""
        bound = np.add.reduceat(np.maximum(self._plain, 0.0), self._s.starts[:-1])
        heap: list[tuple[float, int]] = []
        for cause in map(int, np.flatnonzero(bound > CHEAPEST)):
            key = int(self._s.keys[cause])
            floor = self._floor(key)
            if bound[cause] <= floor:
                continue
            explains = self._promise.get(key)
            if explains is None:
                explains = self._promise[key] = self._fit(cause, None).explains
            if explains > floor:
                heap.append((floor - explains, cause))
        heapq.heapify(heap)
        best = np.zeros(len(self._s.onsets))
        chosen: list[Fit] = []
        while heap:
            promised, cause = heapq.heappop(heap)
            fit = self._fit(cause, best)
            if heap and -fit.gain > heap[0][0] + 1e-9 and -fit.gain > promised + 1e-9:
                if fit.gain > 0.0:
                    heapq.heappush(heap, (-fit.gain, cause))
                continue
            if fit.gain <= 0.0:
                continue
            chosen.append(fit)
            best[fit.units] = np.maximum(best[fit.units], fit.worth)
        return chosen

    def _worth(self, fit: Fit) -> Floats:
        """What a cause, begun when it did, is worth to every unit."""
        rows = slice(int(self._s.starts[fit.cause]), int(self._s.starts[fit.cause + 1]))
        line = np.zeros(len(self._s.onsets))
        worth = self._plain[rows] - misfit(self._due[rows] - fit.began, self._s.lag[rows])
        line[self._s.unit[rows]] = np.maximum(worth, 0.0)
        return line

    def _worths(self, chosen: Sequence[Fit]) -> Floats:
        if not chosen:
            return np.zeros((0, len(self._s.onsets)))
        return np.stack([self._worth(fit) for fit in chosen])

    def _improve(self, chosen: list[Fit]) -> bool:
        """For each cause, the best of all causes to stand in its place; causes that stop paying go."""
        table = self._worths(chosen)
        owners = _owners(table)
        swapped = False
        for at, fit in enumerate(chosen):
            mine = np.flatnonzero(owners == at)
            if self._fresh is not None and not self._fresh[mine].any():
                continue
            line = table[at].copy()
            table[at] = 0.0
            others = table.max(axis=0)
            best = self._fit(fit.cause, others)
            for cause, bound in self._contenders(mine):
                if bound - self._floor(int(self._s.keys[cause])) <= best.gain:
                    continue
                trial = self._fit(cause, others)
                if trial.gain > best.gain + 1e-9:
                    best = trial
            swapped = swapped or best.cause != fit.cause or best.gain <= 0.0
            chosen[at] = best
            if best.gain > 0.0:
                table[at] = self._worth(best)
            if not np.array_equal(table[at], line):
                owners = _owners(table)
        unique = {fit.cause: fit for fit in chosen if fit.gain > 0.0}
        chosen[:] = unique.values()
        return swapped

    def _contenders(self, units: Ints) -> list[tuple[int, float]]:
        """The causes that could at best explain most of these units, with how much, most promising first."""
        if not len(units):
            return []
        spans = [self._by_unit[self._unit_starts[unit] : self._unit_starts[unit + 1]] for unit in units]
        rows = np.concatenate(spans)
        causes, place = np.unique(self._cause[rows], return_inverse=True)
        bound = np.bincount(place, np.maximum(self._plain[rows], 0.0))
        order = np.lexsort((causes, -bound))[:SWAP_TRIALS]
        return [(int(causes[at]), float(bound[at])) for at in order if bound[at] > CHEAPEST]

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
                    rivals=partial(self._rivals, np.array(units), root),
                )
            )
        return sorted(causes, key=lambda cause: (-cause.net, cause.key))

    def _parents(self, chosen: list[Fit]) -> dict[int, int]:
        """For every cause that folds the cause (both by key) that it folds into."""
        opened = {int(self._s.keys[fit.cause]): fit for fit in chosen}
        offers: dict[int, list[Offer]] = {}
        for key, fit in opened.items():
            for parent, (cost, lag) in self._claims_of(key).items():
                saved = fit.opening - FOLD_MARGIN - cost
                if parent != key and saved > 0.0:
                    offers.setdefault(parent, []).append((key, saved, fit.began - lag, lag))
        return self._folded(offers, opened)

    def _folded(self, offers: Mapping[int, Sequence[Offer]], opened: Mapping[int, Fit]) -> dict[int, int]:
        """Folds what saves most until nothing saves; a promise that is still best when renewed is kept."""
        parents: dict[int, int] = {}
        heap = [(-sum(offer[1] for offer in offers[parent]), parent) for parent in offers]
        heapq.heapify(heap)
        while heap:
            promised, parent = heapq.heappop(heap)
            left = [
                offer for offer in offers[parent] if offer[0] not in parents and not _leads(parents, parent, offer[0])
            ]
            total, children = self._saving(parent, left, opened, known=parent in parents.values())
            if total <= 1e-9:
                continue
            if heap and -total > heap[0][0] and -total > promised + 1e-9:
                heapq.heappush(heap, (-total, parent))
                continue
            parents.update(dict.fromkeys(children, parent))
            heapq.heappush(heap, (-sum(offer[1] for offer in left), parent))
        return parents

    def _saving(
        self, parent: int, offers: Sequence[Offer], opened: Mapping[int, Fit], *, known: bool
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
        trials = [self._fit(cause, already) for cause, _ in self._contenders(units) if int(self._s.keys[cause]) != root]
        trials.sort(key=lambda fit: (-fit.gain, fit.cause))
        return tuple((int(self._s.keys[fit.cause]), fit.gain, fit.began) for fit in trials[:5])
