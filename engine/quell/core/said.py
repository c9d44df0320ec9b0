"""What the alerts of many firings say, in columns: a look at ten thousand of them reads numbers, and not the alerts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from quell.core.continuity import Member
from quell.core.gist import Gist
from quell.core.severity import worst
from quell.core.titles import titled
from quell.model.alert import Alert, Reason
from quell.model.impact import LABEL
from quell.model.incident import Suspect

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class _Gone:
    """Stands for an alert that the state knows no more."""

    starts_at, episode, handling, mutings, status = 0.0, -1, "muted", (), "expired"
    incident, severity, entity = "", "", None
    labels: Mapping[str, str] = {}
    reason = Reason(code="", text="")


_GONE = cast("Alert", _Gone())
UNREAD = cast("Alert", _Gone())
"""Stands for an alert that is to be read anew."""
_asked = attrgetter(
    "starts_at", "episode", "handling", "mutings", "status", "incident", "severity", "entity", "labels", "reason.code"
)
_NOTHING = np.empty(0, np.int64)
_COLUMNS = ("onset", "_severity", "_rule", "_entity", "_harm", "present", "heard", "firing", "loose", "free")
HELD = frozenset({"rule", "owned"})
"""Codes of reasons for which an alert that does not page cannot stand for its incident's page either."""


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


def _firsts(codes: Ints, many: int) -> Ints:
    """Where each of so many codes is first, in order; of many places it is quicker not to sort them."""
    if len(codes) < many:
        return np.sort(np.unique(codes, return_index=True)[1])
    first = np.full(many, len(codes))
    np.minimum.at(first, codes, np.arange(len(codes)))
    return np.sort(first[first < len(codes)])


class Said:
    """The columns; a firing has the same slot in all of them."""

    def __init__(self) -> None:
        self._severities, self._rules, self._entities, self._harms = Codes(), Codes(), Codes(), Codes()
        self.alerts: list[Alert | None] = []
        self.marks: list[str] = []
        self.onset = np.empty(0, np.float64)
        self._severity, self._rule, self._entity, self._harm = _NOTHING, _NOTHING, _NOTHING, _NOTHING
        self.present, self.heard, self.firing, self.loose, self.free = (np.empty(0, np.bool_) for _ in range(5))
        """Whether it is the alert's present firing, people may hear of it, it goes on, is in no incident, and nothing
        but its severity keeps it from paging."""

    def grow(self, by: int) -> None:
        """Makes room for so many more firings."""
        for name in _COLUMNS:
            column = getattr(self, name)
            setattr(self, name, np.concatenate((column, np.zeros(by, column.dtype))))

    def tell(self, slots: Ints, alerts: Sequence[Alert | None], members: Sequence[Member]) -> bool:
        """Takes over what these alerts say now; returns whether any began at another time than it said before."""
        rows = map(_asked, [_GONE if alert is None else alert for alert in alerts])
        starts, episodes, handlings, mutings, statuses, incidents, severities, entities, labels, reasons = zip(
            *rows, strict=True
        )
        onset = np.array(starts, np.float64)
        moved = bool((self.onset[slots] != onset).any())
        self.onset[slots] = onset
        self.present[slots] = np.array(episodes) == np.array([episode for _, episode in members])
        self.heard[slots] = [not by and how != "muted" for by, how in zip(mutings, handlings, strict=True)]
        self.firing[slots] = [status == "firing" for status in statuses]
        self.loose[slots] = [incident is None for incident in incidents]
        self.free[slots] = [
            status == "firing" and not by and (how == "page" or why not in HELD)
            for status, by, how, why in zip(statuses, mutings, handlings, reasons, strict=True)
        ]
        self._harm[slots] = [self._harms[said.get(LABEL, "")] for said in labels]
        self._severity[slots] = list(map(self._severities.__getitem__, severities))
        self._rule[slots] = [self._rules[said.get("alertname", "")] for said in labels]
        self._entity[slots] = list(map(self._entities.__getitem__, entities))
        return moved

    def severity(self, slots: Ints) -> str:
        """The worst severity of these firings."""
        return worst(filter(None, self.severities(slots)))

    def rules(self, slots: Ints) -> dict[str, int]:
        """How many of these firings are of each rule."""
        counts = np.bincount(self._rule[slots])
        codes = np.flatnonzero(counts)
        return dict(zip(self._rules.named(codes.tolist()), counts[codes].tolist(), strict=True))

    def severities(self, slots: Ints) -> list[str]:
        """The severities of these firings."""
        return self._severities.named(np.flatnonzero(np.bincount(self._severity[slots])).tolist())

    def of_severity(self, slots: Ints, severities: Collection[str]) -> Flags:
        """Which of these firings have one of some severities."""
        return np.isin(self._severity[slots], [self._severities[one] for one in severities])

    def able(self, slots: Ints, digest: Collection[str]) -> Flags:
        """Which of these firings can stand for a page, where these severities never do."""
        return self.free[slots] & ~self.of_severity(slots, digest)

    def at(self, slots: Ints, entity: str | None) -> Flags:
        """Which of these firings are at an entity."""
        return np.equal(self._entity[slots], self._entities.get(entity, -1))

    def harms(self, slots: Ints) -> list[tuple[str, str]]:
        """What these firings say that they harm, and where they are."""
        many = len(self._entities.values_of)
        pairs = np.unique(self._harm[slots] * many + self._entity[slots]).tolist()
        return [(self._harms.values_of[at // many], self._entities.values_of[at % many] or "") for at in pairs]

    def firsts(self, slots: Ints) -> Ints:
        """The first of these firings of each rule, in their order."""
        return slots[_firsts(self._rule[slots], len(self._rules))]

    def gist(self, slots: Ints) -> Gist:
        """What the alerts of these firings say on the whole."""
        marks = len(slots)
        if not self.present[slots].all():  # an alert may be among them by several firings, or be known no more
            one = {self.marks[slot]: slot for slot in slots.tolist()}
            marks = len(one)
            slots = np.array([slot for slot in one.values() if self.alerts[slot] is not None], np.int64)
        ends = [slots[at(self.onset[slots])] for at in (np.argmin, np.argmax)] if len(slots) else []
        return Gist(
            marks,
            self.rules(slots),
            self.severities(slots),
            self.known(np.array(ends, np.int64)),
            partial(self.known, slots),
        )

    def known(self, slots: Ints) -> list[Alert]:
        return [cast("Alert", self.alerts[slot]) for slot in slots.tolist()]

    def entities(self, slots: Ints) -> tuple[str, ...]:
        """Where these firings are, each place once, in their order."""
        codes = self._entity[slots]
        return tuple(filter(None, self._entities.named(codes[_firsts(codes, len(self._entities))].tolist())))

    def title(self, suspects: Sequence[Suspect], slots: Ints) -> str:
        """The title of an incident with these firings."""
        return titled(suspects, self.rules(slots), int(np.count_nonzero(np.bincount(self._entity[slots]))))


class OfColumns:
    """What an incident says of the firings of these slots, which are present ones, of the alerts ``marks``."""

    def __init__(self, said: Said, slots: Ints, marks: tuple[str, ...]) -> None:
        self._said = said
        self._slots = slots
        self.marks = marks
        self.severity = said.severity(self._slots)

    def alerts(self) -> list[Alert]:
        """All of them."""
        return self._said.known(self._slots)

    def entities(self) -> tuple[str, ...]:
        """Where they are, each place once."""
        return self._said.entities(self._slots)

    def title(self, suspects: Sequence[Suspect]) -> str:
        """The title of their incident."""
        return self._said.title(suspects, self._slots)

    def fires(self) -> bool:
        """Whether any of them fires."""
        return bool(self._said.firing[self._slots].any())

    def harms(self) -> list[tuple[str, str]]:
        """What they say that they harm, and where they are."""
        return self._said.harms(self._slots)

    def firsts(self) -> list[Alert]:
        """The first of each rule, in their order."""
        return self._said.known(self._said.firsts(self._slots))

    def severities(self) -> list[str]:
        """Their severities."""
        return self._said.severities(self._slots)

    def able(self, digest: Collection[str]) -> Able:
        """Those of them that can stand for a page, where these severities never do."""
        return Able(self._said, self._slots[self._said.able(self._slots, digest)])


class Able:
    """Alerts that can stand for the page of their incident, in order of onset."""

    def __init__(self, said: Said, slots: Ints) -> None:
        self._said = said
        self._slots = slots
        self.severities = said.severities(slots)

    def first(self, entity: str | None, severities: Collection[str]) -> Iterator[Alert]:
        """Those of some severities, what is at an entity first."""
        said = self._said
        slots = self._slots[said.of_severity(self._slots, severities)]
        here = said.at(slots, entity)
        for slot in chain(slots[here].tolist(), slots[~here].tolist()):
            yield cast("Alert", said.alerts[slot])
