"""The only clock of the daemon: seconds since the epoch that never go back, optionally faster than real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

_log = structlog.get_logger("quell.clock")
_NOTICE_S = 1.0
"""A wall clock that is this much behind is worth a line; smaller corrections are the normal work of NTP."""


class Clock:
    """Follows the wall clock; with ``speed`` other than 1 or a ``start`` it runs from there on the steady clock.

    When the wall clock jumps back, time is held at the latest value given out until the wall clock has caught up:
    journal groups and decisions must be in the order of their times.
    """

    def __init__(
        self,
        speed: float = 1.0,
        start: float | None = None,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"clock speed {speed:g} is not greater than 0")
        self.speed = speed
        self._wall = wall
        self._steady = steady
        self._free = speed != 1.0 or start is not None
        self._origin = wall() if start is None else start
        self._began = steady()
        self._latest = 0.0
        self._holding = False

    def now(self) -> float:
        """Seconds since the epoch, never less than before."""
        at = self._origin + (self._steady() - self._began) * self.speed if self._free else self._wall()
        behind = self._latest - at
        if behind > 0:
            if behind > _NOTICE_S and not self._holding:
                self._holding = True
                _log.warning("wall clock went back; time is held until it has caught up", behind_s=round(behind, 3))
            return self._latest
        self._holding = False
        self._latest = at
        return at

    def not_before(self, at: float) -> None:
        """Time goes on from ``at`` if that is later than now: what the journal holds has already happened."""
        if at <= self.now():
            return
        if self._free:
            self._origin, self._began = at, self._steady()
        self._latest = at

    def real_s(self, span_s: float) -> float:
        """How long a span of this clock takes in real seconds."""
        return span_s / self.speed

    async def sleep_until(self, at: float) -> None:
        """Returns once `now` has reached ``at``; looks again at least every minute, as the wall clock may jump."""
        while (left := at - self.now()) > 0:  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(min(self.real_s(left), 60.0))
