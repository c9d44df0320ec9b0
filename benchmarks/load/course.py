"""One course of load: requests over some lines, as fast as answers come or at a set rate, and what became of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from load.alerts import Batch
from load.lines import LOST, Line, Target, opened

_clock = time.monotonic
_TICK_S = 0.001
_MOST_LOST = 50
"""Connections lost one after the other before a course gives up."""


class Ran(msgspec.Struct, kw_only=True):
    """What became of a course. Times are of the machine's monotonic clock, durations in milliseconds."""

    requests: int = 0
    sent: int = 0
    accepted: int = 0
    refused: int = 0
    lost: int = 0
    began: float = 0.0
    ended: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    refused_p99_ms: float = 0.0
    statuses: dict[str, int] = {}
    drained: float = 0.0
    """When nothing waited to be decided over any more; 0.0 when nobody looked."""
    seen_p50_ms: float = 0.0
    seen_p99_ms: float = 0.0
    seen_max_ms: float = 0.0
    markers: int = 0
    unseen: int = 0
    polls: int = 0

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return max(self.ended - self.began, 1e-9)

    @property
    def rate(self) -> float:
        """Alerts accepted a second."""
        return self.accepted / self.seconds

    @property
    def drained_rate(self) -> float:
        """Alerts accepted and decided over a second, until the last one was."""
        return self.accepted / max(self.drained - self.began, 1e-9) if self.drained else 0.0


def share(ordered: Sequence[float], part: float) -> float:
    """The value below which ``part`` of them lie, in milliseconds; 0 when there are none."""
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1e3 if ordered else 0.0


class Course:
    """``rate`` is requests a second, each due at its time, answers to earlier ones or not; 0: when a line is free."""

    def __init__(self, target: Target, batches: Sequence[Batch], *, lines: int, rate: float = 0.0) -> None:
        self._target = target
        self._requests = [(target.post(batch.body), batch.alerts) for batch in batches]
        self._count = lines
        self._rate = rate
        self._next = 0
        self._all: list[Line] = []
        self._free: list[Line] = []
        self._under_way = 0
        self._lost_in_a_row = 0
        self._latencies: list[float] = []
        self._refusals: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._done = asyncio.Event()
        self._opening: set[asyncio.Task[None]] = set()
        self.ran = Ran()

    async def run(self) -> Ran:
        """Sends everything and waits for every answer. Raises OSError when nobody listens."""
        for _ in range(self._count):
            await self._another()
        self.ran.began = _clock()
        if self._requests:
            self._pump()
            if self._rate:
                await self._tick()
            await self._done.wait()
        await asyncio.gather(*self._opening)
        for line in self._all:
            line.close()
        self._latencies.sort()
        ran = self.ran
        ran.requests = len(self._latencies)
        ran.p50_ms, ran.p99_ms = share(self._latencies, 0.5), share(self._latencies, 0.99)
        ran.max_ms, ran.refused_p99_ms = share(self._latencies, 1.0), share(sorted(self._refusals), 0.99)
        ran.statuses = {str(status or "lost"): count for status, count in sorted(self._statuses.items())}
        return ran

    async def _tick(self) -> None:
        while self._next < len(self._requests) and not self._done.is_set():
            await asyncio.sleep(_TICK_S)
            self._pump()

    def _pump(self) -> None:
        """Sends what is due on lines that are free."""
        now = _clock()
        while self._free and self._next < len(self._requests):
            due = self.ran.began + self._next / self._rate if self._rate else now
            if due > now:
                break
            line = self._free.pop()
            if line.usable:
                self._send(line, due)
            else:
                self._open_another()

    def _send(self, line: Line, due: float) -> None:
        request, alerts = self._requests[self._next]
        self._next += 1
        self._under_way += 1
        self.ran.sent += alerts
        line.send(request, due, alerts)

    def _answered(self, line: Line, status: int, body: bytes) -> None:
        del body
        now = _clock()
        self._latencies.append(now - line.due)
        self._statuses[status] += 1
        self._under_way -= 1
        ran = self.ran
        if 200 <= status < 300:
            ran.accepted += line.alerts
        elif status == LOST:
            ran.lost += line.alerts
        else:
            ran.refused += line.alerts
            self._refusals.append(now - line.due)
        self._lost_in_a_row = self._lost_in_a_row + 1 if status == LOST else 0
        ran.ended = now
        if self._next < len(self._requests) and self._lost_in_a_row < _MOST_LOST:
            if not line.usable:
                self._open_another()
            elif self._rate:
                self._free.append(line)
                self._pump()
            else:
                self._send(line, now)
        elif not self._under_way:
            self._done.set()

    def _open_another(self) -> None:
        task = asyncio.get_running_loop().create_task(self._instead())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _instead(self) -> None:
        """A line in place of one that was lost; nobody there any more ends the course."""
        try:
            await self._another()
        except OSError:
            self._done.set()
        else:
            self._pump()

    async def _another(self) -> None:
        line = await opened(self._target.port, self._answered)
        self._all.append(line)
        self._free.append(line)
