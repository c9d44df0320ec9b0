"""The HTTP server: deliveries in front, health and metrics, and the management API below its prefix."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from quell.daemon.api.app import PREFIX
from quell.daemon.connection import Connection, hung_up, look_after, make_room
from quell.daemon.direct import Direct
from quell.daemon.git.hook import HOOK_PATH
from quell.daemon.metrics import Metrics
from quell.daemon.pages.app import is_page
from quell.daemon.readers import Readers
from quell.daemon.replies import error_reply, send_reply

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LOOKS_EVERY = 50
"""Ticks of the server, of a tenth of a second each, between two looks after slow connections."""
_OWN = frozenset({"/health", "/ready", "/-/healthy", "/-/ready", "/metrics", HOOK_PATH})


def is_own(path: str) -> bool:
    """Whether a path is one of quell's own."""
    return path in _OWN or path == PREFIX or path.startswith(PREFIX + "/") or is_page(path)


class Front:
    """Sends each request to the source that owns its path, or to quell's own routes, which no source can take."""

    def __init__(self, own: ASGIApp, ingest: ASGIApp, readers: Readers) -> None:
        self._own = own
        self._ingest = ingest
        self._readers = readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            if is_own(scope["path"]):
                with self._readers.asking():
                    await self._own(scope, receive, send)
            else:
                await self._ingest(scope, receive, send)
        except RuntimeError as error:
            if not hung_up(error):
                raise


def own_routes(
    api: ASGIApp,
    metrics: Metrics,
    gauges: Callable[[], Awaitable[None]],
    not_ready: Callable[[], str],
    *,
    pushed: Callable[[Request], Awaitable[Response]],
    pages: ASGIApp,
) -> ASGIApp:
    """Health, readiness, metrics, the hook of a git server, the API and the pages.

    ``not_ready`` says why not ("" when ready).
    """

    async def healthy(_request: Request) -> Response:
        return PlainTextResponse("OK")

    async def ready(_request: Request) -> Response:
        reason = not_ready()
        return PlainTextResponse(reason or "OK", 503 if reason else 200)

    async def numbers(_request: Request) -> Response:
        await gauges()
        return Response(metrics.text(), media_type=_METRICS_TYPE)

    async def others(scope: Scope, receive: Receive, send: Send) -> None:
        if is_page(scope["path"]):
            await pages(scope, receive, send)
            return
        await send_reply(send, error_reply(404, "nothing is served here"))

    app = Starlette(
        routes=[
            Route("/health", healthy),
            Route("/-/healthy", healthy),
            Route("/ready", ready),
            Route("/-/ready", ready),
            Route("/metrics", numbers),
            Route(HOOK_PATH, pushed, methods=["POST"]),
            Mount(PREFIX, app=api),
        ]
    )
    app.router.default = others
    app.router.redirect_slashes = False
    return app


class Server(uvicorn.Server):
    """Leaves signals to the daemon, which has records to bring home first.

    It can leave a socket to somebody else who takes connections in, and take them itself again.
    """

    def connection(self, kind: Callable[..., Connection] | None = None) -> Connection:
        """A new connection of this server, of ``kind`` if that is given."""
        make: Any = self.config.http_protocol_class if kind is None else kind
        made: Connection = make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        return made

    async def listen(self, taken: socket.socket) -> None:
        """Takes connections in from another socket as well, which it closes when it does not any more."""
        loop = asyncio.get_running_loop()
        self.servers.append(await loop.create_server(self.connection, sock=taken, backlog=self.config.backlog))

    def leave(self) -> None:
        """Takes no connections in any more; those that there are go on."""
        for each in self.servers:
            each.close()
        self.servers.clear()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Captures none."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether the server is to end."""
        if counter % _LOOKS_EVERY == 0:
            look_after(self.server_state.connections)
        return await super().on_tick(counter)


def server(app: ASGIApp, most_body: int, drain_s: int = 2, direct: Direct | None = None) -> Server:
    """A server for the running event loop; ``serve(sockets=[…])`` runs it until ``should_exit``.

    ``most_body`` is how many bytes of one body are kept, ``direct`` what takes deliveries the short way.
    """
    make_room(most_body)
    config = uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(Connection, direct=direct)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=drain_s,
        backlog=2048,
    )
    return Server(config)


def bound(host: str, port: int) -> socket.socket:
    """A listening address; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, because asyncio switches off the delay of small writes only then.
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
    except OSError:
        taken.close()
        raise
    return taken


def address(taken: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = taken.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
