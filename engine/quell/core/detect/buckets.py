"""Points of a series added up by window of time, in whatever order they came.

Percentiles come from an exponential histogram as OpenTelemetry and DDSketch have it (Masson, Rim, Lee: "DDSketch", VLDB
2019): bins whose bounds grow by 2.2%, so a percentile is right to about 1%, in a bounded number of bins.
"""

from __future__ import annotations

from itertools import islice
from math import ceil, exp2, floor, isfinite, log2
from typing import NamedTuple

from quell.model.detect import Aggregate
from quell.model.detecting import Bucket, Pending

MOST_VALUE = 1e30
"""What is larger is no measurement, and products of such could not be computed with."""
MOST_WEIGHT = 1e15
MOST_BINS = 400
"""Of one window; beyond that those of the least values are joined, which leaves high percentiles as they are."""
_PER_DOUBLING = 32
_OFFSET = 1_000_000
_TINY = 1e-30
_SHARES: dict[str, float] = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}

Point = tuple[float, float, float]
"""When, how much, and for how many points it counts."""


class Points(NamedTuple):
    """Sound points in order of time. ``counted``: each counts for itself, though others are of the same time.

    ``unread`` is how many were no numbers.
    """

    items: list[Point]
    counted: bool = False
    unread: int = 0


class Folded(NamedTuple):
    """What became of points: the windows they fell into, and how many came too late for theirs."""

    slots: set[int]
    late: int = 0


def points_of(pending: Pending) -> Points:
    """What was told since this was last called: ``pending`` is empty afterwards."""
    times, values, weights = pending.times, pending.values, pending.weights
    if weights:
        sound = [
            (at, min(max(value, -MOST_VALUE), MOST_VALUE), min(weight, MOST_WEIGHT))
            for at, value, weight in zip(times, values, weights, strict=True)
            if value is not None and isfinite(value) and isfinite(at) and weight > 0.0
        ]
        unread = len(times) - len(sound)
        sound.sort()
    else:
        # Of two values for one time the greater stands: which of them came first nobody can tell afterwards.
        told: dict[float, float] = {}
        unread = 0
        for at, value in zip(times, values, strict=True):
            if value is None or not isfinite(value) or not isfinite(at):
                unread += 1
            elif at not in told or value > told[at]:
                told[at] = min(max(value, -MOST_VALUE), MOST_VALUE)
        sound = [(at, told[at], 1.0) for at in sorted(told)]
    counted = bool(weights)
    pending.times, pending.values, pending.weights = [], [], []
    return Points(sound, counted, unread)


def fold(windows: dict[int, Bucket], points: Points, every_s: float, oldest: int, *, bins: bool) -> Folded:
    """Adds points to their windows; those before the window ``oldest`` are left out."""
    slots: set[int] = set()
    late = 0
    for at, value, weight in points.items:
        slot = floor(at / every_s)
        if slot < oldest:
            late += 1
            continue
        bucket = windows.get(slot)
        if bucket is None:
            bucket = windows[slot] = Bucket(low=value, high=value, first_at=at, first=value, last_at=at, last=value)
        elif at == bucket.last_at and value == bucket.last and not points.counted:
            continue  # told again
        elif at >= bucket.last_at:
            bucket.rise += risen(bucket.last, value)
            bucket.last_at, bucket.last = at, value
        elif at < bucket.first_at:
            bucket.rise += risen(value, bucket.first)
            bucket.first_at, bucket.first = at, value
        slots.add(slot)
        bucket.count += weight
        bucket.total += value * weight
        if value < bucket.low:
            bucket.low = value
        elif value > bucket.high:
            bucket.high = value
        if bins:
            number = _bin(value)
            bucket.bins[number] = bucket.bins.get(number, 0.0) + weight
            if len(bucket.bins) > MOST_BINS:
                _join_least(bucket.bins)
    return Folded(slots, late)


def forget(windows: dict[int, Bucket], oldest: int) -> None:
    """Drops the windows before ``oldest``."""
    for slot in [slot for slot in windows if slot < oldest]:
        del windows[slot]


def risen(before: float, after: float) -> float:
    """By how much a counter grew; one that fell began anew from nothing."""
    return after - before if after >= before else max(after, 0.0)


def growth(windows: dict[int, Bucket], slot: int) -> tuple[float, float] | None:
    """By how much a counter grew up to the last point of a window, and over how many seconds; None when unknown."""
    bucket = windows.get(slot)
    if bucket is None:
        return None
    before = windows.get(slot - 1)
    if before is None:
        seconds = bucket.last_at - bucket.first_at
        return (bucket.rise, seconds) if seconds > 0.0 else None
    return bucket.rise + risen(before.last, bucket.first), bucket.last_at - before.last_at


def value_of(windows: dict[int, Bucket], slot: int, aggregate: Aggregate) -> float | None:
    """The number that a window comes to; None when nothing was told of it."""
    bucket = windows.get(slot)
    if bucket is None or bucket.count <= 0.0:
        return None
    if aggregate == "rate":
        grown = growth(windows, slot)
        return grown[0] / grown[1] if grown is not None and grown[1] > 0.0 else None
    if aggregate in _SHARES:
        return _percentile(bucket, _SHARES[aggregate])
    if aggregate == "mean":
        return min(max(bucket.total / bucket.count, bucket.low), bucket.high)
    if aggregate == "sum":
        return bucket.total
    if aggregate == "count":
        return bucket.count
    if aggregate == "min":
        return bucket.low
    return bucket.high if aggregate == "max" else bucket.last


def needs_bins(aggregate: Aggregate) -> bool:
    """Whether windows must know how their values are distributed."""
    return aggregate in _SHARES


def _bin(value: float) -> int:
    size = abs(value)
    if size < _TINY:
        return 0
    number = ceil(log2(size) * _PER_DOUBLING) + _OFFSET
    return number if value > 0.0 else -number


def _middle(number: int) -> float:
    if number == 0:
        return 0.0
    size = exp2((abs(number) - _OFFSET - 0.5) / _PER_DOUBLING)
    return size if number > 0 else -size


def _join_least(bins: dict[int, float]) -> None:
    least, following = islice(sorted(bins), 2)
    bins[following] += bins.pop(least)


def _percentile(bucket: Bucket, share: float) -> float:
    wanted, found = share * bucket.count, 0.0
    value = bucket.high
    for number in sorted(bucket.bins):
        found += bucket.bins[number]
        if found >= wanted:
            value = _middle(number)
            break
    return min(max(value, bucket.low), bucket.high)
