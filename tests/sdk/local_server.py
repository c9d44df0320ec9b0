"""A real HTTP server on loopback that misbehaves on request: each path is one way to fail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

BIG = 9 * 1024 * 1024


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: list[bytes]) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError), contextlib.closing(writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        seen.append(head + await reader.readexactly(length))
        path = head.split(b" ")[1].partition(b"?")[0]
        if path == b"/slow":
            await reader.read()  # until the client gives up
        elif path == b"/silent":
            pass
        elif path == b"/cut":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        elif path == b"/garbage":
            writer.write(b"\x00\x01\x02 not http\r\n\r\n")
        elif path == b"/moved":
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /fine\r\nContent-Length: 0\r\n\r\n")
        elif path == b"/big":
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for _ in range(BIG // 65536):
                writer.write(b"x" * 65536)
                await writer.drain()
        elif path == b"/busy":
            writer.write(b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwait")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nSet-Cookie: a=b\r\n\r\nfine")
        await writer.drain()


@asynccontextmanager
async def misbehaving() -> AsyncIterator[tuple[int, list[bytes]]]:
    """The port of a server, and the requests it has seen."""
    seen: list[bytes] = []
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_answer(reader, writer, seen))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
