"""Trackers that cannot be had here, on real sockets: each answers as its API's documentation says, and can fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from connectors.trackers import Lossy, Trial
from quell.sdk.connector import Connector
from quell.sdk.http_client import GuardedHttp
from quell.sdk.testkit import CANARY, run

TOKEN = f"{CANARY}-token"
Fault = int | str | tuple[int, Mapping[str, str], str]


class Said(Exception):
    """An answer that ends a request: status, JSON body, headers."""

    def __init__(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, dict(headers or {})


class Pretender:
    """``faults`` are for the next requests: a status, (status, headers, body), or "cut" (it is done, unheard).

    ``asked`` are the requests so far: method, path with query, headers, body.
    """

    prefix = ""

    def __init__(self) -> None:
        self.url = ""
        self.now = 0.0
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str, Mapping[str, str], Any]] = []

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    async def answer(self, request: web.Request, body: Any) -> Any:
        """The JSON of a 2xx answer (a tuple: with its status), or `Said`."""
        raise NotImplementedError

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form = request.content_type == "multipart/form-data"
        body = dict(await request.post()) if form else await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path_qs, dict(request.headers), body))
        await asyncio.sleep(0)
        fault = self.faults.pop(0) if self.faults else ""
        if isinstance(fault, int):
            said = f'{{"message": "no: {request.headers.get("Authorization", "")} {TOKEN}"}}'
            return web.Response(status=fault, text=said, headers={"Retry-After": "7"} if fault == 429 else {})
        if isinstance(fault, tuple):
            return web.Response(status=fault[0], headers=fault[1], text=fault[2])
        try:
            answer = await self.answer(request, body)
        except Said as said_:
            return _json(said_.body, said_.status, said_.headers)
        if fault == "cut":
            assert request.transport is not None
            request.transport.abort()
        status, answer = answer if isinstance(answer, tuple) else (200, answer)
        return _json(answer, status, {})


def _json(body: Any, status: int, headers: Mapping[str, str]) -> web.Response:
    if body is None:
        return web.Response(status=status, headers=headers)
    return web.json_response(body, status=status, headers=headers)


@asynccontextmanager
async def served(pretender: Pretender) -> AsyncIterator[None]:
    app = web.Application(client_max_size=32 * 2**20)
    app.router.add_route("*", "/{tail:.*}", pretender.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pretender.url = f"http://127.0.0.1:{runner.addresses[0][1]}{pretender.prefix}"
    try:
        yield
    finally:
        await runner.cleanup()


def at(
    kind: type[Connector],
    pretender: Any,
    work: Callable[[Trial], Awaitable[None]],
    place: Mapping[str, Any] | None = None,
    **options: Any,
) -> None:
    """Runs a story with a connector of ``kind`` at the pretended tracker."""

    async def inner() -> None:
        http = GuardedHttp(["loopback"])
        async with served(pretender):
            try:
                given = {"url": pretender.url, **options}
                await work(Trial(kind, given, Lossy(http), pretender, place or {}))
            finally:
                await http.close()

    run(inner())
