"""Quantiles of counts in buckets: exact to the width of a bucket, even within it; and names of what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
Segment = tuple[float, float, int]
"""From, to, and how many lie between."""


def explicit(bounds: Sequence[float], counts: Sequence[int], least: float | None, most: float | None) -> list[Segment]:
    """The segments of a histogram with ascending bounds, one fewer than counts.

    The first and the last bucket are open: they end at the least and largest value if told, else at their one bound.
    """
    if not bounds:
        low = 0.0 if least is None else least
        return [(low, low if most is None else max(low, most), counts[0])]
    first = least if least is not None and least <= bounds[0] else min(0.0, bounds[0])
    last = most if most is not None and most >= bounds[-1] else bounds[-1]
    edges = (first, *bounds, last)
    return [(low, high, count) for (low, high), count in zip(pairwise(edges), counts, strict=True) if count]


def exponential(
    scale: int, zero: int, positive: tuple[int, Sequence[int]], negative: tuple[int, Sequence[int]]
) -> list[Segment] | None:
    """The segments of an exponential histogram, from the least; None when its numbers are beyond all measure."""
    if not -10 <= scale <= 20:
        return None
    per = 2.0**-scale
    found: list[Segment] = []
    try:
        for offset, counts, sign in ((*negative, -1.0), (*positive, 1.0)):
            edges = [2.0 ** ((offset + at) * per) for at in range(len(counts) + 1)]
            both = [(low, high, count) for (low, high), count in zip(pairwise(edges), counts, strict=True) if count]
            if sign < 0:
                found = [(-high, -low, count) for low, high, count in reversed(both)]
                if zero:
                    found.append((0.0, 0.0, zero))
            else:
                found += both
    except OverflowError:
        return None
    return found


def quantiles(segments: Sequence[Segment]) -> list[float]:
    """One value for each of `QUANTILES`. The segments come in order and do not overlap; some hold something."""
    total = sum(count for _, _, count in segments)
    found = []
    for _, share in QUANTILES:
        left = share * total
        value = segments[-1][1]
        for low, high, count in segments:
            if left <= count:
                value = low + (high - low) * left / count
                break
            left -= count
        found.append(value)
    return found


def together(parts: Iterable[Sequence[Segment]]) -> list[Segment]:
    """Segments of several histograms as of one: where they overlap they are cut, and counts shared by width."""
    listed = [segment for part in parts for segment in part]
    edges = sorted({edge for low, high, _ in listed for edge in (low, high)})
    found: dict[tuple[float, float], float] = {}
    for low, high, count in listed:
        if low == high:
            found[low, high] = found.get((low, high), 0.0) + count
            continue
        for start, end in pairwise([edge for edge in edges if low <= edge <= high]):
            found[start, end] = found.get((start, end), 0.0) + count * (end - start) / (high - low)
    return [(low, high, count) for (low, high), count in sorted(found.items())]  # type: ignore[misc]


def with_ending(series: str, ending: str) -> str:
    """The name of what is told of a series: the ending stands before what is in braces."""
    name, brace, labels = series.partition("{")
    return f"{name}{ending}{brace}{labels}"
