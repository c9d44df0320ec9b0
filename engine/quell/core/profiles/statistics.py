"""How far two distributions are apart, and how likely that is by chance. Pure functions of counts.

Effects and chances are two questions: with enough rows any difference is significant, and with few rows none is. Both
are told, and `quell.core.profiles.judge` asks for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SMOOTHING = 0.5
"""Added to each bin's count for the index, so that an empty one is no infinity (Jeffreys' prior)."""
EXPECTED = 5.0
"""Cells in which chi² expects fewer are taken together: below, its distribution is not chi²'s."""


class Apart(NamedTuple):
    """``effect`` is how far (0: not at all), ``most`` its upper bound, ``p`` the chance of at least that by chance."""

    effect: float
    p: float
    most: float


def kolmogorov_smirnov(then: Floats, now: Floats) -> Apart:
    """The largest difference of the two cumulative shares, from counts in the same ascending cells.

    At the edges of cells it is exact; between them it can be larger, ``most`` at worst. The chance is asymptotic.
    """
    before, after = then.sum(), now.sum()
    if not before or not after:
        return Apart(0.0, 1.0, 0.0)
    first, second = np.cumsum(then) / before, np.cumsum(now) / after
    effect = float(np.abs(first - second).max())
    first_below, second_below = first - then / before, second - now / after
    most = float(max((first - second_below).max(), (second - first_below).max()))
    return Apart(effect, _kolmogorov(effect * np.sqrt(before * after / (before + after))), max(effect, most))


def kolmogorov_smirnov_of(then: Floats, now: Floats) -> Apart:
    """The same from the numbers themselves: exact everywhere."""
    if not len(then) or not len(now):
        return Apart(0.0, 1.0, 0.0)
    values = np.unique(np.concatenate((then, now)))
    first = np.searchsorted(np.sort(then), values, "right") / len(then)
    second = np.searchsorted(np.sort(now), values, "right") / len(now)
    effect = float(np.abs(first - second).max())
    size = len(then) * len(now) / (len(then) + len(now))
    return Apart(effect, _kolmogorov(effect * np.sqrt(size)), effect)


def stability(then: Floats, now: Floats) -> Apart:
    """The population stability index, from counts in the same bins.

    By chance, scaled by the sizes of both samples, it is distributed as chi² with one degree less than there are bins
    (Yurdakul, Statistical Properties of the Population Stability Index, 2018).
    """
    before, after = then.sum(), now.sum()
    if not before or not after or len(then) < 2:
        return Apart(0.0, 1.0, 0.0)
    bins = len(then)
    expected = (then + SMOOTHING) / (before + SMOOTHING * bins)
    found = (now + SMOOTHING) / (after + SMOOTHING * bins)
    index = float(((found - expected) * np.log(found / expected)).sum())
    return Apart(index, _chi_squared(bins - 1, index * before * after / (before + after)), index)


def chi_square(then: Floats, now: Floats) -> Apart:
    """The test of homogeneity of two samples over categories; the effect is Cramér's V (0 to 1)."""
    before, after = float(then.sum()), float(now.sum())
    if not before or not after:
        return Apart(0.0, 1.0, 0.0)
    told = np.vstack((then, now))
    told = told[:, told.sum(axis=0) > 0]
    seldom = told.sum(axis=0) * min(before, after) / (before + after) < EXPECTED
    if seldom.any():
        told = np.column_stack((told[:, ~seldom], told[:, seldom].sum(axis=1)))
    if told.shape[1] < 2:
        return Apart(0.0, 1.0, 0.0)
    expected = np.outer(told.sum(axis=1), told.sum(axis=0)) / told.sum()
    statistic = float(((told - expected) ** 2 / expected).sum())
    effect = float(np.sqrt(statistic / told.sum()))
    return Apart(effect, _chi_squared(told.shape[1] - 1, statistic), effect)


def jensen_shannon(then: Floats, now: Floats) -> Apart:
    """The Jensen-Shannon distance with logarithms of base 2 (0 to 1).

    By chance its square, scaled by the sizes of both samples, is distributed as chi² with one degree less than there
    are cells (Grosse et al., Physical Review E 65, 2002).
    """
    before, after = then.sum(), now.sum()
    if not before or not after:
        return Apart(0.0, 1.0, 0.0)
    some = then + now > 0
    first, second = then[some] / before, now[some] / after
    share = before / (before + after)
    distance = _divergence(first, second, 0.5)
    cells = int(some.sum())
    statistic = 2.0 * np.log(2.0) * (before + after) * _divergence(first, second, share)
    effect = float(np.sqrt(max(distance, 0.0)))
    return Apart(effect, _chi_squared(cells - 1, statistic) if cells > 1 else 1.0, effect)


def share_apart(then: tuple[float, float], now: tuple[float, float]) -> Apart:
    """How a share (of how many: the second) grew or fell; the chance by the test of two proportions."""
    if not then[1] or not now[1]:
        return Apart(0.0, 1.0, 0.0)
    effect = now[0] / now[1] - then[0] / then[1]
    both = (then[0] + now[0]) / (then[1] + now[1])
    variance = both * (1.0 - both) * (1.0 / then[1] + 1.0 / now[1])
    p = _chi_squared(1, effect * effect / variance) if variance > 0 else 1.0
    return Apart(effect, p, abs(effect))


def adjusted(chances: Sequence[float]) -> list[float]:
    """The chances after the correction for so many tests: how many false alarms among the alarms (Benjamini, Hochberg).

    A feature among 200 is below p = 0.01 by chance every other time; after the correction it is not.
    """
    if not chances:
        return []
    told = np.array(chances, dtype=np.float64)
    order = np.argsort(told, kind="stable")
    scaled = told[order] * len(told) / np.arange(1, len(told) + 1)
    smallest = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    found = np.empty_like(smallest)
    found[order] = smallest
    return [float(one) for one in found]


def _divergence(first: Floats, second: Floats, share: float) -> float:
    """Jensen and Shannon's, with the first counted as this share of both, in bits."""
    middle = share * first + (1.0 - share) * second
    return share * _entropy_to(first, middle) + (1.0 - share) * _entropy_to(second, middle)


def _entropy_to(told: Floats, middle: Floats) -> float:
    some = told > 0
    return float((told[some] * np.log2(told[some] / middle[some])).sum())


def _kolmogorov(at: float) -> float:
    from scipy.special import kolmogorov  # noqa: PLC0415 - 15 MiB, for those who watch how values are distributed

    return float(kolmogorov(at))


def _chi_squared(freedom: float, at: float) -> float:
    from scipy.special import chdtrc  # noqa: PLC0415 - likewise

    return float(chdtrc(freedom, at))
