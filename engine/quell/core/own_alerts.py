"""What the own alerts of a cause that is not open are worth, when others that are open fold into it.

A database says little, and what needs it says much: its one alert does not pay for a cause, and the service that
asks it is open as a cause for itself. Each step for itself gains nothing; both together do, as what a cause that takes
in others costs is paid in part by its own alerts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from quell.core.endings import shares
from quell.core.folding import Own
from quell.core.problem import Ints, Open, Problem


class OwnAlerts(Own):
    """Which these are, told by claims that cost nothing, and what is explained of them without their causes."""

    def __init__(self, problem: Problem, chosen: Sequence[Open], owners: Ints) -> None:
        symptoms = problem.symptoms
        self._problem = problem
        self._have = np.zeros(len(symptoms.onsets))
        """What is explained, by unit."""
        for one, mine in zip(chosen, shares(owners, len(chosen)), strict=True):
            self._have[mine] = one.line[mine]
        self._own: dict[int, list[int]] = {}
        """The rows of what could gain, by cause; and what these gain at most."""
        self._most: dict[int, float] = {}
        own = np.flatnonzero(symptoms.cost <= 0.0)
        rows = own[problem.plain[own] > self._have[symptoms.unit[own]]]
        causes, worth = problem.cause[rows].tolist(), problem.plain[rows].tolist()
        have = self._have[symptoms.unit[rows]].tolist()
        for row, cause, nats, less in zip(rows.tolist(), causes, worth, have, strict=True):
            key = problem.key(cause)
            self._own.setdefault(key, []).append(row)
            self._most[key] = self._most.get(key, 0.0) + nats - less

    def most(self, key: int) -> float:
        """At most, whenever it began."""
        return self._most.get(key, 0.0)

    def gain(self, key: int, began: float) -> float:
        """If it began then."""
        return sum(nats for _, nats in self._better(key, began))

    def mine(self, key: int, began: float) -> list[int]:
        """Which units that would be."""
        return [unit for unit, _ in self._better(key, began)]

    def units(self) -> Iterator[tuple[int, int]]:
        """All of these: causes with the units of their own."""
        for key, rows in self._own.items():
            for row in rows:
                yield key, int(self._problem.symptoms.unit[row])

    def _better(self, key: int, began: float) -> list[tuple[int, float]]:
        """Units with the nats by which each is explained better."""
        own = self._own.get(key)
        if own is None:
            return []
        rows = np.array(own, dtype=np.int64)
        units, worth = self._problem.symptoms.unit[rows].tolist(), self._problem.worth(rows, began).tolist()
        more = [(unit, nats - float(self._have[unit])) for unit, nats in zip(units, worth, strict=True)]
        return [one for one in more if one[1] > 0.0]
