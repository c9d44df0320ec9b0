"""Socket Mode: a connection that quell opens, over which Slack delivers; a new one before the old one ends."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from quell.errors import BadPayload, ConnectorError, Denied, Refused, Unreachable
from quell.sdk.chat import Answer, Hear, Said
from quell.sdk.secret import Secret
from quell_connectors.slack.answering import Answering
from quell_connectors.slack.line import PING_EVERY_S, Line
from quell_connectors.slack.seen import Seen
from quell_connectors.slack.translate import said
from quell_connectors.slack.web import Web

ACK_WITHIN_S = 2.0
"""Slack wants an ack within three seconds; until then a crash makes it deliver again."""
LONGEST_PAUSE_S = 30.0
_LINGER_S = 1.0
"""An old connection is kept so long for what was under way."""

log = logging.getLogger("quell.slack")


class Socket:
    """Hears by Socket Mode."""

    def __init__(self, web: Web, token: Secret, answering: Answering, ping_every_s: float = PING_EVERY_S) -> None:
        self._web = web
        self._token = token
        self._answering = answering
        self._ping_every_s = ping_every_s
        self.trouble: Refused | Unreachable | None = None
        """Why nothing is heard; None while something is, or nothing was tried yet."""
        self._seen = Seen()
        self._work: set[asyncio.Task[None]] = set()

    async def listen(self, hear: Hear) -> None:
        """Runs until cancelled. Raises `Denied` when the token does not do."""

        async def take(line: Line, envelope: str, kind: str, payload: Any) -> None:
            await self._taken(hear, line, envelope, kind, payload)

        line: Line | None = None
        try:
            while True:
                old, line = line, await self._connected(take)
                if old is not None:
                    self._keep(self._ended(old))
                await line.until_over()
        finally:
            for task in self._work:
                task.cancel()
            await asyncio.gather(*self._work, return_exceptions=True)
            if line is not None:
                await line.close()

    async def _connected(self, take: Any) -> Line:
        pause = 1.0
        while True:
            line = Line(self._web, take, self._ping_every_s)
            try:
                opened = await self._web.apps_connections_open(app_token=self._token.reveal())
                await line.open(str(opened.get("url")))
            except Denied as error:
                self.trouble = error
                await line.close()
                raise
            except Refused as error:
                self.trouble, wait = error, pause
                await line.close()
            except Unreachable as error:
                self.trouble, wait = error, max(pause, error.retry_after_s or 0.0)
                await line.close()
            except BaseException:
                await line.close()
                raise
            else:
                self.trouble = None
                return line
            if pause == 1.0:
                log.warning("slack: not connected, so nobody is heard there: %s; trying on", self.trouble)
            await asyncio.sleep(wait)
            pause = min(pause * 2.0, LONGEST_PAUSE_S)

    async def _ended(self, line: Line) -> None:
        try:
            await asyncio.sleep(_LINGER_S)
        finally:
            await line.close()

    async def _taken(self, hear: Hear, line: Line, envelope: str, kind: str, payload: Any) -> None:
        """Hears it, and acks when it was heard, or shortly before Slack gives up waiting."""
        try:
            heard = said(kind, payload)
        except BadPayload as error:
            log.warning("slack: a delivery of type %s cannot be read: %s", kind, error)
            heard = None
        new = self._seen.first(envelope)
        if heard is None or not new or not self._seen.first(heard.id):
            await line.ack(envelope)
            return
        hearing = self._keep(self._heard(hear, heard))
        await asyncio.wait([hearing], timeout=ACK_WITHIN_S)
        await line.ack(envelope)

    async def _heard(self, hear: Hear, heard: Said) -> None:
        answer = await hear(heard)
        # On its own: the ack waits for what was heard, not for how long the answer takes to be delivered.
        self._keep(self._delivered(heard, answer))

    async def _delivered(self, heard: Said, answer: Answer) -> None:
        try:
            await self._answering.deliver(heard, answer)
        except ConnectorError as error:
            log.warning("slack: an answer to %s could not be delivered: %s", heard.who, error)

    def _keep(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task
