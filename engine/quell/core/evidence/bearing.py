"""How single metrics bear on what users feel: rises that cause nothing, or come of waiting, and places unmeasured.

A processor that got busy at a service whose own requests are as quick and good as ever is a coincidence more often
than a cause. Sockets, threads and memory are taken by requests under way, so where requests take longer there are
more of them, which says nothing that the waiting did not say. And time that no measured callee explains may be spent
in one that nobody measures, if that one is odd.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from quell.core.evidence.impact import Impact
from quell.core.evidence.surroundings import Surroundings
from quell.core.evidence.table import Column

FELT = 0.5
"""Requests that got worse by fewer doublings than this were not touched."""
UNFELT = 0.5
"""What a rise is worth where requests are measured and were not touched, while elsewhere they were."""
MEMORY = 0.1
"""The share of a process's memory that requests under way take, at most."""
ODD = 1.5
"""Nats of oddness of an unmeasured callee at which it is as likely as its caller to be where the time goes."""


@dataclass(frozen=True, slots=True)
class Bearing:
    """What is known of a service's own requests when its resources are judged."""

    waits: Impact
    failures: Impact
    worst: float

    def worth(self, column: Column) -> float:
        """The share of its weight that a rise has: less where requests are measured and were not touched."""
        node = column.node
        felt = max(self.waits.worse.get(node, 0.0), self.failures.worse.get(node, 0.0))
        return UNFELT if node in self.waits.worse and felt < FELT <= self.worst else 1.0

    def grown(self, column: Column) -> float:
        """How many times as much of it more requests under way account for."""
        if column.meaning.works:
            return 1.0
        more = max(0.0, self.waits.grown.get(column.node, 1.0) - 1.0)
        return 1.0 + (MEMORY if column.meaning.holds else 1.0) * more


def bearing(waits: Impact, failures: Impact) -> Bearing:
    """What waits and failures tell of all nodes."""
    return Bearing(waits, failures, max((*waits.worse.values(), *failures.worse.values()), default=0.0))


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """What callers may lose to callees that nobody measures: ``odd`` nats of other evidence by node, ``measured``."""

    odd: Sequence[float]
    measured: Set[int]

    def share(self, around: Surroundings, impacts: Sequence[float]) -> list[tuple[int, int, float]]:
        """As (caller, callee, nats): a part of a caller's impact, to the oddest of its unmeasured callees."""
        found = []
        for node in range(len(around)):
            below = [other for other in around.out[node] if other != node and other not in self.measured]
            callee = max(below, key=lambda other: self.odd[other], default=node)
            if impacts[node] > 0.0 and callee != node and self.odd[callee] > 0.0:
                found.append((node, callee, impacts[node] * self.odd[callee] / (self.odd[callee] + ODD)))
        return found
