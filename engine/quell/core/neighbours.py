"""What else fires around an alert that is in no incident: whether it is as alone as it looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from quell.core.groups import Groups
from quell.core.steps import Steps, finished
from quell.model.alert import Alert
from quell.model.state import Group, State, Unit

MOST = 1000
"""So many others are not counted further."""
WITHIN_S = 600.0
"""What began further apart than this is no company."""
MUCH = 16
"""After so many questions about one group its firings are read into columns."""
READ_TOGETHER = 250
"""So many units are read in one piece: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Company:
    """``count`` others near it began about when it did; ``incident`` is the one that most of them have paged for."""

    count: int = 0
    incident: str = ""


ALONE = Company()


@dataclass(frozen=True, slots=True)
class _Firings:
    """What counts of the firings of a group, in the order of its units: ``unit`` is the place of the unit among these.

    ``paged`` are places in ``names``, the first of which is that of no incident.
    """

    slots: dict[str, int]
    at: NDArray[np.float64]
    unit: NDArray[np.int64]
    paged: NDArray[np.int64]
    names: list[str]


class Neighbours:
    """Looks at the group of an alert: what could share a cause with it."""

    def __init__(self, state: State, groups: Groups, digest_severities: frozenset[str]) -> None:
        self._state = state
        self._groups = groups
        self._digest = digest_severities
        self._asked_much = False
        self._asked: Counter[int] = Counter()
        """How often was asked about each group; of none once something changed."""
        self._firings: dict[int, _Firings] = {}
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
            self._asked.clear()
            self._firings.clear()

    def forget(self) -> None:
        """Something changed after all: what was found is found anew."""
        self._found.clear()
        self._asked.clear()
        self._firings.clear()

    def of(self, alert: Alert) -> Company:
        """The company of an alert now."""
        group = self._groups.of(alert)
        if group is None:
            return ALONE
        if self._asked_much:
            self._asked[group.id] += 1
            if self._asked[group.id] > MUCH:
                return self._of_many(group, alert)
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

    def _of_many(self, group: Group, alert: Alert) -> Company:
        """The same where many are asked after, of which one group is the company."""
        known = self._firings.get(group.id)
        if known is None:
            known = self._firings[group.id] = finished(self._read(group))
        began = alert.starts_at
        onsets, lasts = self._spans_of(group)
        near = np.flatnonzero(np.abs(known.at - began) <= WITHIN_S)
        near = near[((lasts >= began - WITHIN_S) & (onsets <= began + WITHIN_S))[known.unit[near]]]
        near = near[near != known.slots.get(alert.fingerprint, -1)]
        if len(near) > MOST:  # all of the unit with which it is enough
            near = near[: np.searchsorted(known.unit[near], known.unit[near[MOST - 1]], "right")]
        counts = np.bincount(known.paged[near], minlength=1).tolist()
        incidents = {name: count for name, count in zip(known.names[1:], counts[1:], strict=False) if count}
        return Company(len(near), min(incidents, key=lambda name: (-incidents[name], name), default=""))

    def reading(self, alert: Alert) -> Steps[None]:
        """Reads the group of an alert little by little, if all of it is read by the next question."""
        group = self._groups.of(alert) if self._asked else None
        if group is not None and self._asked[group.id] >= MUCH and group.id not in self._firings:
            self._firings[group.id] = yield from self._read(group)

    def _read(self, group: Group) -> Steps[_Firings]:
        codes = {"": 0}
        slots: dict[str, int] = {}
        counts: list[int] = []
        begun: list[NDArray[np.float64]] = []
        paged: list[NDArray[np.int64]] = []
        for start in range(0, len(group.units), READ_TOGETHER):
            found = [self._of_unit(self._state.units[at]) for at in group.units[start : start + READ_TOGETHER]]
            counts += map(len, found)
            marks, onsets, names = zip(*chain.from_iterable(found), strict=True) if any(found) else ((), (), ())
            slots.update(zip(marks, range(len(slots), len(slots) + len(marks)), strict=True))
            begun.append(np.array(onsets, np.float64))
            paged.append(np.array([codes.setdefault(name, len(codes)) for name in names], np.int64))
            yield
        units = np.repeat(np.arange(len(counts)), counts)
        return _Firings(slots, np.concatenate(begun), units, np.concatenate(paged), list(codes))

    def _around(self, group: Group, early: float, late: float) -> Iterator[Unit]:
        """The units of a group in which something began between two times, in their order."""
        units = self._state.units
        if not self._asked_much:
            return (unit for at in group.units if not ((unit := units[at]).last < early or unit.onset > late))
        onsets, lasts = self._spans_of(group)
        return (units[group.units[at]] for at in np.flatnonzero((lasts >= early) & (onsets <= late)).tolist())

    def _spans_of(self, group: Group) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """When the units of a group began, and when something last began there."""
        known = self._spans.get(group.id)
        if known is None:
            units = [self._state.units[at] for at in group.units]
            onsets = np.array([unit.onset for unit in units])
            known = self._spans[group.id] = onsets, np.array([unit.last for unit in units])
        return known

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
