"""Asks sources for news on time, and for evidence when the core wants it; what they answer goes to the inbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from quell.daemon.clock import Clock
from quell.daemon.foreign import awaited, sound_pulled, sound_records
from quell.daemon.inbox import Inbox
from quell.daemon.logs import Masker, Sparing
from quell.daemon.metrics import Metrics
from quell.daemon.sources import Source, Sources
from quell.errors import BadPayload, ConnectorError, Overloaded, StoreError, Unreachable
from quell.model.decision import RequestEvidence
from quell.model.records import AnyRecord
from quell.model.state import State
from quell.sdk.connector import Asks, Pulls
from quell.store.port import Quarantined

_LONGEST_BACKOFF_S = 600.0
_PULL_TIMEOUT_S = 120.0
_ASK_TIMEOUT_S = 30.0
_ASKED_AT_ONCE = 4
_LOOKS_EVERY_S = 1.0
_JUMP_S = 1.0
"""By how much the wall clock has to go back within one look before pulls are planned anew."""
_MOST_QUESTIONS = 256
"""Waiting questions beyond this are dropped: evidence is worth having soon or not at all."""


class Schedule:
    """``cursors`` are those that recovery found; they move with each accepted pull."""

    def __init__(self, sources: Sources, inbox: Inbox, clock: Clock, metrics: Metrics, masker: Masker) -> None:
        self.cursors: dict[str, str] = {}
        self._sources = sources
        self._inbox = inbox
        self._clock = clock
        self._metrics = metrics
        self._masker = masker
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._room = asyncio.Semaphore(_ASKED_AT_ONCE)
        self._asking: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("quell.schedule")
        self._sparing = Sparing(self._log)

    def start(self) -> None:
        """Begins to pull, each source at once and then at its interval."""
        self._scheduler.start()
        self.follow()
        self._watching = asyncio.create_task(self._watch_clock())

    async def _watch_clock(self) -> None:
        """When the wall clock goes back, plans go back with it.

        A job knows the time of its next run, not how long that is away: nothing would be pulled for as long as the
        clock had jumped.
        """
        ahead = datetime.now(UTC).timestamp() - time.monotonic()
        while True:
            await asyncio.sleep(_LOOKS_EVERY_S)
            before, ahead = ahead, datetime.now(UTC).timestamp() - time.monotonic()
            if before - ahead > _JUMP_S:
                self._log.warning("wall clock went back; pulls are planned anew", by_s=round(before - ahead, 3))
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=job.next_run_time - timedelta(seconds=before - ahead))

    def follow(self) -> None:
        """Makes the jobs those of the present sources; a source that was rebuilt is pulled at once."""
        wanted = {source.id: source for source in self._sources if source.every_s is not None}
        for job in self._scheduler.get_jobs():
            if wanted.get(job.id) is not job.args[0]:
                job.remove()
            else:
                del wanted[job.id]
        for source in wanted.values():
            every_s = source.every_s or 0.0
            self._scheduler.add_job(
                self.pull,
                IntervalTrigger(seconds=every_s, jitter=every_s * 0.05, timezone=UTC),
                args=[source],
                id=source.id,
                next_run_time=datetime.now(UTC),
            )

    async def stop(self) -> None:
        """Asks nothing more; what is being pulled is pulled again after the next start."""
        if self._scheduler.running:
            self._scheduler.pause()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        for task in list(self._asking):
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await asyncio.sleep(0)  # the scheduler's own tasks have to see that theirs are over
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    # Pulls

    async def pull(self, source: Source) -> None:
        """One pull; a source that cannot be asked is asked later and later. Never raises."""
        task = asyncio.create_task(self._pull(source))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        await asyncio.wait([task])

    async def _pull(self, source: Source) -> None:
        assert isinstance(source.connector, Pulls)
        outcome, retry_after = "ok", None
        try:
            async with asyncio.timeout(_PULL_TIMEOUT_S):
                pulled = await awaited(source.connector.pull(self.cursors.get(source.id), self._clock.now()))
            pulled = sound_pulled(source.connector, pulled)
            await self._keep(source, pulled.records, pulled.cursor)
        except (Unreachable, TimeoutError) as error:
            outcome, retry_after = "unreachable", getattr(error, "retry_after_s", None)
            text = str(error) or f"no answer within {_PULL_TIMEOUT_S:g} s"
            self._sources.failed(source, "unreachable", self._masker.text(text))
        except (Overloaded, StoreError) as error:
            outcome = "overloaded"
            self._sparing.warning(source.id, "what was pulled could not be kept; it is pulled again",
                                  source=source.id, error=str(error))  # fmt: skip
        except ConnectorError as error:
            outcome = "refused"
            self._sources.failed(source, "broken", self._masker.text(str(error)))
            if isinstance(error, BadPayload):
                await self._quarantine(source, error)
        except Exception as error:  # noqa: BLE001 - somebody else's connector may fail in any way: marked and reported
            outcome = "bug"
            self._log.exception("a bug in a connector's pull", source=source.id)
            self._sources.failed(source, "broken", self._masker.text(f"{type(error).__name__}: {error}"))
        else:
            self._sources.worked(source)
        self._metrics.pulls.labels(source.id, outcome).inc()
        self._plan(source, retry_after)

    def _plan(self, source: Source, retry_after: float | None) -> None:
        """Backs off from a source that fails: its interval doubles, up to ten minutes, or as long as it said."""
        job = self._scheduler.get_job(source.id) if self._scheduler.running else None
        if job is None:
            return
        every_s = source.every_s or 0.0
        if source.health.failures:
            longest = max(_LONGEST_BACKOFF_S, every_s)
            wait_s = retry_after if retry_after is not None else every_s * 2 ** min(source.health.failures - 1, 16)
            wait_s = min(wait_s, longest)
            job.modify(next_run_time=datetime.now(UTC) + timedelta(seconds=wait_s))
            source.health.next_at = self._clock.now() + wait_s * self._clock.speed
        else:
            source.health.next_at = self._clock.now() + every_s * self._clock.speed

    async def _keep(self, source: Source, records: Sequence[AnyRecord], cursor: str | None) -> None:
        """Records and cursor in one commit; only more than half an inbox is split, the cursor goes with the last."""
        most = max(1, min(self._inbox.limit, self._inbox.most_behind) // 2)
        for start in range(0, len(records) - most, most):
            await self._inbox.put(records[start : start + most])
        rest = records[(len(records) - 1) // most * most :] if records else ()
        moved = cursor is not None and cursor != self.cursors.get(source.id)
        if rest or moved:
            await self._inbox.put(rest, cursors={source.id: cursor} if moved and cursor is not None else None)
        if cursor is not None:
            self.cursors[source.id] = cursor

    async def _quarantine(self, source: Source, error: BadPayload) -> None:
        entry = Quarantined(
            at=self._clock.now(),
            source=source.id,
            reason=self._masker.text(str(error)),
            payload=error.payload[:65536],
            kind="answer",
        )
        try:
            await self._inbox.put((), quarantined=[entry])
        except (Overloaded, StoreError) as failure:
            self._sparing.warning(source.id, "a bad answer could not be kept", source=source.id, error=str(failure))

    # Evidence

    def ask(self, questions: Sequence[RequestEvidence], state: State) -> None:
        """Asks every source that can answer; the answers enter as records."""
        able = [(source, source.asks) for source in self._sources if source.asks is not None]
        for question in questions if able else ():
            if len(self._asking) >= _MOST_QUESTIONS:
                self._sparing.warning("questions", "too many questions for evidence; one is not asked",
                                      entity=question.entity)  # fmt: skip
                continue
            entity = state.entities.get(question.entity)
            labels = dict(entity.labels) if entity is not None else {}
            for source, able_to in able:
                task = asyncio.create_task(self._asked(source, able_to, question, labels))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)

    async def _asked(self, source: Source, able: Asks, question: RequestEvidence, labels: dict[str, str]) -> None:
        try:
            async with self._room, asyncio.timeout(_ASK_TIMEOUT_S):
                asked = able.ask(question.entity, labels, question.from_, question.to)
                records = sound_records(source.connector, await awaited(asked))
            if records:
                await self._inbox.put(records)
        except (ConnectorError, Overloaded, StoreError, TimeoutError) as error:
            self._sparing.warning(f"ask {source.id}", "no evidence", source=source.id, entity=question.entity,
                                  error=self._masker.text(str(error)))  # fmt: skip
        except Exception as error:  # noqa: BLE001 - somebody else's connector may fail in any way: marked and reported
            self._log.exception("a bug in a connector's ask", source=source.id)
            self._sources.failed(source, "broken", self._masker.text(f"{type(error).__name__}: {error}"))
