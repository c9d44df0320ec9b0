"""Gathers points into tables of samples: what was told for the same time and series is put together as it must be."""

from __future__ import annotations

from collections.abc import Iterator

from quell.model.records import SamplesRecord

MS = 1_000_000
"""Nanoseconds. Instruments of one process are read one after the other; what they tell is of one time all the same."""


class Table:
    """Points by entity, series and time (milliseconds)."""

    def __init__(self) -> None:
        self._points: dict[str, dict[str, dict[int, list[float]]]] = {}
        self._means: set[str] = set()

    def put(self, entity: str, series: str, at: int, value: float, *, mean: bool = False) -> None:
        """One value, at nanoseconds. Values of one series and time are added, or averaged where adding says nothing."""
        self.of(entity, series, mean=mean).setdefault(at // MS, []).append(value)

    def of(self, entity: str, series: str, *, mean: bool = False) -> dict[int, list[float]]:
        """Where the values of a series are put, by milliseconds; whoever asks puts some."""
        of_entity = self._points.get(entity)
        if of_entity is None:
            of_entity = self._points[entity] = {}
        points = of_entity.get(series)
        if points is None:
            points = of_entity[series] = {}
            if mean:
                self._means.add(series)
        return points

    def records(self, source: str, now: float) -> Iterator[SamplesRecord]:
        """A table for each entity; several where series have different times, for a table has a value in each cell."""
        for entity, told in sorted(self._points.items()):
            by_times: dict[tuple[int, ...], dict[str, list[float | None]]] = {}
            for name, points in sorted(told.items()):
                times = tuple(points) if len(points) == 1 else tuple(sorted(points))
                by_times.setdefault(times, {})[name] = [self._one(name, points[at]) for at in times]
            for times, values in sorted(by_times.items()):
                seconds = [at / 1000 for at in times]
                yield SamplesRecord(
                    at=seconds[-1], seen=now, source=source, entity=entity, times=seconds, values=values
                )

    def _one(self, name: str, values: list[float]) -> float:
        if len(values) == 1:
            return values[0]
        # Sorted, for the sum of fractions depends on their order.
        total = sum(sorted(values))
        return total / len(values) if name in self._means else total
