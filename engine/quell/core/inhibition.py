"""One inhibit rule and the firing alerts that it speaks of: who hides whom, and whom a change of one concerns.

Inhibition is Alertmanager's; see `quell.core.mute`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from quell.model.rulebook import InhibitRule

Values = tuple[str, ...]


class _Stand:
    """The firing alerts with the same values of the equal labels, as a rule speaks of them: fingerprints, sorted."""

    __slots__ = ("both", "sources", "targets", "values")

    def __init__(self, values: Values) -> None:
        self.values = values
        self.sources: list[str] | tuple[()] = ()
        self.both: list[str] | tuple[()] = ()
        self.targets: list[str] | tuple[()] = ()

    def __bool__(self) -> bool:
        return bool(self.sources or self.both or self.targets)

    def add(self, mark: str, part: Part) -> None:
        """One more, of which the rule speaks in this way."""
        marks = self._of(part)
        if marks:
            insort(marks, mark)
        elif part.source and part.target:
            self.both = [mark]
        elif part.source:
            self.sources = [mark]
        else:
            self.targets = [mark]

    def remove(self, mark: str, part: Part) -> None:
        """One less; it must be there."""
        marks = self._of(part)
        if marks:
            del marks[bisect_left(marks, mark)]

    def first(self) -> str | None:
        """The inhibitor of mere targets: the smallest, so that the order of arrival does not show."""
        first = self.first_one_sided()
        if not self.both:
            return first
        return self.both[0] if first is None else min(first, self.both[0])

    def first_one_sided(self) -> str | None:
        """The inhibitor of those that are sources as well."""
        return self.sources[0] if self.sources else None

    def _of(self, part: Part) -> list[str] | tuple[()]:
        return self.targets if not part.source else self.both if part.target else self.sources


class Inhibition:
    """One inhibit rule and the firing alerts it speaks of, by the values of its equal labels.

    Most stand alone with their values, and are targets; those are kept without anything around them, and by the hash of
    the values, which takes a third of the room. ``labels`` are those of all firing alerts.
    """

    def __init__(self, rule: InhibitRule, labels: Mapping[str, Mapping[str, str]]) -> None:
        self.rule = rule
        self.equal = rule.equal
        self.missing = ("",) * len(rule.equal)
        self._labels = labels
        self._stands: dict[int | Values, str | _Stand] = {}
        self._apart: set[Values] = set()
        """Values that stand by themselves, as the hash was taken by others."""

    def begin(self, mark: str, labels: Mapping[str, str], part: Part) -> tuple[Iterable[str], str | None]:
        """Takes note of an alert that begins to fire; the targets whose inhibition that changes, and its inhibitor."""
        values = tuple(map(labels.get, self.equal, self.missing))  # as `values` has it
        if not (part.source or self._apart) and self._stands.setdefault(hash(values), mark) is mark:
            return (), None
        return self.add(mark, values, part), self.inhibitor(values, part)

    def add(self, mark: str, values: Values, part: Part) -> Iterable[str]:
        """Takes note of a firing alert; the targets whose inhibition that changes."""
        place = self._place(values)
        if place is values:
            self._apart.add(values)
        stand = self._stands.get(place)
        if stand is None and not part.source:
            self._stands[place] = mark
            return ()
        if not isinstance(stand, _Stand):
            alone, stand = stand, _Stand(values)
            if alone is not None:
                stand.targets = [alone]
            self._stands[place] = stand
        return _changed(stand, part, stand.add, mark)

    def remove(self, mark: str, values: Values, part: Part) -> Iterable[str]:
        """Forgets one of which note was taken; the targets whose inhibition that changes."""
        place = self._place(values)
        stand = self._stands[place]
        affected: Iterable[str] = ()
        if isinstance(stand, _Stand):
            affected = _changed(stand, part, stand.remove, mark)
        if not (isinstance(stand, _Stand) and stand):
            del self._stands[place]
            self._apart.discard(values)
        return affected

    def apart(self, coming: Sequence[Coming]) -> bool:
        """Whether none of several alerts that begin to fire will inhibit, or be inhibited by, any that fires."""
        places = [place for place, _, _, _ in coming]
        stands = self._stands
        if self._apart:
            return False
        if len(set(places)) == len(places) and stands.keys().isdisjoint(places):
            return True
        often = Counter(places)
        for place, _, _, part in coming:
            stand = stands.get(place)
            if part.source and (stand is not None or often[place] > 1):
                return False
            if isinstance(stand, _Stand) and (stand.sources or stand.both):
                return False
        return True

    def begin_all(self, coming: Sequence[Coming]) -> None:
        """Takes note of alerts that begin to fire, of which `apart` holds."""
        stands = self._stands
        for place, values, mark, part in coming:
            if part.source or stands.setdefault(place, mark) is not mark:
                self.add(mark, values, part)

    def inhibitor(self, values: Values, part: Part) -> str | None:
        """The first fingerprint that inhibits an alert with these values."""
        stand = self._stands.get(self._place(values)) if part.target else None
        if not isinstance(stand, _Stand):
            return None
        return stand.first_one_sided() if part.source else stand.first()

    def targets(self, values: Values, part: Part) -> set[str]:
        """Noted alerts that an alert with these values may inhibit."""
        stand = self._stands.get(self._place(values)) if part.source else None
        if stand is None:
            return set()
        return {*stand.targets, *stand.both} if isinstance(stand, _Stand) else {stand}

    def values(self, labels: Mapping[str, str]) -> Values:
        """What source and target must share."""
        return tuple(map(labels.get, self.equal, self.missing))

    def _place(self, values: Values) -> int | Values:
        """Where those with these values stand or would: by the hash, unless others have the same one."""
        if values in self._apart:
            return values
        place = hash(values)
        stand = self._stands.get(place)
        if stand is None:
            return place
        there = stand.values if isinstance(stand, _Stand) else self.values(self._labels[stand])
        return place if there == values else values


def _changed(stand: _Stand, part: Part, change: Callable[[str, Part], None], mark: str) -> Iterable[str]:
    """Changes those that a rule speaks of in one way; the targets whose inhibition that changes."""
    if not part.source:
        change(mark, part)
        return ()
    before = stand.first(), stand.first_one_sided()
    change(mark, part)
    targets = stand.targets if before[0] != stand.first() else ()
    both = stand.both if before[1] != stand.first_one_sided() else ()
    return (*targets, *both)


class Part(msgspec.Struct, frozen=True):
    """An inhibition that speaks of an alert, as one of its sources, of its targets, or both."""

    inhibition: Inhibition
    source: bool
    target: bool


Coming = tuple[int, Values, str, Part]
"""An alert that begins to fire, as an inhibition sees it: the hash of its values, these, its fingerprint, its part."""
Apart = tuple[Inhibition, list[Coming]]
"""How an inhibition sees alerts that neither inhibit nor are inhibited."""
