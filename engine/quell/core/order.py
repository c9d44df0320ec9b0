"""The order of records that count as simultaneous: it depends on what they say and not on how they came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

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
    """By kind and time; then, only where that does not tell, by what they speak of; then by content."""
    ordered = sorted(records, key=_place)
    for start, end in _runs(ordered, _place):
        if type(ordered[start]) in _UNORDERED:
            continue
        told = sorted(ordered[start:end], key=_identity)
        for first, last in _runs(told, _identity):
            told[first:last] = sorted(told[first:last], key=encoded)
        ordered[start:end] = told
    return ordered


def _runs(ordered: list[AnyRecord], key: Callable[[AnyRecord], object]) -> Iterator[tuple[int, int]]:
    """Where several records in a row have the same key."""
    keys = [key(record) for record in ordered]
    start = 0
    for end in range(1, len(keys) + 1):
        if end < len(keys) and keys[end] == keys[start]:
            continue
        if end - start > 1:
            yield start, end
        start = end


def _place(record: AnyRecord) -> tuple[int, float]:
    kind = type(record)
    return (_ORDER.get(kind, len(_ORDER)), 0.0 if kind in _UNORDERED else record.at)


def _identity(record: AnyRecord) -> str:
    """What a record speaks of."""
    if not isinstance(record, AlertRecord):
        return record.id
    identity = record.key or "\x00".join(["%s=%s" % pair for pair in sorted(record.labels.items())])  # noqa: UP031 - the fastest
    return f"{identity}\x00{record.status}"
