"""The order of records that count as simultaneous: it depends on what they say and not on how they came."""

from __future__ import annotations

from collections.abc import Sequence

from quell.core.intake import check, encoded, sound
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
    kept: list[AnyRecord] = []
    for record in records:
        taken = sound(record, now)
        try:
            check(taken)
        except ValueError as error:
            kind = type(record).__name__
            out.append(Audit(at=now, who="quell", what="record refused", target=kind, detail=str(error)))
        else:
            kept.append(taken)
    return kept if len(kept) < 2 else _sorted(kept)


def _sorted(records: list[AnyRecord]) -> list[AnyRecord]:
    placed = [(_place(record), record) for record in records]
    placed.sort(key=_by_place)
    ordered = [record for _, record in placed]
    start = 0
    for end in range(1, len(placed) + 1):
        if end < len(placed) and placed[end][0] == placed[start][0]:
            continue
        if end - start > 1 and type(ordered[start]) not in _UNORDERED:
            ordered[start:end] = sorted(ordered[start:end], key=encoded)
        start = end
    return ordered


def _place(record: AnyRecord) -> tuple[int, float, str]:
    """What a record is sorted by before its content is looked at."""
    kind = type(record)
    at = _ORDER.get(kind, len(_ORDER))
    if kind in _UNORDERED:
        return (at, 0.0, "")
    if isinstance(record, AlertRecord):
        identity = record.key or "\x00".join(f"{name}={value}" for name, value in sorted(record.labels.items()))
        return (at, record.at, f"{identity}\x00{record.status}")
    return (at, record.at, record.id)


def _by_place(placed: tuple[tuple[int, float, str], AnyRecord]) -> tuple[int, float, str]:
    return placed[0]
