"""Robust measures over many series at once: quantiles that skip what was not told, the worse half, surprise in nats.

Means and standard deviations are led astray by the very outliers that are looked for; quantiles are not (P. J. Huber,
*Robust Statistics*, 1981; used for root causes by L. Pham, H. Ha, H. Zhang, *BARO*, FSE 2024). A series that never
moved has no spread at all: every scale here has a floor that is a share of the level, so that a first small step is
not an infinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FLOOR = 0.02
"""The least spread, as a share of the level."""
TINY = 1e-9
NORMAL_SPREAD = 2.563
"""Between the first and the last tenth of a normal distribution, in standard deviations."""
UNEVEN = 0.2
"""How much counts scatter beyond chance, as a share of what is expected: traffic mixes differ from minute to minute."""


def quantiles(rows: Floats, shares: Sequence[float]) -> list[Floats]:
    """By share, that quantile of each row (linear interpolation); NaN counts for nothing, rows of NaN give NaN."""
    if rows.shape[1] == 0:
        return [np.full(len(rows), np.nan) for _ in shares]
    ordered = np.sort(rows, axis=1)
    told = np.sum(~np.isnan(ordered), axis=1)
    at = np.arange(len(rows))
    found = []
    for share in shares:
        place = share * np.maximum(told - 1, 0)
        low = np.floor(place).astype(np.intp)
        high = np.minimum(low + 1, np.maximum(told - 1, 0))
        part = place - low
        found.append(ordered[at, low] * (1.0 - part) + ordered[at, high] * part)
    return found


def least(rows: Floats) -> Floats:
    """The smallest of each row; NaN where there are not two."""
    if rows.shape[1] == 0:
        return np.full(len(rows), np.nan)
    told = np.sum(~np.isnan(rows), axis=1)
    smallest = np.min(np.where(np.isnan(rows), np.inf, rows), axis=1)
    return np.where(told >= 2, smallest, np.nan)


def worse_half(rows: Floats) -> Floats:
    """The mean of the larger half of each row, what was not told counting as 0: trouble may be over by then."""
    if rows.shape[1] == 0:
        return np.zeros(len(rows))
    ordered = np.sort(np.nan_to_num(rows), axis=1)
    return np.asarray(ordered[:, -((rows.shape[1] + 1) // 2) :].mean(axis=1))


def spread(low: Floats, high: Floats, middle: Floats) -> Floats:
    """A standard deviation from the first and last tenth, never less than a share of the level."""
    return np.maximum(np.maximum((high - low) / NORMAL_SPREAD, FLOOR * np.abs(middle)), TINY)


def fewer(seen: float, due: float, counted: float) -> float:
    """Nats that ``seen`` is fewer than chance explains of ``due``, times the share that is missing.

    What is due was worked out from ``counted`` occurrences before, so the likelihoods of two Poisson counts are
    compared. The allowance for uneven traffic keeps large counts from making small shifts certain.
    """
    if due <= TINY or counted <= TINY or seen >= due:
        return 0.0
    pooled = (seen + counted) / (due + counted)
    nats = -counted * log(pooled) + (seen * log(seen / due / pooled) if seen / due > TINY else 0.0)
    return max(0.0, nats) / (1.0 + UNEVEN * UNEVEN * due) * (1.0 - seen / due)


def more(seen: float, expected: float) -> float:
    """Nats that ``seen`` is more than chance explains of ``expected`` (positive)."""
    if seen <= expected:
        return 0.0
    nats = seen * log(seen / expected) - (seen - expected)
    return max(0.0, nats) / (1.0 + UNEVEN * UNEVEN * expected)
