"""What else fires around an alert that is in no incident: whether it is as alone as it looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quell.core.groups import Groups
from quell.model.alert import Alert
from quell.model.state import Group, State, Unit

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
        self._asked_much = False
        self._found: dict[int, list[tuple[str, float, str]]] = {}
        self._spans: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Within, nothing changes but what is asked: what was found of a unit is found once."""
        self._asked_much = True
        try:
            yield
        finally:
            self._asked_much = False
            self._found.clear()
            self._spans.clear()

    def forget(self) -> None:
        """Something changed after all: what was found is found anew."""
        self._found.clear()

    def of(self, alert: Alert) -> Company:
        """The company of an alert now."""
        group = self._groups.of(alert)
        if group is None:
            return ALONE
        others = 0
        incidents: Counter[str] = Counter()
        began, own = alert.starts_at, alert.fingerprint
        for unit in self._around(group, began - WITHIN_S, began + WITHIN_S):
            for mark, at, paged in self._of_unit(unit):
                if mark != own and abs(at - began) <= WITHIN_S:
                    others += 1
                    if paged:
                        incidents[paged] += 1
            if others >= MOST:
                break
        named = min(incidents, key=lambda name: (-incidents[name], name), default="")
        return Company(others, named)

    def _around(self, group: Group, early: float, late: float) -> Iterator[Unit]:
        """The units of a group in which something began between two times, in their order."""
        units = self._state.units
        if not self._asked_much:
            return (unit for at in group.units if not ((unit := units[at]).last < early or unit.onset > late))
        known = self._spans.get(group.id)
        if known is None:
            onsets = np.array([units[at].onset for at in group.units])
            known = self._spans[group.id] = onsets, np.array([units[at].last for at in group.units])
        onsets, lasts = known
        return (units[group.units[at]] for at in np.flatnonzero((lasts >= early) & (onsets <= late)).tolist())

    def _of_unit(self, unit: Unit) -> list[tuple[str, float, str]]:
        """What counts of a unit: its alerts with when they began and the incident that they have paged for."""
        known = self._found.get(unit.id)
        if known is not None:
            return known
        alerts, found = self._state.alerts, []
        for mark, episode in unit.alerts:
            other = alerts.get(mark)
            if other is not None and other.episode == episode and self._counts(other):
                found.append((mark, other.starts_at, self._paged(other)))
        if self._asked_much:
            self._found[unit.id] = found
        return found

    def _counts(self, other: Alert) -> bool:
        return other.status == "firing" and not other.mutings and other.severity not in self._digest

    def _paged(self, other: Alert) -> str:
        incident = self._state.incidents.get(other.incident or "")
        return incident.id if incident is not None and incident.is_open and incident.paged_at is not None else ""
