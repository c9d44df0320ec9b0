"""How sure a number is: intervals around shares, means and differences of shares, for counts as small as they come.

Shares: Wilson (1927), which holds near 0 and 1 and for few counts; their differences: Newcombe (1998), from two of
those. Means: Student's. Differences of any two values that have intervals: Zou and Donner ("MOVER", 2008).

Where it is looked again and again what is measured lies so far from the truth once, sooner or later, that a single look
would call it sure: how much further is from Siegmund (Sequential Analysis, 1985, chapter 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import hypot, log, sqrt
from statistics import NormalDist
from typing import NamedTuple

MOST_ALIKE = 0.9


class Interval(NamedTuple):
    """A value, and between what it lies with the confidence that was asked for; ``n`` is how many it is from."""

    value: float
    low: float
    high: float
    n: int


def deviations(sure: float, comparisons: int = 1) -> float:
    """So many standard deviations to either side hold that confidence, for all of so many comparisons at once."""
    return NormalDist().inv_cdf(1.0 - (1.0 - sure) / (2.0 * max(comparisons, 1)))


def deviations_of_looks(sure: float, looks: float) -> float:
    """The same for all looks at what grows from 1 to ``looks`` windows, taken together."""
    normal, chance = NormalDist(), 1.0 - sure

    def passed(z: float) -> float:
        """How likely it is that one of the looks lies further off than that."""
        return (z - 1.0 / z) * normal.pdf(z) * log(max(looks, 1.0)) + 2.0 * normal.cdf(-z)

    low, high = max(deviations(sure), 1.0), 12.0
    if passed(low) <= chance:
        return deviations(sure)
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (middle, high) if passed(middle) > chance else (low, middle)
    return high


def sure_of(z: float) -> float:
    """How sure it is that something lies within so many deviations."""
    return 1.0 - 2.0 * NormalDist().cdf(-z)


def student(z: float, freedom: float) -> float:
    """What is ``z`` deviations of a normal variable for Student's of so many degrees of freedom.

    By the expansion of Cornish and Fisher, which is right to 1% from five degrees on.
    """
    first = (z**3 + z) / 4.0
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96.0
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384.0
    return z + first / freedom + second / freedom**2 + third / freedom**3


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


def apart(first: Interval, second: Interval, scale: float = 1.0, shift: float = 0.0) -> Interval:
    """By how much the first exceeds ``scale`` times the second and ``shift``, from the intervals of both."""
    bounds = sorted((second.low * scale, second.high * scale))
    value = second.value * scale
    gap = first.value - value - shift
    low = gap - hypot(first.value - first.low, bounds[1] - value)
    high = gap + hypot(first.high - first.value, value - bounds[0])
    return Interval(gap, low, high, first.n + second.n)


def mean(weighted: Sequence[tuple[float, int]], total: float, z: float) -> Interval | None:
    """The mean of numbers, told as (value, count) with their exact ``total``; None of no numbers."""
    n = sum(count for _, count in weighted)
    if not n:
        return None
    middle = total / n
    spread = sum(count * (value - middle) * (value - middle) for value, count in weighted) / max(n - 1, 1)
    half = student(z, max(n - 1, 1)) * sqrt(spread / n)
    return Interval(middle, middle - half, middle + half, n)


class Moments(NamedTuple):
    """Of values: their mean and variance, how many they are but for how alike neighbours are, and how many."""

    mean: float
    variance: float
    many: float
    n: int


def welch(values: Sequence[float], before: Sequence[float], sure: float) -> tuple[Interval, Interval, Interval]:
    """By how much the mean of ``values`` exceeds that of ``before``, and both; two values each at least."""
    return welch_of(moments(values), moments(before), sure)


def welch_of(first: Moments, second: Moments, sure: float) -> tuple[Interval, Interval, Interval]:
    """The same, of values whose moments are known."""
    one, two = first.mean, second.mean
    parts = first.variance / first.many, second.variance / second.many
    error = sqrt(sum(parts))
    if error > 0.0:
        freedom = sum(parts) ** 2 / (parts[0] ** 2 / (first.many - 1.0) + parts[1] ** 2 / (second.many - 1.0))
        half = student(deviations(sure), freedom) * error
    else:
        half = 0.0
    gap = one - two
    return (
        Interval(gap, gap - half, gap + half, first.n + second.n),
        Interval(one, one, one, first.n),
        Interval(two, two, two, second.n),
    )


def moments(values: Sequence[float]) -> Moments:
    """Of two values at least. Neighbours are alike, so there are fewer than it seems (Bayley and Hammersley 1946)."""
    n = len(values)
    middle = sum(values) / n
    off = [value - middle for value in values]
    whole = sum(one * one for one in off)
    if whole <= 0.0:
        return Moments(middle, 0.0, float(n), n)
    alike = sum(one * other for one, other in pairwise(off)) / whole
    alike = min(max(alike + (1.0 + 4.0 * alike) / n, 0.0), MOST_ALIKE)  # what few values show is too small by that
    return Moments(middle, whole / (n - 1), max(n * (1.0 - alike) / (1.0 + alike), 2.0), n)
