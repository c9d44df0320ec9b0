"""Causes that would begin where trouble goes on already belong to whoever explains that trouble.

Rules wait for minutes before they fire, those about absence longest. So what an entity in trouble does to others may be
told long after its own alerts, too late for the cause that explains these, and looks like a cause that begins there
then. But nothing begins there: the alerts that go on say since when it has been so. Such a cause may fold into the one
that explains them as if a known way led there, whatever is between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from quell.core.families import COUNT
from quell.core.legs import TROUBLED
from quell.core.problem import Ints, Open, Problem
from quell.core.reach import Rows

BEFORE_S = 60.0
"""Alerts that are so much older than a cause is supposed to be did not begin with it."""
WITHIN_S = 900.0
"""After so long it is rather something new: few rules wait longer."""
SAME_NATS, OTHER_NATS = 1.0, 2.0
"""What such a way costs, by whether the alerts that go on are of the same kind of trouble or of another."""


def ways(problem: Problem, chosen: Sequence[Open], owners: Ints) -> dict[int, Rows]:
    """By the key of an open cause, the open causes that explain what went on where it begins.

    ``owners`` has for each unit the open cause that explains it best, -1 for none. As (keys, costs in nats, lags in s).
    """
    found: dict[int, list[tuple[int, float, float]]] = {}
    standing = _explained(problem, chosen, owners) if chosen else {}
    ends, onsets = problem.symptoms.ends, problem.symptoms.onsets
    for one in chosen:
        key = problem.key(one.cause)
        node, family = divmod(key, COUNT)
        if family not in TROUBLED:
            continue
        for unit, kind in standing.get(node, ()):
            other = chosen[int(owners[unit])]
            goes_on = onsets[unit] < one.began - BEFORE_S and ends[unit] > one.began
            if goes_on and other.cause != one.cause and one.began - WITHIN_S <= other.began:
                nats = SAME_NATS if kind == family else OTHER_NATS
                lag = max(0.0, one.began - other.began)
                found.setdefault(key, []).append((problem.key(other.cause), nats, lag))
    return {key: _rows(some) for key, some in found.items()}


def besides(claims_of: Callable[[int], Rows], more: Mapping[int, Rows]) -> Callable[[int], Rows]:
    """What ``claims_of`` says, and ``more`` of it where there is some."""
    if not more:
        return claims_of

    def both(key: int) -> Rows:
        keys, costs, lags = claims_of(key)
        if (others := more.get(key)) is None:
            return keys, costs, lags
        return np.append(keys, others[0]), np.append(costs, others[1]), np.append(lags, others[2])

    return both


def _explained(problem: Problem, chosen: Sequence[Open], owners: Ints) -> dict[int, list[tuple[int, int]]]:
    """By node where causes are open, the units of trouble there that one of them explains, each with its family."""
    nodes = problem.symptoms.keys[[one.cause for one in chosen]] // COUNT
    units = np.flatnonzero((owners >= 0) & np.isin(problem.symptoms.own // COUNT, nodes))
    there: dict[int, list[tuple[int, int]]] = {}
    for unit, key in zip(units.tolist(), problem.symptoms.own[units].tolist(), strict=True):
        node, family = divmod(key, COUNT)
        if family in TROUBLED:
            there.setdefault(node, []).append((unit, family))
    return there


def _rows(some: Sequence[tuple[int, float, float]]) -> Rows:
    keys, costs, lags = zip(*some, strict=True)
    return np.array(keys, dtype=np.int64), np.array(costs, dtype=np.float64), np.array(lags, dtype=np.float64)
