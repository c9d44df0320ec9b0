"""The condition "forecast": a limit is reached soon if it goes on as it did.

The trend is the median of the slopes between all pairs of windows (Theil 1950, Sen 1968), which a quarter of wild
values does not move. How sure it is follows from how many pairs go up and how many down (Kendall's statistic, as Sen
has it), widened where neighbouring windows are alike (Bayley and Hammersley 1946): a series that wanders has no trend.
"""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quell.core.detect.buckets import Folded, Points, fold, forget, needs_bins, quantile, value_of, values_of
from quell.core.detect.condition import FINE, Quiet
from quell.core.detect.words import lasting, number
from quell.model.detect import DetectRule, Forecast
from quell.model.detecting import Finding, Memory, Watch, Windows

MOST_POINTS = 120
"""A trend of so many windows has 7,140 pairs; from more, so many are taken at even distances."""
LEAST_POINTS = 8
HOUR_S = 3600.0
Floats = NDArray[np.float64]


class Trend(NamedTuple):
    """A line through points: its value at the end, its slope per second, and between which slopes it lies."""

    level: float
    slope: float
    least: float
    most: float


class ForecastCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    def __init__(self, rule: DetectRule, condition: Forecast) -> None:
        self._every_s = rule.every_s
        self._of = condition
        self._bins, self._rise = needs_bins(condition.aggregate), condition.aggregate == "rate"
        self.keeps = max(ceil(condition.over_s / rule.every_s), rule.of) + 1
        self._sign = 1.0 if condition.above is not None else -1.0
        limit = condition.above if condition.above is not None else condition.below
        assert limit is not None, "a forecast has a limit on one side"
        self._limit = limit

    def new(self) -> Memory:
        """No windows."""
        return Windows()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Adds points to their windows."""
        del side
        assert isinstance(memory, Windows), "a forecast remembers windows"
        return fold(memory.own, points, self._every_s, oldest, bins=self._bins, rise=self._rise)

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """Whether the limit is reached soon, or already."""
        memory = watch.memory
        assert isinstance(memory, Windows), "a forecast remembers windows"
        value = value_of(memory.own, slot, self._of.aggregate)
        if value is None:
            return None
        side = "above" if self._sign > 0 else "below"
        if (value - self._limit) * self._sign > 0:
            text = f"{{metric}} is {number(value)}, {side} {number(self._limit)} already"
            return Finding(bad=True, text=text, value=value, threshold=self._limit)
        told = values_of(memory.own, self._of.aggregate, slot - self.keeps + 2, slot)
        spans_s = (slot - told[0][0]) * self._every_s
        if len(told) < LEAST_POINTS or spans_s < self._of.over_s / 2:
            return None if watch.since is None else FINE  # what lay beyond the limit does not any more
        if watch.since is None and not self._moves([one[1] for one in told]):
            return FINE
        stride = ceil(len(told) / MOST_POINTS)
        kept = told[::-1][::stride][::-1]
        times = np.array([(one - slot) * self._every_s for one, _ in kept])
        line = trend(times, np.array([value for _, value in kept]) * self._sign, self._of.confidence)
        return self._finding(line, value, spans_s)

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops old windows."""
        assert isinstance(memory, Windows), "a forecast remembers windows"
        forget(memory.own, oldest, grows=self._rise)

    def _moves(self, values: list[float]) -> bool:
        """Whether the last third lies nearer to the limit than the first: the trend of others is not worth its cost."""
        third = len(values) // 3
        first, last = quantile(sorted(values[:third]), 0.5), quantile(sorted(values[-third:]), 0.5)
        return (last - first) * self._sign > 0.0

    def _finding(self, line: Trend, value: float, spans_s: float) -> Finding:
        left = self._limit * self._sign - line.level
        hourly = number(line.slope * self._sign * HOUR_S)
        going = f"{{metric}} is {number(value)} and changed by {hourly} an hour in the last {lasting(spans_s)}"
        if line.least <= 0.0 or left > line.slope * self._of.within_s:
            return Finding(bad=False, text=going, value=value, threshold=self._limit)
        due_s = max(left / line.slope, 0.0)
        early, late = max(left / line.most, 0.0), max(left / line.least, 0.0)
        sure = f"{self._of.confidence:.0%}"
        text = (
            f"{going}: it reaches {number(self._limit)} in {lasting(due_s)} "
            f"({sure} sure: {lasting(early)} to {lasting(min(late, 1000 * HOUR_S))})"
        )
        details = {"per_hour": hourly, "reached_in": lasting(due_s)}
        return Finding(bad=True, text=text, value=value, threshold=self._limit, details=details)


def trend(times: Floats, values: Floats, confidence: float) -> Trend:
    """The line through points by Theil and Sen; ``times`` ascend and end where the line's level is wanted at 0."""
    first, second = np.triu_indices(len(times), 1)
    slopes = np.sort((values[second] - values[first]) / (times[second] - times[first]))
    slope = float(np.median(slopes))
    apart = values - slope * times
    level = float(np.median(apart))
    n = len(times)
    spread = NormalDist().inv_cdf(0.5 + confidence / 2) * sqrt(n * (n - 1) * (2 * n + 5) / 18)
    spread *= sqrt(_alikeness(apart - level))
    low = max(int((len(slopes) - spread) / 2) - 1, 0)  # Sen counts slopes from 1 on
    high = min(ceil((len(slopes) + spread) / 2), len(slopes) - 1)
    return Trend(level, slope, float(slopes[low]), float(slopes[high]))


def _alikeness(residuals: Floats) -> float:
    """By how much fewer values there really are, because neighbours are alike."""
    whole = float(residuals @ residuals)
    if whole <= 0.0:
        return 1.0
    alike = min(max(float(residuals[1:] @ residuals[:-1]) / whole, 0.0), 0.9)
    return (1 + alike) / (1 - alike)
