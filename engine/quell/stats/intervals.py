"""How much two means or two shares differ, with the interval in which the true difference lies in 19 of 20 cases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, lgamma, pi, sqrt
from math import log as ln

from quell.stats.spans import share

_STEPS = 400


def mean_variance(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the sample variance (0 of fewer than two)."""
    middle = sum(values) / len(values)
    if len(values) < 2:
        return middle, 0.0
    return middle, sum((one - middle) ** 2 for one in values) / (len(values) - 1)


def welch(before: Sequence[float], after: Sequence[float]) -> tuple[float, float, float]:
    """By how much the mean grew, and the interval's ends (Welch: the spreads may differ). Needs two values each."""
    (first, spread), (second, other) = mean_variance(before), mean_variance(after)
    left, right = spread / len(before), other / len(after)
    delta, error = second - first, sqrt(left + right)
    if error == 0.0:
        return delta, delta, delta
    part = left / (left + right)
    freedom = 1 / (part**2 / (len(before) - 1) + (1 - part) ** 2 / (len(after) - 1))
    wide = student(max(int(freedom), 1)) * error
    return delta, delta - wide, delta + wide


def two_shares(hits: tuple[int, int], of: tuple[int, int]) -> tuple[float, float, float]:
    """By how much a share grew, and the interval's ends (Newcombe, from Wilson's two intervals). Needs one of each."""
    first, second = share(hits[0], of[0]), share(hits[1], of[1])
    one, two = hits[0] / of[0], hits[1] / of[1]
    delta = two - one
    low = delta - sqrt((two - (second.low or 0.0)) ** 2 + ((first.high or 0.0) - one) ** 2)
    high = delta + sqrt(((second.high or 0.0) - two) ** 2 + (one - (first.low or 0.0)) ** 2)
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
