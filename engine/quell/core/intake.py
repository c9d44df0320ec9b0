"""What a record must be before the core takes it: times that a calendar holds, numbers that are numbers, seen once.

A sender may tell anything. A time that no calendar holds says nothing, so arrival stands in for it; a time that lies
ahead is taken for now; a value that is no number is no value. What not even a snapshot could keep is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import isfinite
from typing import Any

import msgspec

from quell.core.fold import SKEW_S
from quell.model.parts import part_of
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    DependencyRecord,
    DistributionRecord,
    EntityRecord,
    IncidentRecord,
    LogRecord,
    SampleRecord,
    StepFinished,
)
from quell.model.state import Delivered, State

EARLIEST = -62_135_596_800.0
LATEST = 253_370_764_800.0
"""Years 1 and 9999: what RFC 3339 can write."""
UNKEPT = (OverflowError, UnicodeEncodeError, RecursionError, TypeError)
"""What encoding raises for what no snapshot could keep."""
MOST_COUNT = 10**9
MOST_VALUES = 10**15
"""That one record can count."""
SCALES = (-10, 20)
MOST_INDEX = 2**31
MOST_BUCKETS = 2048
MOST_CATEGORIES = 1000
MOST_LETTERS = 300
MOST_SAMPLES = 20
MOST_IDS = 400_000
MOST_DELIVERED = 20_000
"""Deliveries whose parts are remembered: senders give up after minutes, so the last few thousand are enough."""
_FORGOTTEN_AT_ONCE = 50_000
_ENCODER = msgspec.msgpack.Encoder(order="sorted")
_ANY_ORDER = msgspec.msgpack.Encoder()
_SCRATCH = bytearray()


def in_calendar(at: float) -> bool:
    """Whether a time can be written at all; NaN and the infinities cannot."""
    return EARLIEST <= at <= LATEST


def encoded(record: AnyRecord) -> bytes:
    """The content of a record that passed `check`; the same for the same content."""
    return _ENCODER.encode(record)


def check(record: AnyRecord) -> None:
    """Raises ValueError when nothing could keep the record."""
    try:
        _ANY_ORDER.encode_into(record, _SCRATCH)
    except UNKEPT as error:
        raise ValueError(f"{type(error).__name__} while it was encoded") from error


def keepable(records: Sequence[AnyRecord]) -> bool:
    """Whether all of the records could be kept: see `check`."""
    try:
        _ANY_ORDER.encode_into(records, _SCRATCH)
    except UNKEPT:
        return False
    return True


def sound(record: AnyRecord, now: float) -> AnyRecord:
    """The record with times and numbers made sound; the same object when they are."""
    if type(record) is AlertRecord and is_sound(record, now, now + SKEW_S):
        return record
    changes: dict[str, Any] = {}
    if not EARLIEST <= record.at <= now + SKEW_S:
        changes["at"] = now
    arrived = changes.get("at", record.at) if record.seen is None else record.seen
    if not EARLIEST <= arrived <= now:
        changes["seen"] = now
    if isinstance(record, AlertRecord):
        changes |= _sound_alert(record)
    elif isinstance(record, SampleRecord):
        changes |= _sound_sample(record, now)
    elif isinstance(record, DistributionRecord):
        changes |= _sound_distribution(record, now)
    elif isinstance(record, LogRecord) and not 0 <= record.count <= MOST_COUNT:
        changes["count"] = min(max(record.count, 0), MOST_COUNT)
    elif isinstance(record, DependencyRecord):
        for name in ("weight", "confidence"):
            share = getattr(record, name)
            if not 0.0 <= share <= 1.0:
                changes[name] = min(max(share, 0.0), 1.0) if share == share else 1.0  # noqa: PLR0124 - NaN only
    elif isinstance(record, StepFinished):
        for name in ("check_after_s", "retry_after_s"):
            wait_s = getattr(record, name)
            if wait_s is not None and not 0.0 <= wait_s <= LATEST - now:
                changes[name] = None
    return msgspec.structs.replace(record, **changes) if changes else record


def is_sound(record: AlertRecord, now: float, latest: float) -> bool:
    """Whether nothing of an alert need be made sound, told at little cost, as nearly nothing ever does.

    ``latest`` is as far ahead of ``now`` as a clock may run.
    """
    at, seen, starts_at, ends_at = record.at, record.seen, record.starts_at, record.ends_at
    return (
        EARLIEST <= at <= latest
        and EARLIEST <= (at if seen is None else seen) <= now
        and (starts_at is None or EARLIEST <= starts_at <= latest)
        and (ends_at is None or EARLIEST <= ends_at <= LATEST)
        and record.value is None
        and record.threshold is None
    )


def _sound_alert(record: AlertRecord) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("starts_at", "ends_at"):
        at = getattr(record, name)
        if at is not None and not in_calendar(at):
            changes[name] = None
    for name in ("value", "threshold"):
        number = getattr(record, name)
        if number is not None and not isfinite(number):
            changes[name] = None
    return changes


def _sound_sample(record: SampleRecord, now: float) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if record.value is not None and not isfinite(record.value):
        changes["value"] = None
    points = [(at, value) for at, value in record.points if EARLIEST <= at <= now + SKEW_S and isfinite(value)]
    if len(points) != len(record.points):
        changes["points"] = points
    return changes


def _sound_distribution(record: DistributionRecord, now: float) -> dict[str, Any]:
    """A record that lies ahead of its arrival remembers how far: whoever judges freshness says so."""
    changes: dict[str, Any] = {}
    if isfinite(record.at) and record.at > now + SKEW_S:
        changes["skew_s"] = min(record.at - now, LATEST)
    elif not 0.0 <= record.skew_s <= LATEST:
        changes["skew_s"] = 0.0
    if not 0.0 <= record.over_s <= LATEST:
        changes["over_s"] = 0.0
    for name in ("count", "nulls", "bad", "zero", "other"):
        number = getattr(record, name)
        if not 0 <= number <= MOST_VALUES:
            changes[name] = min(max(number, 0), MOST_VALUES)
    for name in ("field", "version", "segment"):
        if len(getattr(record, name)) > MOST_LETTERS:
            changes[name] = getattr(record, name)[:MOST_LETTERS]
    for name in ("low", "high"):
        value = getattr(record, name)
        if value is not None and not isfinite(value):
            changes[name] = None
    if not isfinite(record.total):
        changes["total"] = 0.0
    if not SCALES[0] <= record.scale <= SCALES[1]:  # nobody knows what its buckets mean
        changes |= {"scale": 0, "positive": [], "negative": [], "bad": changes.get("count", record.count)}
    else:
        changes |= _sound_buckets(record)
    if len(record.categories) > MOST_CATEGORIES or not all(
        0 < number <= MOST_VALUES and len(name) <= MOST_LETTERS for name, number in record.categories.items()
    ):
        changes |= _sound_categories(record)
    if len(record.samples) > MOST_SAMPLES or any(len(sample) > MOST_LETTERS for sample in record.samples):
        changes["samples"] = [sample[:MOST_LETTERS] for sample in record.samples[:MOST_SAMPLES]]
    return changes


def _sound_buckets(record: DistributionRecord) -> dict[str, Any]:
    """Each index once, ascending, with a count; of too many the outermost stay, as in `quell.model.sketch`."""
    changes: dict[str, Any] = {}
    for name in ("positive", "negative"):
        buckets: list[tuple[int, int]] = getattr(record, name)
        last = -MOST_INDEX - 1
        for index, number in buckets:
            if not last < index <= MOST_INDEX or not 0 < number <= MOST_VALUES:
                break
            last = index
        else:
            if len(buckets) <= MOST_BUCKETS:
                continue
        counts: dict[int, int] = {}
        for index, number in buckets:
            if -MOST_INDEX <= index <= MOST_INDEX and number > 0:
                counts[index] = min(counts.get(index, 0) + number, MOST_VALUES)
        changes[name] = sorted(counts.items())[-MOST_BUCKETS:]
    return changes


def _sound_categories(record: DistributionRecord) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for name, number in record.categories.items():
        if number > 0:
            cut = name[:MOST_LETTERS]
            counts[cut] = min(counts.get(cut, 0) + number, MOST_VALUES)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = sum(number for _, number in ordered[MOST_CATEGORIES:])
    other = min(max(record.other, 0) + rest, MOST_VALUES)
    return {"categories": dict(ordered[:MOST_CATEGORIES]), "other": other}


def seen_before(state: State, record: AnyRecord, now: float) -> bool:
    """Whether this very record was taken before; remembers it. A record without an id never was."""
    if not record.id:
        return False
    part = part_of(record)
    if part is not None:
        return _delivered(state, f"{record.source}\x00{part[0]}", part[1], now)
    seen, key = state.seen_ids, _key(record)
    if key in seen:
        return True
    seen[key] = now
    if len(seen) > MOST_IDS:
        for oldest in list(islice(seen, _FORGOTTEN_AT_ONCE)):
            del seen[oldest]
    return False


def _delivered(state: State, delivery: str, number: int, now: float) -> bool:
    """Whether a part of a delivery was taken before; remembers it, at a bit for each."""
    known = state.delivered.get(delivery)
    if known is None:
        if len(state.delivered) >= MOST_DELIVERED:
            del state.delivered[next(iter(state.delivered))]
        known = state.delivered[delivery] = Delivered(now)
    taken = int.from_bytes(known.parts, "little")
    if taken >> number & 1:
        return True
    taken |= 1 << number
    known.parts = taken.to_bytes((taken.bit_length() + 7) // 8, "little")
    return False


def _key(record: AnyRecord) -> str:
    """What a record with an id is known by. Senders number the thing and not what they say of it."""
    if type(record) is AlertRecord:  # firing and resolved may come under one id
        return f"{record.source}\x00AlertRecord\x00{record.id}\x00{record.status}"
    key = f"{record.source}\x00{record.__class__.__name__}\x00{record.id}"
    if isinstance(record, IncidentRecord):
        key += f"\x00{record.status}"
    if isinstance(record, (IncidentRecord, EntityRecord, DependencyRecord)):
        key += f"\x00{record.at!r}"
    return key
