"""How sure a number is: intervals around shares, means and differences of shares, for counts as small as they come.

Shares: Wilson (1927), which holds near 0 and 1 and for few counts; their differences: Newcombe (1998), from two of
those. Means: the normal interval, for windows of hundreds.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple


class Interval(NamedTuple):
    """A value, and between what it lies with the confidence that was asked for; ``n`` is how many it is from."""

    value: float
    low: float
    high: float
    n: int


def deviations(sure: float, comparisons: int = 1) -> float:
    """So many standard deviations to either side hold that confidence, for all of so many comparisons at once."""
    return NormalDist().inv_cdf(1.0 - (1.0 - sure) / (2.0 * max(comparisons, 1)))


def share(hits: int, n: int, z: float) -> Interval:
    """A share of ``n`` (more than 0), by Wilson."""
    p = hits / n
    middle = p + z * z / (2.0 * n)
    half = z * sqrt(max(p * (1.0 - p), 0.0) / n + z * z / (4.0 * n * n))
    whole = 1.0 + z * z / n
    return Interval(p, max((middle - half) / whole, 0.0), min((middle + half) / whole, 1.0), n)


def difference(first: Interval, second: Interval) -> Interval:
    """By how much the first share exceeds the second, by Newcombe's hybrid score method."""
    gap = first.value - second.value
    low = gap - sqrt((first.value - first.low) ** 2 + (second.high - second.value) ** 2)
    high = gap + sqrt((first.high - first.value) ** 2 + (second.value - second.low) ** 2)
    return Interval(gap, max(low, -1.0), min(high, 1.0), first.n + second.n)


def mean(weighted: Sequence[tuple[float, int]], total: float, z: float) -> Interval | None:
    """The mean of numbers, told as (value, count) with their exact ``total``; None of no numbers."""
    n = sum(count for _, count in weighted)
    if not n:
        return None
    middle = total / n
    spread = sum(count * (value - middle) ** 2 for value, count in weighted) / max(n - 1, 1)
    half = z * sqrt(spread / n)
    return Interval(middle, middle - half, middle + half, n)
