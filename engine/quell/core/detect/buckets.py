"""Points of a series added up by window of time, in whatever order they came.

Percentiles come from an exponential histogram as OpenTelemetry and DDSketch have it (Masson, Rim, Lee: "DDSketch", VLDB
2019): bins whose bounds grow by 2.2%, so a percentile is right to about 1%, in a bounded number of bins.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice, repeat
from math import ceil, exp2, floor, isfinite, log2
from operator import lt, mul
from typing import NamedTuple, TypeGuard, cast

from quell.model.detect import Aggregate
from quell.model.detecting import Bucket, Pending, Windows
from quell.model.records import DistributionRecord

MOST_VALUE = 1e30
"""What is larger is no measurement, and products of such could not be computed with."""
MOST_WEIGHT = 1e15
MOST_BINS = 400
"""Of one window; beyond that those of the least values are joined, which leaves high percentiles as they are."""
MOST_UNHEARD = 50
"""Times of which it is remembered that nobody listened."""
_PER_DOUBLING = 32
_OFFSET = 1_000_000
_TINY = 1e-30
_SHARES: dict[str, float] = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}


class Points(NamedTuple):
    """Sound points in order of time, by column. ``weights`` empty: each counts once, and there is one for each time.

    ``unread`` is how many were no numbers.
    """

    times: list[float]
    values: list[float]
    weights: list[float]
    unread: int = 0


class Folded(NamedTuple):
    """What became of points: the windows they fell into, how many came too late for theirs, or could not be read."""

    slots: set[int]
    late: int = 0
    unread: int = 0


def points_of(pending: Pending, ahead: float) -> Points:
    """What was told since this was last called: ``pending`` is empty afterwards.

    What is of later than ``ahead`` was told by a clock that nobody can believe, and counts as no number.
    """
    times, values, weights = pending.times, pending.values, pending.weights
    pending.times, pending.values, pending.weights = [], [], []
    if not weights and times[-1] <= ahead and _sound(values, times):
        return Points(times, values, weights)
    if weights and -ahead <= times[0] and times[-1] <= ahead and _sound(values, times) and _weighed(weights):
        return Points(times, values, weights)
    if weights:
        kept = sorted(
            (at, min(max(value, -MOST_VALUE), MOST_VALUE), min(weight, MOST_WEIGHT))
            for at, value, weight in zip(times, values, weights, strict=True)
            if value is not None and isfinite(value) and -ahead <= at <= ahead and weight > 0.0
        )
        unread = len(times) - len(kept)
        return Points([one[0] for one in kept], [one[1] for one in kept], [one[2] for one in kept], unread)
    # Of two values for one time the greater stands: which of them came first nobody can tell afterwards.
    told: dict[float, float] = {}
    unread = 0
    for at, value in zip(times, values, strict=True):
        if value is None or not isfinite(value) or not -ahead <= at <= ahead:
            unread += 1
        elif at not in told or value > told[at]:
            told[at] = min(max(value, -MOST_VALUE), MOST_VALUE)
    order = sorted(told)
    return Points(order, [told[at] for at in order], [], unread)


def _sound(values: list[float | None], times: list[float]) -> TypeGuard[list[float]]:
    """Whether points are numbers, in order, each of another time: as they nearly always are."""
    if None in values or not all(map(lt, times, times[1:])):
        return False
    numbers = cast("list[float]", values)
    # A NaN is neither above nor below: extremes may not show it, but a sum with it is no number.
    whole = isfinite(sum(numbers)) and isfinite(times[0]) and isfinite(times[-1])
    return whole and min(numbers) >= -MOST_VALUE and max(numbers) <= MOST_VALUE


def _weighed(weights: list[float]) -> bool:
    """Whether all weights count as they are; a sum with NaN is no number."""
    return min(weights) > 0.0 and max(weights) <= MOST_WEIGHT and isfinite(sum(weights))


def fold(
    windows: dict[int, Bucket], points: Points, every_s: float, oldest: int, *, bins: bool = False, rise: bool = False
) -> Folded:
    """Adds points to their windows; those before the window ``oldest`` are left out.

    ``bins``: percentiles will be asked for; ``rise``: by how much a counter grew.
    """
    times, values, weights = points.times, points.values, points.weights
    slots: set[int] = set()
    late, start, count = 0, 0, len(times)
    while start < count:
        slot = floor(times[start] / every_s)
        end = count
        if floor(times[-1] / every_s) != slot:
            end = max(bisect_left(times, (slot + 1) * every_s, start), start + 1)
        if slot < oldest:
            late += end - start
        else:
            slots.add(slot)
            bucket = windows.get(slot)
            if bucket is None:
                bucket = windows[slot] = Bucket()
            elif not weights and times[start] == bucket.last_at and values[start] == bucket.last:
                start += 1  # told again
            if start < end:
                _add(bucket, times[start:end], values[start:end], weights[start:end], rise=rise)
                if bins:
                    _add_bins(bucket.bins, values[start:end], weights[start:end])
        start = end
    return Folded(slots, late)


def _add(bucket: Bucket, times: list[float], values: list[float], weights: list[float], *, rise: bool) -> None:
    """Adds points to one window, in order of time."""
    low, high = min(values), max(values)
    if bucket.count <= 0.0:
        bucket.low, bucket.high = low, high
        bucket.first_at, bucket.first = times[0], values[0]
        bucket.last_at, bucket.last = times[-1], values[-1]
        bucket.rise = _climb(values) if rise else 0.0
    else:
        bucket.low, bucket.high = min(low, bucket.low), max(high, bucket.high)
        if times[0] >= bucket.last_at:
            bucket.rise += risen(bucket.last, values[0]) + _climb(values) if rise else 0.0
        elif times[-1] <= bucket.first_at:
            bucket.rise += _climb(values) + risen(values[-1], bucket.first) if rise else 0.0
        if times[-1] >= bucket.last_at:
            bucket.last_at, bucket.last = times[-1], values[-1]
        if times[0] < bucket.first_at:
            bucket.first_at, bucket.first = times[0], values[0]
    if weights:
        bucket.count += sum(weights)
        bucket.total += sum(map(mul, values, weights))
    else:
        bucket.count += len(values)
        bucket.total += sum(values)


def _climb(values: list[float]) -> float:
    return sum(map(risen, values, values[1:]), 0.0)


def _add_bins(bins: dict[int, float], values: list[float], weights: list[float]) -> None:
    for value, weight in zip(values, weights or repeat(1.0), strict=False):
        number = _bin(value)
        bins[number] = bins.get(number, 0.0) + weight
        if len(bins) > MOST_BINS:
            _join_least(bins)


def forget(windows: dict[int, Bucket], oldest: int, *, grows: bool = False) -> None:
    """Drops the windows before ``oldest``; ``grows``: but for the last of them, from which a counter grew on."""
    if windows and min(windows) < oldest:
        before = sorted(slot for slot in windows if slot < oldest)
        for slot in before[:-1] if grows else before:
            del windows[slot]


def unheard(memory: Windows, every_s: float, begin: float, end: float) -> None:
    """Nobody listened between these times."""
    memory.unheard = [*memory.unheard, (floor(begin / every_s), floor(end / every_s))][-MOST_UNHEARD:]


def was_heard(memory: Windows, slot: int) -> bool:
    """Whether somebody listened all through a window."""
    return not any(first <= slot <= last for first, last in memory.unheard)


def risen(before: float, after: float) -> float:
    """By how much a counter grew; one that fell began anew from nothing."""
    return after - before if after >= before else max(after, 0.0)


def growth(windows: dict[int, Bucket], slot: int) -> tuple[float, float] | None:
    """By how much a counter grew up to the last point of a window, and over how many seconds; None when unknown."""
    bucket = windows.get(slot)
    if bucket is None:
        return None
    before = windows.get(slot - 1)
    if before is None:  # it may be told less often than windows end
        before = windows.get(max((one for one in windows if one < slot), default=slot - 1))
    return _grown(bucket, before)


def _grown(bucket: Bucket, before: Bucket | None) -> tuple[float, float] | None:
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


def values_of(windows: dict[int, Bucket], aggregate: Aggregate, first: int, last: int) -> list[tuple[int, float]]:
    """Which windows came to what, in order, as far as anything was told of them."""
    slots = sorted([slot for slot in windows if first <= slot <= last])
    if aggregate == "mean":
        return [(slot, bucket.total / bucket.count) for slot in slots if (bucket := windows[slot]).count > 0.0]
    if aggregate == "rate":
        return list(_rates(windows, slots))
    return [(slot, value) for slot in slots if (value := value_of(windows, slot, aggregate)) is not None]


def _rates(windows: dict[int, Bucket], slots: list[int]) -> Iterator[tuple[int, float]]:
    before = windows.get(max((one for one in windows if slots and one < slots[0]), default=-1))
    for slot in slots:
        grown = _grown(windows[slot], before)
        if grown is not None and grown[1] > 0.0:
            yield slot, grown[0] / grown[1]
        before = windows[slot]


def quantile(ordered: list[float], share: float) -> float:
    """A quantile of values in ascending order, between two of them where it falls between."""
    place = share * (len(ordered) - 1)
    low = int(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def slot_of(record: DistributionRecord, every_s: float, last: int) -> int:
    """The window that counted values belong to: that in which their time is over, where it is longer than a window.

    ``last`` is the latest that is over: times that lie ahead of it by far are of nobody's clock.
    """
    first = floor(record.at / every_s)
    if record.over_s <= every_s:
        return first
    return max(first, min(ceil((record.at + record.over_s) / every_s) - 1, last + 1))


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
