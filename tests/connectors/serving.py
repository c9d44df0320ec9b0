"""Running a connector against a real server of a test, and the ways in which answers get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from quell.sdk.connector import Call, Connector, Context, Done, Pending
from quell.sdk.http_client import GuardedHttp
from quell.sdk.testkit import NOW, run

Act = Callable[..., Awaitable[Any]]

KEY = "R-1/s/1"


class Server(Protocol):
    """What answers one request."""

    async def handle(self, request: web.Request) -> web.StreamResponse: ...


class Faulty:
    """``faults`` are for the next requests, one each; None lets one pass.

    A status is answered without any work; "lost" does the work and cuts the connection without an answer; "cut" cuts it
    before any work; "slow" never answers.
    """

    def __init__(self) -> None:
        self.faults: list[int | str | None] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.requests.append((request.method, request.path_qs, raw.decode()))
        self.headers.append(dict(request.headers))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, int):
            headers = {"Retry-After": "3"} if fault in (429, 503) else {}
            return web.json_response(self.refusal(fault), status=fault, headers=headers)
        if fault == "slow":
            await asyncio.sleep(5)
        answer = web.Response() if fault == "cut" else self.answer(request, raw)
        if fault in ("cut", "lost"):
            assert request.transport is not None
            request.transport.abort()
        return answer

    def refusal(self, status: int) -> Any:
        """How the server words an error."""
        raise NotImplementedError

    def answer(self, request: web.Request, raw: bytes) -> web.Response:
        """Does the work."""
        raise NotImplementedError

    def written(self) -> list[tuple[str, str, Any]]:
        """The requests that were no reads."""
        return [one for one in self.requests if one[0] != "GET"]


def serve(kind: type[Connector], server: Server, work: Callable[[Act], Awaitable[None]], **options: Any) -> None:
    """Runs ``work(act)``; ``act(action, call_key=…, dry_run=…, timeout_s=…, now=…, **params)`` performs an action once.

    What is pending is asked again at once, until it is done.
    """

    async def inner() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", server.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        http = GuardedHttp(["loopback"])
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            built: Any = kind({"url": url, **options}, Context("src", http))

            async def act(
                action: str,
                call_key: str = KEY,
                dry_run: bool = False,
                timeout_s: float = 5.0,
                now: float = NOW,
                **params: Any,
            ) -> Done:
                for _ in range(20):
                    done = await built.act(Call(call_key, action, params, now, dry_run, timeout_s))
                    if not isinstance(done, Pending):
                        assert isinstance(done, Done)
                        return done
                raise AssertionError("still pending")

            await work(act)
        finally:
            await http.close()
            await runner.cleanup()

    run(inner())
