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


def expected(counts: Counted, visits: Iterable[Counted], minute: float) -> float:
    """How often to expect it in that minute, cautiously: its occurrences belong to the visits that became rarest."""
    kinds = [kind for kind in visits if kind.before > 0]
    total = sum(kind.before for kind in kinds)
    now = sum(kind.at(minute) for kind in kinds)
    if not total or not now:
        return 0.0
    limit = max(1.0, MOST_PER_VISIT * counts.before / total)
    left, found = counts.before, 0.0
    for kept, before in sorted((kind.at(minute) / kind.before, kind.before) for kind in kinds):
        taken = min(left, limit * before)
        found += taken * kept
        left -= taken
    return found + max(0.0, left) * now / total


def vanished(counts: Counted, visits: Iterable[Counted], minutes: list[float]) -> tuple[float, float, float]:
    """Nats that it came too rarely, at worst of the minutes; how often it came then, and should have."""
    if counts.before < LEAST_COUNT:
        return 0.0, 0.0, 0.0
    kinds = list(visits)
    best = (0.0, 0.0, 0.0)
    for minute in minutes:
        due = expected(counts, kinds, minute)
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
