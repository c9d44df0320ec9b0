"""Chat put together: senders and listeners of all sources that can, in step with the configuration."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from math import isfinite
from typing import Any

import structlog

from quell.config.settings import Settings
from quell.daemon.chat.board import Board
from quell.daemon.chat.desk import Desk
from quell.daemon.chat.floor import Asker, Floor
from quell.daemon.chat.pictures import Pictures
from quell.daemon.chat.sender import Sender
from quell.daemon.chat.wellness import ILL_S, Wellness
from quell.daemon.clock import Clock
from quell.daemon.inbox import Inbox
from quell.daemon.logs import Masker, Sparing
from quell.daemon.loop import Loop
from quell.daemon.metrics import Metrics
from quell.daemon.sources import Source, Sources
from quell.daemon.writer import Writer
from quell.errors import ConnectorError, Denied, Refused
from quell.model.incident import Incident
from quell.model.run import Run
from quell.sdk.chat import Answer, Heard, Listens, Probes, Said, Shows
from quell.stats.figures import Figures
from quell.store.port import ShownRow

_LONGEST_PAUSE_S = 5.0
"""Senders look at the clock at least this often."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_REFUSED_WAIT_S = 300.0
_log = Sparing(structlog.get_logger("quell.chat"))


class Chat:
    """``settings`` are those in use; `follow` is called whenever sources or settings are others."""

    def __init__(
        self,
        sources: Sources,
        *,
        loop: Loop,
        inbox: Inbox,
        writer: Writer,
        clock: Clock,
        metrics: Metrics,
        masker: Masker,
        settings: Callable[[], Settings],
        figures: Callable[[float], Awaitable[Figures]],
    ) -> None:
        self._sources = sources
        self._loop = loop
        self._writer = writer
        self._metrics = metrics
        self._settings = settings
        self._pictures = Pictures(self._explained, self._drawn, time.monotonic)
        self.board = Board(
            self._state, settings().chat, now=clock.now, steady=time.monotonic, picture=self._pictures.of,
            drifted=self._pictures.drift,
            routes=lambda: {route.name for route in loop.rulebook.routes}, triage=lambda: loop.rulebook.triage,
        )  # fmt: skip
        self._shown_by = settings().chat
        self.desk = Desk(
            Floor(
                loop=loop,
                inbox=inbox,
                writer=writer,
                clock=clock,
                sources=sources,
                board=self.board,
                figures=figures,
                people=lambda: settings().people,
                link=lambda: settings().chat.link,
            )
        )
        self._wellness = Wellness(sources, masker, self._freed)
        self._tasks: dict[tuple[str, str], tuple[object, asyncio.Task[None]]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._news: dict[str, asyncio.Event] = {}
        self._loaded = False
        self._drawing: asyncio.Task[None] | None = None

    def _state(self) -> Any:
        return self._loop.decider.state

    async def start(self) -> None:
        """Takes over what a former process left, and begins."""
        self.board.load(await self._writer.call(self._writer.store.shown))
        self._loaded = True
        self._drawing = asyncio.create_task(self._pictures.run(), name="pictures")
        self._loop.told = self.changed
        self.follow()

    def follow(self) -> None:
        """Ends what belongs to sources that are gone or others now, and begins what is new."""
        if not self._loaded:
            return
        if self._settings().chat != self._shown_by:
            self._shown_by = self._settings().chat
            self.board.use(self._shown_by)
        present = {source.id: source for source in self._sources}
        for room in self.board.rooms:
            source = present.get(room.source)
            if source is None or not isinstance(source.connector, Shows):
                _log.warning(f"room {room.source}", "a room's source shows nothing", source=room.source,
                             channel=room.channel)  # fmt: skip
        for key, (connector, task) in list(self._tasks.items()):
            source = present.get(key[0])
            if source is None or source.connector is not connector:
                task.cancel()
                del self._tasks[key]
                if key[1] == "send":
                    self.board.outboxes.pop(key[0], None)
        for source in present.values():
            connector = source.connector
            if isinstance(connector, Probes) and (source.id, "probe") not in self._tasks:
                self._wellness.begin(source)
                self._begin(source, "probe", self._wellness.watch(source, connector))
            if isinstance(connector, Shows) and (source.id, "send") not in self._tasks:
                self._begin(source, "send", self._send(source, connector))
            if isinstance(connector, Listens) and (source.id, "listen") not in self._tasks:
                self._begin(source, "listen", self._listen(source, connector))
        self.board.all_again()
        self._wake()

    def _begin(self, source: Source, what: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{what} {source.id}")
        self._tasks[source.id, what] = (source.connector, task)

    async def stop(self) -> None:
        """Hears and sends nothing more; what is not sent is known to be untrue at the next start."""
        self._loop.told = lambda _incidents, _runs: None
        tasks = [task for _, task in self._tasks.values()] + list(self._answering)
        tasks += [self._drawing] if self._drawing is not None else []
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def changed(self, incidents: Sequence[Incident], runs: Sequence[Run]) -> None:
        """What a turn made of incidents and runs."""
        if incidents or runs:
            self.board.changed(incidents, runs)
            self._wake()

    def _explained(self, name: str) -> Any:
        return self._loop.decider.explain(name)

    def _drawn(self, name: str) -> None:
        self.board.drawn(name)
        self._wake()

    def _wake(self) -> None:
        for news in self._news.values():
            news.set()

    async def hear(self, source: str, said: Said) -> Answer:
        """What somebody said; whatever it changed is shown at once."""
        answer = await self.desk.hear(source, said)
        self._wake()
        return answer

    async def say(self, text: str, asker: Asker) -> Answer:
        """The same for who was let in by a token."""
        answer = await self.desk.say(text, asker)
        self._wake()
        return answer

    def heard(self, source: Source, heard: Heard) -> None:
        """Answers what came by HTTP, after the request was answered."""
        for said in heard.said:
            task = asyncio.create_task(self._answered(source, said), name=f"answer {source.id}")
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answered(self, source: Source, said: Said) -> None:
        answer = await self.hear(source.id, said)
        if source.hears is None or answer == Answer():
            return
        try:
            await source.hears.answer(said, answer)
        except Exception as error:  # noqa: BLE001 - a connector may fail in any way; what was done is done
            text = f"{type(error).__name__}: {error}"
            _log.warning(f"answer {source.id}", "an answer did not arrive", source=source.id, error=text)

    # What runs for as long as its source is there

    async def _send(self, source: Source, shows: Shows) -> None:
        sender = Sender(
            source.id, shows, self.board,
            state=self._state, keep=self._keep, steady=time.monotonic,
            report=partial(self._wellness.report, source, "send"),
        )  # fmt: skip
        self.board.outboxes[source.id] = sender.outbox
        news = self._news[source.id] = asyncio.Event()
        calls = 0
        self.board.all_again()
        try:
            while True:
                news.clear()
                wait_s = await sender.step()
                self._metrics.chat_calls.labels(source.id).inc(sender.calls - calls)
                calls = sender.calls
                since = sender.outbox.oldest_since
                self._metrics.chat_lag.labels(source.id).set(0.0 if since is None else time.monotonic() - since)
                if wait_s > 0:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(min(wait_s, _LONGEST_PAUSE_S) if isfinite(wait_s) else None):
                            await news.wait()
                else:
                    await asyncio.sleep(0)
        finally:
            if self._news.get(source.id) is news:  # else another sender is there already
                del self._news[source.id]

    async def _listen(self, source: Source, listens: Listens) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            began = time.monotonic()
            try:
                await listens.listen(partial(self.hear, source.id))
                error: Exception = ConnectorError("it stopped listening")
            except Exception as raised:  # noqa: BLE001 - a connector may fail in any way: reported, and tried again
                error = raised
            if time.monotonic() - began > _LONGEST_WAIT_S:
                wait_s = _FIRST_WAIT_S
            pause_s = _REFUSED_WAIT_S if isinstance(error, Refused) else wait_s
            if isinstance(error, Denied):
                pause_s = ILL_S
            wait_s = min(wait_s * 2.0, _LONGEST_WAIT_S)
            text = str(error) if isinstance(error, ConnectorError) else f"{type(error).__name__}: {error}"
            ill = isinstance(error, ConnectorError) and not isinstance(error, Denied)
            self._wellness.report(source, "listen", "unreachable" if ill else "broken", text)
            _log.warning(f"listen {source.id}", "nothing is heard there; trying again", source=source.id, error=text,
                         again_in_s=pause_s)  # fmt: skip
            await asyncio.sleep(pause_s)

    def _freed(self, source: str) -> None:
        outbox = self.board.outboxes.get(source)
        if outbox is not None:
            outbox.free()
        self._wake()

    async def _keep(self, kept: list[ShownRow], gone: list[ShownRow]) -> None:
        await self._writer.call(self._writer.store.keep_shown, kept, gone)
