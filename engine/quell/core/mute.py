"""Mute: which silences, maintenance windows, mute rules and inhibitions keep an alert from paging now, and why.

Inhibition is Alertmanager's: while a source fires, targets with the same values of the ``equal`` labels are muted (a
missing label equals the empty text); an alert that is source and target of a rule is not inhibited by alerts that are
both, itself included; a source that is muted itself still inhibits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from math import inf

import msgspec

from quell.core import windows
from quell.core.inhibition import Apart, Coming, Inhibition, Part
from quell.expressions.matchers import Matching, matching_of
from quell.expressions.sieve import Sieve
from quell.model.alert import Alert, Muting
from quell.model.mute import Silence
from quell.model.rulebook import Rulebook, Window


class Ways(msgspec.Struct, frozen=True):
    """All that may mute alerts with the same labels, besides silences."""

    windows: tuple[_Opening, ...]
    rules: tuple[Muting, ...]
    parts: tuple[Part, ...]


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
        self._noted: dict[str, dict[str, str]] = {}
        self._inhibitions = tuple(Inhibition(rule, self._noted) for rule in rulebook.inhibit)
        asked = [one.matchers for one in rulebook.windows] + [one.matchers for one in rulebook.mute]
        asked += [side for rule in rulebook.inhibit for side in (rule.source, rule.target)]
        self.matchings = tuple(matching_of(matchers) for matchers in asked)
        """All that is asked of labels; `ways` says what of it holds."""
        self._sieve = Sieve(self.matchings, lambda holds, _: self.ways(holds))
        self._silences: dict[str, tuple[Silence, Matching]] = {}

    def ways(self, holds: Sequence[bool]) -> Ways:
        """What of windows, rules, and sources and targets of inhibitions in turn ``holds`` says to match."""
        of_rules = len(self._windows)
        of_parts = of_rules + len(self._rules)
        sides = zip(self._inhibitions, holds[of_parts::2], holds[of_parts + 1 :: 2], strict=True)
        return Ways(
            tuple(compress(self._windows, holds)),
            tuple(sorted(compress(self._rules, holds[of_rules:]), key=_by)),
            tuple(Part(*side) for side in sides if side[1] or side[2]),
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
        ways: Ways,
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
            for part in self._sieve.of(known).parts:
                inhibition = part.inhibition
                affected.update(inhibition.remove(mark, inhibition.values(known), part))
            del self._noted[mark]
        if alert.firing:
            self._noted[mark] = alert.labels
            for part in self._sieve.of(alert.labels).parts:
                inhibition = part.inhibition
                affected.update(inhibition.add(mark, inhibition.values(alert.labels), part))
        affected.discard(mark)
        return affected

    def begun(
        self, mark: str, labels: dict[str, str], ways: Ways, now: float, silences: Mapping[str, Silence]
    ) -> tuple[tuple[Muting, ...], Iterable[str]]:
        """What `mutings` and `note` answer of an alert that begins to fire and is not noted yet; notes it.

        ``ways`` are those of the labels.
        """
        affected: Iterable[str] = ()
        inhibited: list[Muting] = []
        if self._inhibitions:
            self._noted[mark] = labels
        for part in ways.parts:
            told, by = part.inhibition.begin(mark, labels, part)
            if told:
                affected = {*affected, *told}
            if by is not None:
                inhibited.append(self._inhibited_by(by, part))
        if affected:
            affected = {one for one in affected if one != mark}
        if not (silences or ways.windows or ways.rules or inhibited):
            return (), affected
        return self._all(labels, now, silences, ways, inhibited), affected

    def apart(
        self, marks: Sequence[str], told: Sequence[Mapping[str, str]], ways: Iterable[Ways]
    ) -> Sequence[Apart] | None:
        """How inhibitions see alerts that begin to fire and are not noted yet, for `begun_apart`.

        None when one of them inhibits or is inhibited.
        """
        coming: dict[Inhibition, list[Coming]] = {}
        for mark, labels, way in zip(marks, told, ways, strict=True):
            get = labels.get
            for part in way.parts:
                inhibition = part.inhibition
                values = tuple(map(get, inhibition.equal, inhibition.missing))  # as `values` has it
                seen = hash(values), values, mark, part
                if inhibition in coming:
                    coming[inhibition].append(seen)
                else:
                    coming[inhibition] = [seen]
        return [*coming.items()] if all(inhibition.apart(alerts) for inhibition, alerts in coming.items()) else None

    def begun_apart(self, seen: Sequence[Apart], marks: Sequence[str], told: Sequence[dict[str, str]]) -> None:
        """Notes alerts that neither inhibit nor are inhibited."""
        if self._inhibitions:
            self._noted.update(zip(marks, told, strict=True))
        for inhibition, alerts in seen:
            inhibition.begin_all(alerts)

    def besides(
        self, labels: dict[str, str], now: float, silences: Mapping[str, Silence], ways: Ways
    ) -> tuple[Muting, ...]:
        """All but inhibitions that mutes a firing alert."""
        return self._all(labels, now, silences, ways, [])

    def inhibited(self, labels: Mapping[str, str]) -> tuple[Muting, ...]:
        """The inhibitions alone, one for each rule, sorted by inhibitor and rule."""
        return tuple(one for one in self.mutings(labels, 0.0, {}) if one.kind == "inhibition")

    def _inhibited_by(self, by: str, part: Part) -> Muting:
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
