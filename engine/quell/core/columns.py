"""Who claims a cause, at what cost and lag, as arrays that are kept from one look at a group to the next.

A large group is looked at again and again for a few causes, and most claims on these are what they were a while ago.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quell.core.reach import Claim
from quell.core.steps import Steps

MOST_KEPT = 5_000
"""So many causes are remembered, at some kilobytes each where hundreds claim one."""
READ_TOGETHER = 5_000
"""So many claims are read in one piece."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Column = tuple[Ints, Floats]
"""Units in order of their ids, and their costs and lags."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims on some causes, in order of these: whose, on which cause, at what cost and lag."""

    unit: Ints
    cause: Ints
    cost: Floats
    lag: Floats


class Columns:
    """Reads claims by cause; whoever changes what is in a column has that forgotten."""

    def __init__(self, claims: Mapping[int, Mapping[int, Claim]], claimed_by: Mapping[int, Sequence[int]]) -> None:
        self._claims = claims
        self._claimed_by = claimed_by
        self._kept: dict[int, Column] = {}
        self._last: dict[int, int] = {}
        """The last unit in each column that is kept."""
        self.forget = self._kept.pop
        """Of a cause that somebody claims no more, or otherwise, who is in its column."""
        self.last = self._last.get
        """The last unit in the column of a cause, if one is kept: those that come later are added to it.

        Both are called for every claim, so they are no methods of their own.
        """

    def on(self, causes: Collection[int], units: Sequence[int]) -> Steps[Claims]:
        """What these units claim of these causes."""
        found: list[tuple[int, Column]] = []
        claims = 0
        for asked in sorted(causes):
            if (column := self.of(asked)) is not None:
                found.append((asked, column))
                claims += len(column[0])
            if claims >= READ_TOGETHER:
                yield
                claims = 0
        if not found:
            none = np.empty(0, dtype=np.int64)
            return Claims(none, none, np.empty(0), np.empty(0))
        yield
        unit = np.concatenate([ids for _, (ids, _) in found])
        both = np.concatenate([told for _, (_, told) in found], axis=1)
        cause = np.repeat([cause for cause, _ in found], [len(ids) for _, (ids, _) in found])
        yield
        here = np.sort(np.array(units, dtype=np.int64))
        at = np.minimum(np.searchsorted(here, unit), len(here) - 1)
        mine = here[at] == unit
        yield
        if mine.all():
            return Claims(unit, cause, both[0], both[1])
        return Claims(unit[mine], cause[mine], both[0][mine], both[1][mine])

    def of(self, cause: int) -> Column | None:
        """Who claims a cause, at what cost and lag; None if nobody does."""
        known = self._kept.get(cause)
        ids = self._claimed_by.get(cause)
        if not ids or (known is not None and len(known[0]) == len(ids)):
            return known
        # Units that came last only add to what is kept: whoever changes what is in it has it forgotten.
        fresh = ids if known is None else ids[len(known[0]) :]
        claims = self._claims
        told = np.array([claims[unit][cause] for unit in fresh], dtype=np.float64).T
        if known is None:
            if len(self._last) >= MOST_KEPT:  # which has those that were forgotten, too
                self._kept.clear()
                self._last.clear()
            known = np.array(ids, dtype=np.int64), told.copy()
        else:
            known = np.append(known[0], np.array(fresh, dtype=np.int64)), np.concatenate((known[1], told), axis=1)
        self._kept[cause], self._last[cause] = known, ids[-1]
        return known
