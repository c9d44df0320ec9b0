"""With 100,000 alerts active on a graph of 10,000 nodes: memory, lists, and how long a restart takes."""

from __future__ import annotations

import json
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from load.alerts import estate
from load.cases import generated
from load.generator import Order
from load.process import NotMeasured, end
from load.servers import NotThere, Quell, Server, alertmanager, quell_made, wait_until_ready

ACTIVE = 100_000
_PART = 5_000
"""Records of the topology document in one delivery: fewer than the inbox takes at once."""
_TRIES = 20
_REST_S = 3.0
_WATCHED_S = 60.0
_PATIENCE_S = 600.0


@dataclass(slots=True)
class Standing:
    """Durations in seconds, lists in milliseconds, memory in MiB."""

    active: int = 0
    known: int = 0
    open_incidents: int = 0
    rss_mib: float = 0.0
    peak_mib: float = 0.0
    list_ms: float = 0.0
    list_max_ms: float = 0.0
    list_bytes: int = 0
    restart_s: float = 0.0
    restart_known: int = 0
    restart_rss_mib: float = 0.0
    killed_s: float = 0.0
    killed_known: int = 0
    decided_per_s: float = 0.0
    silent_s: float = 0.0
    peer_rss_mib: float = 0.0
    peer_list_s: float = 0.0


def standing(sink: int, say: Callable[[str], None], active: int = ACTIVE) -> Standing:
    """Brings a daemon there, looks at it, ends it in order and starts it, kills it and starts it."""
    found = Standing(active=active)
    with quell_made(sink) as made:
        with made.running() as server:
            _estate(server)
            ran = generated(_order(server, active))
            found.decided_per_s = ran.drained_rate
            found.silent_s = _longest_silence(server, _WATCHED_S)
            status = server.status()
            found.known, found.open_incidents = status["alerts"]["known"], status["incidents"]["open"]
            found.rss_mib, found.peak_mib = server.used().rss_mib, server.used().peak_mib
            found.list_ms, found.list_max_ms, found.list_bytes = _listed(server)
            say(f"{active:,} active: {found.rss_mib:,.0f} MiB, a list of 50 takes {found.list_ms:.1f} ms")
        # In order: ended by SIGTERM, as an update of the package does.
        found.restart_s, found.restart_known, found.restart_rss_mib = _again(made, signal.SIGKILL)
        found.killed_s, found.killed_known, _ = _again(made, signal.SIGTERM)
        say(f"ready again after {found.restart_s:.1f} s, after a kill after {found.killed_s:.1f} s")
    try:
        with alertmanager(sink) as peer:
            # Alerts that all name a node: its inhibition compares nodes, and would look through those without again
            # and again.
            generated(msgspec.structs.replace(_order(peer, active), estate=False))
            time.sleep(_REST_S)
            found.peer_rss_mib = peer.used().rss_mib
            began = time.monotonic()
            peer.get("/api/v2/alerts", _PATIENCE_S)
            found.peer_list_s = time.monotonic() - began
    except (NotThere, NotMeasured, OSError) as error:
        say(f"Alertmanager: {error}")
    return found


def _order(server: Server, active: int) -> Order:
    return Order(
        port=server.port, headers=server.headers, count=active, different=active, size=100, lines=8, estate=True,
        waiting=server.waiting,
    )  # fmt: skip


def _estate(server: Server) -> None:
    document = json.loads(estate())
    for key in ("nodes", "edges"):
        parts = document[key]
        for start in range(0, len(parts), _PART):
            body = msgspec.json.encode({key: parts[start : start + _PART]})
            while (answer := server.post("/in/estate", body))[0] == 503:
                time.sleep(0.1)
            if answer[0] != 200:
                raise SystemExit(f"the estate was not taken: {answer[0]} {answer[1][:200]!r}")


def _longest_silence(server: Server, seconds: float) -> float:
    """How long the daemon was without an answer to anybody at most, in the time after the last alert."""
    longest, until = 0.0, time.monotonic() + seconds
    while (began := time.monotonic()) < until:
        server.get("/health", _PATIENCE_S)
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.05)
    return longest


def _listed(server: Server) -> tuple[float, float, int]:
    """Median and longest time of a list of 50 incidents in milliseconds, and its length in bytes."""
    times, size = [], 0
    for _ in range(_TRIES):
        began = time.monotonic()
        _, body = server.get("/api/quell/v1/incidents?limit=50", _PATIENCE_S)
        times.append((time.monotonic() - began) * 1e3)
        size = len(body)
    return statistics.median(times), max(times), size


def _again(made: Quell, how: signal.Signals) -> tuple[float, int, float]:
    """Seconds from its start to ready, alerts it knows, MiB it takes; then it is ended by the signal ``how``."""
    began = time.monotonic()
    with made.begun() as server:
        wait_until_ready(server, "/ready", made.folder / "log")
        took = time.monotonic() - began
        server.decided_over()
        known = server.status()["alerts"]["known"]
        rss = server.used().rss_mib
        end(server.process, how)
    return took, known, rss


def lines(found: Standing) -> Iterator[str]:
    """For people."""
    yield (
        f"{found.active:,} alerts active on a graph of 10,000 nodes ({found.known:,} known, {found.open_incidents:,} "
        f"incidents open; decided over at {found.decided_per_s:,.0f}/s; in the minute after, the longest answer of "
        f"/health took {found.silent_s:.2f} s):\n"
    )
    yield f"- resident {found.rss_mib:,.0f} MiB, {found.peak_mib:,.0f} at most; Alertmanager {found.peer_rss_mib:,.0f}"
    yield (
        f"- API list of 50 incidents {found.list_ms:.1f} ms, {found.list_max_ms:.1f} at most, {found.list_bytes:,} "
        f"bytes; Alertmanager's list of all alerts {found.peer_list_s:.1f} s"
    )
    yield (
        f"- start to ready {found.restart_s:.2f} s with {found.restart_known:,} alerts known, "
        f"{found.restart_rss_mib:,.0f} MiB; after kill -9 {found.killed_s:.2f} s with {found.killed_known:,}"
    )
