"""How much two means or two shares differ, with the interval in which the true difference lies in 19 of 20 cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import exp, lgamma, pi, sqrt
from math import log as ln

from quell.stats.spans import wilson

_STEPS = 400
MOST_ALIKE = 0.95


def mean_variance(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the sample variance (0 of fewer than two)."""
    middle = sum(values) / len(values)
    if len(values) < 2:
        return middle, 0.0
    return middle, sum((one - middle) ** 2 for one in values) / (len(values) - 1)


def alike(*sides: Mapping[int, float]) -> float:
    """How alike neighbours are, from 0 to `MOST_ALIKE`: the autocorrelation of values next to each other.

    That of few values is found too small; what is usual of that is added (Kendall).
    """
    shared = whole = 0.0
    count = 0
    for values in sides:
        middle = sum(values.values()) / len(values) if values else 0.0
        off = {at: value - middle for at, value in values.items()}
        whole += sum(one * one for one in off.values())
        shared += sum(one * off[at + 1] for at, one in off.items() if at + 1 in off)
        count += len(off)
    if whole <= 0.0:
        return 0.0
    found = shared / whole
    return min(max(found + (1 + 3 * found) / count, 0.0), MOST_ALIKE)


def welch(before: Sequence[float], after: Sequence[float], neighbours: float = 0.0) -> tuple[float, float, float]:
    """By how much the mean grew, and the interval's ends (Welch: the spreads may differ). Needs two values each.

    Where ``neighbours`` are alike, many values say as little as fewer that are not.
    """
    (first, left, less), (second, right, fewer) = _mean(before, neighbours), _mean(after, neighbours)
    delta, error = second - first, sqrt(left + right)
    if error == 0.0:
        return delta, delta, delta
    part = left / (left + right)
    freedom = 1 / (part**2 / (less - 1) + (1 - part) ** 2 / (fewer - 1))
    wide = student(max(int(freedom), 1)) * error
    return delta, delta - wide, delta + wide


def _mean(values: Sequence[float], neighbours: float) -> tuple[float, float, float]:
    """The mean, the variance of that mean, and for how many values that do not know each other these stand."""
    middle, spread = mean_variance(values)
    count = len(values)
    if neighbours <= 0.0:
        return middle, spread / count, count
    stands = max(count * (1 - neighbours) / (1 + neighbours), 2.0)
    # Values that go together lie closer to their own mean than to the true one.
    return middle, spread * (count - 1) / count / (1 - 1 / stands) / stands, stands


def crowding(parts: Sequence[tuple[int, int]]) -> float:
    """How many times as much shares of parts (hits, of) differ as chance alone would have them; 1 at least."""
    told = [(hits, of) for hits, of in parts if of > 0]
    hits, of = sum(one for one, _ in told), sum(one for _, one in told)
    if len(told) < 2 or not 0 < hits < of:
        return 1.0
    rate = hits / of
    off = sum((one - rate * each) ** 2 / (each * rate * (1 - rate)) for one, each in told)
    return max(off / (len(told) - 1), 1.0)


def two_shares(
    hits: tuple[int, int], of: tuple[int, int], crowded: tuple[float, float] = (1.0, 1.0)
) -> tuple[float, float, float]:
    """By how much a share grew, and the interval's ends (Newcombe, from Wilson's two intervals). Needs one of each.

    Where hits come in crowds, so many say as little as fewer that do not.
    """
    one, two = hits[0] / of[0], hits[1] / of[1]
    before, after = (wilson(hit / many, each / many) for hit, each, many in zip(hits, of, crowded, strict=True))
    delta = two - one
    low = delta - sqrt((two - after[0]) ** 2 + (before[1] - one) ** 2)
    high = delta + sqrt((after[1] - two) ** 2 + (one - before[0]) ** 2)
    return delta, max(low, -1.0), min(high, 1.0)


@lru_cache(maxsize=2_000)
def student(freedom: int) -> float:
    """Within so many standard errors lie 19 of 20 (Student's t); ``freedom`` is 1 or more."""
    if freedom == 1:
        return 12.706  # its tail is too long for what follows
    if freedom > 1_000:
        return 1.96
    low, high = 1.9, 4.4
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < 0.475 else (low, middle)
    return round(high, 4)


def _within(t: float, freedom: int) -> float:
    """The probability between 0 and ``t``, by Simpson's rule."""
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(freedom * pi)
    step = t / _STEPS

    def density(x: float) -> float:
        return scale * exp(-(freedom + 1) / 2 * ln(1 + x * x / freedom))

    inner = sum((4 if n % 2 else 2) * density(n * step) for n in range(1, _STEPS))
    return step / 3 * (density(0.0) + inner + density(t))
