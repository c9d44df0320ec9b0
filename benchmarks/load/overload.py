"""More than can be taken: every alert sent is accepted or refused, and every one accepted is there after kill -9."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from load.cases import generated
from load.course import Ran
from load.generator import Order
from load.servers import kill, quell_made

LINES, SIZE, COUNT = 64, 1_000, 150_000
_AFTER = 1_000


@dataclass(slots=True)
class Overload:
    """Counts of alerts, milliseconds of answers, MiB."""

    first: Ran
    after: Ran
    second: Ran
    counted: int
    known: int
    peak_mib: float

    @property
    def accepted(self) -> int:
        """Over all courses."""
        return self.first.accepted + self.after.accepted + self.second.accepted

    @property
    def adds_up(self) -> bool:
        """Whether sent = accepted + refused, and accepted = stored."""
        courses = (self.first, self.after, self.second)
        return all(ran.sent == ran.accepted + ran.refused for ran in courses) and self.accepted == self.known


def overload(sink: int, say: Callable[[str], None], count: int = COUNT) -> Overload:
    """Two storms of ``count`` different alerts each; between them a few alerts, after them a kill and a restart."""
    with quell_made(sink) as made:
        with made.running() as server:
            plain = Order(
                port=server.port, headers=server.headers, count=count, different=count, size=SIZE, lines=LINES,
                waiting=server.waiting,
            )  # fmt: skip
            first = generated(plain)
            say(f"overload: {first.accepted:,} accepted and {first.refused:,} refused of {first.sent:,}")
            few = msgspec.structs.replace(plain, count=_AFTER, different=_AFTER, size=100, lines=4, offset=count)
            after = generated(few)
            # The second storm is not waited for: what is accepted is killed while most of it is not decided over.
            second = generated(msgspec.structs.replace(plain, offset=count + _AFTER, waiting=""))
            counted = server.metric("quell_records_accepted_total")
            peak = server.used().peak_mib
            kill(server)
        with made.running() as server:
            server.decided_over()
            known = server.status()["alerts"]["known"]
    return Overload(first, after, second, counted, known, peak)


def lines(found: Overload) -> Iterator[str]:
    """For people."""
    first, after, second = found.first, found.after, found.second
    yield f"{LINES} connections with {SIZE:,} alerts per request:\n"
    yield (
        f"- sent {first.sent:,} = accepted {first.accepted:,} + refused {first.refused:,} + unanswered {first.lost:,}; "
        f"refusals took {first.refused_p99_ms:.1f} ms (p99)"
    )
    yield f"- then, left alone: {after.accepted:,} of {after.sent:,} accepted"
    yield (
        f"- again: sent {second.sent:,} = accepted {second.accepted:,} + refused {second.refused:,} + unanswered "
        f"{second.lost:,}; then kill -9"
    )
    yield (
        f"- accepted in all {found.accepted:,}, the daemon counted {found.counted:,} with the ends of its pages, after "
        f"the restart it knows {found.known:,}: {'adds up' if found.adds_up else 'DOES NOT ADD UP'}; "
        f"{found.peak_mib:,.0f} MiB at most"
    )
