"""A ticket system on a real socket: keeps tickets and comments, honours nothing it need not, fails when told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class Desk:
    """``faults`` are answers for the next requests: a status, or "cut" (the connection breaks after the work)."""

    def __init__(self) -> None:
        self.tickets: list[dict[str, Any]] = []
        self.comments: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.faults: list[int | str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, request.path_qs, dict(request.headers), body))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, int):
            said = f"no: {request.headers.get('Authorization', '')}"
            return web.Response(status=fault, text=said, headers={"Retry-After": "7"} if fault == 429 else {})
        if fault == "slow":
            await asyncio.sleep(5)
        answer = self._answer(request, body)
        if fault == "cut":
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _answer(self, request: web.Request, body: Any) -> web.Response:
        match [request.method, *request.path.strip("/").split("/")[1:]]:
            case ["GET", "tickets"]:
                key = request.query.get("key", "")
                return web.json_response({"tickets": [one for one in self.tickets if key in one["summary_key"]]})
            case ["POST", "tickets"]:
                ticket = {**body, "id": len(self.tickets) + 1, "status": "new"}
                self.tickets.append(ticket)
                return web.json_response(ticket, status=201)
            case ["GET", "tickets", number, "comments"]:
                return web.json_response(self.comments.get(number, []))
            case ["POST", "tickets", number, "comments"]:
                self.comments.setdefault(number, []).append(body)
                return web.json_response(body, status=201)
            case ["PATCH", "tickets", number]:
                self.tickets[int(number) - 1].update(body)
                return web.json_response(self.tickets[int(number) - 1])
            case ["GET", "text"]:
                return web.Response(text="x" * 40_000)
        return web.json_response({"echo": body, "ok": True})


@asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    """The desk while it is served on a free port of loopback."""
    desk = Desk()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", desk.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    desk.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    try:
        yield desk
    finally:
        await runner.cleanup()
