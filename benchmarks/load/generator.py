"""The process that makes load: reads one order as JSON, prints what became of it as JSON. Never run by hand."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from load.alerts import MARKER, batches, marker
from load.course import Course, Ran, share
from load.lines import Caller, Target

_clock = time.monotonic
INCIDENTS = "/api/quell/v1/incidents?limit=50"
_POLL_S, _MOST_POLL_S = 0.005, 0.05
_DRAIN_S = 0.02
_LOOK_LONGER_S = 15.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """``count`` alerts over ``different`` ones, ``size`` to a request. ``rate`` is alerts a second, 0: as fast as goes.

    ``waiting`` is a path of metrics and the gauge there that is 0 once everything is decided over. ``markers_every_s``:
    alerts of their own that must open incidents, looked for in the API meanwhile.
    """

    port: int
    path: str = "/api/v2/alerts"
    headers: dict[str, str] = {}
    count: int
    different: int
    size: int
    lines: int
    offset: int = 0
    estate: bool = False
    wrap: bool = False
    shuffled: bool = False
    rate: float = 0.0
    waiting: str = ""
    drain_most_s: float = 300.0
    markers_every_s: float = 0.0
    round_name: str = "r"


async def run(order: Order) -> Ran:
    """Does what is ordered."""
    asyncio.get_running_loop().set_exception_handler(_give_up)
    made = batches(
        order.count, order.different, order.size,
        offset=order.offset, estate=order.estate, wrap=order.wrap, shuffled=order.shuffled,
    )  # fmt: skip
    target = Target(order.port, order.path, order.headers)
    course = Course(target, made, lines=order.lines, rate=order.rate / order.size)
    if order.markers_every_s:
        markers = Markers(target, order)
        looking = asyncio.create_task(markers.look())
        posting = asyncio.create_task(markers.post())
        ran = await course.run()
        markers.over = True
        await posting
        await looking
        markers.told(ran)
    else:
        ran = await course.run()
    if order.waiting:
        ran.drained = await drained(target, order.waiting, order.drain_most_s)
    return ran


def _give_up(loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
    """A mistake in a callback would otherwise wait for ever for an answer that nobody notes."""
    loop.default_exception_handler(told)
    os._exit(1)


async def drained(target: Target, gauge: str, most_s: float) -> float:
    """When the gauge was seen at 0; 0.0 if that took longer than ``most_s``."""
    caller = Caller(target)
    until = _clock() + most_s
    waited, before = 0.0, 0.0
    pattern = re.compile(rf"^{gauge}(?:\{{[^}}]*\}})? ([0-9.eE+-]+)$".encode(), re.MULTILINE)
    try:
        while _clock() < until:
            asked = _clock()
            status, body = await caller.get("/metrics")
            found = pattern.findall(body) if status == 200 else []
            waits = sum(map(float, found))
            if found and not waits:
                return asked
            # How long an answer takes is how much it costs the server: it is asked for a tenth of the time at most,
            # but for the end, which would be noted so much later.
            left_s = waits * (asked - before) / (waited - waits) if waited > waits else most_s
            waited, before = waits, asked
            await asyncio.sleep(max(_DRAIN_S, min(9 * (_clock() - asked), left_s / 2)))
    finally:
        caller.close()
    return 0.0


class Markers:
    """Alerts that must open an incident at once, and when the API first shows each of them."""

    def __init__(self, target: Target, order: Order) -> None:
        self._poster, self._reader = Caller(target), Caller(target)
        self._every_s = order.markers_every_s
        self._name = order.round_name
        self._pattern = re.compile(rf"{MARKER}{re.escape(order.round_name)}-(\d+)\.".encode())
        self._accepted: dict[int, float] = {}
        self._shown: dict[int, float] = {}
        self._polls = 0
        self._posted = False
        self.over = False

    async def post(self) -> None:
        """One after the other, until it is over."""
        number, began = 0, _clock()
        while not self.over:
            status, _body = await self._poster.post(marker(number, self._name).body)
            if 200 <= status < 300:
                self._accepted[number] = _clock()
            number += 1
            await asyncio.sleep(max(0.0, began + number * self._every_s - _clock()))
        self._posted = True

    async def look(self) -> None:
        """Reads the newest incidents again and again, until every marker was seen or it takes too long."""
        late = 0.0
        while not (self._posted and self._accepted.keys() <= self._shown.keys()):
            late = late or (_clock() + _LOOK_LONGER_S if self._posted else 0.0)
            if late and _clock() > late:
                break
            asked = _clock()
            _status, body = await self._reader.get(INCIDENTS)
            now = _clock()
            self._polls += 1
            for found in self._pattern.findall(body):
                self._shown.setdefault(int(found), now)
            # A quarter of the time at most, so that whoever looks does not keep the daemon from what is looked for.
            await asyncio.sleep(min(max(_POLL_S, 3 * (now - asked)), _MOST_POLL_S))

    def told(self, ran: Ran) -> None:
        """Adds what was seen."""
        took = sorted(max(0.0, self._shown[at] - since) for at, since in self._accepted.items() if at in self._shown)
        ran.markers, ran.polls = len(self._accepted), self._polls
        ran.unseen = len(self._accepted) - len(took)
        ran.seen_p50_ms, ran.seen_p99_ms = share(took, 0.5), share(took, 0.99)
        ran.seen_max_ms = share(took, 1.0)
        self._poster.close()
        self._reader.close()


if __name__ == "__main__":
    ordered = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(ordered))))
