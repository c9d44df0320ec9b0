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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from quell.core.conclude import Cause, Conclusion
from quell.core.gaps import Gaps
from quell.core.owners import Owners
from quell.core.problem import Floats, Ints, Open, Problem, Symptoms
from quell.core.reach import Rows
from quell.core.steps import Steps, finished
from quell.core.weighed import Weighed, digest
from quell.model.weights import DEFAULT, Prices

MOST_MOVES = 200
LEAST_GAIN = 1e-6
ROUNDING = 1e-6
TOGETHER = 16
"""So many causes are weighed in one step: a few milliseconds where thousands of symptoms are."""
PROMISED = 50_000
"""For so many claims, and pairs of a cause and an open one, it is worked out in one step what causes could gain."""


@dataclass(frozen=True, slots=True)
class Move:
    """Opening a cause at a time, with what it gains when all that it makes needless is closed."""

    cause: int
    began: float
    gain: float


class Cover:
    """One group's problem, solved once.

    ``opening(key, began)`` prices a cause in nats, ``claims_of(key)`` gives what could have caused that cause
    (keys, costs in nats, lags in s), ``floor(key)`` is the least a cause can cost. ``before`` are the (key, began) that
    were open, ``now`` is in seconds. ``weighed`` remembers from one solution to the next what comes out as before,
    ``gaps`` tells what the graph leaves out.
    """

    def __init__(
        self,
        symptoms: Symptoms,
        opening: Callable[[int, float], float],
        claims_of: Callable[[int], Rows],
        *,
        floor: Callable[[int], float],
        before: Sequence[tuple[int, float]] = (),
        now: float = inf,
        prices: Prices = DEFAULT.prices,
        weighed: Weighed | None = None,
        gaps: Gaps | None = None,
    ) -> None:
        self._problem = Problem(symptoms)
        self._s = symptoms
        self._conclusion = Conclusion(self._problem, opening, claims_of, now, prices=prices, floor=floor, gaps=gaps)
        self._opening = opening
        self._stay, self._cheapest = prices.stay, prices.cheapest
        self._floor = floor
        self._floors = np.full(len(symptoms.keys), np.nan)
        self._floor_known: dict[int, float] = {}
        self._gains = np.full(len(symptoms.keys), np.nan)
        """What the best move with each cause gains; NaN where that is to be worked out."""
        self._begins = np.zeros(len(symptoms.keys))
        self._promised = np.zeros(len(symptoms.keys))
        self._stale = np.ones(len(symptoms.keys), dtype=bool)
        self._stand: tuple[Floats, ...] = ()
        self._futile = np.zeros(len(symptoms.keys), dtype=bool)
        """Causes that were opened in this search and closed at once: to try them again would end in the same."""
        self._opened = 0
        self._open: list[Open] = []
        self._owners = Owners(len(symptoms.onsets))
        self._weighed = Weighed() if weighed is None else weighed
        self._before = [(at, began) for key, began in before if (at := self._problem.index(key)) is not None]

    def review(self) -> Steps[list[Cause]]:
        """The causes that were open before, with what belongs to them by now."""
        yield from self._open_again()
        return (yield from self._conclusion.causes(self._open, self._owner - 1))

    def solve(self) -> list[Cause]:
        """The causes, best first."""
        return finished(self.steps())

    def steps(self) -> Steps[list[Cause]]:
        """The same, a little at a time: whoever has something else to do meanwhile goes on when it likes."""
        yield from self._open_again()
        yield from self._retime()
        yield from self._drop()
        for _ in range(MOST_MOVES):
            move = yield from self._best_move()
            if move is None:
                break
            yield from self._apply(move)
        yield from self._retime()
        yield from self._drop()
        return (yield from self._conclusion.causes(self._open, self._owner - 1))

    def _open_again(self) -> Steps[None]:
        """Opens what was open before."""
        for start in range(0, len(self._before), TOGETHER):
            known = self._before[start : start + TOGETHER]
            self._open_all([at for at, _ in known], [began for _, began in known])
            yield
        self._before = []
        yield from self._balance()

    # -- values ---------------------------------------------------------------------------------------------------

    def _balance(self) -> Steps[None]:
        """Who owns which unit (0 is noise, k the k-th open cause), at what worth, and what the next best would be."""
        yield from self._owners.anew([one.line for one in self._open])
        self._weigh()

    def _weigh(self) -> None:
        """What each open cause earns, as units are owned now."""
        owners = self._owners
        self._owner, self._best, self._next = owners.owner, owners.best, owners.next
        earned = np.bincount(self._owner, self._best - self._next, minlength=len(self._open) + 1)
        for at, one in enumerate(self._open, start=1):
            one.net = float(earned[at]) - one.price
        self._nets = np.array([np.inf, *(one.net + self._stay for one in self._open)])
        self._note_changes()

    def _note_changes(self) -> None:
        """Gains are worked out anew only where something changed that they depend on: a move has its neighbourhood."""
        who = np.array([0.0, *(one.number for one in self._open)])[self._owner]
        stand = (self._best, self._next, self._nets[self._owner], who)
        if self._stand:
            changed = np.zeros(len(who), dtype=bool)
            for now, before in zip(stand, self._stand, strict=True):
                changed |= now != before
            touched = self._problem.cause[changed[self._s.unit]]
            self._gains[touched] = np.nan
            self._stale[touched] = True
        self._stand = stand

    # -- moves ----------------------------------------------------------------------------------------------------

    def _promises(self) -> Steps[Floats]:
        """What opening each cause could gain at most, did all begin when it should, before its price."""
        stale = np.flatnonzero(self._stale)
        if not len(stale):
            return self._promised
        rows = self._s.starts[stale + 1] - self._s.starts[stale]
        work = np.cumsum(rows + len(self._open))
        if work[-1] <= PROMISED:
            self._promise(stale)
        else:
            ends = np.flatnonzero(np.diff(work // PROMISED, append=-1)) + 1
            for some in np.split(stale, ends[:-1].tolist()):
                self._promise(some)
                yield
        self._stale[:] = False
        return self._promised

    def _promise(self, stale: Ints) -> None:
        rows, cause = self._problem.rows_of(stale)
        unit, plain = self._s.unit[rows], self._problem.plain[rows]
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

    def _best_move(self) -> Steps[Move | None]:
        promised = yield from self._promises()
        gains = self._gains
        least = max(LEAST_GAIN, float(np.nanmax(gains, initial=LEAST_GAIN)))
        hopeless = promised - self._floors < least
        asked = np.flatnonzero(np.isnan(gains) & ~hopeless & ~self._futile & (promised - self._cheapest >= least))
        asked = asked[np.argsort(-promised[asked], kind="stable")]
        for tried, (cause, bound) in enumerate(zip(asked.tolist(), promised[asked].tolist(), strict=True)):
            if tried % TOGETHER == TOGETHER - 1:
                yield
            if bound <= self._cheapest or bound - self._cheapest < least:
                break
            if bound - self._floor_of(cause) < least:
                continue
            move = self._move(cause)
            gains[cause], self._begins[cause] = move.gain, move.began
            least = max(least, move.gain)
        best = np.flatnonzero(gains == least)
        if least <= LEAST_GAIN or not len(best):
            return None
        first = int(best[promised[best].argmax()])  # of those that gain alike, the one that promised most
        return Move(first, float(self._begins[first]), least)

    def _floor_of(self, cause: int) -> float:
        known = self._floor_known.get(cause)
        if known is None:
            known = self._floor_known[cause] = self._floors[cause] = self._floor(self._problem.key(cause))
        return known

    def _move(self, cause: int) -> Move:
        """The best that opening a cause gains; of other causes only those count that it could make needless."""
        rows = self._problem.rows(cause)
        unit = self._s.unit[rows]
        best, second, whose = self._best[unit], self._next[unit], self._owner[unit]
        key = self._problem.key(cause)
        asked = digest((*self._problem.asked(rows), best, second, whose, self._nets[whose]))
        known = self._weighed.move(key, asked)
        if known is None:
            known = self._gain(rows, best, second, whose)
            self._weighed.moved(key, asked, *known)
        gain, began = known
        return Move(cause, began, gain - self._opening(key, began))

    def _gain(self, rows: slice, best: Floats, second: Floats, whose: Ints) -> tuple[float, float]:
        """What opening a cause gains before its price, at the beginning that gains most."""
        times = self._problem.times(rows)
        worth = self._problem.worth(rows, times[:, None])
        gains = np.maximum(worth - best, 0.0).sum(axis=1)
        if whose.any():
            most = np.maximum(np.minimum(self._problem.plain[rows], best) - second, 0.0)
            shares = np.bincount(whose, most)
            owners = np.flatnonzero(shares > self._nets[: len(shares)] - ROUNDING).tolist()
            instead = np.maximum(np.minimum(worth, best) - second, 0.0) if owners else worth
            for owner in owners:
                share = instead[:, whose == owner].sum(axis=1)
                gains += np.maximum(share - self._nets[owner], 0.0)
        top = int(gains.argmax())
        return float(gains[top]), float(times[top])

    def _apply(self, move: Move) -> Steps[None]:
        """Opens the cause and closes what does not pay beside it any more."""
        self._open_one(move.cause, move.began)
        self._owners.opened(self._open[-1].line, len(self._open))
        self._weigh()
        yield
        yield from self._drop(self._opened)
        yield from self._drop()
        if not self._open or self._open[-1].number != self._opened:
            self._futile[move.cause], self._gains[move.cause] = True, np.nan

    def _open_one(self, cause: int, began: float) -> None:
        self._open_all([cause], [began])

    def _open_all(self, causes: Sequence[int], began: Sequence[float]) -> None:
        lines = self._problem.lines(causes, began)
        for cause, since, line in zip(causes, began, lines, strict=True):
            self._opened += 1
            price = self._opening(self._problem.key(cause), since)
            self._open.append(Open(cause, since, line, price, self._opened))

    def _drop(self, keeps: int = 0) -> Steps[None]:
        """Closes causes that do not pay, the worst first, but for the one that it ``keeps``."""
        while self._open:
            others = [at for at, one in enumerate(self._open) if one.number != keeps]
            worst = min(others, key=lambda at: (self._open[at].net, -at), default=None)
            if worst is None or self._open[worst].net > 0.0:
                return
            gone = self._open.pop(worst)
            yield from self._owners.closed(gone.line, worst + 1, [one.line for one in self._open])
            self._weigh()
            yield

    def _retime(self) -> Steps[None]:
        """Each cause begins when that explains most of what nothing else explains better."""
        moved = False
        for at, one in enumerate(self._open, start=1):
            if at % TOGETHER == 0:
                yield
            rows = self._problem.rows(one.cause)
            unit = self._s.unit[rows]
            have = np.where(self._owner[unit] == at, self._next[unit], self._best[unit])
            if one.stays is not None and np.array_equal(have, one.stays):
                continue  # nothing is otherwise than when this was asked last
            asked, key = digest((*self._problem.asked(rows), have)), self._problem.key(one.cause)
            if self._weighed.stays(key, one.began, asked):
                one.stays = have
                continue
            times = np.append(self._problem.times(rows), one.began)
            gains = np.maximum(self._problem.worth(rows, times[:, None]) - have, 0.0).sum(axis=1)
            top = int(gains.argmax())
            if gains[top] > gains[-1] + LEAST_GAIN:
                one.began = float(times[top])
                one.line = self._problem.line(one.cause, one.began)
                one.price = self._opening(self._problem.key(one.cause), one.began)
                one.stays, moved = None, True
            else:
                one.stays = have
                self._weighed.stay(key, one.began, asked)
        if moved:
            yield from self._balance()
