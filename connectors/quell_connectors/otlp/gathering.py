"""Gathers the histograms of one series and time, and puts their counts, sums and quantiles into a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import isfinite
from operator import add

from quell.model.quantiles import QUANTILES, Segment, explicit, exponential, quantiles, together
from quell.model.sketch import Sketch, merged
from quell_connectors.otlp.samples import Table
from quell_connectors.otlp.series import named
from quell_connectors.otlp.wire import Bounds


@dataclass(slots=True)
class _Counts:
    """Counts of buckets with the same bounds."""

    counts: Sequence[int]
    least: float | None
    most: float | None

    def add(self, counts: Sequence[int], least: float | None, most: float | None) -> None:
        self.counts = list(map(add, self.counts, counts))
        # An end that one did not tell is not known of both.
        self.least = None if least is None or self.least is None else min(self.least, least)
        self.most = None if most is None or self.most is None else max(self.most, most)


@dataclass(slots=True)
class Gathered:
    """Histograms of one series and time."""

    count: int = 0
    sums: list[float] = field(default_factory=list)
    buckets: dict[Bounds, _Counts] = field(default_factory=dict)
    sketches: list[Sketch] = field(default_factory=list)

    def add(self, bounds: Bounds, counts: Sequence[int], least: float | None, most: float | None) -> None:
        """Buckets of one more."""
        known = self.buckets.get(bounds)
        if known is None:
            self.buckets[bounds] = _Counts(counts, least, most)
        else:
            known.add(counts, least, most)

    def segments(self) -> list[Segment]:
        """All buckets, as of one histogram."""
        parts = [explicit(bounds, one.counts, one.least, one.most) for bounds, one in self.buckets.items()]
        if self.sketches:
            parts.append(exponential(merged(self.sketches)))
        parts = [part for part in parts if part]
        return parts[0] if len(parts) == 1 else together(parts)


class Gathering:
    """Histograms by entity, metric, labels and time."""

    def __init__(self) -> None:
        self._gathered: dict[tuple[str, str, str, int], Gathered] = {}

    def of(self, entity: str, metric: str, labels: str, at: int) -> Gathered:
        """Where those of one series and time are gathered."""
        key = (entity, metric, labels, at)
        found = self._gathered.get(key)
        if found is None:
            found = self._gathered[key] = Gathered()
        return found

    def put(self, table: Table) -> None:
        """What they come to."""
        for (entity, metric, labels, at), told in self._gathered.items():
            table.put(entity, named(f"{metric}_count", labels), at, float(told.count))
            if told.sums:
                table.put(entity, named(f"{metric}_sum", labels), at, sum(sorted(told.sums)))
            segments = told.segments()
            if segments:
                for (ending, _), value in zip(QUANTILES, quantiles(segments), strict=True):
                    table.put(entity, named(f"{metric}_{ending}", labels), at, value, mean=True)


@lru_cache(maxsize=1024)
def ascending(bounds: Bounds) -> bool:
    """Whether bounds are as they must be."""
    return all(map(isfinite, bounds)) and all(low < high for low, high in pairwise(bounds))
