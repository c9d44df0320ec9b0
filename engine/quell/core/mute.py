"""Mute: which silences, maintenance windows, mute rules and inhibitions keep an alert from paging now, and why.

Inhibition is Alertmanager's: while a source fires, targets with the same values of the ``equal`` labels are muted (a
missing label equals the empty text); an alert that is source and target of a rule is not inhibited by alerts that are
both, itself included; a source that is muted itself still inhibits.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from math import inf
from typing import NamedTuple

from quell.core import windows
from quell.expressions.matchers import Matching, matching_of
from quell.expressions.sieve import Sieve
from quell.model.alert import Alert, Muting
from quell.model.mute import Silence
from quell.model.rulebook import InhibitRule, Rulebook, Window

Values = tuple[str, ...]
_Change = Callable[["_Bunch", Values, str], None]


class _Bunch:
    """Fingerprints of firing alerts by their equal-label values, each bunch sorted.

    Most bunches are of one, which is kept without a list around it.
    """

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks: dict[Values, str | list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._marks)

    def first(self, values: Values) -> str | None:
        """The smallest fingerprint, so that the order of arrival does not show."""
        marks = self._marks.get(values)
        return marks[0] if isinstance(marks, list) else marks

    def all(self, values: Values) -> list[str]:
        """All fingerprints."""
        marks = self._marks.get(values)
        return marks if isinstance(marks, list) else [] if marks is None else [marks]

    def add(self, values: Values, mark: str) -> None:
        """One more."""
        marks = self._marks.get(values)
        if isinstance(marks, list):
            insort(marks, mark)
        else:
            self._marks[values] = mark if marks is None else sorted((marks, mark))

    def remove(self, values: Values, mark: str) -> None:
        """One less; it must be there."""
        marks = self._marks[values]
        if isinstance(marks, list) and len(marks) > 1:
            del marks[bisect_left(marks, mark)]
        else:
            del self._marks[values]


class _Inhibition:
    """One inhibit rule and the firing alerts it speaks of, by the values of its equal labels."""

    def __init__(self, rule: InhibitRule) -> None:
        self.rule = rule
        self._missing = ("",) * len(rule.equal)
        self._sources, self._both, self._targets = _Bunch(), _Bunch(), _Bunch()

    def change(self, mark: str, values: Values, part: _Part, change: _Change) -> Iterable[str]:
        """Take note of a firing alert, or forget it; the targets whose inhibition that changes."""
        if not part.source:
            change(self._targets, values, mark)
            return ()
        before = self._first(values, one_sided_only=False), self._first(values, one_sided_only=True)
        change(self._both if part.target else self._sources, values, mark)
        after = self._first(values, one_sided_only=False), self._first(values, one_sided_only=True)
        targets = self._targets.all(values) if before[0] != after[0] else ()
        both = self._both.all(values) if before[1] != after[1] else ()
        return (*targets, *both)

    def inhibitor(self, values: Values, part: _Part) -> str | None:
        """The first fingerprint that inhibits an alert with these values."""
        if not part.target or not (self._sources or self._both):
            return None
        return self._first(values, one_sided_only=part.source)

    def targets(self, values: Values, part: _Part) -> set[str]:
        """Noted alerts that an alert with these values may inhibit."""
        return set() if not part.source else {*self._targets.all(values), *self._both.all(values)}

    def values(self, labels: Mapping[str, str]) -> Values:
        """What source and target must share."""
        return tuple(map(labels.get, self.rule.equal, self._missing))

    def _first(self, values: Values, *, one_sided_only: bool) -> str | None:
        """The inhibitor that is named."""
        source = self._sources.first(values)
        both = None if one_sided_only else self._both.first(values)
        return both if source is None else source if both is None else min(source, both)


class _Part(NamedTuple):
    """An inhibition that speaks of an alert, as one of its sources, of its targets, or both."""

    inhibition: _Inhibition
    source: bool
    target: bool


class _Ways(NamedTuple):
    """All that may mute alerts with the same labels, besides silences."""

    windows: tuple[_Opening, ...]
    rules: tuple[Muting, ...]
    parts: tuple[_Part, ...]


class _Opening:
    """A window with what is known of it between two of its edges, as time passes much more often than they do."""

    def __init__(self, window: Window) -> None:
        self.muting = Muting(kind="window", by=window.name, reason=window.reason)
        self._window = window
        self._judged_at = inf
        self._edge: float | None = None
        self._open = False

    def is_open(self, now: float) -> bool:
        """Whether the window is open at ``now``."""
        self._judge(now)
        return self._open

    def next_edge(self, now: float) -> float | None:
        """See `quell.core.windows.next_edge`."""
        self._judge(now)
        return self._edge

    def _judge(self, now: float) -> None:
        if self._judged_at <= now and (self._edge is None or now < self._edge):
            return
        self._judged_at = now
        self._open = windows.active(self._window, now)
        self._edge = windows.next_edge(self._window, now)


class Muter:
    """Judges alerts against the mute rules, windows and inhibit rules of a rulebook, and the silences it is shown.

    What it remembers (firing alerts, for inhibition) is computed from alerts: after a restart or with a new rulebook
    make a new one and `note` every alert.
    """

    def __init__(self, rulebook: Rulebook) -> None:
        self._rules = tuple(Muting(kind="rule", by=rule.name, reason=rule.reason) for rule in rulebook.mute)
        self._windows = tuple(_Opening(window) for window in rulebook.windows)
        self._inhibitions = tuple(_Inhibition(rule) for rule in rulebook.inhibit)
        asked = [one.matchers for one in rulebook.windows] + [one.matchers for one in rulebook.mute]
        asked += [side for rule in rulebook.inhibit for side in (rule.source, rule.target)]
        self._sieve = Sieve([matching_of(matchers) for matchers in asked], self._ways)
        self._noted: dict[str, dict[str, str]] = {}
        self._silences: dict[str, tuple[Silence, Matching]] = {}

    def _ways(self, holds: Sequence[bool]) -> _Ways:
        """What of windows, rules, and sources and targets of inhibitions in turn ``holds`` says to match."""
        of_rules = len(self._windows)
        of_parts = of_rules + len(self._rules)
        sides = zip(self._inhibitions, holds[of_parts::2], holds[of_parts + 1 :: 2], strict=True)
        return _Ways(
            tuple(compress(self._windows, holds)),
            tuple(sorted(compress(self._rules, holds[of_rules:]), key=_by)),
            tuple(_Part(*side) for side in sides if side[1] or side[2]),
        )

    def mutings(self, labels: Mapping[str, str], now: float, silences: Mapping[str, Silence]) -> tuple[Muting, ...]:
        """All that mutes a firing alert with these labels at ``now``.

        Silences, windows, inhibitions, rules; each kind sorted by name.
        """
        ways = self._sieve.of(labels)
        inhibited = [
            self._inhibited_by(by, part)
            for part in ways.parts
            if (by := part.inhibition.inhibitor(part.inhibition.values(labels), part)) is not None
        ]
        return self._all(labels, now, silences, ways, inhibited)

    def _all(
        self,
        labels: Mapping[str, str],
        now: float,
        silences: Mapping[str, Silence],
        ways: _Ways,
        inhibited: list[Muting],
    ) -> tuple[Muting, ...]:
        if not (silences or ways.windows or ways.rules or inhibited):
            return ()
        silenced = [
            Muting(kind="silence", by=silence.id, reason=_silence_reason(silence))
            for silence in silences.values()
            if silence.starts_at <= now < silence.ends_at and self._matching(silence).matches(labels)
        ]
        windowed = [opening.muting for opening in ways.windows if opening.is_open(now)]
        return (
            *sorted(silenced, key=_by), *sorted(windowed, key=_by), *sorted(inhibited, key=_by), *ways.rules,
        )  # fmt: skip

    def note(self, alert: Alert) -> set[str]:
        """Take note of an alert as it now is; the noted alerts (by fingerprint) whose inhibition that changes.

        To be called whenever an alert changes; costs nothing if it neither began nor ceased to fire. The answer
        leaves out the alert itself.
        """
        affected: set[str] = set()
        if not self._inhibitions:
            return affected
        mark = alert.fingerprint
        known = self._noted.get(mark)
        if known is not None and alert.firing and known == alert.labels:
            return affected
        if known is not None:
            del self._noted[mark]
            for part in self._sieve.of(known).parts:
                inhibition = part.inhibition
                affected.update(inhibition.change(mark, inhibition.values(known), part, _Bunch.remove))
        if alert.firing:
            self._noted[mark] = alert.labels
            for part in self._sieve.of(alert.labels).parts:
                inhibition = part.inhibition
                affected.update(inhibition.change(mark, inhibition.values(alert.labels), part, _Bunch.add))
        affected.discard(mark)
        return affected

    def begun(
        self, mark: str, labels: dict[str, str], now: float, silences: Mapping[str, Silence]
    ) -> tuple[tuple[Muting, ...], set[str]]:
        """What `mutings` and `note` answer of an alert that begins to fire and is not noted yet; notes it."""
        ways = self._sieve.of(labels)
        affected: set[str] = set()
        inhibited: list[Muting] = []
        if self._inhibitions:
            self._noted[mark] = labels
        for part in ways.parts:
            inhibition = part.inhibition
            values = inhibition.values(labels)
            affected.update(inhibition.change(mark, values, part, _Bunch.add))
            by = inhibition.inhibitor(values, part)
            if by is not None:
                inhibited.append(self._inhibited_by(by, part))
        affected.discard(mark)
        return self._all(labels, now, silences, ways, inhibited), affected

    def inhibited(self, labels: Mapping[str, str]) -> tuple[Muting, ...]:
        """The inhibitions alone, one for each rule, sorted by inhibitor and rule."""
        return tuple(one for one in self.mutings(labels, 0.0, {}) if one.kind == "inhibition")

    def _inhibited_by(self, by: str, part: _Part) -> Muting:
        name = self._noted[by].get("alertname") or by
        reason = f'while {name} fires (rule "{part.inhibition.rule.name}")'
        return Muting(kind="inhibition", by=by, reason=reason)

    def affected_by(self, alert: Alert) -> set[str]:
        """Noted alerts (by fingerprint) whose inhibition may change when this alert starts or stops firing.

        `note` tells the same more narrowly, after the fact.
        """
        affected: set[str] = set()
        for part in self._sieve.of(alert.labels).parts:
            affected |= part.inhibition.targets(part.inhibition.values(alert.labels), part)
        affected.discard(alert.fingerprint)
        return affected

    def next_change(self, now: float, silences: Mapping[str, Silence]) -> float | None:
        """The earliest start or end after ``now`` of any silence or window: when mutings must be judged again."""
        for gone in self._silences.keys() - silences.keys():
            del self._silences[gone]
        times = [at for silence in silences.values() for at in (silence.starts_at, silence.ends_at) if at > now]
        edges = (opening.next_edge(now) for opening in self._windows)
        times.extend(edge for edge in edges if edge is not None)
        return min(times, default=None)

    def _matching(self, silence: Silence) -> Matching:
        """Compiled matchers of a silence, kept until the silence is replaced by a changed one."""
        kept = self._silences.get(silence.id)
        if kept is None or kept[0].matchers != silence.matchers:
            kept = (silence, Matching(silence.matchers))
            self._silences[silence.id] = kept
        return kept[1]


def _by(muting: Muting) -> tuple[str, str]:
    return muting.by, muting.reason


def _silence_reason(silence: Silence) -> str:
    who = f"{silence.created_by}: " if silence.created_by else ""
    return f"{who}{silence.comment or 'no comment'}"
