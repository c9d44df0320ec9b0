"""The order of records that count as simultaneous: it depends on what they say and not on how they came."""

from __future__ import annotations

from collections.abc import Sequence

from quell.core.intake import encoded, sound
from quell.model.decision import AnyDecision, Audit
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    ChangeRecord,
    CommandRecord,
    DependencyRecord,
    EntityRecord,
    FeedbackRecord,
    IncidentRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
    StepFinished,
)

_ORDER = {
    kind: at
    for at, kind in enumerate((
        EntityRecord, DependencyRecord, SpanRecord, CallRecord, SampleRecord, SamplesRecord, LogRecord, ChangeRecord,
        IncidentRecord, AlertRecord, FeedbackRecord, CommandRecord, StepFinished,
    ))
}  # fmt: skip
_UNORDERED = frozenset({CommandRecord, StepFinished, FeedbackRecord})


def in_order(records: Sequence[AnyRecord], now: float, out: list[AnyDecision]) -> list[AnyRecord]:
    """The records, made sound, in an order of their own; people's acts keep theirs. What cannot be kept is audited."""
    placed: list[tuple[tuple[int, float, str, bytes], AnyRecord]] = []
    for record in records:
        taken = sound(record, now)
        try:
            placed.append((_place(taken), taken))
        except ValueError as error:
            kind = type(record).__name__
            out.append(Audit(at=now, who="quell", what="record refused", target=kind, detail=str(error)))
    placed.sort(key=_by_place)
    return [record for _, record in placed]


def _place(record: AnyRecord) -> tuple[int, float, str, bytes]:
    """What a record is sorted by. Raises ValueError for one that nothing could keep."""
    at, content = _ORDER.get(type(record), len(_ORDER)), encoded(record)
    if type(record) in _UNORDERED:
        return (at, 0.0, "", b"")
    if isinstance(record, AlertRecord):
        identity = record.key or "\x00".join(f"{name}={value}" for name, value in sorted(record.labels.items()))
        return (at, record.at, f"{identity}\x00{record.status}", content)
    return (at, record.at, record.id, content)


def _by_place(placed: tuple[tuple[int, float, str, bytes], AnyRecord]) -> tuple[int, float, str, bytes]:
    return placed[0]
