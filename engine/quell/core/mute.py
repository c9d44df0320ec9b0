"""Mute: which silences, maintenance windows, mute rules and inhibitions keep an alert from paging now, and why.

Inhibition is Alertmanager's: while a source fires, targets with the same values of the ``equal`` labels are muted (a
missing label equals the empty text); an alert that is source and target of a rule is not inhibited by alerts that are
both, itself included; a source that is muted itself still inhibits.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf

from quell.core import windows
from quell.expressions.matchers import Matching
from quell.model.alert import Alert, Muting
from quell.model.mute import Silence
from quell.model.rulebook import InhibitRule, Rulebook, Window

Values = tuple[str, ...]
_Change = Callable[[list[str], str], None]


@dataclass(slots=True)
class _Side:
    """Fingerprints of firing alerts with the same equal-label values under one rule, sorted."""

    sources: list[str] = field(default_factory=list)
    both: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)


class _Inhibition:
    """One inhibit rule and the firing alerts it speaks of, by the values of its equal labels."""

    def __init__(self, rule: InhibitRule) -> None:
        self.rule = rule
        self._source = Matching(rule.source)
        self._target = Matching(rule.target)
        self._sides: dict[Values, _Side] = {}

    def values(self, labels: Mapping[str, str]) -> Values:
        """The values that source and target must share."""
        return tuple(labels.get(name, "") for name in self.rule.equal)

    def add(self, alert: Alert) -> set[str]:
        """Take note of a firing alert; the targets whose inhibition that changes."""
        return self._change(alert, insort)

    def remove(self, alert: Alert) -> set[str]:
        """Forget an alert noted before with the same labels; the targets whose inhibition that changes."""
        return self._change(alert, _discard)

    def inhibitor(self, labels: Mapping[str, str]) -> str | None:
        """The first fingerprint that inhibits an alert with these labels."""
        side = self._sides.get(self.values(labels)) if self._target.matches(labels) else None
        return None if side is None else _first(side, one_sided_only=self._source.matches(labels))

    def targets(self, labels: Mapping[str, str]) -> set[str]:
        """Noted alerts that an alert with these labels may inhibit."""
        side = self._sides.get(self.values(labels)) if self._source.matches(labels) else None
        return set() if side is None else {*side.targets, *side.both}

    def _change(self, alert: Alert, change: _Change) -> set[str]:
        is_source, is_target = self._source.matches(alert.labels), self._target.matches(alert.labels)
        if not (is_source or is_target):
            return set()
        values = self.values(alert.labels)
        side = self._sides.setdefault(values, _Side())
        before = _first(side, one_sided_only=False), _first(side, one_sided_only=True)
        change(side.both if is_source and is_target else side.sources if is_source else side.targets, alert.fingerprint)
        after = _first(side, one_sided_only=False), _first(side, one_sided_only=True)
        affected: set[str] = set()
        if before[0] != after[0]:
            affected.update(side.targets)
        if before[1] != after[1]:
            affected.update(side.both)
        if not (side.sources or side.both or side.targets):
            del self._sides[values]
        return affected


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
        self._noted: dict[str, Alert] = {}
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
        found.sort(key=_by)
        windowed = [
            opening.muting for opening in self._windows if opening.matching.matches(labels) and opening.is_open(now)
        ]
        ruled = [muting for matching, muting in self._rules if matching.matches(labels)]
        return (*found, *sorted(windowed, key=_by), *self.inhibited(alert), *sorted(ruled, key=_by))

    def note(self, alert: Alert) -> set[str]:
        """Take note of an alert as it now is; the noted alerts (by fingerprint) whose inhibition that changes.

        To be called whenever an alert changes; costs nothing if it neither began nor ceased to fire. The answer
        leaves out the alert itself.
        """
        if not self._inhibitions:
            return set()
        known = self._noted.get(alert.fingerprint)
        if known is not None and alert.firing and known.labels == alert.labels:
            return set()
        affected: set[str] = set()
        if known is not None:
            del self._noted[alert.fingerprint]
            for inhibition in self._inhibitions:
                affected |= inhibition.remove(known)
        if alert.firing:
            self._noted[alert.fingerprint] = alert
            for inhibition in self._inhibitions:
                affected |= inhibition.add(alert)
        affected.discard(alert.fingerprint)
        return affected

    def inhibited(self, alert: Alert) -> tuple[Muting, ...]:
        """The inhibitions of the alert, one for each rule, sorted by inhibitor and rule."""
        found = []
        for inhibition in self._inhibitions:
            by = inhibition.inhibitor(alert.labels)
            if by is not None:
                name = self._noted[by].name or by
                reason = f'while {name} fires (rule "{inhibition.rule.name}")'
                found.append(Muting(kind="inhibition", by=by, reason=reason))
        return tuple(sorted(found, key=_by))

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


def _first(side: _Side, *, one_sided_only: bool) -> str | None:
    """The inhibitor that is named: the smallest fingerprint, so that the order of arrival does not show."""
    heads = [side.sources[0]] if side.sources else []
    if side.both and not one_sided_only:
        heads.append(side.both[0])
    return min(heads, default=None)


def _discard(fingerprints: list[str], fingerprint: str) -> None:
    del fingerprints[bisect_left(fingerprints, fingerprint)]


def _by(muting: Muting) -> tuple[str, str]:
    return muting.by, muting.reason


def _silence_reason(silence: Silence) -> str:
    who = f"{silence.created_by}: " if silence.created_by else ""
    return f"{who}{silence.comment or 'no comment'}"
