"""The smallest set of causes that explains a group of symptoms: facility location with a noise hypothesis.

Every unit earns what its best open cause explains of it; every open cause costs. A unit that no cause explains well
enough to pay stays noise. Two outages that overlap stay two because one cause explains the symptoms of the other
badly: they lie off its paths, or begin at the wrong time. The search goes on from the solution before: it takes the
move that gains most - open a cause and close at once all that no longer pay beside it - until none gains, so its cost
follows what changed. Causes that another cause explains are folded into it, paid once per cause and not per symptom.
All quantities are in nats. The solution depends only on the units, their claims, the time and the solution before.

Local search for uncapacitated facility location: Arya et al., "Local search heuristics for k-median and facility
location problems", SIAM J. Comput. 33 (2004).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from quell.core.folding import Occurrence, folded, occurrences
from quell.core.steps import Steps, finished

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EVIDENCE = 4.2
MORE_NAMES = 2.0
MORE_REPLICAS = 0.5
MORE_LIMIT = 4.0
OPENING = 5.0
CHEAPEST = 3.0
EARLY_S = 45.0
LATE_S = 300.0
LAG_SPREAD = 0.6
TRIAL_TIMES = 8
MOST_MOVES = 200
SWAP_TRIALS = 6
STAY = 0.5
LEAST_GAIN = 1e-6
TOGETHER = 16
"""So many causes are weighed in one step: a few milliseconds where thousands of symptoms are."""


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

    def first(self, key: int, began: float) -> float:
        """When the first symptom began of those that were due once this cause had begun then; ``began`` without any."""
        at = int(np.searchsorted(self.keys, key))
        if at == len(self.keys) or self.keys[at] != key:
            return began
        rows = slice(int(self.starts[at]), int(self.starts[at + 1]))
        onsets = self.onsets[self.unit[rows]]
        due = onsets - self.lag[rows] >= began - EARLY_S
        return float(onsets[due].min()) if due.any() else began


@dataclass(slots=True)
class Open:
    """An open cause: its index, when it began, what it is worth to every unit, its price, and the how manieth it is."""

    cause: int
    began: float
    line: Floats
    price: float
    number: int
    net: float = 0.0


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of the solution: its key, when it began, its units, the nats it nets, the causes folded into it.

    ``parts`` are the open causes it is made of as (key, began); ``rivals`` answers (key, nats, beginning) of the
    others that could stand in its place, best first.
    """

    key: int
    began: float
    units: tuple[int, ...]
    net: float
    folded: tuple[int, ...]
    parts: tuple[tuple[int, float], ...]
    rivals: Callable[[], tuple[tuple[int, float, float], ...]]


@dataclass(frozen=True, slots=True)
class Move:
    """Opening a cause at a time, with what it gains when all that it makes needless is closed."""

    cause: int
    began: float
    gain: float


class Cover:
    """One group's problem, solved once.

    ``opening(key, began)`` prices a cause in nats, ``claims_of(key)`` gives what could have caused that cause (key →
    cost in nats, lag in s), ``floor(key)`` is the least a cause can cost. ``before`` are the (key, began) that were
    open.
    """

    def __init__(
        self,
        symptoms: Symptoms,
        opening: Callable[[int, float], float],
        claims_of: Callable[[int], Mapping[int, tuple[float, float]]],
        *,
        floor: Callable[[int], float],
        before: Sequence[tuple[int, float]] = (),
    ) -> None:
        self._s = symptoms
        self._opening = opening
        self._claims_of = claims_of
        self._floor = floor
        self._due = symptoms.onsets[symptoms.unit] - symptoms.lag
        self._plain = symptoms.weight[symptoms.unit] - symptoms.cost
        spread = LAG_SPREAD * symptoms.lag
        self._early = EARLY_S + spread
        self._late = LATE_S + spread
        self._cause = np.repeat(np.arange(len(symptoms.keys)), np.diff(symptoms.starts))
        self._floors = np.full(len(symptoms.keys), np.nan)
        self._gains = np.full(len(symptoms.keys), np.nan)
        """What the best move with each cause gains; NaN where that is to be worked out."""
        self._begins = np.zeros(len(symptoms.keys))
        self._promised = np.zeros(len(symptoms.keys))
        self._stale = np.ones(len(symptoms.keys), dtype=bool)
        self._stand: tuple[Floats, ...] = ()
        self._opened = 0
        self._open: list[Open] = []
        for key, began in before:
            at = int(np.searchsorted(symptoms.keys, key))
            if at < len(symptoms.keys) and symptoms.keys[at] == key:
                self._open_one(at, began)

    def solve(self) -> list[Cause]:
        """The causes, best first."""
        return finished(self.steps())

    def steps(self) -> Steps[list[Cause]]:
        """The same, a little at a time: whoever has something else to do meanwhile goes on when it likes."""
        self._balance()
        yield from self._retime()
        yield from self._drop()
        for _ in range(MOST_MOVES):
            move = yield from self._best_move()
            if move is None:
                break
            yield from self._apply(move)
        yield from self._retime()
        yield from self._drop()
        return self._fold()

    # -- values ---------------------------------------------------------------------------------------------------

    def _rows(self, cause: int) -> slice:
        return slice(int(self._s.starts[cause]), int(self._s.starts[cause + 1]))

    def _worth(self, rows: slice, began: Floats | float) -> Floats:
        """What a cause begun then is worth to the units of its rows (a row a time when ``began`` is a column)."""
        off = self._due[rows] - began
        scale = np.where(off < 0.0, self._early[rows], self._late[rows])
        off /= scale
        off *= off
        off /= 3.0
        np.log1p(off, out=off)
        off *= -2.0
        off += self._plain[rows]
        return off

    def _line(self, cause: int, began: float) -> Floats:
        line = np.zeros(len(self._s.onsets))
        rows = self._rows(cause)
        line[self._s.unit[rows]] = np.maximum(self._worth(rows, began), 0.0)
        return line

    def _balance(self) -> None:
        """Who owns which unit (0 is noise, k the k-th open cause), at what worth, and what the next best would be."""
        units = len(self._s.onsets)
        table = np.zeros((len(self._open) + 2, units))
        for at, one in enumerate(self._open, start=1):
            table[at] = one.line
        self._owner = table.argmax(axis=0)
        columns = np.arange(units)
        self._best = table[self._owner, columns]
        table[self._owner, columns] = -1.0
        self._next = np.maximum(table.max(axis=0), 0.0)
        earned = np.bincount(self._owner, self._best - self._next, minlength=len(self._open) + 1)
        for at, one in enumerate(self._open, start=1):
            one.net = float(earned[at]) - one.price
        self._nets = np.array([np.inf, *(one.net + STAY for one in self._open)])
        self._note_changes()

    def _note_changes(self) -> None:
        """Gains are worked out anew only where something changed that they depend on: a move has its neighbourhood."""
        who = np.array([0.0, *(one.number for one in self._open)])[self._owner]
        stand = (self._best, self._next, self._nets[self._owner], who)
        if self._stand:
            changed = np.zeros(len(who), dtype=bool)
            for now, before in zip(stand, self._stand, strict=True):
                changed |= now != before
            touched = self._cause[changed[self._s.unit]]
            self._gains[touched] = np.nan
            self._stale[touched] = True
        self._stand = stand

    def _times(self, rows: slice) -> Floats:
        """Beginnings worth trying: when the units of these rows were due."""
        due = self._due[rows]
        if len(due) <= TRIAL_TIMES:
            return due
        ordered = np.sort(due)
        picks = ordered[np.arange(TRIAL_TIMES) * (len(due) - 1) // (TRIAL_TIMES - 1)]
        picks[-1] = due[self._plain[rows].argmax()]
        return picks

    # -- moves ----------------------------------------------------------------------------------------------------

    def _promises(self) -> Floats:
        """What opening each cause could gain at most, did all begin when it should, before its price."""
        stale = np.flatnonzero(self._stale)
        if not len(stale):
            return self._promised
        rows = np.flatnonzero(self._stale[self._cause])
        cause = (np.cumsum(self._stale) - 1)[self._cause[rows]]
        unit, plain = self._s.unit[rows], self._plain[rows]
        best, second, owner = self._best[unit], self._next[unit], self._owner[unit]
        more = np.maximum(plain - best, 0.0)
        instead = np.maximum(np.minimum(plain, best) - second, 0.0)
        width = len(self._open) + 1
        gains: Floats = np.bincount(cause, more, minlength=len(stale)).astype(np.float64)
        if width > 1:
            code = cause * width + owner
            shares = np.bincount(code, instead, minlength=len(stale) * width).reshape(-1, width)
            gains += np.maximum(shares - self._nets, 0.0).sum(axis=1)
        self._promised[stale] = gains
        self._stale[:] = False
        return self._promised

    def _best_move(self) -> Steps[Move | None]:
        promised = self._promises()
        order = np.argsort(-promised, kind="stable")
        gains = self._gains
        least = max(LEAST_GAIN, float(np.nanmax(gains, initial=LEAST_GAIN)))
        hopeless = promised - self._floors < least
        for tried, cause in enumerate(order[(np.isnan(gains) & ~hopeless)[order]].tolist()):
            if tried % TOGETHER == TOGETHER - 1:
                yield
            bound = promised[cause]
            if bound <= CHEAPEST or bound - CHEAPEST < least:
                break
            if bound - self._floor_of(cause) < least:
                continue
            move = self._move(cause)
            gains[cause], self._begins[cause] = move.gain, move.began
            least = max(least, move.gain)
        best = order[gains[order] == least]
        if least <= LEAST_GAIN or not len(best):
            return None
        return Move(int(best[0]), float(self._begins[best[0]]), least)

    def _floor_of(self, cause: int) -> float:
        if np.isnan(self._floors[cause]):
            self._floors[cause] = self._floor(int(self._s.keys[cause]))
        return float(self._floors[cause])

    def _move(self, cause: int) -> Move:
        rows = self._rows(cause)
        unit = self._s.unit[rows]
        times = self._times(rows)
        worth = self._worth(rows, times[:, None])
        best, second = self._best[unit], self._next[unit]
        gains = np.maximum(worth - best, 0.0).sum(axis=1)
        if self._open:
            instead = np.maximum(np.minimum(worth, best) - second, 0.0)
            owners, place = np.unique(self._owner[unit], return_inverse=True)
            for at, owner in enumerate(owners):
                if owner:
                    share = instead[:, place == at].sum(axis=1)
                    gains += np.maximum(share - self._nets[owner], 0.0)
        top = int(gains.argmax())
        began = float(times[top])
        return Move(cause, began, float(gains[top]) - self._opening(int(self._s.keys[cause]), began))

    def _apply(self, move: Move) -> Steps[None]:
        """Opens the cause and closes what does not pay beside it any more."""
        self._open_one(move.cause, move.began)
        self._balance()
        yield
        yield from self._drop()

    def _open_one(self, cause: int, began: float) -> None:
        self._opened += 1
        price = self._opening(int(self._s.keys[cause]), began)
        self._open.append(Open(cause, began, self._line(cause, began), price, self._opened))

    def _drop(self) -> Steps[None]:
        """Closes causes that do not pay, the worst first."""
        while self._open:
            worst = min(range(len(self._open)), key=lambda at: (self._open[at].net, -at))
            if self._open[worst].net > 0.0:
                return
            del self._open[worst]
            self._balance()
            yield

    def _retime(self) -> Steps[None]:
        """Each cause begins when that explains most of what nothing else explains better."""
        moved = False
        for at, one in enumerate(self._open, start=1):
            if at % TOGETHER == 0:
                yield
            rows = self._rows(one.cause)
            unit = self._s.unit[rows]
            have = np.where(self._owner[unit] == at, self._next[unit], self._best[unit])
            times = np.append(self._times(rows), one.began)
            gains = np.maximum(self._worth(rows, times[:, None]) - have, 0.0).sum(axis=1)
            top = int(gains.argmax())
            if gains[top] > gains[-1] + LEAST_GAIN:
                one.began = float(times[top])
                one.line = self._line(one.cause, one.began)
                one.price = self._opening(int(self._s.keys[one.cause]), one.began)
                moved = True
        if moved:
            self._balance()

    # -- folding --------------------------------------------------------------------------------------------------

    def _fold(self) -> list[Cause]:
        """Causes that another cause, open or not yet open, explains cheaply become part of it."""
        chosen, owners = self._open, self._owner - 1
        ends = [float(self._s.onsets[owners == at].max(initial=one.began)) for at, one in enumerate(chosen)]
        whole = occurrences(
            [(int(self._s.keys[one.cause]), one.began, end) for one, end in zip(chosen, ends, strict=True)]
        )
        prices = {whole[at]: chosen[at].price for at in sorted(range(len(chosen)), key=lambda at: -chosen[at].began)}
        parents = folded(prices, self._claims_of, self._opening)
        groups: dict[Occurrence, list[int]] = {}
        for at in range(len(chosen)):
            top = whole[at]
            while top in parents:
                top = parents[top]
            groups.setdefault(top, []).append(at)
        causes = []
        for (root, _), parts in groups.items():
            units = tuple(int(unit) for at in parts for unit in np.flatnonzero(owners == at))
            if not units:
                continue
            keys = [int(self._s.keys[chosen[at].cause]) for at in parts]
            began = [chosen[at].began for at, key in zip(parts, keys, strict=True) if key == root]
            causes.append(
                Cause(
                    key=root,
                    began=min(began) if began else min(chosen[at].began for at in parts),
                    units=units,
                    net=sum(chosen[at].net for at in parts),
                    folded=tuple(key for key in keys if key != root),
                    parts=tuple((int(self._s.keys[chosen[at].cause]), chosen[at].began) for at in parts),
                    rivals=partial(self._rivals, np.array(units), root),
                )
            )
        return sorted(causes, key=lambda cause: (-cause.net, cause.key))

    def _rivals(self, units: Ints, root: int) -> tuple[tuple[int, float, float], ...]:
        """(key, net, began) of the other causes that could stand for these units, best first."""
        inside = np.zeros(len(self._s.onsets), dtype=bool)
        inside[units] = True
        rows = np.flatnonzero(inside[self._s.unit])
        causes, place = np.unique(self._cause[rows], return_inverse=True)
        bound = np.bincount(place, np.maximum(self._plain[rows], 0.0))
        order = [at for at in np.lexsort((causes, -bound)) if bound[at] > CHEAPEST][:SWAP_TRIALS]
        trials = []
        for cause in (int(causes[at]) for at in order):
            key = int(self._s.keys[cause])
            if key == root:
                continue
            span = self._rows(cause)
            times = self._times(span)
            worth = np.maximum(self._worth(span, times[:, None]), 0.0) * inside[self._s.unit[span]]
            gains = worth.sum(axis=1)
            top = int(gains.argmax())
            trials.append((key, float(gains[top]) - self._opening(key, float(times[top])), float(times[top])))
        trials.sort(key=lambda trial: (-trial[1], trial[0]))
        return tuple(trials[:5])
