"""Gathers running totals by entity and process; the core takes how much they grew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from quell.model.records import RunningHistogram, TotalsRecord
from quell_connectors.otlp.gathering import Gathered
from quell_connectors.otlp.samples import MS
from quell_connectors.otlp.wire import NANO


@dataclass(slots=True)
class _Process:
    """What one process tells at one time; nanoseconds. ``since`` is the earliest beginning."""

    since: int = 0
    values: dict[str, list[float]] = field(default_factory=dict)
    histograms: dict[str, Gathered] = field(default_factory=dict)


class Totals:
    """Running totals of one delivery. A place is an entity and the instance that counts."""

    def __init__(self) -> None:
        self._processes: dict[tuple[str, str, int], _Process] = {}
        self._last: tuple[tuple[str, str], int, int, _Process] | None = None
        """Where the point before went, and since when that was counted: most go there as well."""

    def put(self, place: tuple[str, str], series: str, at: int, since: int, value: float) -> None:
        """One total, at nanoseconds; those of one series and time are added."""
        values = self._process(place, at, since).values
        known = values.get(series)
        if known is None:
            values[series] = [value]
        else:
            known.append(value)

    def of(self, place: tuple[str, str], series: str, at: int, since: int) -> Gathered:
        """Where a histogram is gathered."""
        histograms = self._process(place, at, since).histograms
        found = histograms.get(series)
        if found is None:
            found = histograms[series] = Gathered()
        return found

    def began(self, place: tuple[str, str], at: int, since: int) -> None:
        """What counts there has counted since."""
        self._process(place, at, since)

    def records(self, source: str, now: float) -> Iterator[TotalsRecord]:
        """One for each entity, instance and time."""
        for (entity, instance, at), told in sorted(self._processes.items(), key=lambda pair: pair[0]):
            yield TotalsRecord(
                at=at / 1000,
                seen=now,
                source=source,
                entity=entity,
                instance=instance,
                started_at=told.since / NANO if told.since else None,
                values={name: sum(sorted(values)) for name, values in sorted(told.values.items())},
                histograms={name: _running(one) for name, one in sorted(told.histograms.items())},
            )

    def _process(self, place: tuple[str, str], at: int, since: int) -> _Process:
        last = self._last
        if last is not None and last[1] == at and last[2] == since and last[0] == place:
            return last[3]
        key = (*place, at // MS)
        found = self._processes.get(key)
        if found is None:
            found = self._processes[key] = _Process()
        if since:
            found.since = min(found.since, since) if found.since else since
        self._last = (place, at, since, found)
        return found


def _running(told: Gathered) -> RunningHistogram:
    total = sum(sorted(told.sums)) if told.sums else None
    if len(told.buckets) == 1:
        [(bounds, one)] = told.buckets.items()
        if sum(one.counts) == told.count:
            return RunningHistogram(count=told.count, sum=total, bounds=bounds, counts=tuple(one.counts))
    return RunningHistogram(count=told.count, sum=total)  # where bounds differ no quantiles can be told
