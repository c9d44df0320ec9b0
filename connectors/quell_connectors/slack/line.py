"""One connection of Socket Mode: slack-sdk's, without its way of connecting again, which keeps to a dead address."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from quell.errors import Unreachable
from quell_connectors.slack.web import Web

OPEN_WITHIN_S = 10.0
PING_EVERY_S = 5.0
_LOOK_EVERY_S = 1.0

Take = Callable[["Line", str, str, Any], Awaitable[None]]
"""Given the line, the envelope's id, its type and its payload; it sends the ack."""

_quiet = logging.getLogger("quell.slack.socket")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False  # slack-sdk logs addresses that hold tickets, and whole tracebacks for what is normal


class _Client(SocketModeClient):
    """Says when it is over, where slack-sdk would connect again by itself."""

    over: asyncio.Event

    async def connect_to_new_endpoint(self, force: bool = False) -> None:  # noqa: ARG002 -- the sdk's signature
        self.over.set()


class Line:
    """Made in a running loop. ``over`` is set when Slack ends it, or nothing is heard any more."""

    def __init__(self, web: Web, take: Take, ping_every_s: float = PING_EVERY_S) -> None:
        self.over = asyncio.Event()
        self.ready = asyncio.Event()
        self._take = take
        self._client = _Client(
            app_token="", logger=_quiet, web_client=web, auto_reconnect_enabled=False, ping_interval=ping_every_s
        )
        self._client.over = self.over
        self._client.on_close_listeners.append(self._closed)
        self._client.message_listeners.append(self._listen)
        self._client.socket_mode_request_listeners.append(self._request)

    async def open(self, url: str) -> None:
        """Connects, and waits for Slack's hello. Raises `Unreachable`."""
        self._client.wss_uri = url
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                await self._client.connect()  # type: ignore[no-untyped-call]  # slack-sdk does not type it
                await self.ready.wait()
        except TimeoutError:
            await self.close()
            raise Unreachable(f"Slack's socket was not open within {OPEN_WITHIN_S:g} s") from None

    async def until_over(self) -> None:
        """Comes back when another connection is needed."""
        while not self.over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self.over.wait()
            if not await self._client.is_connected():
                return

    async def ack(self, envelope: str, payload: dict[str, Any] | None = None) -> None:
        """Tells Slack that it arrived; on a line that broke meanwhile nothing is told, and Slack delivers again."""
        with suppress(ConnectionError, RuntimeError, AttributeError):
            await self._client.send_socket_mode_response(SocketModeResponse(envelope_id=envelope, payload=payload))

    async def close(self) -> None:
        """Ends the connection and everything that slack-sdk started for it."""
        client = self._client
        tasks = [client.message_processor, client.current_session_monitor, client.message_receiver]
        with suppress(Exception):  # a broken socket may fail in any way to be closed
            await client.close()  # type: ignore[no-untyped-call]  # slack-sdk does not type it
        await client.aiohttp_client_session.close()
        started: list[asyncio.Future[Any]] = [task for task in tasks if task is not None]
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)

    async def _closed(self, _message: Any) -> None:
        self.over.set()

    async def _listen(self, _client: Any, message: dict[str, Any], _raw: str | None = None) -> None:
        if message.get("type") == "hello":
            self.ready.set()

    async def _request(self, _client: Any, request: SocketModeRequest) -> None:
        await self._take(self, request.envelope_id, request.type, request.payload)
