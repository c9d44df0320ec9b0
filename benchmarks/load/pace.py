"""At a set rate: how long accepting takes, and how long until what must page at once is shown in the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from load.cases import Opened, Took, measured
from load.generator import Order
from load.process import NotMeasured
from load.servers import NotThere, Server


@dataclass(frozen=True, slots=True)
class Pace:
    """``rate`` alerts a second, ``size`` to a request, for ``seconds``; a marker every ``marker_s``."""

    rate: int
    size: int
    seconds: float
    marker_s: float

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.rate:,}/s, {'singly' if self.size == 1 else f'{self.size} per request'}"


PACES = (Pace(1_000, 1, 20.0, 0.1), Pace(10_000, 64, 12.0, 0.06), Pace(10_000, 1, 12.0, 0.06))
LINES = 64
MOST_ACTIVE = 100_000
"""After so many different alerts they come again."""
HEAD = (
    "offered", "server", "accepted/s", "accept p50 ms", "accept p99 ms", "shown p50 ms", "shown p99 ms",
    "shown max ms", "markers", "not shown", "refused", "others",
)  # fmt: skip
HOW = (
    "Shown: every now and then an alert comes that a triage rule pages at once, so that it opens an incident of its "
    "own the moment it is decided over. The time is from its 2xx to the first answer of GET "
    "/api/quell/v1/incidents?limit=50 that holds it; that list is read for a quarter of the time at most, so half "
    "of the time between two looks is in the figure."
)


def paced(
    server_names: Mapping[str, Opened], say: Callable[[str], None], paces: Sequence[Pace] = PACES
) -> Iterator[tuple[Pace, str, Took | str]]:
    """Each pace against each server, fresh; a text instead of figures says why there are none."""
    for pace in paces:
        for name, opened in server_names.items():
            try:
                with opened() as server:
                    took = measured(server, _order(pace, server))
            except (NotThere, NotMeasured, OSError) as error:
                yield pace, name, str(error)
                continue
            ran = took.ran
            say(f"{pace.name}: {name} accept p99 {ran.p99_ms:.1f} ms, shown p99 {ran.seen_p99_ms:.1f} ms")
            yield pace, name, took


def _order(pace: Pace, server: Server) -> Order:
    count = int(pace.rate * pace.seconds)
    plain = Order(
        port=server.port, headers=server.headers, count=count, different=min(count, MOST_ACTIVE), size=pace.size,
        lines=LINES, rate=pace.rate, waiting=server.waiting, drain_most_s=60.0,
    )  # fmt: skip
    # Only quell has incidents, told by its having a gauge of what waits for a decision.
    return msgspec.structs.replace(plain, markers_every_s=pace.marker_s) if server.waiting else plain


def cells(pace: Pace, name: str, took: Took | str) -> list[str]:
    """One row of the table."""
    if isinstance(took, str):
        return [pace.name, name, took, *[""] * (len(HEAD) - 3)]
    ran = took.ran
    shown = (
        [f"{value:.1f}" for value in (ran.seen_p50_ms, ran.seen_p99_ms, ran.seen_max_ms)] if ran.markers else ["-"] * 3
    )
    return [
        pace.name, name, f"{ran.rate:,.0f}", f"{ran.p50_ms:.1f}", f"{ran.p99_ms:.1f}", *shown, str(ran.markers),
        str(ran.unseen), f"{ran.refused + ran.lost:,}", f"{took.others_cores:.2f}",
    ]  # fmt: skip
