"""Reads a request's body within limits: counted while it streams in and, when compressed, while it is inflated."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive

from quell.errors import BadPayload, QuellError

_GZIP_WBITS = 31
_DRAINED = 8
"""A body that is too large is read (and dropped) up to this many times the limit, so that the sender, who is still
writing, gets to see the answer instead of a broken connection."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a body as sent and after inflation; seconds until it must be there."""

    sent: int = 8 * 1024 * 1024
    inflated: int = 32 * 1024 * 1024
    within_s: float = 30.0


class BodyRefused(QuellError):
    """The body is not read: ``status`` says why (408, 413, 415). The connection is to be closed."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Gone(QuellError):
    """The sender hung up before the body was there; there is nobody to answer."""


async def read_body(receive: Receive, headers: Mapping[str, str], limits: Limits) -> bytes:
    """The body, inflated. Raises `BodyRefused`, `Gone`, and `BadPayload` when the compression is damaged."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise BodyRefused(415, f'content-encoding "{encoding}" is not known; send gzip or none')
    reading = _read(receive, limits.sent)
    try:
        waits_for = reading.send(None)
    except StopIteration as done:
        # It was there with its headers, as most are; to set a timer would cost more than to read it.
        body: bytes = done.value
    else:
        try:
            async with asyncio.timeout(limits.within_s):
                body = await _Begun(reading, waits_for)
        except TimeoutError:
            raise BodyRefused(408, f"the body did not arrive within {limits.within_s:g} s") from None
    return inflate(body, limits.inflated) if encoding == "gzip" else body


class _Begun:
    """What is left of a coroutine that was begun by hand, and what it waits for."""

    def __init__(self, begun: Coroutine[Any, Any, bytes], waits_for: Any) -> None:
        self._begun = begun
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, bytes]:
        try:
            yield self._waits_for
            return (yield from self._begun.__await__())
        finally:
            self._begun.close()


async def _read(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone("the sender hung up")
        part = message.get("body", b"")
        size += len(part)
        if size <= most:
            parts.append(part)
        else:
            parts.clear()
        if size > most * _DRAINED or not message.get("more_body", False):
            break
    if size > most:
        raise BodyRefused(413, f"the body is larger than {most} bytes; send it in parts")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def inflate(body: bytes, most: int) -> bytes:
    """Gunzips, never holding more than ``most`` bytes of output. Several members in a row are one text."""
    parts: list[bytes] = []
    left = most
    rest = body
    try:
        while rest:
            stream = zlib.decompressobj(_GZIP_WBITS)
            part = stream.decompress(rest, left + 1)
            left -= len(part)
            if left < 0:
                raise BodyRefused(413, f"the body inflates to more than {most} bytes; send it in parts")
            if not stream.eof:
                raise BadPayload("the gzip data ends early", body, "body")
            parts.append(part)
            rest = stream.unused_data
    except zlib.error as error:
        raise BadPayload(f"content-encoding says gzip, but it is not: {error}", body, "body") from None
    return b"".join(parts)
