"""Sends the storm at the pace of the daemon's clock, with progress for people: a bar on a terminal, lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from quell.cli import looks
from quell.cli.client import Client
from quell.cli.demo.storm import Storm, events_in, post
from quell.cli.exits import Failed
from quell.model.records import DeliveryRecord

_LOOK_EVERY_S = 0.4
_TRIES = 5
_PIPE_EVERY = 0.25


@dataclass
class Feed:
    """``speed`` is the daemon's clock over ours; ``began`` is its time at which the storm's first delivery is due."""

    storm: Storm
    client: Client
    speed: float
    out: Console
    events: int = 0
    _known: dict[str, str] = field(default_factory=dict)
    _said_share: float = 0.0

    def run(self, began: float, daemon_now: Callable[[], float]) -> None:
        """Sends every delivery when it is due on the daemon's clock; tells of incidents as they open."""
        looked = 0.0
        with self._progress() as progress:
            task = progress.add_task("sending", total=self.storm.events)
            for delivery in self.storm.moved_to(began):
                while (wait_s := (delivery.at - daemon_now()) / self.speed) > 0:
                    time.sleep(min(wait_s, _LOOK_EVERY_S))
                    looked = self._look(looked, progress.console)
                self._send(delivery)
                self.events += events_in(delivery.body)
                self._advance(progress, task)
                looked = self._look(looked, progress.console)

    def settle(self, span_s: float) -> None:
        """Waits ``span_s`` of the daemon's time, telling of incidents that still open or change."""
        until = time.monotonic() + span_s / self.speed
        looked = 0.0
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_EVERY_S))
            looked = self._look(looked, self.out)

    def _send(self, delivery: DeliveryRecord) -> None:
        for tried in range(1, _TRIES + 1):
            try:
                post(self.client.url, delivery)
            except HTTPError as error:
                with error:
                    said = error.read(500).decode("utf-8", "replace")
                if error.code != 503 or tried == _TRIES:
                    raise Failed(f"the daemon answered {error.code} to {delivery.path}: {said}") from error
            except OSError as error:
                raise Failed(f"the daemon does not take deliveries any more ({error})") from error
            else:
                return
            time.sleep(0.05 * tried)

    def _look(self, looked: float, out: Console) -> float:
        """Says which incidents are new, at most every ``_LOOK_EVERY_S``; returns when it last looked."""
        now = time.monotonic()
        if now - looked < _LOOK_EVERY_S:
            return looked
        for incident in reversed(self.client.get("/incidents", status="all", limit=200)["incidents"]):
            text = _told(incident)
            if self._known.get(incident["id"]) != text:
                self._known[incident["id"]] = text
                out.print(f"  {looks.clock(incident['updated_at'])} UTC  {incident['id']}  {text}", highlight=False)
        return now

    def _progress(self) -> Progress:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("events"),
            TimeElapsedColumn(),
        )
        return Progress(*columns, console=self.out, disable=not self.out.is_terminal, transient=True)

    def _advance(self, progress: Progress, task: TaskID) -> None:
        progress.update(task, completed=self.events)
        share = self.events / self.storm.events
        if not self.out.is_terminal and share - self._said_share >= _PIPE_EVERY:
            self._said_share = share
            self.out.print(f"  sent {self.events} of {self.storm.events} events")


def _told(incident: dict[str, Any]) -> str:
    """What is worth a line: that it is there, its first cause, its end. Numbers move too often for that."""
    status = incident["status"]
    if status == "merged":
        return f"turned out to be part of {incident.get('merged_into') or 'another'}"
    if status in {"withdrawn", "resolved"}:
        return str(status)
    suspects = incident.get("suspects")
    if not suspects or incident.get("no_clear_cause"):
        return "no clear cause yet"
    return f"first cause: {looks.suspect(suspects[0])}"
