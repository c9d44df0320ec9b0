"""Drills at the times of their cron lines: a metric for each, and an alert when one does not come as expected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from quell.config import Settings
from quell.daemon.clock import Clock
from quell.daemon.inbox import Inbox
from quell.daemon.loop import Loop
from quell.daemon.metrics import Metrics
from quell.errors import QuellError
from quell.expressions.cron import Cron
from quell.model.drill import Drill
from quell.model.records import AlertRecord
from quell.sdk.registry import specs
from quell.trial.actions import declared
from quell.trial.drill import Report, drilled

ALERT = "DrillFailed"
_LOOK_S = 5.0


class Drills:
    """Holds those that are due, one at a time, in a thread on a copy."""

    def __init__(
        self, loop: Loop, inbox: Inbox, clock: Clock, metrics: Metrics, settings: Callable[[], Settings]
    ) -> None:
        self._loop = loop
        self._inbox = inbox
        self._clock = clock
        self._metrics = metrics
        self._settings = settings
        self._next: dict[tuple[str, str, str], float | None] = {}
        self._log = structlog.get_logger("quell.drills")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.hold_due()
            except QuellError as error:
                self._log.error("the result of a drill could not be told", error=str(error))
            await asyncio.sleep(min(_LOOK_S, max(self._clock.real_s(_LOOK_S), 0.05)))

    async def hold_due(self) -> None:
        """Holds what became due since it was looked last; after a start nothing is made up for."""
        now, due = self._clock.now(), {}
        for drill in self._loop.rulebook.drills:
            if drill.cron:
                key = (drill.name, drill.cron, drill.zone)
                due[key] = self._next.get(key) or Cron(drill.cron, drill.zone).next_after(now)
        self._next = due
        for drill in self._loop.rulebook.drills:
            key = (drill.name, drill.cron, drill.zone)
            at = self._next.get(key)
            if at is not None and at <= now:
                self._next[key] = Cron(drill.cron, drill.zone).next_after(now)
                await self.tell(await self.hold(drill))

    async def hold(self, drill: Drill) -> Report:
        """Holds one now."""
        state, book, sources = self._loop.decider.state, self._loop.rulebook, self._settings().sources
        entities, dependencies = list(state.entities.values()), list(state.dependencies.values())
        at = self._clock.now()
        return await asyncio.to_thread(
            lambda: drilled(
                drill, book, declared(sources, specs()), at, entities=entities, dependencies=dependencies
            )
        )  # fmt: skip

    async def tell(self, report: Report) -> None:
        """Sets the metric; the alert fires, or is over."""
        self._metrics.drill_ok.labels(report.drill).set(float(report.ok))
        failed = [f"{one.what} {one.want}: {one.got}" for one in report.checks if not one.ok]
        self._log.info("drill held", drill=report.drill, ok=report.ok, failed=failed)
        now = self._clock.now()
        record = AlertRecord(
            at=now,
            seen=now,
            source="quell",
            key=f"drill/{report.drill}",
            status="resolved" if report.ok else "firing",
            labels={"alertname": ALERT, "drill": report.drill, "severity": "warning"},
            annotations={"summary": f"drill {report.drill} did not come as expected", "description": "; ".join(failed)},
            starts_at=None if report.ok else now,
            ends_at=now if report.ok else None,
        )
        await self._inbox.put([record])
