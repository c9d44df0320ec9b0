"""The daemon put together: which parts there are, in which order they begin and end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from quell.config import Loaded
from quell.config.secrets import Secrets
from quell.core.automation import RESUMED
from quell.daemon.api.app import build
from quell.daemon.api.services import Services
from quell.daemon.arguments import Arguments
from quell.daemon.audit import AuditTrail
from quell.daemon.auth import Doors, Tokens
from quell.daemon.bad_input import BadInput
from quell.daemon.body import Limits
from quell.daemon.bounds import Bounds
from quell.daemon.chat.chat import Chat
from quell.daemon.clock import Clock
from quell.daemon.decider import Restore
from quell.daemon.digest import Digest
from quell.daemon.direct import Direct
from quell.daemon.drafting import Drafting
from quell.daemon.drills import Drills
from quell.daemon.git.candidate import Trial
from quell.daemon.git.hook import GitHook
from quell.daemon.git.source import GitSource
from quell.daemon.heap import giving_back
from quell.daemon.http import Front, Server, is_own, own_routes, server
from quell.daemon.illustrated import Illustrated
from quell.daemon.inbox import Inbox
from quell.daemon.ingest import Ingest
from quell.daemon.keeping import Retaining
from quell.daemon.logs import Masker
from quell.daemon.loop import Loop
from quell.daemon.metrics import Metrics
from quell.daemon.naming import Naming
from quell.daemon.pages.app import Pages
from quell.daemon.past_figures import PastFigures
from quell.daemon.past_limits import PastLimits
from quell.daemon.past_releases import PastReleases
from quell.daemon.perform import Performer
from quell.daemon.postmortem_comments import Comments
from quell.daemon.postmortems import Postmortems
from quell.daemon.receiving.keeper import NO_RECEIVER, Keeper, wanted
from quell.daemon.reload import Reloader
from quell.daemon.replaying import Replaying
from quell.daemon.schedule import Schedule
from quell.daemon.secrets_of import secrets_of
from quell.daemon.sources import Sources
from quell.daemon.status import Gauges, status_of
from quell.daemon.taking_up import awaited, lost_answers
from quell.daemon.tenure import Tenure
from quell.daemon.view import EngineView
from quell.daemon.writer import Writer
from quell.errors import Overloaded, StoreError
from quell.model.decision import Perform, RequestEvidence
from quell.model.records import AnyRecord, CommandRecord, DeliveryRecord
from quell.replay.deliveries import Deliveries
from quell.sdk.connector import Connector, Received
from quell.store.port import Store

_DRAIN_ACTS_S = 4.0
_DRAIN_TURNS_S = 3.0
_RECEIVER_BEGINS_S = 1.0
"""Senders need not wait longer for it: this process takes deliveries in until it does."""
LOST = 4
"""The exit code of a daemon whose store another has taken over."""
SHUTTING_DOWN = "shutting down"


class Daemon:
    """``load`` reads the configuration again; ``restore`` makes a core; ``kinds`` are the installed connectors."""

    def __init__(
        self,
        loaded: Loaded,
        load: Callable[[], Loaded],
        config_path: Path,
        store: Store,
        *,
        trial: Trial,
        restore: Restore,
        kinds: Mapping[str, type[Connector]],
        clock: Clock,
        masker: Masker | None = None,
    ) -> None:
        self.settings = loaded.settings
        self.metrics = Metrics()
        self.clock = clock
        self.masker = masker or Masker()
        self.masker.know(secrets_of(loaded.settings))
        self.not_ready = "starting"
        self.stopping = asyncio.Event()
        self.exit_code = 0
        self._recovered = False
        self._load = load
        self._trial = trial
        self._store = store
        self._opened_store = loaded.settings.store
        self._log = structlog.get_logger("quell.daemon")
        self._started_at = clock.now()
        self._tasks: list[asyncio.Task[None]] = []
        self.writer = Writer(store)
        self.audit = AuditTrail(self.writer, clock, self._opened_store, loaded.settings.directory)
        self.tenure = Tenure(self.writer, self._lost)
        self.sources = Sources(kinds, clock.now, self.metrics)
        self._first_sources = self.sources.prepared(loaded.settings)
        self.loop = Loop(
            self.writer, clock, self.metrics, restore, loaded.rulebook,
            perform=self._perform,
            ask=self._ask,
            told=Arguments(self.sources, Secrets(loaded.settings.directory, os.environ).read, self.masker).told,
            snapshot_every_s=loaded.settings.snapshot_every_s,
        )  # fmt: skip
        limits = loaded.settings.limits
        self.inbox = Inbox(
            self.writer, clock, self.metrics, self.loop.take, limit=limits.inbox, most_behind=limits.backlog
        )
        self.inbox.private.use(loaded.settings.privacy)
        self.masker.private = self.inbox.private.text if loaded.settings.privacy.rules else None
        self.inbox.named = Naming(self.sources, lambda: self.settings.people).named
        self.loop.follow(self.inbox)
        self.inbox.stir = self.loop.stir
        self.performer = Performer(
            self.sources, Secrets(loaded.settings.directory, os.environ).read, self.inbox,
            awaited=lambda deed: awaited(self.loop.decider.state, deed),
            paused_by=lambda: self.loop.decider.state.paused_by, tenure=self.tenure,
            writer=self.writer, clock=clock, metrics=self.metrics, masker=self.masker,
        )  # fmt: skip
        self.performer.illustrated = Illustrated(lambda: self.loop.decider.state)
        self.schedule = Schedule(self.sources, self.inbox, clock, self.metrics, self.masker)
        self.reloader = Reloader(config_path, self._reload, self.metrics, clock.now)
        self.reloader.version, self.reloader.warnings = loaded.rulebook.version, loaded.warnings
        self.git = GitSource(
            lambda: self.settings.git,
            trial=self._trial, take_up=self.reloader.reload, tell=self._tell, clock=clock, metrics=self.metrics,
        )  # fmt: skip
        self.figures = PastFigures(
            self.loop, self.writer, clock, settings=lambda: self.settings, store_url=self._opened_store
        )
        self.releases = PastReleases(
            self.loop, self.writer, clock, settings=lambda: self.settings, store_url=self._opened_store
        )
        self.suggestions = PastLimits(
            self.loop, self.writer, settings=lambda: self.settings, store_url=self._opened_store
        )
        self.chat = Chat(
            self.sources, loop=self.loop, inbox=self.inbox, writer=self.writer, clock=clock, metrics=self.metrics,
            masker=self.masker, settings=lambda: self.settings, figures=self.figures.since,
        )  # fmt: skip
        self.drafting = Drafting(self.loop, clock, self.suggestions)
        self.postmortems = Postmortems(
            self.loop, self.inbox, clock, self.drafting,
            Comments(self.loop, self.sources, self.writer, clock, self._perform),
            settings=lambda: self.settings,
        )  # fmt: skip
        self.digest = Digest(lambda: self.settings, self.figures, self.writer, self.clock, self._perform)
        self.drills = Drills(self.loop, self.inbox, self.clock, self.metrics, lambda: self.settings)
        self.bad_input = BadInput(self.inbox, self.writer, self.clock)
        self.tokens = Tokens(loaded.settings.tokens)
        self._doors = Doors(self.tokens, loaded.settings)
        self.receiver: Keeper | None = None
        self._server = self._http()

    def _http(self) -> Server:
        limits = Limits(sent=self.settings.limits.body, inflated=4 * self.settings.limits.body)
        bounds = Bounds(
            self.settings.limits.alerts_per_post, self.settings.limits.labels, self.settings.limits.label_value
        )
        view = EngineView(lambda: self.loop.decider.state, self._started_at)
        ingest = Ingest(
            self.sources, self.inbox, self.loop,
            view=view, clock=self.clock, metrics=self.metrics, masker=self.masker, doors=self._doors,
            limits=limits, bounds=bounds, not_ready=lambda: self.not_ready, heard=self.chat.heard,
        )  # fmt: skip
        replaying = Replaying(
            self.sources, self.inbox, self.loop,
            writer=self.writer, clock=self.clock, masker=self.masker, bounds=bounds, view=view,
            delivered=self._delivered,
        )  # fmt: skip
        services = Services(
            loop=self.loop, inbox=self.inbox, writer=self.writer, clock=self.clock, status=self.status,
            delivered=self._delivered, replaying=replaying, audit_break=self.audit.first_break, git=self.git,
            figures=self.figures,
            releases=self.releases,
            suggestions=self.suggestions,
            drafting=self.drafting,
            postmortems=self.postmortems,
            chat=self.chat,
        )  # fmt: skip

        counted = Gauges(self.metrics, self.loop)

        async def gauges() -> None:
            counted.set()
            ingest.tell_counts()
            self.metrics.quarantine_waiting.set(await replaying.waiting())

        self._direct = Direct(ingest, limits, is_own)
        own = own_routes(
            build(services, self.tokens, limits),
            self.metrics,
            gauges,
            lambda: self.not_ready,
            pushed=GitHook(lambda: self.settings.git, self.git.ask, self.clock.now).pushed,
            pages=Pages(services, self.tokens, lambda: self.not_ready),
        )
        return server(Front(own, ingest, self.loop.readers), limits.sent, direct=self._direct)

    # Life

    async def start(self, listening: socket.socket | None = None) -> None:
        """Serves (not ready), recovers, reconciles, begins to take records. Raises StoreError when it cannot."""
        if listening is not None:
            if wanted(self.settings.receiver):
                self.receiver = Keeper(self._server, self._direct, self.metrics, listening)
            sockets = [listening if self.receiver is None else listening.dup()]
            self._spawn(self._server.serve(sockets=sockets), "http")
            if self.receiver is not None:
                self._spawn(self.receiver.run(), "receiver")
        await self.tenure.begin()
        await self.sources.use(self._first_sources, self.settings)
        found = await self.loop.recover()
        self.schedule.cursors = self.inbox.private.opened(found.cursors)
        self.inbox.resume(found.last, found.behind if self.loop.seq < found.last else 0)
        self._spawn(self.inbox.run(), "inbox")
        # Asked before time passes: what is decided from then on is begun by this process.
        left = await self.writer.call(self._store.unfinished)
        await self._tell_of_return()
        self.loop.returned = self._tell_of_return
        await self.loop.catch_up()
        self._spawn(self.loop.run(), "loop")
        await self.performer.reconcile(left)
        if lost := await lost_answers(self.writer, self.loop.decider.state):
            await self.inbox.put(lost, inside=True)
        self.inbox.open()
        self.schedule.start()
        await self.chat.start()
        self._spawn(self.reloader.run(), "reload")
        self._spawn(self.git.run(), "git")
        self._spawn(Retaining(self.writer, self.clock, lambda: self.settings.retention).run(), "trim")
        self._spawn(self.releases.run(), "releases")
        self._spawn(self.digest.run(), "digest")
        self._spawn(self.drills.run(), "drills")
        self._spawn(self.postmortems.run(), "post-mortems")
        self._spawn(giving_back(), "heap")
        self._spawn(self.bad_input.run(), "bad input")
        if self.receiver is not None:
            await self.receiver.begun(_RECEIVER_BEGINS_S)
        self._recovered, self.not_ready = True, ""
        self._log.info("ready", version=self.loop.rulebook.version, sources=len(self.settings.sources))

    async def _tell_of_return(self) -> bool:
        """Journals that nobody was there, before time passes: what the clock should have begun comes once at most.

        The first record of a new store it is, too: before time is known, the clock begins nothing. Whether there was a
        need to, and it could be done. Detectors are not to take for silence that nobody heard.
        """
        rulebook = self.loop.rulebook
        if rulebook.detect or any(playbook.schedule is not None for playbook in rulebook.playbooks):
            now = self.clock.now()
            record = CommandRecord(at=now, seen=now, source="quell", verb=RESUMED, by="quell")
            try:
                await self.inbox.put([record], inside=True)
            except (Overloaded, StoreError) as error:
                self._log.error("schedules may come more than once: the return could not be kept", error=str(error))
                return False
            return True
        return False

    async def stop(self) -> None:
        """Brings home what was accepted: no new records, the inbox decided over, a snapshot, everything closed."""
        self.not_ready = SHUTTING_DOWN
        self.inbox.close()
        await self.chat.stop()
        await self.schedule.stop()
        await self.performer.stop(0.0 if self.tenure.gone else _DRAIN_ACTS_S)
        try:
            async with asyncio.timeout(0.0 if self.tenure.gone else _DRAIN_TURNS_S):
                await self.inbox.empty()
                await self.loop.idle()
                if self._recovered:
                    await self.loop.save()
        except TimeoutError:
            self._log.error("not everything was decided over in time; the journal has it for the next start")
        if self.receiver is not None:
            await self.receiver.end()
        self._server.should_exit = True
        for task in self._tasks:
            if task.get_name() != "http":
                task.cancel()
        await asyncio.wait(self._tasks, timeout=3.0) if self._tasks else None
        await self.sources.close()
        try:
            async with asyncio.timeout(2.0):
                await self.tenure.end()
        except TimeoutError:
            self._log.warning("the lease on the store was not given up; the next start may have to wait for its end")
        try:
            async with asyncio.timeout(2.0):
                await self.writer.close()
        except (StoreError, TimeoutError) as error:
            self._log.error("the store was not closed in order; the journal is whole", error=str(error))
        self._log.info("stopped", seq=self.loop.seq)

    def _lost(self) -> None:
        """Another has taken the store over: all that is under way is its business now. It may be noticed twice."""
        self.exit_code = LOST
        if self.not_ready != SHUTTING_DOWN:
            self.not_ready = "another quell has taken the store over"
        self.stopping.set()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part that ends by itself is a bug; the daemon stops in order rather than limp."""
        if task.cancelled() or self.not_ready == SHUTTING_DOWN:
            return
        error = task.exception()
        self._log.critical("a part of the daemon failed; stopping", part=task.get_name(), exc_info=error)
        self.exit_code = 3
        self.stopping.set()

    # Parts that belong to several

    async def _reload(self) -> str:
        loaded = await asyncio.to_thread(self._load)
        prepared = self.sources.prepared(loaded.settings)
        old = self.settings
        for name in ("host", "port", "receiver", "store", "limits", "log", "snapshot_every_s"):
            if getattr(old, name) != getattr(loaded.settings, name):
                self._log.warning("a changed setting takes effect at the next start", setting=name)
        self.masker.know(secrets_of(loaded.settings))
        before = self.loop.rulebook.version
        await self.loop.use(loaded.rulebook)
        if not self.loop.decider.state.now:
            await self._tell_of_return()
        self.settings = loaded.settings
        self.inbox.private.use(loaded.settings.privacy)
        self.masker.private = self.inbox.private.text if loaded.settings.privacy.rules else None
        self.tokens.use(loaded.settings.tokens)
        self._doors.use(loaded.settings)
        await self.sources.use(prepared, loaded.settings)
        self.schedule.follow()
        self.chat.follow()
        if before != loaded.rulebook.version:
            await self.audit.note("reload", loaded.rulebook.version, f"rules and playbooks, {before} until now")
        self.reloader.warnings = loaded.warnings
        for problem in loaded.warnings:
            self._log.warning("worth a look", problem=str(problem))
        return loaded.rulebook.version

    async def _tell(self, records: list[AnyRecord]) -> None:
        """Takes in what quell says of itself; when there is no room for it, it is in the log all the same."""
        try:
            await self.inbox.put(records, inside=True)
        except (Overloaded, StoreError) as error:
            self._log.warning("could not be put on record", records=len(records), error=str(error))

    def _perform(self, intents: Sequence[Perform]) -> None:
        self.performer.submit(intents)

    def _ask(self, questions: Sequence[RequestEvidence]) -> None:
        if questions:
            self.schedule.ask(questions, self.loop.decider.state)

    def _delivered(self, delivery: DeliveryRecord) -> Received:
        """A recorded delivery, decoded by the source that owns its path."""
        owners = self.sources.owners(delivery.path.partition("?")[0])
        path = delivery.path.partition("?")[0]
        return Deliveries({path: owners[0].connector} if owners else {}).decode(delivery)

    def status(self) -> dict[str, Any]:
        """How everything is."""
        told = status_of(
            self.loop, self.inbox, self.sources, self.reloader,
            git=self.git, clock=self.clock, started_at=self._started_at, not_ready=self.not_ready,
        )  # fmt: skip
        told["receiver"] = NO_RECEIVER if self.receiver is None else self.receiver.status()
        told["postmortems"] = self.postmortems.status()
        return {**told, "lease": {"number": self.tenure.number, "held": self.tenure.held}}
