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
from quell.model.rulebook import Rulebook
from quell.sdk.registry import installed
from quell.trial.actions import declared
from quell.trial.drill import Check, Report, drilled

ALERT = "DrillFailed"
SOURCE = "quell"
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
        self._rules: Rulebook | None = None
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
        await self._end_gone()
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

    async def _end_gone(self) -> None:
        """After other rules are taken up: what is held no more by itself fails no more, or its alert fired forever."""
        book, now = self._loop.rulebook, self._clock.now()
        if book is self._rules:
            return
        held = {drill.name for drill in book.drills if drill.cron}
        fires = [
            one.labels.get("drill", "")
            for one in self._loop.decider.state.alerts.values()
            if one.source == SOURCE and one.name == ALERT and one.firing
        ]
        gone = [name for name in fires if name not in held]
        if gone:
            await self._inbox.put([_record(name, now, []) for name in gone])
        self._rules = book

    async def hold(self, drill: Drill) -> Report:
        """Holds one now. One that breaks, whatever it is, did not come as expected; nothing else stops for it."""
        try:
            return await self._hold(drill)
        except Exception as error:  # noqa: BLE001 - reported as what came of the drill
            self._log.exception("a drill broke", drill=drill.name)
            broke = Check(what="drill", want="is held", got=f"it broke: {type(error).__name__}: {error}", ok=False)
            return Report(drill=drill.name, about=drill.about, at=self._clock.now(), checks=(broke,))

    async def _hold(self, drill: Drill) -> Report:
        state, book, sources = self._loop.decider.state, self._loop.rulebook, self._settings().sources
        entities, dependencies = list(state.entities.values()), list(state.dependencies.values())
        at = self._clock.now()
        return await asyncio.to_thread(
            lambda: drilled(
                drill, book, declared(sources, installed().specs), at, entities=entities, dependencies=dependencies
            )
        )  # fmt: skip

    async def tell(self, report: Report) -> None:
        """Sets the metric; the alert fires, or is over."""
        self._metrics.drill_ok.labels(report.drill).set(float(report.ok))
        failed = [f"{one.what} {one.want}: {one.got}" for one in report.checks if not one.ok]
        self._log.info("drill held", drill=report.drill, ok=report.ok, failed=failed)
        await self._inbox.put([_record(report.drill, self._clock.now(), failed)])


def _record(drill: str, now: float, failed: list[str]) -> AlertRecord:
    """What did not come, as an alert; that it is over when nothing is missing."""
    return AlertRecord(
        at=now,
        seen=now,
        source=SOURCE,
        key=f"drill/{drill}",
        status="firing" if failed else "resolved",
        labels={"alertname": ALERT, "drill": drill, "severity": "warning"},
        annotations={"summary": f"drill {drill} did not come as expected", "description": "; ".join(failed)},
        starts_at=now if failed else None,
        ends_at=None if failed else now,
    )
