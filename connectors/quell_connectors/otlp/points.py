"""Data points of metrics to samples.

Gauges and deltas are samples as they are. Of running totals that only grow the core takes how much they grew, for
nothing is remembered here from one delivery to the next: so a series has one name and one meaning, whether its process
tells deltas or totals. Of a histogram there are count, sum and quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any

from quell.model.quantiles import measurable
from quell.model.records import AnyRecord, DependencyRecord, DistributionRecord
from quell.model.sketch import Sketch
from quell_connectors.otlp.calls import EDGES_FROM
from quell_connectors.otlp.cells import Cell, Cells, Metric
from quell_connectors.otlp.gathering import Gathered, Gathering, ascending
from quell_connectors.otlp.homes import Home, Homes
from quell_connectors.otlp.models import COUNTERS, TOKENS, Meter
from quell_connectors.otlp.samples import MS, Table
from quell_connectors.otlp.series import Series, named
from quell_connectors.otlp.tally import Tally
from quell_connectors.otlp.totals import Totals
from quell_connectors.otlp.wire import NANO, Bounds, Encoding

DELTA = frozenset({1, "1", "AGGREGATION_TEMPORALITY_DELTA"})
MOST_COUNT = 10**13
"""What one histogram may count: the sum of all of a request is a number of 64 bits."""
NO_VALUE = 1
"""The flag of a point that says that there is none; that is no mistake."""


class Points:
    """Reads the points of one delivery."""

    def __init__(self, encoding: Encoding, homes: Homes, series: Series, tally: Tally, meter: Meter) -> None:
        self._encoding = encoding
        self._homes = homes
        self._series = series
        self._tally = tally
        self._meter = meter
        self._cells = Cells()
        self._gathering = Gathering()
        self._distributions: list[DistributionRecord] = []
        self._asked: dict[tuple[str, str], int] = {}
        self.table = Table()
        self.totals = Totals()
        self.homes: list[Home] = []
        self._readers: Mapping[str, Callable[[Metric, Any], None]] = {
            "gauge": self._gauge, "sum": self._sum, "histogram": self._histograms,
            "exponential_histogram": self._exponentials, "summary": self._summaries,
        }  # fmt: skip

    def read(self, request: Any) -> None:
        """Takes all points of a request in. Raises `quell.errors.BadPayload`."""
        for resource in request.resource_metrics:
            home = self._homes.of(self._encoding, resource.resource)
            self.homes.append(home)
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self._read(home, metric)
        self._gathering.put(self.table)

    def records(self, source: str, now: float) -> Iterator[AnyRecord]:
        """Samples by entity, distributions, and which models services use."""
        for (entity, model), at in sorted(self._asked.items()):
            yield DependencyRecord(at=at / NANO, seen=now, source=EDGES_FROM, from_=entity, to=model, type="calls")
        yield from self.table.records(source, now)
        yield from self.totals.records(source, now)
        yield from sorted(self._distributions, key=lambda one: (one.entity, one.field, one.at, repr(one)))

    def _read(self, home: Home, metric: Any) -> None:
        kind = self._encoding.choice(metric)
        if not metric.name:
            data = getattr(metric, kind).data_points if kind else ()
            self._tally.reject(home.entity, "no_name", f"a {kind or 'metric'}", max(len(data), 1))
        elif not kind:
            self._tally.reject(home.entity, "unknown_type", f'metric "{metric.name[:80]}"')
        else:
            data = getattr(metric, kind)
            told = Metric(home, metric.name[:200])
            told.delta = kind in {"gauge", "summary"} or data.aggregation_temporality in DELTA
            self._readers[kind](told, data)

    def _sum(self, metric: Metric, data: Any) -> None:
        metric.grows = bool(data.is_monotonic) and not metric.delta
        self._numbers(metric, data)

    def _gauge(self, metric: Metric, data: Any) -> None:
        metric.mean = True
        self._numbers(metric, data)

    def _numbers(self, metric: Metric, data: Any) -> None:
        entity, instance, grows, cells = metric.home.entity, metric.home.instance, metric.grows, metric.cells
        oldest, newest, labels_of = self._tally.oldest, self._tally.newest, self._series.of
        tokens = COUNTERS.get(metric.name, "")
        encoding, read, known, cell_of = self._encoding, self._encoding.number, self._series.known, self._cells.of
        for told in data.data_points:
            unread, since, at, value, flags = read(told)
            labels = known.get(unread) or labels_of(encoding, unread)
            cell = cells.get(labels) or cell_of(metric, labels)
            whole = value is not None and isfinite(value) and oldest <= at <= newest and not (cell.refused or flags)
            if not whole and not self._countable(metric, cell, at, value, flags):
                continue
            if grows:
                self.totals.put((cell.entity, instance), cell.series, at, since, float(value or 0))
            else:
                points, ms = cell.points, at // MS
                if points is None:
                    points = cell.points = self.table.of(cell.entity, cell.series, mean=metric.mean)
                if ms in points:
                    points[ms].append(float(value or 0))
                else:
                    points[ms] = [float(value or 0)]
            if cell.entity is not entity:
                self._model_asked(metric.home, cell.entity, at)
                if tokens:
                    self._priced(metric, cell, (since, at), tokens, float(value or 0))

    def _countable(self, metric: Metric, cell: Cell, at: int, value: float | None, flags: int) -> bool:
        """Whether a point of a gauge or sum can be taken after all; says why not."""
        entity, example = metric.home.entity, f'metric "{metric.name}"'
        if not value and (flags & NO_VALUE or value is None):
            if not flags & NO_VALUE:
                self._tally.reject(entity, "no_value", example)
        elif not self._tally.oldest <= at <= self._tally.newest:
            self._tally.reject_time(entity, at, example)
        elif value is None or not isfinite(value):
            self._tally.reject(entity, "not_a_number", example)
        elif cell.refused:
            self._tally.reject(entity, cell.refused, example)
        else:
            return True
        return False

    def _histograms(self, metric: Metric, data: Any) -> None:
        encoding, read, labels_of, cells = self._encoding, self._encoding.histogram, self._series.of, metric.cells
        known, cell_of = self._series.known, self._cells.of
        sound: Bounds = ()
        for told in data.data_points:
            unread, since, at, count, total, counts, bounds, low, high, flags = read(told)
            if not self._sound(metric, at, count, total, flags):
                continue
            if not count:
                counts, bounds = (), ()
            elif counts:
                if bounds is not sound and not ascending(bounds):
                    self._tally.reject(metric.home.entity, "bad_buckets", f'metric "{metric.name}"')
                    continue
                sound = bounds
                if sum(counts) != count or len(counts) != len(bounds) + 1:
                    self._tally.reject(metric.home.entity, "bad_buckets", f'metric "{metric.name}"')
                    continue
            labels = known.get(unread) or labels_of(encoding, unread)
            cell = cells.get(labels) or cell_of(metric, labels)
            gathered = self._gather(metric, cell, (since, at), count, total)
            if gathered is None or not counts:
                continue
            if metric.delta:
                gathered.add(bounds, counts, _finite(low), _finite(high))
            else:  # least and most are those of a whole life
                gathered.add(bounds, counts, None, None)

    def _exponentials(self, metric: Metric, data: Any) -> None:
        for point in data.data_points:
            total = self._encoding.maybe(point, "sum")
            if not self._sound(metric, point.time_unix_nano, point.count, total, point.flags):
                continue
            sketch = _sketch(point)
            if not measurable(sketch) or sketch.count != point.count:
                self._tally.reject(metric.home.entity, "bad_buckets", f'metric "{metric.name}"')
                continue
            cell = self._cell_of(metric, point)
            gathered = self._gather(
                metric, cell, (point.start_time_unix_nano, point.time_unix_nano), point.count, total
            )
            if gathered is not None and metric.delta and point.count:
                gathered.sketches.append(sketch)
                self._distributions.append(self._distribution(cell, point, total, sketch))

    def _summaries(self, metric: Metric, data: Any) -> None:
        metric.delta = False  # counts and sums of summaries run from the start
        for point in data.data_points:
            at, since, cell = point.time_unix_nano, point.start_time_unix_nano, self._cell_of(metric, point)
            if not self._sound(metric, at, point.count, point.sum, point.flags):
                continue
            if self._gather(metric, cell, (since, at), point.count, point.sum) is None:
                continue
            for each in point.quantile_values:
                if isfinite(each.value) and 0 <= each.quantile <= 1:
                    name = named(f"{metric.name}_p{100 * each.quantile:g}", cell.labels[0])
                    self.table.put(cell.entity, name, at, each.value, mean=True)

    def _cell_of(self, metric: Metric, point: Any) -> Cell:
        labels = self._series.of(self._encoding, self._encoding.unread(point.attributes))
        return self._cells.of(metric, labels)

    def _sound(self, metric: Metric, at: int, count: int, total: float | None, flags: int) -> bool:
        """Whether a point can be taken; says why not."""
        if self._tally.oldest <= at <= self._tally.newest and 0 <= count <= MOST_COUNT and not flags & NO_VALUE:
            if total is None or isfinite(total):
                return True
            self._tally.reject(metric.home.entity, "not_a_number", f'metric "{metric.name}"')
        elif flags & NO_VALUE:
            pass
        elif not self._tally.oldest <= at <= self._tally.newest:
            self._tally.reject_time(metric.home.entity, at, f'metric "{metric.name}"')
        else:
            self._tally.reject(metric.home.entity, "bad_buckets", f'metric "{metric.name}"')
        return False

    def _gather(
        self, metric: Metric, cell: Cell, times: tuple[int, int], count: int, total: float | None
    ) -> Gathered | None:
        """Takes count and sum; returns where buckets are gathered, None when the point is not taken."""
        if cell.refused:
            self._tally.reject(metric.home.entity, cell.refused, f'metric "{metric.name}"')
            return None
        (since, at), (text, model, token_type) = times, cell.labels
        entity, instance = cell.entity, metric.home.instance
        gathered = cell.gathered.get(at)
        if gathered is None:
            if metric.delta:
                gathered = self._gathering.of(entity, metric.name, text, at)
            else:
                gathered = self.totals.of((entity, instance), cell.series, at, since)
            cell.gathered[at] = gathered
        elif not metric.delta:
            self.totals.began((entity, instance), at, since)
        gathered.count += count
        if total is not None:
            gathered.sums.append(total)
        if model:
            self._model_asked(metric.home, entity, at)
            if total is not None and metric.name == TOKENS:
                self._priced(metric, cell, times, token_type, total)
        return gathered

    def _priced(self, metric: Metric, cell: Cell, times: tuple[int, int], kind: str, tokens: float) -> None:
        """Puts what tokens cost beside what counts them."""
        since, at = times
        cost = self._meter.cost_of(cell.labels[1], kind, at, tokens)
        if metric.delta:
            self.table.put(cell.entity, cost.series, at, cost.value)
        else:  # at other prices it is another total
            place = (cell.entity, f"{metric.home.instance}@{cost.price}")
            self.totals.put(place, cost.series, at, since, cost.value)

    def _distribution(self, cell: Cell, point: Any, total: float | None, sketch: Sketch) -> DistributionRecord:
        start, at, maybe = point.start_time_unix_nano, point.time_unix_nano, self._encoding.maybe
        return DistributionRecord(
            at=at / NANO,
            seen=self._tally.now,
            source=self._meter.source,
            entity=cell.entity,
            field=cell.series,
            over_s=max(at - start, 0) / NANO if start else 0.0,
            count=point.count,
            scale=sketch.scale,
            zero=sketch.zero,
            positive=list(sketch.positive),
            negative=list(sketch.negative),
            low=_finite(maybe(point, "min")),
            high=_finite(maybe(point, "max")),
            total=total or 0.0,
        )

    def _model_asked(self, home: Home, model: str, at: int) -> None:
        key = (home.entity, model)
        self._asked[key] = max(self._asked.get(key, 0), at)


def _sketch(point: Any) -> Sketch:
    """The buckets of an exponential histogram."""
    positive, negative = (
        ()
        if side is None
        else tuple([(side.offset + at, count) for at, count in enumerate(side.bucket_counts) if count])
        for side in (point.positive, point.negative)
    )
    return Sketch(scale=point.scale, zero=point.zero_count, positive=positive, negative=negative)


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
