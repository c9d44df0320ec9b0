"""Sketches of numbers: counts in buckets that grow exponentially, small, mergeable, and true to a stated accuracy.

The buckets are those of OpenTelemetry's exponential histograms: with base = 2 ** (2 ** -scale), bucket ``i`` holds
base ** i < value <= base ** (i + 1). A sketch has the finest scale at which it needs at most ``WANTED`` buckets of a
sign, so that values close together are told apart. At ``FLOOR`` it coarsens no further; of more than ``MOST`` the
lowest run together (as in DDSketch: Masson, Rim and Lee, VLDB 2019), so that its size is bounded whatever comes.

Merging in any order gives the same buckets. All of it is pure; `quell.core.profiles.arrays` makes sketches of arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import ceil, isfinite, ldexp, log2
from sys import float_info
from typing import NamedTuple

import msgspec

FINEST = 20
FLOOR = 5
WANTED = 512
MOST = 2048
"""Buckets of one sign: 64 octaves at the floor."""
ACCURACY = (2 ** (2.0**-FLOOR) - 1) / (2 ** (2.0**-FLOOR) + 1)
"""How far a quantile can be off, as a share of itself, as long as nothing had to run together: 1.1 %."""
_ROUNDED = 1.0 + 1e-12
Buckets = tuple[tuple[int, int], ...]


class Sketch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Counts of numbers; ``positive`` and ``negative`` hold (index, count), ascending, ``total`` is the sum."""

    scale: int = FINEST
    zero: int = 0
    positive: Buckets = ()
    negative: Buckets = ()
    low: float | None = None
    high: float | None = None
    total: float = 0.0

    @property
    def count(self) -> int:
        """Of all numbers."""
        return self.zero + sum(count for _, count in self.positive) + sum(count for _, count in self.negative)

    @property
    def mean(self) -> float | None:
        """None of no numbers."""
        count = self.count
        return self.total / count if count else None


EMPTY = Sketch()


class Growing:
    """A sketch that numbers are added to, one at a time."""

    def __init__(self, start: Sketch = EMPTY) -> None:
        self._scale = start.scale
        self._zero = start.zero
        self._positive = dict(start.positive)
        self._negative = dict(start.negative)
        self._low, self._high, self._total = start.low, start.high, start.total

    def add(self, value: float, count: int = 1) -> None:
        """Counts a finite number. Raises ValueError for another."""
        if not isfinite(value):
            raise ValueError(f'"{value}" is no finite number')
        self._low = value if self._low is None else min(self._low, value)
        self._high = value if self._high is None else max(self._high, value)
        self._total = bounded(self._total + value * count)
        if value == 0.0:
            self._zero += count
            return
        buckets = self._positive if value > 0 else self._negative
        index = index_of(abs(value), self._scale)
        buckets[index] = buckets.get(index, 0) + count
        if len(buckets) > WANTED and (self._scale > FLOOR or len(buckets) > MOST):
            self._fit()

    def sketch(self) -> Sketch:
        """What was counted so far."""
        return Sketch(
            scale=self._scale,
            zero=self._zero,
            positive=tuple(sorted(self._positive.items())),
            negative=tuple(sorted(self._negative.items())),
            low=self._low,
            high=self._high,
            total=self._total,
        )

    def _fit(self) -> None:
        while max(len(self._positive), len(self._negative)) > WANTED and self._scale > FLOOR:
            self._scale -= 1
            self._positive, self._negative = _shifted(self._positive, 1), _shifted(self._negative, 1)
        self._positive, self._negative = _collapsed(self._positive), _collapsed(self._negative)


def sketch_of(values: Iterable[float]) -> Sketch:
    """A sketch of finite numbers."""
    growing = Growing()
    for value in values:
        growing.add(value)
    return growing.sketch()


def merged(sketches: Iterable[Sketch]) -> Sketch:
    """All of them together."""
    told = [one for one in sketches if one.zero or one.positive or one.negative]
    if len(told) < 2:
        return told[0] if told else EMPTY
    scale = min(one.scale for one in told)
    positive: dict[int, int] = {}
    negative: dict[int, int] = {}
    for one in told:
        for into, buckets in ((positive, one.positive), (negative, one.negative)):
            for index, count in buckets:
                at = index >> (one.scale - scale)
                into[at] = into.get(at, 0) + count
    total = 0.0
    for one in told:
        total = bounded(total + one.total)
    return fitted(
        Sketch(
            scale=scale,
            zero=sum(one.zero for one in told),
            positive=tuple(sorted(positive.items())),
            negative=tuple(sorted(negative.items())),
            low=min((one.low for one in told if one.low is not None), default=None),
            high=max((one.high for one in told if one.high is not None), default=None),
            total=total,
        )
    )


def fitted(sketch: Sketch, wanted: int = WANTED) -> Sketch:
    """The sketch with at most so many buckets of a sign, or at the floor; and never with more than ``MOST``."""
    if len(sketch.positive) <= wanted and len(sketch.negative) <= wanted:
        return sketch
    scale, positive, negative = sketch.scale, dict(sketch.positive), dict(sketch.negative)
    while max(len(positive), len(negative)) > wanted and scale > FLOOR:
        scale -= 1
        positive, negative = _shifted(positive, 1), _shifted(negative, 1)
    positive, negative = _collapsed(positive), _collapsed(negative)
    return msgspec.structs.replace(
        sketch, scale=scale, positive=tuple(sorted(positive.items())), negative=tuple(sorted(negative.items()))
    )


def coarser(sketch: Sketch, scale: int) -> Sketch:
    """The sketch at a scale that is its own or less."""
    by = sketch.scale - scale
    if by <= 0:
        return sketch
    positive, negative = _shifted(dict(sketch.positive), by), _shifted(dict(sketch.negative), by)
    return msgspec.structs.replace(
        sketch, scale=scale, positive=tuple(sorted(positive.items())), negative=tuple(sorted(negative.items()))
    )


def quantile(sketch: Sketch, share: float) -> float | None:
    """The value that this share (0 to 1) of the numbers does not exceed; None of no numbers."""
    rank = share * (sketch.count - 1)
    seen = 0
    found: float | None = None
    for value, count in _ascending(sketch):
        seen += count
        found = value
        if seen > rank:
            break
    if found is None:
        return None
    if sketch.low is not None:
        found = max(found, sketch.low)
    return found if sketch.high is None else min(found, sketch.high)


def quantiles(sketch: Sketch, shares: Iterable[float]) -> list[float]:
    """`quantile` for ascending shares in one go; empty of no numbers."""
    count = sketch.count
    if not count:
        return []
    found: list[float] = []
    cells = _ascending(sketch)
    value, seen = 0.0, 0
    low = -float_info.max if sketch.low is None else sketch.low
    high = float_info.max if sketch.high is None else sketch.high
    for share in shares:
        while seen <= share * (count - 1):
            value, more = next(cells)
            seen += more
        found.append(min(max(value, low), high))
    return found


class Cell(NamedTuple):
    """A bucket: ``told`` values from ``low`` to ``high``, for which ``middle`` stands."""

    low: float
    middle: float
    high: float
    told: int


def cells(sketch: Sketch) -> Iterator[Cell]:
    """All buckets, ascending, no wider than what is known of the least and the largest value."""
    least = -float_info.max if sketch.low is None else sketch.low
    most = float_info.max if sketch.high is None else sketch.high
    if least == most:
        yield Cell(least, least, most, sketch.count)
        return
    for index, count in reversed(sketch.negative):
        low, high = -edge_of(index + 1, sketch.scale) * _ROUNDED, -edge_of(index, sketch.scale) / _ROUNDED
        yield _cell(max(low, least), -middle_of(index, sketch.scale), min(high, most), count)
    if sketch.zero:
        yield Cell(0.0, 0.0, 0.0, sketch.zero)
    for index, count in sketch.positive:
        low, high = edge_of(index, sketch.scale) * _ROUNDED, edge_of(index + 1, sketch.scale) * _ROUNDED
        yield _cell(max(low, least), middle_of(index, sketch.scale), min(high, most), count)


def _cell(low: float, middle: float, high: float, count: int) -> Cell:
    """What is told of the least and the largest value may contradict the buckets, as whoever tells it may err."""
    low = min(low, high)
    return Cell(low, min(max(middle, low), high), high, count)


def between(sketch: Sketch, least: float | None = None, most: float | None = None) -> int:
    """How many numbers lie from ``least`` to ``most``, both included; None is no limit.

    Of a bucket in which a limit lies all count as within: so a value that is the limit itself is, always.
    """
    return sum(
        cell.told
        for cell in cells(sketch)
        if (least is None or cell.high >= least) and (most is None or cell.low <= most)
    )


def index_of(value: float, scale: int) -> int:
    """The bucket of a positive number."""
    return ceil(ldexp(log2(value), scale)) - 1


def edge_of(index: int, scale: int) -> float:
    """The lower edge of a bucket (of positive numbers); what no float holds becomes the largest or 0."""
    exponent = ldexp(float(index), -scale)
    if exponent >= float_info.max_exp:
        return float_info.max
    return float(2.0**exponent) if exponent > -1075 else 0.0


def middle_of(index: int, scale: int) -> float:
    """What stands for a bucket: the value least far, as a share, from all that it holds."""
    low, high = edge_of(index, scale), edge_of(index + 1, scale)
    if low <= 0.0 or high >= float_info.max:
        return low or high
    return low * (2.0 / (1.0 + low / high))


def bounded(total: float) -> float:
    """A sum that stays a number."""
    return min(max(total, -float_info.max), float_info.max)


def _ascending(sketch: Sketch) -> Iterator[tuple[float, int]]:
    for index, count in reversed(sketch.negative):
        yield -middle_of(index, sketch.scale), count
    if sketch.zero:
        yield 0.0, sketch.zero
    for index, count in sketch.positive:
        yield middle_of(index, sketch.scale), count


def _shifted(buckets: Mapping[int, int], by: int) -> dict[int, int]:
    into: dict[int, int] = {}
    for index, count in buckets.items():
        at = index >> by
        into[at] = into.get(at, 0) + count
    return into


def _collapsed(buckets: dict[int, int]) -> dict[int, int]:
    """The highest that may be; what was below is counted with the lowest of them."""
    if len(buckets) <= MOST:
        return buckets
    ordered = sorted(buckets.items())
    lowest, kept = ordered[: len(ordered) - MOST], dict(ordered[-MOST:])
    kept[ordered[-MOST][0]] += sum(count for _, count in lowest)
    return kept
