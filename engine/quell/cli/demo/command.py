"""The command ``demo``: starts what is needed, sends the storm, reports, and leaves nothing running."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any
from urllib.request import ProxyHandler, build_opener

import click
import msgspec
from rich.console import Console

from quell.cli import looks
from quell.cli.client import Client
from quell.cli.demo import child
from quell.cli.demo.estate import write_estate
from quell.cli.demo.feed import Feed
from quell.cli.demo.report import Found, print_report
from quell.cli.demo.storm import Storm, find_storm
from quell.model.times import parse_time

SPEED = 60.0
"""The daemon's clock over ours: half an hour of storm takes half a minute."""
_LEAD_S = 10.0
_SETTLE_S = 120.0
"""Of the daemon's time, after the last delivery: the last alerts are judged, playbooks' conditions settle."""


@click.command("demo")
@click.option("--storm", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another storm.")
@click.option("--speed", type=click.FloatRange(1.0, 600.0), default=SPEED, show_default=True, help="Of the clock.")
@click.option("--keep", envvar="KEEP", is_flag=True, help="Leave the daemon running, in real time. Also KEEP=1.")
def demo(folder: Path | None, speed: float, keep: bool) -> None:
    """Send a recorded alert storm to a daemon of its own and report what became of it.

    The storm goes over HTTP, as Alertmanager, PagerDuty and CloudEvents senders would send it; the daemon's clock
    runs faster, so that half an hour takes half a minute. Everything is on loopback and in a temporary folder.
    """
    out = looks.console()
    storm = find_storm(folder)
    place = Path(tempfile.mkdtemp(prefix="quell-demo-"))
    with ExitStack() as stack:
        stack.callback(lambda: None if keep else shutil.rmtree(place, ignore_errors=True))
        stage = _Stage.set_up(stack, place, storm, speed, out)
        stage.play()
        found = stage.findings()
        if keep:
            stage.daemon.stop()
        command = f"QUELL_URL={stage.daemon.url} QUELL_TOKEN={stage.client.token} {_program()}"
        print_report(out, found, command, kept=keep)
        if keep:
            _keep(stage, out)
        else:
            out.print("\nnothing is left running: KEEP=1 make demo keeps the daemon, to look around and to approve")


@dataclass
class _Stage:
    """What runs during the demo."""

    storm: Storm
    daemon: child.Child
    tickets: child.Child
    client: Client
    speed: float
    out: Console
    events: int = 0

    @classmethod
    def set_up(cls, stack: ExitStack, place: Path, storm: Storm, speed: float, out: Console) -> _Stage:
        """Starts the ticket receiver and the daemon, whose clock begins so far back that the storm ends about now."""
        began = time.monotonic()
        tickets = stack.enter_context(child.tickets(place, child.free_port()))
        token = write_estate(place, tickets.url)
        start = time.time() - storm.span_s - _LEAD_S - _SETTLE_S
        daemon = stack.enter_context(child.daemon(place, child.free_port(), clock_speed=speed, clock_start=start))
        took_s = time.monotonic() - began
        out.print(f"a daemon with an empty store listens on {daemon.url} (ready after {took_s:.1f}s)")
        return cls(storm, daemon, tickets, Client(daemon.url, token), speed, out)

    def play(self) -> None:
        """Sends the storm, which begins with the graph, and waits until it has settled."""
        span = looks.span(self.storm.span_s)
        self.out.print(
            f"sending {self.storm.events} events in {len(self.storm.deliveries)} deliveries: {span} of a storm, "
            f"{self.speed:g} times as fast"
        )
        feed = Feed(self.storm, self.client, self.speed, self.out)
        offset, began = self._now(), time.monotonic()
        feed.run(offset + _LEAD_S, lambda: offset + (time.monotonic() - began) * self.speed)
        feed.settle(_SETTLE_S)
        self.events = feed.events

    def _now(self) -> float:
        """The time on the daemon's clock."""
        now = parse_time(self.client.get("/status")["now"])
        assert now is not None
        return now

    def findings(self) -> Found:
        """What the daemon and the ticket receiver say now."""
        client = self.client
        listed = client.get("/incidents", status="all", limit=1000)["incidents"]
        ids = [incident["id"] for incident in sorted(listed, key=lambda incident: incident["opened_at"])]
        with build_opener(ProxyHandler({})).open(f"{self.tickets.url}/tickets", timeout=5.0) as answer:
            tickets: list[Mapping[str, Any]] = msgspec.json.decode(answer.read())
        return Found(
            events=self.events,
            alerts=client.get("/alerts", status="all", limit=100_000)["alerts"],
            incidents=[client.get(f"/incidents/{name}") for name in ids],
            runs=client.get("/runs")["runs"],
            tickets=tickets,
        )


def _program() -> str:
    """How to call quell from here: by its name where a shell finds it, else as it was called."""
    called = sys.argv[0]
    return "quell" if which("quell") or Path(called).name != "quell" else called


def _keep(stage: _Stage, out: Console) -> None:
    """Starts the daemon again on the same store, in real time, and lets go of it and of the ticket receiver."""
    stage.daemon.words = child.without_clock(stage.daemon.words)
    stage.daemon.start()
    pids = f"{stage.daemon.leave_running()} {stage.tickets.leave_running()}"
    out.print(
        f"\nthe daemon keeps running in real time on {stage.daemon.url}; its files are in {stage.daemon.log.parent}"
    )
    out.print(f"export QUELL_URL={stage.daemon.url} QUELL_TOKEN={stage.client.token}", soft_wrap=True)
    words = ("incidents", "why INC", "alerts", "graph ENTITY")
    out.print(f"then try: {', '.join(f'{_program()} {word}' for word in words)}")
    out.print(f"stop it with: kill {pids}", style="bold")
