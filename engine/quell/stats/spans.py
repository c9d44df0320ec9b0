"""Lengths of time by their middle and their ninth tenth, in bounded memory."""

from __future__ import annotations

from math import sqrt

import msgspec

MOST_KEPT = 8_192
_SURE = 1.96
"""Standard errors on either side within which the truth lies in 19 of 20 cases."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: of how many, the median, and what nine of ten stayed below (None: there were none)."""

    count: int = 0
    median_s: float | None = None
    p90_s: float | None = None


class Spans:
    """Collects seconds. Beyond `MOST_KEPT` every second one of those kept is dropped, and fewer are taken from then on.

    What is kept is spread evenly over the order in which they came, so the figures stay close to those of all.
    """

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[float] = []
        self._every = 1

    def add(self, seconds: float) -> None:
        """One more; less than nothing counts as nothing (two clocks differed)."""
        if self.count % self._every == 0:
            self._kept.append(max(seconds, 0.0))
            if len(self._kept) > MOST_KEPT:
                self._kept = self._kept[::2]
                self._every *= 2
        self.count += 1

    def at(self, share: float) -> float | None:
        """What that share of them stayed at or below; None when there are none."""
        return quantile(sorted(self._kept), share)

    def value(self) -> Span:
        """All of it."""
        kept = sorted(self._kept)
        return Span(count=self.count, median_s=quantile(kept, 0.5), p90_s=quantile(kept, 0.9))


def quantile(ascending: list[float], share: float) -> float | None:
    """Between the two values next to that place, in proportion; None of nothing."""
    if not ascending:
        return None
    place = share * (len(ascending) - 1)
    low = int(place)
    high = min(low + 1, len(ascending) - 1)
    return round(ascending[low] + (ascending[high] - ascending[low]) * (place - low), 3)


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """``hits`` of ``of``; the true rate lies between ``low`` and ``high`` in 19 of 20 cases (Wilson's interval).

    ``rate`` and its bounds are None when there is nothing to judge by.
    """

    hits: int = 0
    of: int = 0
    rate: float | None = None
    low: float | None = None
    high: float | None = None


def share(hits: int, of: int) -> Share:
    """A share with how sure it is."""
    if not of:
        return Share()
    low, high = (round(each, 3) for each in wilson(hits, of))
    return Share(hits=hits, of=of, rate=round(hits / of, 3), low=low, high=high)


def wilson(hits: float, of: float) -> tuple[float, float]:
    """Between what a share lies in 19 of 20 cases; ``of`` is more than nothing, and may be no whole number."""
    rate, square = hits / of, _SURE * _SURE
    middle = (rate + square / (2 * of)) / (1 + square / of)
    wide = _SURE * sqrt(rate * (1 - rate) / of + square / (4 * of * of)) / (1 + square / of)
    return max(middle - wide, 0.0), min(middle + wide, 1.0)
