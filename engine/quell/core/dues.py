"""When runs do something without news."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from quell.core.news import due
from quell.model.run import Run

_SPARE = 64
"""So many entries that say nothing any more are kept beside as many as there are runs."""


class Dues:
    """The times of all runs that wait for one; whoever changes a run says so with `put`."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._due: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []
        for run in runs:
            self.put(run)

    def put(self, run: Run) -> None:
        """Takes note of a run as it is now."""
        at = None if run.over else due(run)
        if at is None:
            self._due.pop(run.id, None)
        elif self._due.get(run.id) != at:
            self._due[run.id] = at
            if len(self._queue) > 2 * len(self._due) + _SPARE:
                self._queue = [(time, name) for name, time in self._due.items()]
                heapify(self._queue)
            else:
                heappush(self._queue, (at, run.id))

    def next_due(self) -> float | None:
        """The first of the times."""
        while self._queue:
            at, name = self._queue[0]
            if self._due.get(name) == at:
                return at
            heappop(self._queue)
        return None

    def is_due(self, name: str, at: float) -> bool:
        """Whether the time of a run is ``at``."""
        return self._due.get(name) == at

    def due(self, at: float) -> list[str]:
        """The runs whose time is ``at``, by id."""
        return sorted(name for name, time in self._due.items() if time == at)
