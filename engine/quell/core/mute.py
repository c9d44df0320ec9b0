"""Mute: which silences, maintenance windows, mute rules and inhibitions keep an alert from paging now, and why.

Inhibition is Alertmanager's: while a source fires, targets with the same values of the ``equal`` labels are muted (a
missing label equals the empty text); an alert that is source and target of a rule is not inhibited by alerts that are
both, itself included; a source that is muted itself still inhibits.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from math import inf

from quell.core import windows
from quell.expressions.matchers import Matching
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
        self._source = Matching(rule.source)
        self._target = Matching(rule.target)
        self._sources, self._both, self._targets = _Bunch(), _Bunch(), _Bunch()
        self._of: Mapping[str, str] | None = None
        self._part: tuple[bool, bool, Values] = False, False, ()

    def _read(self, labels: Mapping[str, str]) -> tuple[bool, bool, Values]:
        """Whether these labels are of a source, of a target, and the values that source and target must share.

        Remembered for the labels that were read last: one alert is noted, then judged.
        """
        if labels is self._of:
            return self._part
        source, target = self._source.matches(labels), self._target.matches(labels)
        get = labels.get
        values = tuple([get(name, "") for name in self.rule.equal]) if source or target else ()
        self._of, self._part = labels, (source, target, values)
        return self._part

    def add(self, mark: str, labels: Mapping[str, str]) -> Iterable[str]:
        """Take note of a firing alert; the targets whose inhibition that changes."""
        return self._change(mark, labels, _Bunch.add)

    def remove(self, mark: str, labels: Mapping[str, str]) -> Iterable[str]:
        """Forget an alert noted before with the same labels; the targets whose inhibition that changes."""
        return self._change(mark, labels, _Bunch.remove)

    def inhibitor(self, labels: Mapping[str, str]) -> str | None:
        """The first fingerprint that inhibits an alert with these labels."""
        if not (self._sources or self._both):
            return None
        is_source, is_target, values = self._read(labels)
        return self._first(values, one_sided_only=is_source) if is_target else None

    def targets(self, labels: Mapping[str, str]) -> set[str]:
        """Noted alerts that an alert with these labels may inhibit."""
        is_source, _, values = self._read(labels)
        return set() if not is_source else {*self._targets.all(values), *self._both.all(values)}

    def _change(self, mark: str, labels: Mapping[str, str], change: _Change) -> Iterable[str]:
        is_source, is_target, values = self._read(labels)
        if not is_source:
            if is_target:
                change(self._targets, values, mark)
            return ()
        before = self._first(values, one_sided_only=False), self._first(values, one_sided_only=True)
        change(self._both if is_target else self._sources, values, mark)
        after = self._first(values, one_sided_only=False), self._first(values, one_sided_only=True)
        targets = self._targets.all(values) if before[0] != after[0] else ()
        both = self._both.all(values) if before[1] != after[1] else ()
        return (*targets, *both)

    def _first(self, values: Values, *, one_sided_only: bool) -> str | None:
        """The inhibitor that is named."""
        source = self._sources.first(values)
        both = None if one_sided_only else self._both.first(values)
        return both if source is None else source if both is None else min(source, both)


class _Opening:
    """A window with what is known of it between two of its edges, as time passes much more often than they do."""

    def __init__(self, window: Window) -> None:
        self.matching = Matching(window.matchers)
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
        self._rules = tuple(
            (Matching(rule.matchers), Muting(kind="rule", by=rule.name, reason=rule.reason)) for rule in rulebook.mute
        )
        self._windows = tuple(_Opening(window) for window in rulebook.windows)
        self._inhibitions = tuple(_Inhibition(rule) for rule in rulebook.inhibit)
        self._noted: dict[str, dict[str, str]] = {}
        self._silences: dict[str, tuple[Silence, Matching]] = {}

    def mutings(self, alert: Alert, now: float, silences: Mapping[str, Silence]) -> tuple[Muting, ...]:
        """All that mutes the alert at ``now``: silences, windows, inhibitions, rules; each kind sorted by name."""
        if not (silences or self._windows or self._inhibitions or self._rules):
            return ()
        labels = alert.labels
        found = [
            Muting(kind="silence", by=silence.id, reason=_silence_reason(silence))
            for silence in silences.values()
            if silence.starts_at <= now < silence.ends_at and self._matching(silence).matches(labels)
        ]
        windowed = [
            opening.muting for opening in self._windows if opening.matching.matches(labels) and opening.is_open(now)
        ]
        ruled = [muting for matching, muting in self._rules if matching.matches(labels)]
        if not (found or windowed or ruled):
            return self.inhibited(alert)
        found.sort(key=_by)
        return (*found, *sorted(windowed, key=_by), *self.inhibited(alert), *sorted(ruled, key=_by))

    def note(self, alert: Alert) -> set[str]:
        """Take note of an alert as it now is; the noted alerts (by fingerprint) whose inhibition that changes.

        To be called whenever an alert changes; costs nothing if it neither began nor ceased to fire. The answer
        leaves out the alert itself.
        """
        if not self._inhibitions:
            return set()
        known = self._noted.get(alert.fingerprint)
        if known is not None and alert.firing and known == alert.labels:
            return set()
        affected: set[str] = set()
        if known is not None:
            del self._noted[alert.fingerprint]
            for inhibition in self._inhibitions:
                affected.update(inhibition.remove(alert.fingerprint, known))
        if alert.firing:
            self._noted[alert.fingerprint] = alert.labels
            for inhibition in self._inhibitions:
                affected.update(inhibition.add(alert.fingerprint, alert.labels))
        affected.discard(alert.fingerprint)
        return affected

    def inhibited(self, alert: Alert) -> tuple[Muting, ...]:
        """The inhibitions of the alert, one for each rule, sorted by inhibitor and rule."""
        found: list[Muting] = []
        for inhibition in self._inhibitions:
            by = inhibition.inhibitor(alert.labels)
            if by is not None:
                name = self._noted[by].get("alertname") or by
                reason = f'while {name} fires (rule "{inhibition.rule.name}")'
                found.append(Muting(kind="inhibition", by=by, reason=reason))
        return tuple(sorted(found, key=_by)) if found else ()

    def affected_by(self, alert: Alert) -> set[str]:
        """Noted alerts (by fingerprint) whose inhibition may change when this alert starts or stops firing.

        `note` tells the same more narrowly, after the fact.
        """
        affected: set[str] = set()
        for inhibition in self._inhibitions:
            affected |= inhibition.targets(alert.labels)
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
