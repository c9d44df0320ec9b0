"""Whether alerts may have come together by chance: the more trouble there is, the more of it does.

Where something fires somewhere all the time, some of it fires near something else. A few alerts that gathered over half
an hour on a large estate are found at many places at any time, and say less than the same few within a minute where all
is quiet. As in scan statistics, what counts is how much of the kind the same time would have brought about anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p

import numpy as np
from numpy.typing import NDArray

from quell.core.conclude import Cause
from quell.model.alert import Alert
from quell.model.state import State

ONE_NEAR_IN = 20.0
"""Of so many that begin anywhere one is near enough to another to be taken for company, roughly,"""
NEAR = 125.0
"""where so many entities are a neighbourhood: on a large estate it is one of more."""


class Begun:
    """How much began between two times: read once of a state that stays as it is, and only if somebody asks."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._onsets: NDArray[np.float64] | None = None

    def between(self, first: float, last: float) -> int:
        """How many live units began then."""
        if self._onsets is None:
            self._onsets = np.array([unit.onset for unit in self._state.units.values()], np.float64)
        return int(np.count_nonzero((self._onsets >= first) & (self._onsets <= last)))


def by_chance(state: State, cause: Cause, alerts: Sequence[Alert], begun: Begun | None = None) -> float:
    """Nats that company like this must be worth more, as so much else began while it gathered."""
    if not alerts:
        return 0.0
    first, last = min(alert.starts_at for alert in alerts), max(alert.starts_at for alert in alerts)
    began = (begun or Begun(state)).between(first, last)
    size = max(len(state.entities), len(state.declared))
    return log1p(max(began - len(cause.units), 0) / max(ONE_NEAR_IN, size / NEAR))
