"""What else fires around an alert that is in no incident: whether it is as alone as it looks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from quell.core.groups import Groups
from quell.model.alert import Alert
from quell.model.state import State

MOST = 1000
"""So many others are not counted further."""
WITHIN_S = 600.0
"""What began further apart than this is no company."""


@dataclass(frozen=True, slots=True)
class Company:
    """``count`` others near it began about when it did; ``incident`` is the one that most of them have paged for."""

    count: int = 0
    incident: str = ""


ALONE = Company()


class Neighbours:
    """Looks at the group of an alert: what could share a cause with it."""

    def __init__(self, state: State, groups: Groups, digest_severities: frozenset[str]) -> None:
        self._state = state
        self._groups = groups
        self._digest = digest_severities

    def of(self, alert: Alert) -> Company:
        """The company of an alert now."""
        group = self._groups.of(alert)
        if group is None:
            return ALONE
        others = 0
        incidents: Counter[str] = Counter()
        units, began = self._state.units, alert.starts_at
        early, late = began - WITHIN_S, began + WITHIN_S
        for unit_id in group.units:
            unit = units[unit_id]
            if unit.last < early or unit.onset > late:
                continue
            for mark, episode in unit.alerts:
                other = self._state.alerts.get(mark)
                if other is None or mark == alert.fingerprint or other.episode != episode:
                    continue
                if self._counts(other) and abs(other.starts_at - began) <= WITHIN_S:
                    others += 1
                    incidents.update(self._paged(other))
            if others >= MOST:
                break
        named = min(incidents, key=lambda name: (-incidents[name], name), default="")
        return Company(others, named)

    def _counts(self, other: Alert) -> bool:
        return other.firing and not other.mutings and other.severity not in self._digest

    def _paged(self, other: Alert) -> tuple[str, ...]:
        incident = self._state.incidents.get(other.incident or "")
        return (incident.id,) if incident is not None and incident.is_open and incident.paged_at is not None else ()
