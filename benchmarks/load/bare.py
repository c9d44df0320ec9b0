"""The least that any daemon in Python must do for a durable answer, one step on top of the other. Run as a process.

    python benchmarks/load/bare.py STEP PORT FILE

Steps: *http* answers what it was sent; *decode* reads the alerts into typed values; *fold* finds which alert each is;
*store* writes every request's alerts into SQLite, in groups, and answers after the commit with its fsync.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

STEPS = ("http", "decode", "fold", "store")
_OK: list[dict[str, Any]] = [
    {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]},
    {"type": "http.response.body", "body": b""},
]


class Alert(msgspec.Struct, gc=False):
    """What Alertmanager's API takes."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: str = ""  # noqa: N815 - as it is sent
    endsAt: str = ""  # noqa: N815 - as it is sent
    generatorURL: str = ""  # noqa: N815 - as it is sent


_DECODER = msgspec.json.Decoder(list[Alert])
_SORTED = msgspec.json.Encoder(order="sorted")
_PACKED = msgspec.msgpack.Encoder()


class Bare:
    """An ASGI application that stops at one of the steps."""

    def __init__(self, step: str, file: Path) -> None:
        self._level = STEPS.index(step)
        self._known: dict[bytes, list[Any]] = {}
        self._thread = ThreadPoolExecutor(1)
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, body BLOB)")
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request."""
        del scope
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        body = b"".join(parts)
        if body and self._level:
            alerts = _DECODER.decode(body)
            if self._level > 1:
                self._fold(alerts)
            if self._level > 2:
                await self._stored(_PACKED.encode(alerts))
        for message in _OK:
            await send(message)

    def _fold(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            name = blake2b(_SORTED.encode(alert.labels), digest_size=8).digest()
            seen = self._known.get(name)
            if seen is None:
                self._known[name] = [alert, 1]
            else:
                seen[0], seen[1] = alert, seen[1] + 1

    async def _stored(self, packed: bytes) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((packed, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())
        await done

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, b"".join(p for p, _ in group))
            for _, done in group:
                done.set_result(None)

    def _commit(self, packed: bytes) -> None:
        self._database.execute("BEGIN")
        self._database.execute("INSERT INTO journal (body) VALUES (?)", (packed,))
        self._database.execute("COMMIT")


def main() -> None:
    """Serves one step until it is ended."""
    step, port, file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    uvicorn.run(
        Bare(step, file), host="127.0.0.1", port=port, log_level="warning", access_log=False, lifespan="off",
        ws="none", loop="uvloop", http="httptools",
    )  # fmt: skip


if __name__ == "__main__":
    main()
