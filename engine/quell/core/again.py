"""Alerts that are told again and nothing else: most of what arrives in a storm, taken at little cost.

A firing that is known, told later than all that is known of it, in the same words and with no earlier end, changes when
it lapses and how often it was heard of, and nothing that anybody would judge, group or page anew. What is not as plain
as that is left for the long way, and so is what comes twice at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from quell.core.chart import Chart
from quell.core.fold import SKEW_S
from quell.core.hearings import LISTENED, times_told
from quell.core.intake import EARLIEST, LATEST, UNKEPT
from quell.core.triage import UNHEARD
from quell.model.alert import Alert, Heard, digest_of, fingerprint, identity_of
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.records import AlertRecord, AnyRecord
from quell.model.state import State

MOST_SAME = 10_000
"""So many label sets are known again as the very object that they were before."""
New = tuple[bytes, str, AlertRecord]
"""An alert of which nothing is known: its labels as bytes, its fingerprint, and the record that tells of it."""


class Repeats:
    """Works on ``state.alerts``."""

    def __init__(self, state: State, chart: Chart) -> None:
        self._state = state
        self._chart = chart
        self.new: Sequence[New] = ()
        """What the last call of `take` returned, if nothing is known of any of it and no alert is told of twice."""
        self._marks: dict[int, str] = {}
        self._identities: dict[int, bytes] = {}
        self._same: dict[int, tuple[dict[str, str], str]] = {}
        """Labels and fingerprints by the labels' identity: who tells an alert again mostly hands over one object."""

    @property
    def identities(self) -> Mapping[int, bytes]:
        """What labels are as bytes, by their record's identity, of what the last call of `take` returned.

        Of some only: where nobody had to ask.
        """
        if self.new and not self._marks:
            self._marks = {id(record): mark for _, mark, record in self.new}
            self._identities = {id(record): identity for identity, _, record in self.new}
        return self._identities

    def mark_of(self, record: AlertRecord) -> str:
        """The fingerprint of an alert, which may have been found already, in the call of `take` before."""
        return self._marks.get(id(record)) or fingerprint(record.labels, record.source, record.key)

    def take(self, records: Sequence[AnyRecord], now: float, out: list[AnyDecision]) -> Sequence[AnyRecord]:
        """Takes all that are mere repeats; returns the other records."""
        self.new, self._marks, self._identities = (), {}, {}
        if self._chart.resolver.relabels:
            return records
        told: list[AlertRecord] = []
        for record in records:
            if type(record) is not AlertRecord or record.id or record.key:
                return records  # what comes with others waits for them, and may be about the same alert
            told.append(record)
        if self._all_new(told):
            return records
        alerts = self._state.alerts
        found: dict[str, Alert] = {}
        rest: list[AnyRecord] = []
        marks, identities = self._marks, self._identities
        new: list[New] = []
        seen: set[str] = set()
        for record in told:
            labels = record.labels
            same = self._same.get(id(labels))
            identity = b""
            if same is not None and same[0] is labels:
                mark = same[1]
            else:
                try:
                    identity = identity_of(labels)
                except UNKEPT:
                    return records
                mark, identities[id(record)] = digest_of(identity), identity
            if mark in seen:
                return records
            seen.add(mark)
            known = alerts.get(mark)
            again = None if known is None else repeated(known, record, now)
            if again is None or not self._settled(again):
                rest.append(record)
                marks[id(record)] = mark
                if known is None and identity:
                    new.append((identity, mark, record))
            else:
                found[mark] = again
                if same is None and known is not None and known.labels is labels:
                    self._know(labels, mark)
        for mark in sorted(found):
            alert = alerts[mark] = found[mark]
            out.append(AlertChanged(at=now, alert=alert, repeat=True))
        if len(new) == len(rest):
            self.new = new
        return rest

    def _all_new(self, told: list[AlertRecord]) -> bool:
        """Whether nothing is known of any of these alerts, each of which comes once; their fingerprints are kept."""
        labels = [record.labels for record in told]
        if not self._same.keys().isdisjoint(map(id, labels)):
            return False
        try:
            identities = list(map(identity_of, labels))
        except UNKEPT:
            return False
        marks = list(map(digest_of, identities))
        if len(set(marks)) < len(marks) or not self._state.alerts.keys().isdisjoint(marks):
            return False
        self.new = list(zip(identities, marks, told, strict=True))
        return True

    def _know(self, labels: dict[str, str], mark: str) -> None:
        """Remembers labels that came twice as one object, which is kept here, so that no other gets its identity."""
        if len(self._same) >= MOST_SAME:
            self._same.clear()
        self._same[id(labels)] = labels, mark

    def _settled(self, alert: Alert) -> bool:
        """Whether nobody waits for a word of this alert to be paged, or learns by when it is told of again."""
        if alert.ends_at is None and (times_told(alert) <= LISTENED + 1 or alert.reason.code == UNHEARD):
            return False
        if alert.incident is None:
            return alert.handling != "page"
        incident = self._state.incidents.get(alert.incident)
        return incident is not None and (incident.paged_at is not None or not incident.is_open)


def repeated(known: Alert, record: AlertRecord, now: float) -> Alert | None:
    """The alert after a record that only says again what was said before; None when it may say more.

    As `quell.core.fold.fold` has it.
    """
    at, arrived, end, start = record.at, record.seen, record.ends_at, record.starts_at
    if arrived is None:
        arrived = at
    if start is None:
        start = at
    latest = known.heard[-1]
    if not (
        known.status == "firing" == record.status
        and latest.seen < arrived > known.updated_at
        and latest.start <= start <= latest.last
        and EARLIEST <= at <= now + SKEW_S
        and arrived <= now
        and known.entity is not None
        and record.entity is None
        and record.value is None is known.value
        and record.threshold is None is known.threshold
        and ((labels := record.labels) is known.labels or labels == known.labels)
        and labels
        and ((annotations := record.annotations) is known.annotations or annotations == known.annotations)
        and record.url == known.url
        and record.source == known.source
    ):
        return None
    # The words are the same; taken anew, they are one object with those that the connector keeps.
    words: dict[str, Any] = {"updated_at": arrived, "count": known.count + 1}
    if labels is not known.labels or annotations is not known.annotations:
        words |= {"labels": labels, "annotations": annotations, "url": record.url}
    if end is None:
        if latest.end is not None or latest.ahead < 0.0:
            return None
        return replace(known, **words)
    if (
        known.ended
        or len(known.heard) != 1
        or latest.end is None
        or latest.until is None
        or not max(latest.end, now) <= end <= LATEST
        or latest.timeout
        or record.timeout
        or end == now
    ):
        return None
    if end == latest.end and end - arrived <= latest.ahead:
        return replace(known, **words)
    until, ahead = max(latest.until, end), max(latest.ahead, end - arrived)
    heard = Heard(latest.start, latest.last, end, False, latest.seen, latest.record, until, ahead)
    return replace(known, **words, heard=(heard,), ends_at=end)
