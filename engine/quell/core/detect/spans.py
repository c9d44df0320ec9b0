"""How much of a budget was spent over spans of time, from windows that are the longer the longer ago they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, floor, fsum

from quell.model.detect import Burn
from quell.model.detecting import Budget, Stand

LIKE = 72
"""Of so many windows at least each span is made, as far as windows of the rule are short enough."""
MOST = 400
Counted = tuple[float, float]


class Spans:
    """The tiers of one rule: how long their windows are, and for how long each keeps them."""

    def __init__(self, every_s: float, of: Burn) -> None:
        self._of = of
        self._every_s = every_s
        spans = sorted({rate.over_s for rate in of.rates} | {of.period_s})
        shortest = spans[0]
        least = min((rate.confirm_s for rate in of.rates), default=shortest)
        middle = next((span for span in spans if span > shortest), of.period_s)
        steps = max(1, round(least / LIKE / every_s), ceil(shortest / MOST / 3 / every_s))
        more = max(1, round(middle / LIKE / (steps * every_s)), ceil(middle / MOST / (steps * every_s)))
        longer = max(1, ceil(of.period_s / MOST / (steps * more * every_s)))
        self.steps = (steps, steps * more, steps * more * longer)
        """How many windows of the rule are one of each tier."""
        self._keeps = (shortest, middle, of.period_s)

    def lay_out(self, memory: Budget) -> None:
        """What was summed up for other spans is kept in windows as these need them, as well as it is known."""
        if memory.steps == self.steps:
            return
        before, memory.steps, told = memory.steps, self.steps, memory.tiers
        if not before[0] or not any(told):
            return
        memory.tiers = ({}, {}, {})
        for tier, windows in enumerate(told):
            for slot, counted in sorted(windows.items()):
                self.add(memory, slot * before[tier], counted)
        if memory.first is not None:  # what was before it is forgotten, however long the period is now
            memory.first = max(memory.first, min(slot * before[tier] for tier, one in enumerate(told) for slot in one))

    def add(self, memory: Budget, slot: int, counted: Counted) -> None:
        """Adds one window of the rule to the first tier."""
        _add(memory.tiers[0], slot // self.steps[0], counted)

    def roll(self, memory: Budget, oldest: int) -> None:
        """Moves what a tier need not know window by window any more to the next; drops what is before the period."""
        now = oldest * self._every_s
        for tier, windows in enumerate(memory.tiers):
            width = self.steps[tier] * self._every_s
            first = now - self._keeps[tier] - width
            for slot in sorted(slot for slot in windows if slot * width < first):
                counted = windows.pop(slot)
                if tier + 1 < len(memory.tiers):
                    _add(memory.tiers[tier + 1], slot * self.steps[tier] // self.steps[tier + 1], counted)

    def over(self, memory: Budget, recent: Mapping[int, Counted], end: float, span_s: float) -> Counted:
        """What was bad, and of how much, in the last ``span_s`` before ``end``."""
        bad: list[float] = []
        total: list[float] = []
        begin = end - span_s
        for width, windows, latest in self._all(memory, recent, end):
            for slot, counted in _about(windows, begin / width, latest / width):
                first, last = slot * width, (slot + 1) * width
                last = min(last, latest)
                if begin <= first < last:
                    bad.append(counted[0])
                    total.append(counted[1])
                elif first < begin < last:
                    share = (last - begin) / (last - first)
                    bad.append(counted[0] * share)
                    total.append(counted[1] * share)
        whole = fsum(total)  # the same in whatever order
        if self._of.measured == "events":  # what is bad, and of how much, is told by two metrics
            return min(max(fsum(bad), 0.0), whole), whole
        return fsum(bad), whole

    def stand(self, memory: Budget, recent: Mapping[int, Counted], end: float) -> Stand:
        """How the budget stands at a time."""
        of = self._of
        bad, total = self.over(memory, recent, end, of.period_s)
        assert memory.first is not None, "something was told"
        known_s = min(max(end - memory.first * self._every_s, self._every_s), of.period_s)
        whole = of.period_s if of.measured == "amounts" else total * of.period_s / known_s
        # What is watched for less than a span is taken to have as much to count in the rest of it, none of it bad: so
        # that a service level which is new does not cry for the little that went wrong so far.
        return Stand(
            at=end,
            bad=bad,
            total=total,
            allowed=self._allowed(whole),
            burns=tuple(
                (
                    self._burn(memory, recent, (end, known_s), rate.over_s, of.volume),
                    self._burn(memory, recent, (end, known_s), rate.confirm_s, 0.0),
                )
                for rate in of.rates
            ),
        )

    def _burn(
        self, memory: Budget, recent: Mapping[int, Counted], now: tuple[float, float], span_s: float, volume: float
    ) -> float | None:
        """How many times as fast as it may be; None where too little is told. ``now``, and for how long it is known."""
        end, known_s = now
        bad, total = self.over(memory, recent, end, span_s)
        if self._of.measured in {"events", "points", "values"} and total < volume:
            return None
        whole = span_s if self._of.measured == "amounts" else total * span_s / min(known_s, span_s)
        allowed = self._allowed(whole)
        return bad / allowed if allowed > 0.0 else None  # not of what is so little that nothing of it is a number

    def _allowed(self, total: float) -> float:
        """How much of so much may be bad."""
        if self._of.measured == "amounts":
            assert self._of.at_most is not None, "what may be spent has a limit"
            return total * self._of.at_most
        return total * (1.0 - self._of.objective)

    def _all(
        self, memory: Budget, recent: Mapping[int, Counted], end: float
    ) -> Iterable[tuple[float, Mapping[int, Counted], float]]:
        """How long windows are, what they counted, and until when the latest of them did so far."""
        yield self._every_s, recent, end
        latest = now = end if memory.rolled is None else min(memory.rolled * self._every_s, end)
        for steps, windows, keep_s in zip(self.steps, memory.tiers, self._keeps, strict=True):
            width = steps * self._every_s
            yield width, windows, latest
            latest = now - keep_s


def _about(windows: Mapping[int, Counted], first: float, last: float) -> Iterable[tuple[int, Counted]]:
    """The windows from the slot ``first`` to the slot ``last``, and maybe more."""
    slots = range(floor(first) - 1, floor(last) + 2)  # one more on each side, for what rounding took
    if len(slots) >= len(windows):
        return windows.items()
    return [(slot, windows[slot]) for slot in slots if slot in windows]


def _add(windows: dict[int, Counted], slot: int, counted: Counted) -> None:
    before = windows.get(slot, (0.0, 0.0))
    windows[slot] = before[0] + counted[0], before[1] + counted[1]
