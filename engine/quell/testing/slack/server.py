"""The workspace as a server on the loopback interface: the Web API, uploads, answers, and Socket Mode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSCloseCode, web

from quell.testing.slack.http import answered
from quell.testing.slack.people import Envelope
from quell.testing.slack.workspace import Cut, FakeSlack

HELLO = {"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0QUELL00"}}


class Server:
    """Delivers to one of its connections at a time, as Slack does, and remembers what was acked when."""

    def __init__(self, slack: FakeSlack) -> None:
        self.slack = slack
        self.connections: list[web.WebSocketResponse] = []
        self.opened = 0
        """Connections that were ever opened."""
        self.acks: dict[str, Any] = {}
        """The payload of each ack, by envelope."""
        self.waits: dict[str, float] = {}
        """How long each took, in seconds."""
        self.deliveries = 0
        self._sent: dict[str, float] = {}
        self._changed = asyncio.Condition()
        self._requests: dict[web.WebSocketResponse, web.Request] = {}

    @property
    def api_url(self) -> str:
        """What ``base_url`` is to be."""
        return f"{self.slack.base}api/"

    def app(self) -> web.Application:
        """The routes."""
        made = web.Application()
        made.router.add_get("/link/", self._socket)
        made.router.add_route("*", "/{path:.*}", self._request)
        return made

    async def connected(self, count: int = 1) -> None:
        """Waits until so many connections were opened in all."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.opened >= count and bool(self.connections))

    async def deliver(self, envelope: Envelope, *, copies: int = 1, wait: bool = True) -> Any:
        """Sends it, ``copies`` times over whichever connections there are, and waits for the ack; its payload."""
        for attempt in range(copies):
            await self.send(envelope, attempt)
        return await self.acked(envelope.id) if wait else None

    async def send(self, envelope: Envelope, attempt: int = 0) -> None:
        """One delivery, over one of the connections."""
        await self.connected()
        self._sent.setdefault(envelope.id, asyncio.get_running_loop().time())
        target = self.connections[self.deliveries % len(self.connections)]
        self.deliveries += 1
        await target.send_json(envelope.frame(attempt))

    async def acked(self, envelope: str) -> Any:
        """Waits for an ack."""
        async with self._changed:
            await self._changed.wait_for(lambda: envelope in self.acks)
        return self.acks[envelope]

    async def disconnect(self, reason: str = "warning") -> None:
        """Tells all connections to go; on ``refresh_requested`` they are also closed at once."""
        for one in list(self.connections):
            await one.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})
            if reason != "warning":
                await one.close(code=WSCloseCode.GOING_AWAY)

    async def drop(self) -> None:
        """Ends all connections without a word."""
        for one in list(self.connections):
            transport = self._requests[one].transport
            if transport is not None:
                transport.abort()

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(HELLO)
        self.connections.append(socket)
        self._requests[socket] = request
        self.opened += 1
        await self._tell()
        try:
            async for message in socket:
                if message.type == web.WSMsgType.TEXT:
                    await self._take(message.json())
        finally:
            self.connections.remove(socket)
            del self._requests[socket]
        return socket

    async def _take(self, told: dict[str, Any]) -> None:
        name = str(told.get("envelope_id"))
        if name in self._sent and name not in self.acks:
            self.waits[name] = asyncio.get_running_loop().time() - self._sent[name]
            self.acks[name] = told.get("payload")
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _request(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        try:
            found = answered(self.slack, request.path, dict(request.query), headers, body)
        except Cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        if isinstance(found.data, str):
            return web.Response(status=found.status, text=found.data)
        return web.json_response(found.data, status=found.status, headers=found.headers)


@asynccontextmanager
async def running(slack: FakeSlack) -> AsyncIterator[Server]:
    """Serves on a free port of the loopback interface until the block ends."""
    server = Server(slack)
    runner = web.AppRunner(server.app(), shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = runner.addresses[0]
    slack.base = f"http://{address[0]}:{address[1]}/"
    try:
        yield server
    finally:
        for one in list(server.connections):
            await one.close(code=WSCloseCode.GOING_AWAY)
        await runner.cleanup()
