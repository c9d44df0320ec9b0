"""When each rule began to fire, wherever it did: what tells a job on the hour from trouble that has one place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import islice

from quell.model.alert import Alert
from quell.model.state import State

AT_ONCE_S = 120.0
"""A rule that begins to fire in two places within so long does so at once."""
NEWEST = 2_000
"""So many alerts are asked first: a job on the hour just fired elsewhere too, and its places may be looked at apart."""


class Outbreaks:
    """Of the alerts as they are now, read once and only when asked."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._began: dict[str, list[float]] = {}

    def elsewhere(self, rule: str, alerts: Sequence[Alert]) -> bool:
        """Whether a rule began to fire in other places as well when it did in ``alerts``, of which there is one."""
        here = [alert.starts_at for alert in alerts]
        early, late = min(here) - AT_ONCE_S, max(here) + AT_ONCE_S
        mine = sum(alert.name == rule for alert in alerts)
        if not self._began:
            if self._lately(rule, early, late, mine):
                return True
            self._read()
        began = self._began.get(rule, [])
        return bisect_right(began, late) - bisect_left(began, early) > mine

    def _lately(self, rule: str, early: float, late: float, mine: int) -> bool:
        """Whether more than these are found among what was heard of last."""
        found = 0
        for alert in islice(reversed(self._state.alerts.values()), NEWEST):
            if early <= alert.starts_at <= late and alert.name == rule:
                found += 1
                if found > mine:
                    return True
        return False

    def _read(self) -> None:
        for alert in self._state.alerts.values():
            self._began.setdefault(alert.name, []).append(alert.starts_at)
        for began in self._began.values():
            began.sort()
