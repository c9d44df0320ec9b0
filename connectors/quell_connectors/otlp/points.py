"""Data points of metrics to samples.

Gauges and deltas are samples as they are. Of running totals that only grow the core takes how much they grew, for
nothing is remembered here from one delivery to the next: so a series has one name and one meaning, whether its process
tells deltas or totals. Of a histogram there are count, sum and quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from quell.model.quantiles import measurable
from quell.model.records import AnyRecord, DependencyRecord, DistributionRecord
from quell.model.sketch import Sketch
from quell_connectors.otlp.calls import EDGES_FROM
from quell_connectors.otlp.gathering import Gathered, Gathering, ascending
from quell_connectors.otlp.homes import Home, Homes
from quell_connectors.otlp.models import Meter
from quell_connectors.otlp.samples import Table
from quell_connectors.otlp.series import Labels, Series, named
from quell_connectors.otlp.tally import Tally
from quell_connectors.otlp.totals import Totals
from quell_connectors.otlp.wire import NANO, Encoding

DELTA = frozenset({1, "1", "AGGREGATION_TEMPORALITY_DELTA"})
MOST_SERIES = 64
"""Of one metric of one entity in one delivery."""
TOKENS = "gen_ai.client.token.usage"
MOST_COUNT = 10**13
"""What one histogram may count: the sum of all of a request is a number of 64 bits."""
MOST_LABELS = 1000
"""Characters of what is kept of a point's attributes: a name that is longer than that is none."""
NO_VALUE = 1
"""The flag of a point that says that there is none; that is no mistake."""


@dataclass(slots=True)
class _Metric:
    """The metric that is being read, and what of it came already."""

    home: Home
    name: str
    delta: bool = False
    grows: bool = False
    names: dict[Labels, tuple[str, str] | None] = field(default_factory=dict)
    """Entity and series by labels; None for labels that are too many."""


class Points:
    """Reads the points of one delivery."""

    def __init__(self, encoding: Encoding, homes: Homes, series: Series, tally: Tally, meter: Meter) -> None:
        self._encoding = encoding
        self._homes = homes
        self._series = series
        self._tally = tally
        self._meter = meter
        self._names: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
        self._gathering = Gathering()
        self._distributions: list[DistributionRecord] = []
        self._asked: dict[tuple[str, str], int] = {}
        self.table = Table()
        self.totals = Totals()
        self.homes: list[Home] = []
        self._readers: Mapping[str, Callable[[_Metric, Any], None]] = {
            "gauge": self._numbers, "sum": self._sum, "histogram": self._histograms,
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
            told = _Metric(home, metric.name[:200])
            told.delta = kind in {"gauge", "summary"} or data.aggregation_temporality in DELTA
            self._readers[kind](told, data)

    def _sum(self, metric: _Metric, data: Any) -> None:
        metric.grows = bool(data.is_monotonic) and not metric.delta
        self._numbers(metric, data, mean=False)

    def _numbers(self, metric: _Metric, data: Any, *, mean: bool = True) -> None:
        put, entity, instance = self.table.put, metric.home.entity, metric.home.instance
        oldest, newest, names = self._tally.oldest, self._tally.newest, metric.names
        encoding, listed, labels_of = self._encoding, self._encoding.listed, self._series.of
        for point in data.data_points:
            labels = labels_of(encoding, listed(point.attributes))
            name = names[labels] if labels in names else self._name(metric, labels)
            at = point.time_unix_nano
            value = point.as_double or point.as_int
            if not value and (point.flags & NO_VALUE or not self._encoding.choice(point)):
                if not point.flags & NO_VALUE:
                    self._tally.reject(entity, "no_value", f'metric "{metric.name}"')
            elif not oldest <= at <= newest:
                self._tally.reject_time(entity, at, f'metric "{metric.name}"')
            elif not isfinite(value or 0):
                self._tally.reject(entity, "not_a_number", f'metric "{metric.name}"')
            elif name is None:
                self._tally.reject(entity, _unnamed(labels), f'metric "{metric.name}"')
            else:
                if metric.grows:
                    since = point.start_time_unix_nano
                    self.totals.put((name[0], instance), name[1], at, since, float(value or 0))
                else:
                    put(name[0], name[1], at, float(value or 0), mean=mean)
                if name[0] is not entity:
                    self._model_asked(metric.home, name[0], at)

    def _name(self, metric: _Metric, labels: Labels) -> tuple[str, str] | None:
        """Entity and series of a point; None when there are too many of its metric."""
        text, model, _ = labels
        entity = f"model/{model}" if model else metric.home.entity
        known = self._names.setdefault((entity, metric.name), {})
        name = known.get(text)
        if name is None and len(known) < MOST_SERIES and len(text) <= MOST_LABELS:
            name = known[text] = (entity, named(metric.name, text))
        metric.names[labels] = name
        return name

    def _histograms(self, metric: _Metric, data: Any) -> None:
        maybe = self._encoding.maybe
        for point in data.data_points:
            total = maybe(point, "sum")
            if not self._sound(metric, point, total):
                continue
            counts = list(point.bucket_counts) if point.count else []
            bounds = tuple(point.explicit_bounds) if counts else ()
            if counts and not (sum(counts) == point.count and len(counts) == len(bounds) + 1 and ascending(bounds)):
                self._tally.reject(metric.home.entity, "bad_buckets", f'metric "{metric.name}"')
                continue
            gathered = self._gather(metric, point, total)
            if gathered is None or not counts:
                continue
            if metric.delta:
                gathered.add(bounds, counts, _finite(maybe(point, "min")), _finite(maybe(point, "max")))
            else:  # least and most are those of a whole life
                gathered.add(bounds, counts, None, None)

    def _exponentials(self, metric: _Metric, data: Any) -> None:
        for point in data.data_points:
            total = self._encoding.maybe(point, "sum")
            if not self._sound(metric, point, total):
                continue
            sketch = _sketch(point)
            if not measurable(sketch) or sketch.count != point.count:
                self._tally.reject(metric.home.entity, "bad_buckets", f'metric "{metric.name}"')
                continue
            gathered = self._gather(metric, point, total)
            if gathered is not None and metric.delta and point.count:
                gathered.sketches.append(sketch)
                self._distributions.append(self._distribution(metric, point, total, sketch))

    def _summaries(self, metric: _Metric, data: Any) -> None:
        metric.delta = False  # counts and sums of summaries run from the start
        for point in data.data_points:
            if not self._sound(metric, point, point.sum) or self._gather(metric, point, point.sum) is None:
                continue
            labels, model, _ = self._series.of(self._encoding, self._encoding.listed(point.attributes))
            entity = f"model/{model}" if model else metric.home.entity
            for each in point.quantile_values:
                if isfinite(each.value) and 0 <= each.quantile <= 1:
                    name = named(f"{metric.name}_p{100 * each.quantile:g}", labels)
                    self.table.put(entity, name, point.time_unix_nano, each.value, mean=True)

    def _sound(self, metric: _Metric, point: Any, total: float | None) -> bool:
        """Whether a point can be taken; says why not."""
        entity, example = metric.home.entity, f'metric "{metric.name}"'
        if point.flags & NO_VALUE:
            return False
        if not self._tally.oldest <= point.time_unix_nano <= self._tally.newest:
            self._tally.reject_time(entity, point.time_unix_nano, example)
            return False
        if not 0 <= point.count <= MOST_COUNT:
            self._tally.reject(entity, "bad_buckets", example)
            return False
        if total is not None and not isfinite(total):
            self._tally.reject(entity, "not_a_number", example)
            return False
        return True

    def _gather(self, metric: _Metric, point: Any, total: float | None) -> Gathered | None:
        """Takes count and sum; returns where buckets are gathered, None when the point is not taken."""
        labels = self._series.of(self._encoding, self._encoding.listed(point.attributes))
        found = metric.names[labels] if labels in metric.names else self._name(metric, labels)
        if found is None:
            self._tally.reject(metric.home.entity, _unnamed(labels), f'metric "{metric.name}"')
            return None
        text, model, token_type = labels
        at, (entity, series), instance = point.time_unix_nano, found, metric.home.instance
        if metric.delta:
            gathered = self._gathering.of(entity, metric.name, text, at)
        else:
            gathered = self.totals.of((entity, instance), series, at, point.start_time_unix_nano)
        gathered.count += point.count
        if total is not None:
            gathered.sums.append(total)
        if model:
            self._model_asked(metric.home, entity, at)
            if total is not None and metric.name == TOKENS:
                cost = self._meter.cost_of(model, token_type, at, total)
                if metric.delta:
                    self.table.put(entity, cost.series, at, cost.value)
                else:  # at other prices it is another total
                    place = (entity, f"{instance}@{cost.price}")
                    self.totals.put(place, cost.series, at, point.start_time_unix_nano, cost.value)
        return gathered

    def _distribution(self, metric: _Metric, point: Any, total: float | None, sketch: Sketch) -> DistributionRecord:
        labels, model, _ = self._series.of(self._encoding, self._encoding.listed(point.attributes))
        start, at, maybe = point.start_time_unix_nano, point.time_unix_nano, self._encoding.maybe
        return DistributionRecord(
            at=at / NANO,
            seen=self._tally.now,
            source=self._meter.source,
            entity=f"model/{model}" if model else metric.home.entity,
            field=named(metric.name, labels),
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


def _unnamed(labels: Labels) -> str:
    """Why a point has no series."""
    return "long_name" if len(labels[0]) > MOST_LABELS else "too_many_series"


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
