"""What is sent, one server after the other, and what that took."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import msgspec

from load.course import Ran
from load.generator import Order
from load.process import NotMeasured, answered, machine_busy_s, used
from load.servers import NotThere, Server

_MOST_S = 900.0
Opened = Callable[[], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True)
class Case:
    """``count`` alerts over ``different`` ones, ``size`` to a request, over ``lines`` connections.

    ``active`` others are sent first and not counted. ``shuffled``: each request tells them in another order.
    """

    name: str
    count: int
    different: int
    size: int
    lines: int
    active: int = 0
    shuffled: bool = False

    def smaller(self, by: int) -> Case:
        """The same with so many times fewer alerts."""
        least = self.size * self.lines
        count, different = max(self.count // by, least), max(self.different // by, 1)
        return Case(self.name, count, min(count, different), self.size, self.lines, self.active // by, self.shuffled)


UNIQUE = Case("unique, 100 per request", 50_000, 50_000, 100, 8)
REPEATS = Case("repeats, 100 per request", 300_000, 1_000, 100, 8)
SHUFFLED = Case("repeats in any order, 100 per request", 300_000, 1_000, 100, 8, shuffled=True)
SINGLES = Case("unique, 1 per request", 20_000, 20_000, 1, 64)
QUICK = (UNIQUE, REPEATS, SINGLES)
FULL = (
    UNIQUE,
    REPEATS,
    SHUFFLED,
    SINGLES,
    Case("repeats, 1 per request", 40_000, 1_000, 1, 64),
    Case("unique, 64 per request", 50_000, 50_000, 64, 8),
    Case("repeats, 64 per request", 200_000, 1_000, 64, 8),
    Case("unique, 1,000 per request", 50_000, 50_000, 1_000, 8),
    Case("repeats, 1,000 per request", 300_000, 1_000, 1_000, 8),
    Case("unique, 10,000 active before", 50_000, 50_000, 100, 8, active=10_000),
    Case("unique, 100,000 active before", 50_000, 50_000, 100, 8, active=100_000),
    Case("repeats of 100,000 active", 300_000, 100_000, 100, 8, active=100_000),
)
EVERYWHERE = (UNIQUE, REPEATS, SINGLES)
"""Also on a PostgreSQL, and beside servers that need one."""


@dataclass(frozen=True, slots=True)
class Took:
    """One course against one server. ``others_cores``: how many processors other programs kept busy meanwhile."""

    ran: Ran
    cpu_s: float
    peak_mib: float
    rss_mib: float
    others_cores: float

    @property
    def cpu_per_10k(self) -> float:
        """Seconds of processor time of the server for 10,000 alerts accepted, deciding and telling included."""
        return self.cpu_s / max(self.ran.accepted, 1) * 10_000


@dataclass(slots=True)
class Row:
    """All courses of one case against one kind of server, in the order of the rounds; ``not_there`` says why none."""

    case: Case
    server: str
    took: list[Took] = field(default_factory=list)
    not_there: str = ""

    def middle(self, of: Callable[[Took], float]) -> float:
        """The median over the rounds; 0.0 without any."""
        return statistics.median(of(one) for one in self.took) if self.took else 0.0


def generated(order: Order) -> Ran:
    """Sends what is ordered from a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("generator.py"))]
    return msgspec.json.decode(answered(command, msgspec.json.encode(order), _MOST_S), type=Ran)


def order_of(case: Case, server: Server) -> Order:
    """What the generator is told for a case."""
    return Order(
        port=server.port,
        path=server.path,
        wrap=server.wrap,
        headers=server.headers,
        count=case.count,
        different=case.different,
        size=case.size,
        lines=case.lines,
        shuffled=case.shuffled,
        offset=0 if case.different == case.active else case.active,
        waiting=server.waiting,
    )


def measured(server: Server, order: Order) -> Took:
    """One course, and what it cost the server up to when everything was decided over and told."""
    busy, before, began = machine_busy_s(), server.used(), time.monotonic()
    own = _own_cpu_s()
    ran = generated(order)
    time.sleep(server.settle_s)
    after = server.used()
    took_s = time.monotonic() - began
    cpu = after.cpu_s - before.cpu_s
    others = machine_busy_s() - busy - (_own_cpu_s() - own)
    return Took(ran, cpu, after.peak_mib, after.rss_mib, max(0.0, others) / took_s)


def _own_cpu_s() -> float:
    """Of this process, its children that have ended, and those that run: servers, generator and sink."""
    return used(os.getpid()).cpu_s


def course(case: Case, opened: Opened) -> Took:
    """One case against a fresh server."""
    with opened() as server:
        if case.active:
            first = Case("", case.active, case.active, 100, 8)
            generated(msgspec.structs.replace(order_of(first, server), offset=0))
        return measured(server, order_of(case, server))


def rounds(
    cases: Sequence[Case], servers: Mapping[str, Opened], count: int, say: Callable[[str], None], most_s: float = inf
) -> list[Row]:
    """Every case against every server in turn, so many times: A B A B, so that a noisy minute hits both.

    After ``most_s`` no other round is begun.
    """
    rows = [Row(case, name) for case in cases for name in servers]
    began = time.monotonic()
    for number in range(count):
        if number and time.monotonic() - began > most_s:
            break
        for row in rows:
            if row.not_there:
                continue
            try:
                took = course(row.case, servers[row.server])
            except (NotThere, NotMeasured, OSError) as error:
                row.not_there = f"not measured: {error}"
                say(f"round {number + 1}, {row.case.name}: {row.server} {row.not_there}")
                continue
            row.took.append(took)
            ran = took.ran
            decided = f", decided over {ran.drained_rate:,.0f}/s" if ran.drained else ""
            refused = f", {ran.refused + ran.lost:,} refused" if ran.refused or ran.lost else ""
            say(f"round {number + 1}, {row.case.name}: {row.server} {ran.rate:,.0f}/s{decided}{refused}, "
                f"p99 {ran.p99_ms:.1f} ms, others {took.others_cores:.2f} cores")  # fmt: skip
    return rows
