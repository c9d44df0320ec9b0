"""The order of records that count as simultaneous: it depends on what they say and not on how they came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from quell.core.clocks import Clocks
from quell.core.fold import SKEW_S
from quell.core.intake import check, encoded, is_sound, keepable, sound
from quell.model.alert import identity_of
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


def in_order(
    records: Sequence[AnyRecord],
    now: float,
    out: list[AnyDecision],
    *,
    identities: Mapping[int, bytes],
    clocks: Clocks,
) -> list[AnyRecord]:
    """The records, made sound, in an order of their own; people's acts keep theirs. What cannot be kept is audited.

    ``identities`` has the labels of some alerts as `identity_of` gives them, by the record's identity; ``clocks`` sees
    the times of those that are not plainly sound, as they came.
    """
    latest = now + SKEW_S
    if _plain(records, now, latest):
        return list(records) if len(records) < 2 else _sorted(list(records), identities)
    kept: list[AnyRecord] = []
    for record in records:
        if type(record) is AlertRecord and is_sound(record, now, latest):
            taken: AnyRecord = record
            plain = True
        else:
            taken = sound(record, now)
            plain = False
        try:
            check(taken)
        except ValueError as error:
            kind = type(record).__name__
            out.append(Audit(at=now, who="quell", what="record refused", target=kind, detail=str(error)))
        else:
            kept.append(taken)
            if not plain:
                clocks.look(record, now)
    return kept if len(kept) < 2 else _sorted(kept, identities)


def _plain(records: Sequence[AnyRecord], now: float, latest: float) -> bool:
    """Whether all are alerts of which nothing need be made sound, and can be kept."""
    for record in records:
        if type(record) is not AlertRecord or not is_sound(record, now, latest):
            return False
    return keepable(records)


def _sorted(records: list[AnyRecord], identities: Mapping[int, bytes]) -> list[AnyRecord]:
    """By kind and time; then, only where that does not tell, by what they speak of; then by content."""

    def alert_identity(record: AlertRecord) -> bytes:
        """What alert a record speaks of, and whether it fires."""
        identity = record.key.encode() if record.key else identities.get(id(record)) or identity_of(record.labels)
        return identity + (b"\x00firing" if record.status == "firing" else b"\x00resolved")

    at_once = _at_once(records)
    if at_once:
        known = list(map(identities.get, map(id, records)))
        if None not in known and len(set(known)) == len(known):
            # Each is another alert, and no identity is the beginning of another: JSON ends with itself.
            return [records[at] for at in sorted(range(len(known)), key=known.__getitem__)]  # type: ignore[arg-type]
    ordered, runs = (records, [(0, len(records))]) if at_once else _by(records, _place)
    for start, end in runs:
        kind = type(ordered[start])
        if kind in _UNORDERED:
            continue
        told, same = _by(ordered[start:end], alert_identity if kind is AlertRecord else _identity)
        for first, last in same:
            told[first:last] = sorted(told[first:last], key=encoded)
        ordered[start:end] = told
    return ordered


def _at_once(records: list[AnyRecord]) -> bool:
    """Whether all are alerts that were told of at one time, as most that come together."""
    at = records[0].at
    for record in records:  # noqa: SIM110 - a loop takes half the time of all()
        if type(record) is not AlertRecord or record.at != at:
            return False
    return True


def _by(records: list[AnyRecord], key: Callable[[Any], Any]) -> tuple[list[AnyRecord], list[tuple[int, int]]]:
    """The records sorted by a key, and where several in a row have the same one."""
    keys = list(map(key, records))
    if keys[0] == keys[-1] and keys.count(keys[0]) == len(keys):
        return records, [(0, len(keys))]
    places = sorted(range(len(keys)), key=keys.__getitem__)
    runs: list[tuple[int, int]] = []
    if len(set(keys)) < len(keys):
        start = 0
        for end in range(1, len(keys) + 1):
            if end < len(keys) and keys[places[end]] == keys[places[start]]:
                continue
            if end - start > 1:
                runs.append((start, end))
            start = end
    return [records[at] for at in places], runs


def _place(record: AnyRecord) -> tuple[int, float]:
    kind = type(record)
    return (_ORDER.get(kind, len(_ORDER)), 0.0 if kind in _UNORDERED else record.at)


def _identity(record: AnyRecord) -> str:
    """What a record speaks of."""
    return record.id
