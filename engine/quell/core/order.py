"""The order of records that count as simultaneous: it depends on what they say and not on how they came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from quell.core.intake import check, encoded, sound
from quell.model.decision import AnyDecision, Audit
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    ChangeRecord,
    CommandRecord,
    DependencyRecord,
    DistributionRecord,
    EntityRecord,
    FeedbackRecord,
    IncidentRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
    StepFinished,
    TotalsRecord,
    VersionRecord,
)

_ORDER = {
    kind: at
    for at, kind in enumerate((
        EntityRecord, DependencyRecord, SpanRecord, CallRecord, SampleRecord, SamplesRecord, TotalsRecord,
        DistributionRecord, LogRecord, ChangeRecord, VersionRecord, IncidentRecord, AlertRecord, FeedbackRecord,
        CommandRecord, StepFinished,
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
    ordered, runs = _by(records, _place)
    for start, end in runs:
        if type(ordered[start]) in _UNORDERED:
            continue
        told, same = _by(ordered[start:end], _identity)
        for first, last in same:
            told[first:last] = sorted(told[first:last], key=encoded)
        ordered[start:end] = told
    return ordered


def _by(records: list[AnyRecord], key: Callable[[AnyRecord], Any]) -> tuple[list[AnyRecord], list[tuple[int, int]]]:
    """The records sorted by a key, and where several in a row have the same one."""
    keyed = sorted([(key(record), at) for at, record in enumerate(records)])
    runs: list[tuple[int, int]] = []
    start = 0
    for end in range(1, len(keyed) + 1):
        if end < len(keyed) and keyed[end][0] == keyed[start][0]:
            continue
        if end - start > 1:
            runs.append((start, end))
        start = end
    return [records[at] for _, at in keyed], runs


def _place(record: AnyRecord) -> tuple[int, float]:
    kind = type(record)
    return (_ORDER.get(kind, len(_ORDER)), 0.0 if kind in _UNORDERED else record.at)


def _identity(record: AnyRecord) -> str:
    """What a record speaks of."""
    if not isinstance(record, AlertRecord):
        return record.id
    identity = record.key or "\x00".join(["%s=%s" % pair for pair in sorted(record.labels.items())])  # noqa: UP031 - the fastest
    return f"{identity}\x00{record.status}"
