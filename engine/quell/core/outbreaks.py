"""When each rule began to fire, wherever it did: what tells a job on the hour from trouble that has one place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from quell.model.alert import Alert
from quell.model.state import State

AT_ONCE_S = 120.0
"""A rule that begins to fire in two places within so long does so at once."""


class Outbreaks:
    """Of the alerts as they are now, read once and only when asked."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._began: dict[str, list[float]] = {}

    def elsewhere(self, rule: str, alerts: Sequence[Alert]) -> bool:
        """Whether a rule began to fire in other places as well when it did in ``alerts``, of which there is one."""
        if not self._began:
            self._read()
        here = [alert.starts_at for alert in alerts]
        early, late = min(here) - AT_ONCE_S, max(here) + AT_ONCE_S
        began = self._began.get(rule, [])
        at_once = bisect_right(began, late) - bisect_left(began, early)
        return at_once > sum(alert.name == rule for alert in alerts)

    def _read(self) -> None:
        for alert in self._state.alerts.values():
            self._began.setdefault(alert.name, []).append(alert.starts_at)
        for began in self._began.values():
            began.sort()
