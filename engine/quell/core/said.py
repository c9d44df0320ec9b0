"""What the alerts of many firings say, in columns: a look at ten thousand of them reads numbers, and not the alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from quell.core.continuity import Member
from quell.core.severity import worst
from quell.core.titles import titled
from quell.model.alert import Alert
from quell.model.incident import Suspect

Ints = NDArray[np.int64]


class _Gone:
    """Stands for an alert that the state knows no more."""

    starts_at, episode, handling, mutings, status = 0.0, -1, "muted", (), "expired"
    incident, severity, entity = "", "", None
    labels: Mapping[str, str] = {}


_GONE = cast("Alert", _Gone())
_asked = attrgetter("starts_at", "episode", "handling", "mutings", "status", "incident", "severity", "entity", "labels")
_NOTHING = np.empty(0, np.int64)


class Codes(dict[Any, int]):
    """Small numbers for values that many share."""

    def __init__(self, *first: Any) -> None:
        self.values_of: list[Any] = []
        for value in first:
            self[value]

    def __missing__(self, value: Any) -> int:
        code = self[value] = len(self.values_of)
        self.values_of.append(value)
        return code

    def named(self, codes: Sequence[int]) -> list[Any]:
        """The values of these numbers."""
        return [self.values_of[code] for code in codes]


class Said:
    """The columns; a firing has the same slot in all of them."""

    def __init__(self) -> None:
        self._severities, self._rules, self._entities = Codes(), Codes(), Codes()
        self.alerts: list[Alert | None] = []
        self.marks: list[str] = []
        self.onset = np.empty(0, np.float64)
        self._severity, self._rule, self._entity = _NOTHING, _NOTHING, _NOTHING
        self.present, self.heard, self.firing, self.loose = (np.empty(0, np.bool_) for _ in range(4))
        """Whether it is the alert's present firing, people may hear of it, it goes on, and is in no incident."""

    def grow(self, by: int) -> None:
        """Makes room for so many more firings."""
        for name in ("onset", "_severity", "_rule", "_entity", "present", "heard", "firing", "loose"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros(by, column.dtype))))

    def tell(self, slots: Ints, alerts: Sequence[Alert | None], members: Sequence[Member]) -> bool:
        """Takes over what these alerts say now; returns whether any began at another time than it said before."""
        rows = map(_asked, [_GONE if alert is None else alert for alert in alerts])
        starts, episodes, handlings, mutings, statuses, incidents, severities, entities, labels = zip(
            *rows, strict=True
        )
        onset = np.array(starts, np.float64)
        moved = bool((self.onset[slots] != onset).any())
        self.onset[slots] = onset
        self.present[slots] = np.array(episodes) == np.array([episode for _, episode in members])
        self.heard[slots] = [not by and how != "muted" for by, how in zip(mutings, handlings, strict=True)]
        self.firing[slots] = [status == "firing" for status in statuses]
        self.loose[slots] = [incident is None for incident in incidents]
        self._severity[slots] = list(map(self._severities.__getitem__, severities))
        self._rule[slots] = [self._rules[said.get("alertname", "")] for said in labels]
        self._entity[slots] = list(map(self._entities.__getitem__, entities))
        return moved

    def severity(self, slots: Ints) -> str:
        """The worst severity of these firings."""
        return worst(filter(None, self._severities.named(np.flatnonzero(np.bincount(self._severity[slots])).tolist())))

    def entities(self, slots: Ints) -> tuple[str, ...]:
        """Where these firings are, each place once, in their order."""
        codes, first = np.unique(self._entity[slots], return_index=True)
        return tuple(filter(None, self._entities.named(codes[np.argsort(first)].tolist())))

    def title(self, suspects: Sequence[Suspect], slots: Ints) -> str:
        """The title of an incident with these firings."""
        counts = np.bincount(self._rule[slots])
        codes = np.flatnonzero(counts)
        rules = dict(zip(self._rules.named(codes.tolist()), counts[codes].tolist(), strict=True))
        return titled(suspects, rules, int(np.count_nonzero(np.bincount(self._entity[slots]))))


class OfColumns:
    """What an incident says of the present firings among these slots."""

    def __init__(self, said: Said, slots: Ints) -> None:
        self._said = said
        self._slots = slots[said.present[slots]]
        self.marks = tuple(map(said.marks.__getitem__, self._slots.tolist()))
        self.severity = said.severity(self._slots)

    def alerts(self) -> list[Alert]:
        """All of them."""
        return [cast("Alert", self._said.alerts[slot]) for slot in self._slots.tolist()]

    def entities(self) -> tuple[str, ...]:
        """Where they are, each place once."""
        return self._said.entities(self._slots)

    def title(self, suspects: Sequence[Suspect]) -> str:
        """The title of their incident."""
        return self._said.title(suspects, self._slots)

    def fires(self) -> bool:
        """Whether any of them fires."""
        return bool(self._said.firing[self._slots].any())
