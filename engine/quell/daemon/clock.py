"""The only clock of the daemon: seconds since the epoch that never go back, optionally faster than real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

_log = structlog.get_logger("quell.clock")
_NOTICE_S = 1.0
"""A wall clock that is this much behind is worth a line; smaller corrections are the normal work of NTP."""
_CATCHING_UP = 0.5
"""How fast time goes while it is ahead of the wall clock, which so catches up; standing still would stop every timer
for as long as the wall clock had jumped, and a page that is due would wait for hours."""


class Clock:
    """Follows the wall clock; with ``speed`` other than 1 or a ``start`` it runs from there on the steady clock.

    When the wall clock jumps back, time goes on from the latest value given out at half its speed until the wall clock
    has caught up: journal groups and decisions must be in the order of their times.
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
        self._least = 0.0
        self._behind = False
        self._told_at = self._began

    def now(self) -> float:
        """Seconds since the epoch, never less than before."""
        steady = self._steady()
        at = self._origin + (steady - self._began) * self.speed if self._free else self._wall()
        behind_s = self._latest - at
        if behind_s > 0:
            if behind_s > _NOTICE_S and not self._behind:
                self._behind = True
                _log.warning("wall clock went back; time goes at half speed until it has caught up",
                             behind_s=round(behind_s, 3))  # fmt: skip
            at = max(at, self._latest + (steady - self._told_at) * self.speed * _CATCHING_UP)
        else:
            self._behind = False
        self._latest, self._told_at = at, steady
        # No finer than text can say: records with such times are exported and read again as they were.
        return max(round(at, 6), self._least)

    def not_before(self, at: float) -> None:
        """Time goes on from ``at`` if that is later than now: what the journal holds has already happened."""
        if at <= self.now():
            return
        if self._free:
            self._origin, self._began = at, self._steady()
        self._latest = self._least = at

    def real_s(self, span_s: float) -> float:
        """How long a span of this clock takes in real seconds."""
        return span_s / self.speed

    async def sleep_until(self, at: float) -> None:
        """Returns once `now` has reached ``at``; looks again at least every minute, as the wall clock may jump."""
        while (left := at - self.now()) > 0:  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(min(self.real_s(left), 60.0))
