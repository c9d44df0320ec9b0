"""Acting on a server of loopback, real or pretended, over a wire that loses what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from quell.errors import NoAnswer
from quell.sdk.connector import Call, Connector, Context, Done, Pending
from quell.sdk.http import Answer
from quell.sdk.http_client import GuardedHttp
from quell.sdk.testkit import NOW

Act = Callable[..., Awaitable[Done]]


class Wire:
    """HTTP to loopback. ``faults`` are for the next writes: "cut" before they arrive, "lost" the answer, "" nothing."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.http = GuardedHttp(["loopback"])
        self.requests: list[tuple[str, str, Any]] = []
        self.faults: list[str] = []

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        return [sent for sent in self.requests if sent[0] != "GET" and not sent[1].endswith("/auth/token")]

    async def request(self, method: str, url: str, **asked: Any) -> Answer:
        before = len(self.writes)
        self.requests.append((method, url, asked.get("json")))
        fault = self.faults.pop(0) if self.faults and len(self.writes) > before else ""
        if fault == "cut":
            raise NoAnswer("the wire was cut")
        answer = await self.http.request(method, url, **asked)
        if fault == "lost":
            raise NoAnswer("the answer was lost")
        return answer


@asynccontextmanager
async def acting(kind: type[Connector], url: str, **options: Any) -> AsyncIterator[tuple[Act, Wire]]:
    """``act(action, call_key=…, dry_run=…, **params)`` performs an action of the connector that asks ``url``."""
    wire = Wire(url)
    built: Any = kind({"url": url, **options}, Context("src", wire))

    async def act(action: str, call_key: str = "run-1/s", dry_run: bool = False, **params: Any) -> Done:
        done = await built.act(Call(call_key, action, params, NOW, dry_run, 5.0))
        while isinstance(done, Pending):
            await asyncio.sleep(0)
            done = await built.act(Call(call_key, action, params, NOW, dry_run, 5.0))
        assert isinstance(done, Done)
        return done

    try:
        yield act, wire
    finally:
        await wire.http.close()


class Pretend:
    """A server that answers as the documented API does, from what it keeps; fails when told to.

    ``faults`` are answers for the next requests: a status, "cut" (the connection breaks after the work), "slow" or "".
    """

    def __init__(self) -> None:
        self.faults: list[int | str] = []
        self.requests: list[web.Request] = []
        self.url = ""

    async def answer(self, request: web.Request, body: Any) -> web.Response:
        raise NotImplementedError

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else ""
        if isinstance(fault, int):
            said = {"message": f"no: {request.headers.get('Authorization', '')}"}
            return web.json_response(said, status=fault, headers={"Retry-After": "7"} if fault == 429 else {})
        if fault == "slow":
            await asyncio.sleep(3)
        answer = await self.answer(request, body)
        if fault == "cut":
            assert request.transport is not None
            request.transport.abort()
        return answer


@asynccontextmanager
async def served(pretend: Pretend) -> AsyncIterator[str]:
    """The address of the server while it is served on a free port of loopback."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", pretend.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pretend.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield pretend.url
    finally:
        await runner.cleanup()
