"""A peer that quell asks, and that lies: a server on loopback which treats each connection as its mode says."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

GOOD = b'{"status": "success", "data": {"groups": [], "alerts": []}}'


def answer(body: bytes, *more: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _bomb() -> bytes:
    return answer(gzip.compress(bytes(64 * 1024 * 1024)), "content-encoding: gzip")


LIES: Mapping[str, Callable[[str], bytes]] = {
    "says nothing and hangs up": lambda here: b"",
    "speaks no HTTP": lambda here: b"SSH-2.0-OpenSSH_9.2\r\n" * 20,
    "is a web page": lambda here: answer(b"<!doctype html><p>Please log in", "content-type: text/html"),
    "is cut off": lambda here: answer(GOOD[:30], length=len(GOOD)),
    "is cut off and says so": lambda here: answer(GOOD[:30]),
    "ends within a chunk": lambda here: b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{",
    "has a bad chunk": lambda here: b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{",
    "says gzip and is not": lambda here: answer(GOOD, "content-encoding: gzip"),
    "is a bomb": lambda here: _bomb(),
    "is huge": lambda here: answer(b" " * 9_000_000),
    "is empty": lambda here: answer(b""),
    "is null": lambda here: answer(b"null"),
    "is a list": lambda here: answer(b"[]"),
    "has wrong types": lambda here: answer(b'{"status": "success", "data": {"groups": 7, "alerts": {"a": 1}}}'),
    "is deep": lambda here: answer(b"[" * 200_000),
    "is not UTF-8": lambda here: answer(b'{"status": "\xff\xfe"}'),
    "fails": lambda here: answer(b"out of memory", status="500 Internal Server Error"),
    "is busy": lambda here: answer(b"", "retry-after: 0", status="429 Too Many Requests"),
    "asks for another time for ever": lambda here: answer(b"", "retry-after: 99999999999", status="503 Busy"),
    "says not allowed": lambda here: answer(b"go away", status="403 Forbidden"),
    "sends elsewhere": lambda here: answer(b"", f"location: {here}/secret", status="302 Found"),
    "sends inside": lambda here: answer(b"", "location: http://169.254.169.254/", status="307 Temporary Redirect"),
    "has an endless head": lambda here: b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 2_000_000,
    "says 999": lambda here: answer(GOOD, status="999 What"),
    "says two lengths": lambda here: answer(GOOD, "content-length: 3"),
}
"""What is sent for a request; the connection is closed after it. ``here`` is the address of the server."""


@dataclass(slots=True)
class Peer:
    """``mode`` is one of `LIES`, ``good``, or ``hang``; may be changed at any time. Counts what was asked of it."""

    url: str = ""
    mode: str = "good"
    asked: Counter[str] = field(default_factory=Counter)
    """Requests by mode."""
    paths: Counter[str] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)
    """Idempotency keys in the order of their coming."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            mode = self.mode
            self.asked[mode] += 1
            self.paths[head.split(" ")[1].partition("?")[0]] += 1
            lines = (line.partition(":") for line in head.split("\r\n"))
            self.keys += [value.strip() for name, _, value in lines if name.lower() == "idempotency-key"]
            if mode == "hang":
                await reader.read()
            else:
                writer.write(answer(GOOD) if mode == "good" else LIES[mode](self.url))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # quell hung up, as it may
        finally:
            writer.close()


@asynccontextmanager
async def lying_peer() -> AsyncIterator[Peer]:
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    peer.url = f"http://{host}:{port}"
    try:
        yield peer
    finally:
        server.close()
