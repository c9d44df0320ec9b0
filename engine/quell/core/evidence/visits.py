"""Counts per visit: calls and log statements that vanish, and errors that are new.

A program that fails half-way does not reach the code after the fault: the calls it would have made and the lines it
would have written are missing, per visit. That is evidence where nothing is slow and nothing complains (the idea of
comparing what follows what, normal against now, is that of G. Yu et al., *Nezha*, ESEC/FSE 2023).

What is expected now follows from how often each kind of call came in, and where the mix of kinds changed, from the
mix that expects least.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quell.core.evidence.scales import fewer

LEAST_COUNT = 3
FADING = 0.5
"""What is over again a minute later was less likely the fault that goes on: worth half for every later minute."""
MOST_PER_VISIT = 1.5


@dataclass(slots=True)
class Counted:
    """A count before trouble began, and by minute since."""

    before: float = 0.0
    since: dict[float, float] = field(default_factory=dict)

    def at(self, minute: float) -> float:
        """How many then."""
        return self.since.get(minute, 0.0)


class Visits:
    """The kinds of visits to a node, and by minute how much of each kind is left."""

    def __init__(self, kinds: Iterable[Counted]) -> None:
        self._kinds = [kind for kind in kinds if kind.before > 0]
        self._total = sum(kind.before for kind in self._kinds)
        self._left: dict[float, tuple[float, list[tuple[float, float]]]] = {}

    def expected(self, counts: Counted, minute: float) -> float:
        """How often to expect it in that minute, cautiously: it belongs to the visits that became rarest."""
        if not self._total:
            return 0.0
        now, kinds = self._at(minute)
        if not now:
            return 0.0
        limit = max(1.0, MOST_PER_VISIT * counts.before / self._total)
        left, found = counts.before, 0.0
        for kept, before in kinds:
            taken = min(left, limit * before)
            found += taken * kept
            left -= taken
            if left <= 0.0:
                return found
        return found + left * now / self._total

    def share(self, minute: float) -> tuple[float, float]:
        """All visits of a minute, and all before."""
        return self._at(minute)[0], self._total

    def _at(self, minute: float) -> tuple[float, list[tuple[float, float]]]:
        known = self._left.get(minute)
        if known is None:
            kinds = sorted((kind.at(minute) / kind.before, kind.before) for kind in self._kinds)
            known = self._left[minute] = (sum(kind.at(minute) for kind in self._kinds), kinds)
        return known


def vanished(counts: Counted, visits: Visits, minutes: list[float]) -> tuple[float, float, float]:
    """Nats that it came too rarely, at worst of the minutes; how often it came then, and should have."""
    if counts.before < LEAST_COUNT:
        return 0.0, 0.0, 0.0
    best = (0.0, 0.0, 0.0)
    for minute in minutes:
        due = visits.expected(counts, minute)
        nats = fading(minutes, minute) * fewer(counts.at(minute), due, counts.before)
        best = max(best, (nats, counts.at(minute), due))
    return best


def fading(minutes: list[float], minute: float) -> float:
    """The weight of what was seen in that minute, the last being worth most."""
    return float(FADING ** (len(minutes) - 1 - minutes.index(minute)))


def reached(node: int, arrivals: Mapping[int, Iterable[tuple[int, Counted]]], minutes: list[float]) -> float:
    """The share of the visits to a node that its callers' own visits let expect, lately; at most 1, 1 if unknown."""
    for minute in reversed(minutes):
        due = came = 0.0
        for caller, counts in arrivals.get(node, ()):
            above = [kind for _, kind in arrivals.get(caller, ())]
            before, now = sum(kind.before for kind in above), sum(kind.at(minute) for kind in above)
            if before > 0:
                due += counts.before * now / before
                came += counts.at(minute)
        if due >= LEAST_COUNT:
            return min(1.0, came / due)
    return 1.0
