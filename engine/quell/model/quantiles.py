"""Quantiles of counts in buckets: exact to the width of a bucket, even within it; and names of what they come to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from quell.model.sketch import FINEST, Sketch

QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
Segment = tuple[float, float, float]
"""From, to, and how many lie between."""
MOST_SEGMENTS = 2000
COARSEST = -10
MOST_OCTAVES = 1020
"""Powers of two that are numbers."""


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


def exponential(sketch: Sketch) -> list[Segment]:
    """The segments of an exponential histogram that is `measurable`, from the least."""
    per = 2.0**-sketch.scale
    found: list[Segment] = [
        (-(2.0 ** ((at + 1) * per)), -(2.0 ** (at * per)), count) for at, count in reversed(sketch.negative) if count
    ]
    if sketch.zero:
        found.append((0.0, 0.0, sketch.zero))
    found += [(2.0 ** (at * per), 2.0 ** ((at + 1) * per), count) for at, count in sketch.positive if count]
    return found


def measurable(sketch: Sketch) -> bool:
    """Whether the bounds of all buckets are numbers."""
    if not COARSEST <= sketch.scale <= FINEST:
        return False
    ends = [buckets[end][0] for buckets in (sketch.positive, sketch.negative) if buckets for end in (0, -1)]
    return all(abs(at) < MOST_OCTAVES * 2.0**sketch.scale for at in ends)


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


def together(parts: Sequence[Sequence[Segment]]) -> list[Segment]:
    """Segments of several histograms as of one: where they overlap they are cut, and counts shared by width.

    None of more than ``MOST_SEGMENTS``, for each is held against all edges.
    """
    listed = [segment for part in parts for segment in part]
    if len(listed) > MOST_SEGMENTS:
        return []
    edges = sorted({edge for low, high, _ in listed for edge in (low, high)})
    found: dict[tuple[float, float], float] = {}
    for low, high, count in sorted(listed):
        if low == high:
            found[low, high] = found.get((low, high), 0.0) + count
            continue
        for start, end in pairwise(edges[bisect_left(edges, low) : bisect_right(edges, high)]):
            found[start, end] = found.get((start, end), 0.0) + count * (end - start) / (high - low)
    return [(low, high, count) for (low, high), count in sorted(found.items())]


def with_ending(series: str, ending: str) -> str:
    """The name of what is told of a series: the ending stands before what is in braces."""
    name, brace, labels = series.partition("{")
    return f"{name}{ending}{brace}{labels}"
