"""What users felt of a release: what was sampled where it reaches them, for a while before against a while after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Literal

import msgspec

from quell.model.records import AnyRecord, CallRecord, SampleRecord, SamplesRecord
from quell.stats.intervals import alike, crowding, mean_variance, two_shares, welch

MINUTE_S = 60.0
LEAST_MINUTES = 5
"""So many minutes on either side are needed for a word on it."""
LEAST_CALLS = 30
MOST_SERIES = 40
"""Of one release; what comes later is counted as left out."""
ERRORS = "calls.error_share"

Method = Literal["Welch", "two proportions"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """``value`` of ``count`` minutes, or calls."""

    count: int
    value: float


class Measure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One metric of one place. ``delta`` is after minus before; in 19 of 20 cases the truth is in ``low`` to ``high``.

    They are None where too little was sampled; ``why`` says so. Minutes that are like those next to them, and failures
    that come in crowds, count for less.
    """

    entity: str
    metric: str
    method: Method
    before: Side | None = None
    after: Side | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""

    @property
    def shows(self) -> bool:
        """Whether it changed for all anybody can tell: the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


_Calls = tuple[dict[int, tuple[int, int]], dict[int, tuple[int, int]]]
"""On either side, by minute: how many failed, of how many."""


class _Series:
    def __init__(self) -> None:
        self.minutes: tuple[dict[int, tuple[float, int]], dict[int, tuple[float, int]]] = ({}, {})

    def add(self, side: int, at: float, value: float) -> None:
        minute = int(at // MINUTE_S)
        total, count = self.minutes[side].get(minute, (0.0, 0))
        self.minutes[side][minute] = (total + value, count + 1)

    def means(self, side: int) -> dict[int, float]:
        return {minute: total / count for minute, (total, count) in self.minutes[side].items()}


class Watch:
    """One release: what is sampled of ``entities`` from ``begin`` to ``at`` and from then to ``end``."""

    def __init__(self, at: float, begin: float, end: float, entities: Iterable[str]) -> None:
        self.at, self.begin, self.end = at, begin, end
        self.entities = frozenset(entities)
        self.left_out: set[tuple[str, str]] = set()
        self._series: dict[tuple[str, str], _Series] = {}
        self._calls: dict[str, _Calls] = {}
        self._hearsay: dict[str, _Calls] = {}

    def point(self, entity: str, metric: str, at: float, value: float) -> None:
        """A value of a metric."""
        if not self.begin <= at < self.end or not isfinite(value):
            return
        key = (entity, metric)
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MOST_SERIES:
                if len(self.left_out) < MOST_SERIES:
                    self.left_out.add(key)
                return
            series = self._series[key] = _Series()
        series.add(int(at >= self.at), at, value)

    def calls(self, record: CallRecord) -> None:
        """Calls that were counted from ``at`` on for ``over_s``; what the release fell into says nothing of either.

        What callers told counts where the callee told of none.
        """
        at = record.at
        if self.begin <= at < self.end and not at < self.at < at + record.over_s:
            calls = self._hearsay if record.by_caller else self._calls
            minutes = calls.setdefault(record.entity, ({}, {}))[int(at >= self.at)]
            minute = int(at // MINUTE_S)
            wrong, of = minutes.get(minute, (0, 0))
            minutes[minute] = (wrong + min(max(record.errors, 0), record.count), of + record.count)

    def measures(self) -> Iterator[Measure]:
        """What came of it; what differs for sure first."""
        found = [
            *(_of_calls(entity, told) for entity, told in {**self._hearsay, **self._calls}.items()),
            *(_of_points(*key, series) for key, series in self._series.items()),
        ]
        yield from sorted(found, key=lambda one: (not one.shows, one.delta is None, one.entity, one.metric))


class Watches:
    """Many releases, told every record once."""

    def __init__(self, watches: Mapping[str, Watch]) -> None:
        self._of: dict[str, list[Watch]] = {}
        for watch in watches.values():
            for entity in watch.entities:
                self._of.setdefault(entity, []).append(watch)
        self._seen: set[str] = set()
        self.begin = min((one.begin for one in watches.values()), default=0.0)
        self.end = max((one.end for one in watches.values()), default=0.0)

    def take(self, record: AnyRecord) -> None:
        """One record; all but samples and counted calls is nothing to it."""
        if not isinstance(record, (SampleRecord, SamplesRecord, CallRecord)) or record.entity not in self._of:
            return
        if record.id and (key := f"{record.source}\x00{record.id}") in self._seen:
            return  # told again
        if record.id:
            self._seen.add(key)
        for watch in self._of.get(record.entity, ()):
            if isinstance(record, CallRecord):
                watch.calls(record)
            elif isinstance(record, SampleRecord):
                points = record.points or ([] if record.value is None else [(record.at, record.value)])
                for at, value in points:
                    watch.point(record.entity, record.metric, at, value)
            else:
                for metric, values in record.values.items():
                    for at, told in zip(record.times, values, strict=False):
                        if told is not None:
                            watch.point(record.entity, metric, at, told)


def _of_points(entity: str, metric: str, series: _Series) -> Measure:
    minutes = series.means(0), series.means(1)
    before, after = ([*one.values()] for one in minutes)
    sides = [Side(count=len(one), value=mean_variance(one)[0]) if one else None for one in (before, after)]
    told = Measure(entity=entity, metric=metric, method="Welch", before=sides[0], after=sides[1])
    if min(len(before), len(after)) < LEAST_MINUTES:
        why = f"{len(before)} minutes before and {len(after)} after, {LEAST_MINUTES} of each are needed"
        return msgspec.structs.replace(told, why=why)
    delta, low, high = welch(before, after, alike(*minutes))
    return msgspec.structs.replace(told, delta=delta, low=low, high=high)


def _of_calls(entity: str, told: _Calls) -> Measure:
    (wrong, before), (wrong_after, after) = sums = [
        (sum(bad for bad, _ in side.values()), sum(of for _, of in side.values())) for side in told
    ]
    sides = [Side(count=of, value=bad / of) if of else None for bad, of in sums]
    measure = Measure(entity=entity, metric=ERRORS, method="two proportions", before=sides[0], after=sides[1])
    if min(before, after) < LEAST_CALLS:
        why = f"{before} calls before and {after} after, {LEAST_CALLS} of each are needed"
        return msgspec.structs.replace(measure, why=why)
    crowded = crowding([*told[0].values()]), crowding([*told[1].values()])
    delta, low, high = two_shares((wrong, wrong_after), (before, after), crowded)
    return msgspec.structs.replace(measure, delta=delta, low=low, high=high)
