"""What the windows of a detector came to in the past, read from records as its rule reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from quell.core.agenda import Agenda
from quell.core.detect.detector import Detector
from quell.core.detect.judging import Judging
from quell.core.detect.readers import Reader
from quell.model.detect import DetectRule, Threshold
from quell.model.records import AnyRecord, CallRecord, SampleRecord, SamplesRecord, SpanRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.topology import Entity

BEYOND_ALL = 1.7e308
"""A limit that every window lies beyond, so that something is found of each."""

Series = tuple[str, str]
"""An entity and a metric."""


@dataclass(slots=True)
class PastWindows:
    """The windows of ``rule`` (one of thresholds on metrics) from ``begin`` to ``end``; tell records, then ask."""

    rule: DetectRule
    begin: float
    end: float
    entities: Mapping[str, Entity]
    rulebook: Rulebook
    _detector: Detector = field(init=False)
    _state: State = field(init=False)
    _reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        """Begins with nothing told."""
        assert isinstance(self.rule.when, Threshold), "only thresholds are read again"
        high = self.rule.when.above is not None
        limits = {"above": -BEYOND_ALL if high else None, "below": None if high else BEYOND_ALL, "until": None}
        windows = int((self.end - self.begin) / self.rule.every_s) + 10
        lax = replace(self.rule, when=replace(self.rule.when, **limits), need=1, of=windows, blind_s=0.0)
        book = replace(self.rulebook, detect=(lax,))
        self._state = State(entities=dict(self.entities))
        self._state.declared = {one.entity: one for one in book.entities}
        self._detector = Detector(book, self._state, Agenda(), lambda *_: None)
        self._reader = Reader(lax, book)

    def take(self, record: AnyRecord) -> None:
        """One record; only metrics and calls say anything."""
        now = record.arrived
        if isinstance(record, SampleRecord):
            self._detector.sample(record, now)
        elif isinstance(record, SamplesRecord):
            self._detector.samples(record, now)
        elif isinstance(record, CallRecord):
            self._detector.call(record, now)
        elif isinstance(record, SpanRecord):
            self._detector.span(record, now)

    def values(self) -> dict[Series, dict[int, float]]:
        """What each window came to, by series and by number of the window; without those that say nothing."""
        reader, found = self._reader, {}
        last = reader.last(self.end + self.rule.every_s + self.rule.delay_s)
        judging = Judging(self._state.detecting, lambda name: Entity(entity=name), lambda *_: None)
        for watch in self._state.detecting.watches.get(self.rule.name, {}).values():
            judging.fold(reader, watch, last)
            told = {slot: reader.condition.judge(watch, slot) for slot in sorted(getattr(watch.memory, "own", ()))}
            found[watch.entity, watch.metric] = {
                slot: one.value for slot, one in told.items() if one is not None and one.value is not None
            }
        return found


def reach(rule: DetectRule, values: Mapping[int, float]) -> float | None:
    """The furthest that as many windows went as an alert needs: it fires where its limit is not as far.

    None where there were too few windows for any alert.
    """
    assert isinstance(rule.when, Threshold), "only a threshold has one limit"
    sign = 1.0 if rule.when.above is not None else -1.0
    found: list[float] = []
    for slot in values:
        near = sorted(
            (sign * values[one] for one in range(slot - rule.of + 1, slot + 1) if one in values), reverse=True
        )
        if len(near) >= rule.need:
            found.append(near[rule.need - 1])
    return sign * max(found) if found else None
