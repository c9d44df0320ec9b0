"""Raw HTTP/1.1 over kept connections: as little work per request as Python allows, so that servers set the pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

LOST = 0
"""In place of a status: the connection ended before there was an answer."""
_END = b"\r\n\r\n"
_MOST_HEADS = 256
_OPENED_WITHIN_S, _AGAIN_S = 3.0, 0.05


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go and what they say of themselves."""

    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)

    def post(self, body: bytes, path: str = "") -> bytes:
        """A whole request with a body."""
        return b"%bContent-Length: %d\r\n\r\n%b" % (self._head("POST", path or self.path), len(body), body)

    def get(self, path: str) -> bytes:
        """A whole request without one."""
        return self._head("GET", path) + b"\r\n"

    def _head(self, method: str, path: str) -> bytes:
        told = {"Host": f"127.0.0.1:{self.port}", "Content-Type": "application/json", **self.headers}
        fields = "".join(f"{name}: {text}\r\n" for name, text in told.items())
        return f"{method} {path} HTTP/1.1\r\n{fields}".encode()


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    length: int
    """Bytes of the body; -1: it comes in chunks."""
    close: bool


def _head_of(raw: bytes) -> _Head:
    status, length, close = int(raw[9:12]), 0, False
    for line in raw.lower().split(b"\r\n")[1:]:
        name, _, text = line.partition(b":")
        if name == b"content-length":
            length = int(text)
        elif name == b"transfer-encoding":
            length = -1
        elif name == b"connection":
            close = b"close" in text
    return _Head(status, length, close)


class Line(asyncio.Protocol):
    """One connection with at most one request under way. ``answered`` gets this line, the status and the body."""

    _heads: dict[bytes, _Head] = {}  # noqa: RUF012 - shared on purpose: all answers of a second have the same head

    def __init__(self, answered: Callable[[Line, int, bytes], None]) -> None:
        self._answered = answered
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.due = 0.0
        """When the request under way was sent, or was to be sent."""
        self.alerts = 0
        """How many alerts are under way."""
        self.waits = False

    @property
    def usable(self) -> bool:
        """Whether the connection stands."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        if self.waits:
            self.waits = False
            self._answered(self, LOST, b"")

    def send(self, request: bytes, due: float, alerts: int) -> None:
        """Sends one request; the line must be usable and waiting for nothing."""
        assert self._transport is not None
        self.due, self.alerts, self.waits = due, alerts, True
        self._transport.write(request)

    def close(self) -> None:
        """Ends the connection."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(_END)
        if end < 0:
            self._buffer = buffer
            return
        raw = buffer[:end]
        head = self._heads.get(raw)
        if head is None:
            if len(self._heads) > _MOST_HEADS:
                self._heads.clear()
            head = self._heads[raw] = _head_of(raw)
        start = end + len(_END)
        whole = buffer.endswith(b"0\r\n\r\n", start) if head.length < 0 else len(buffer) - start >= head.length
        if not whole:
            self._buffer = buffer
            return
        self._buffer = b""
        if head.close:
            self.close()
        self.waits = False
        self._answered(self, head.status, buffer[start:])


async def opened(port: int, answered: Callable[[Line, int, bytes], None]) -> Line:
    """A connection to a port of loopback, tried for a few seconds. Raises OSError."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _OPENED_WITHIN_S
    while True:
        try:
            _, line = await loop.create_connection(lambda: Line(answered), "127.0.0.1", port)
        except OSError:
            if loop.time() > until:
                raise
            await asyncio.sleep(_AGAIN_S)
        else:
            return line


class Caller:
    """One request after another on a line of its own."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._line: Line | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; (LOST, b"") when there was no answer."""
        return await self._call(self.target.get(path))

    async def post(self, body: bytes, path: str = "") -> tuple[int, bytes]:
        """Status and body of the answer."""
        return await self._call(self.target.post(body, path))

    def close(self) -> None:
        """Ends the connection."""
        if self._line is not None:
            self._line.close()

    async def _call(self, request: bytes) -> tuple[int, bytes]:
        if self._line is None or not self._line.usable:
            self._line = await opened(self.target.port, self._answered)
        self._waiting = asyncio.get_running_loop().create_future()
        self._line.send(request, 0.0, 0)
        return await self._waiting

    def _answered(self, line: Line, status: int, body: bytes) -> None:
        del line
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result((status, body))
