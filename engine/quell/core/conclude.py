"""From the causes that a search opened to those that people are told of: folded, settled by ends, with their rivals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np

from quell.core import ongoing
from quell.core.endings import ended, settled, shares
from quell.core.folding import Occurrence, Spell, folded, occurrences
from quell.core.gaps import Gaps
from quell.core.one_place import Onsets, at_one_place
from quell.core.origins import Lone, with_origins
from quell.core.own_alerts import OwnAlerts
from quell.core.problem import Ints, Open, Problem
from quell.core.reach import Rows
from quell.core.same_spell import Span, of_one_spell
from quell.core.steps import Steps
from quell.model.weights import DEFAULT, Prices

SWAP_TRIALS = 20
MOST_RIVALS = 5
ROUNDING = 1e-6
TOGETHER = 32
"""Of so many causes it is asked in one piece when they were over, or what is theirs."""
MOST_WEIGHED = 400_000
"""So many pairs of a cause and a unit are weighed by their ends at most, in some 80 ms; beyond, ends say nothing."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of the solution: its key, when it began, its units, the nats it nets, the causes folded into it.

    ``parts`` are the open causes it is made of as (key, began); ``rivals`` answers (key, nats, beginning) of the
    others that could stand in its place, best first; ``beside_noise`` is what it would net if its units were noise
    without it, and not another cause's; ``onward`` are those folded into it that begin where trouble goes on that one
    of its parts explains.
    """

    key: int
    began: float
    units: tuple[int, ...]
    net: float
    folded: tuple[int, ...]
    parts: tuple[tuple[int, float], ...]
    rivals: Callable[[], tuple[tuple[int, float, float], ...]]
    beside_noise: float = inf
    onward: tuple[int, ...] = ()

    def of(self, units: tuple[int, ...]) -> Cause:
        """The same cause, its units told otherwise."""
        return replace(self, units=units)


class Conclusion:
    """What follows from the open causes of a group; ``now`` in seconds, the rest as for `quell.core.cover.Cover`."""

    def __init__(
        self,
        problem: Problem,
        opening: Callable[[int, float], float],
        claims_of: Callable[[int], Rows],
        now: float,
        *,
        prices: Prices = DEFAULT.prices,
        floor: Callable[[int], float] | None = None,
        gaps: Gaps | None = None,
    ) -> None:
        self._gaps = gaps
        self._problem = problem
        self._opening = opening
        self._claims_of = claims_of
        self._now = now
        self._prices = prices
        self._floor = floor
        self._over: dict[bytes, float] = {}
        self._onward: dict[int, Rows] = {}
        """Ways to causes, by open causes that begin where trouble goes on that these explain."""

    def causes(self, chosen: Sequence[Open], owners: Ints) -> Steps[list[Cause]]:
        """The causes, best first. ``owners`` has for each unit the open cause that explains it best, -1 for none.

        Causes that another cause, open or not yet open, explains cheaply become part of it.
        """
        told = len(chosen)
        yield
        own = OwnAlerts(self._problem, chosen, owners)
        yield
        groups = yield from self._groups(chosen, owners, own)
        yield
        chosen, owners = self._taken_in(chosen, owners, groups, own)
        yield
        owners = yield from self._settled(chosen, owners, list(groups.values()))
        yield
        causes: list[Cause] = []
        mine = shares(owners, len(chosen))
        for number, ((root, _), parts) in enumerate(groups.items(), start=1):
            if not number % TOGETHER:
                yield
            units = tuple(unit for at in parts for unit in mine[at].tolist())
            if not units:
                continue
            keys = [self._problem.key(chosen[at].cause) for at in parts]
            began = [chosen[at].began for at, key in zip(parts, keys, strict=True) if key == root]
            causes.append(
                Cause(
                    key=root,
                    began=min(began) if began else min(chosen[at].began for at in parts),
                    units=units,
                    net=sum(chosen[at].net for at in parts),
                    folded=tuple(key for key in keys if key != root),
                    parts=tuple((key, chosen[at].began) for at, key in zip(parts, keys, strict=True) if at < told),
                    rivals=partial(self._rivals, np.array(units), root),
                    beside_noise=sum(float(chosen[at].line[mine[at]].sum()) - chosen[at].price for at in parts),
                    onward=tuple(key for key in dict.fromkeys(keys) if key != root and self._goes_on(key, {*keys})),
                )
            )
        return sorted(causes, key=lambda cause: (-cause.net, cause.key))

    def _groups(self, chosen: Sequence[Open], owners: Ints, own: OwnAlerts) -> Steps[dict[Occurrence, list[int]]]:
        """Which open causes are one, by the cause that they are all part of."""
        symptoms = self._problem.symptoms
        keys = [self._problem.key(one.cause) for one in chosen]
        mine = shares(owners, len(chosen))
        lasts = [float(symptoms.onsets[mine[at]].max(initial=one.began)) for at, one in enumerate(chosen)]
        some_ended = np.isfinite(symptoms.ends).any()
        spells: list[Spell] = []
        for at in range(len(chosen)) if some_ended else ():
            spells.append(self._spell(mine[at]))
            if not len(spells) % TOGETHER:
                yield
        opened = [(key, one.began, last) for key, one, last in zip(keys, chosen, lasts, strict=True)]
        whole = occurrences(opened, spells)
        prices = {whole[at]: chosen[at].price for at in sorted(range(len(chosen)), key=lambda at: -chosen[at].began)}
        waves: dict[Occurrence, list[float]] = {}
        for top, part in zip(whole, chosen, strict=True):
            waves.setdefault(top, []).append(part.began)
        over: dict[Occurrence, float] = {}
        if some_ended:
            told: dict[Occurrence, list[int]] = {}
            for at, one in enumerate(whole):
                told.setdefault(one, []).append(at)
            over = {
                one: self._ended(np.sort(np.concatenate([mine[at] for at in parts])))
                if parts[1:]
                else spells[parts[0]].end
                for one, parts in told.items()
            }
        yield
        self._onward = ongoing.ways(self._problem, chosen, owners)
        claims_of = ongoing.besides(self._claims_of, self._onward)
        parents = yield from folded(
            prices, claims_of, self._opening, over,
            floor=self._floor, own=own, held=self._held(whole, mine), waves=waves,
            prices=self._prices, timing=symptoms.timing,
        )  # fmt: skip
        groups: dict[Occurrence, list[int]] = {}
        for at in range(len(chosen)):
            top = whole[at]
            while top in parents:
                top = parents[top]
            groups.setdefault(top, []).append(at)
        yield
        groups = at_one_place(groups, partial(self._onsets, mine))
        if symptoms.near is None or self._gaps is None:
            return groups
        yield
        span_of = partial(self._span, mine, symptoms.near)
        groups = of_one_spell(groups, span_of, self._gaps) if len(groups) > 1 else groups
        yield
        lone = self._lone(own, owners, symptoms.near, {*keys})
        return with_origins(groups, span_of, lone, self._gaps, self._now)

    def _goes_on(self, key: int, whole: Collection[int]) -> bool:
        """Whether a cause begins where trouble goes on that one of these explains."""
        ways = self._onward.get(key)
        return ways is not None and not set(whole).isdisjoint(ways[0].tolist())

    def _lone(self, own: OwnAlerts, owners: Ints, near: Ints, opened: Collection[int]) -> Iterator[Lone]:
        """Units that no open cause explains, at places that have none."""
        symptoms = self._problem.symptoms
        for key, unit in own.units():
            if owners[unit] < 0 <= near[unit] and key not in opened:
                yield Lone(key, float(symptoms.onsets[unit]), float(symptoms.ends[unit]), int(near[unit]))

    def _span(self, mine: Sequence[Ints], near: Ints, parts: list[int]) -> Span:
        """When what these open causes explain came and went, and where."""
        symptoms = self._problem.symptoms
        units = np.sort(np.concatenate([mine[at] for at in parts]))
        shown = Counter(symptoms.stood[units[symptoms.held[units]]].tolist())
        return Span(
            began=float(symptoms.onsets[units].min(initial=inf)),
            ended=self._ended(units) if len(units) else inf,
            near=frozenset(one for one in near[units].tolist() if one >= 0),
            size=len(units),
            shown=min(shown, key=lambda name: (-shown[name], name), default=-1),
        )

    def _onsets(self, mine: Sequence[Ints], parts: list[int]) -> Onsets:
        """When the symptoms of these open causes began, in order."""
        return np.sort(self._problem.symptoms.onsets[np.concatenate([mine[at] for at in parts])])

    def _taken_in(
        self, chosen: Sequence[Open], owners: Ints, groups: dict[Occurrence, list[int]], own: OwnAlerts
    ) -> tuple[Sequence[Open], Ints]:
        """With the causes that others folded into though they were not open, which have their own alerts now."""
        opened = {self._problem.key(one.cause) for one in chosen}
        whole, owners = list(chosen), owners.copy()
        for (key, began), parts in groups.items():
            mine = own.mine(key, began) if key not in opened else []
            if mine:
                at = self._problem.index(key)
                assert at is not None
                owners[mine] = len(whole)
                parts.append(len(whole))
                whole.append(Open(at, began, self._problem.line(at, began), 0.0, 0))
        return whole, owners

    def _held(self, whole: Sequence[Occurrence], mine: Sequence[Ints]) -> dict[Occurrence, int]:
        """The incident in which people have been shown most of a cause for a while, of those that are shown in one."""
        symptoms = self._problem.symptoms
        if not symptoms.held.any():
            return {}
        stood: dict[Occurrence, Counter[int]] = {}
        for one, units in zip(whole, mine, strict=True):
            stood.setdefault(one, Counter()).update(symptoms.stood[units[symptoms.held[units]]].tolist())
        return {one: min(seen, key=lambda name: (-seen[name], name)) for one, seen in stood.items() if seen}

    def _ended(self, mine: Ints) -> float:
        """When the cause of these units was over."""
        asked = mine.tobytes()
        known = self._over.get(asked)
        if known is None:
            symptoms = self._problem.symptoms
            known = self._over[asked] = ended(symptoms.onsets[mine], symptoms.ends[mine], self._now)
        return known

    def _spell(self, mine: Ints) -> Spell:
        """When the cause of these units was over, and how it is shown: as the first of them is."""
        if not len(mine):
            return Spell()
        symptoms = self._problem.symptoms
        first = mine[symptoms.onsets[mine].argmin()]
        return Spell(self._ended(mine), int(symptoms.stood[first]), bool(symptoms.live[first]))

    def _settled(self, chosen: Sequence[Open], owners: Ints, groups: Sequence[Sequence[int]]) -> Steps[Ints]:
        """Who explains which unit, its end being taken into account as well."""
        symptoms = self._problem.symptoms
        if not groups or len(chosen) * (len(symptoms.ends) + symptoms.beside) > MOST_WEIGHED:
            return owners
        if not np.isfinite(symptoms.ends).any():
            return owners
        order = np.array([at for parts in groups for at in parts])
        rows, row = self._problem.rows_of([chosen[at].cause for at in order.tolist()])
        began = np.array([chosen[at].began for at in order.tolist()])
        place = np.full(len(chosen) + 1, -1)
        place[order] = np.arange(len(order))
        yield
        best = yield from settled(
            (
                row,
                symptoms.unit[rows],
                self._problem.worth(rows, began[row]),
            ),
            place[owners],
            np.repeat(np.arange(len(groups)), [len(parts) for parts in groups]),
            symptoms.onsets,
            symptoms.ends,
            now=self._now,
            over=self._ended,
        )
        return np.where(best >= 0, order[best], -1)

    def _rivals(self, units: Ints, root: int) -> tuple[tuple[int, float, float], ...]:
        """(key, net, began) of the other causes that could stand for these units, best first."""
        inside = np.zeros(len(self._problem.symptoms.onsets), dtype=bool)
        inside[units] = True
        rows = np.flatnonzero(inside[self._problem.symptoms.unit])
        causes, place = np.unique(self._problem.cause[rows], return_inverse=True)
        bound = np.bincount(place, np.maximum(self._problem.plain[rows], 0.0))
        order = np.lexsort((causes, -bound))
        order = order[bound[order] > self._prices.cheapest][:SWAP_TRIALS]
        trials: list[tuple[int, float, float]] = []
        fifth = -inf
        for cause, most in zip(causes[order].tolist(), bound[order].tolist(), strict=True):
            key = self._problem.key(cause)
            if key == root:
                continue
            if len(trials) >= MOST_RIVALS and most - self._least(key) < fifth - ROUNDING:
                continue  # it could net less than those that are told
            span = self._problem.rows(cause)
            times = self._problem.times(span)
            worth = (
                np.maximum(self._problem.worth(span, times[:, None]), 0.0) * inside[self._problem.symptoms.unit[span]]
            )
            gains = worth.sum(axis=1)
            top = int(gains.argmax())
            trials.append((key, float(gains[top]) - self._opening(key, float(times[top])), float(times[top])))
            if len(trials) >= MOST_RIVALS:
                fifth = sorted([net for _, net, _ in trials])[-MOST_RIVALS]
        trials.sort(key=lambda trial: (-trial[1], trial[0]))
        return tuple(trials[:MOST_RIVALS])

    def _least(self, key: int) -> float:
        return self._prices.cheapest if self._floor is None else self._floor(key)
