"""What explaining a unit earns, in nats: the more its alerts say of trouble, the more."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from quell.core.customs import aloofness
from quell.model.state import State, Unit
from quell.model.weights import TROUBLES, Weights

MOST_ASKED = 128
"""So many alerts of one unit are asked what they say of it, and for their customs: what all of those do for themselves
is no trouble."""


class Worth:
    """Remembers which units have alerts enough to be worth all that one can be."""

    def __init__(self, weights: Weights, state: State) -> None:
        self._state = state
        self._prices = weights.prices
        self._enough = weights.prices.enough
        quiet: list[float] = [getattr(weights.noise, kind) for kind in TROUBLES]
        self._least = [self._prices.evidence - less for less in quiet]
        """By family, what one alert earns, and what the most alerts do."""
        self._most = [worth + self._prices.more_limit for worth in self._least]
        self._ample: set[int] = set()

    def of(self, unit: Unit) -> float:
        """What explaining a unit earns: another rule that fires says more than the same rule on another replica.

        That has a limit, which is told by the first few alerts of a large unit.
        """
        prices = self._prices
        if unit.id in self._ample or self._is_ample(unit):
            most = self._most[unit.family]
            return most - prices.aloof * self._aloof(unit) if self._state.customs else most
        marks: set[str] = set()
        names: set[str] = set()
        more = 0.0
        for mark, _ in unit.alerts:
            marks.add(mark)
            alert = self._state.alerts.get(mark)
            if alert is not None:
                names.add(alert.name)
            replicas = len(marks) - max(len(names), 1)
            more = prices.more_names * max(len(names) - 1, 0) + prices.more_replicas * replicas
            if more >= prices.more_limit:
                break
        return self._least[unit.family] + min(more, prices.more_limit) - prices.aloof * self._aloof(unit)

    def may_change(self, unit: Unit) -> bool:
        """Whether more alerts, or what they do by custom, may still change what a unit is worth."""
        return bool(self._state.customs) or unit.id not in self._ample

    def forget(self, gone: Iterable[int]) -> None:
        """These units are no more."""
        self._ample.difference_update(gone)

    def _is_ample(self, unit: Unit) -> bool:
        """Whether a unit is worth all that one can be; it stays so, as its first alerts stay the first."""
        if len(unit.alerts) < self._enough or len(dict(unit.alerts[: self._enough])) < self._enough:
            return False
        self._ample.add(unit.id)
        return True

    def _aloof(self, unit: Unit) -> float:
        """How much all the rules of a unit fire for themselves; most do not, which is seen at the first."""
        alerts, customs = self._state.alerts, self._state.customs
        least = 1.0
        for mark, _ in islice(unit.alerts, MOST_ASKED):
            alert = alerts.get(mark)
            custom = None if alert is None else customs.get(alert.name)
            if custom is None:
                return 0.0
            least = min(least, aloofness(custom))
            if least == 0.0:
                break
        return least
