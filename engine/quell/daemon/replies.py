"""Replies as bytes and as ASGI messages: how every part of quell's own HTTP interface answers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from quell.daemon.receiver.refusing import RETRY_AFTER_S
from quell.errors import Overloaded, StoreError
from quell.sdk.connector import Reply


def json_reply(status: int, content: object, headers: dict[str, str] | None = None) -> Reply:
    """A reply with a JSON body."""
    return Reply(status, msgspec.json.encode(content), "application/json", headers or {})


def error_reply(status: int, message: str, **more: object) -> Reply:
    """An error as every part of quell's own HTTP interface writes it."""
    headers = {"retry-after": str(RETRY_AFTER_S)} if status == 503 else {}
    return json_reply(status, {"error": message, **more}, headers)


def not_kept(error: Overloaded | StoreError) -> Reply:
    """What a sender is told whose delivery was not accepted."""
    if isinstance(error, Overloaded):
        return error_reply(503, f"overloaded: {error}; nothing was accepted")
    return error_reply(503, f"the store could not keep it; nothing was accepted: {error}")


def headers_of(reply: Reply, *, close: bool) -> list[tuple[bytes, bytes]]:
    """The headers that go with a reply."""
    headers = [(b"content-length", str(len(reply.body)).encode())]
    if reply.content_type:
        headers.append((b"content-type", reply.content_type.encode("latin-1", "replace")))
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    if close:
        headers.append((b"connection", b"close"))
    return headers


async def send_reply(send: Send, reply: Reply, *, close: bool = False) -> None:
    """Writes a whole response."""
    await send({"type": "http.response.start", "status": reply.status, "headers": headers_of(reply, close=close)})
    await send({"type": "http.response.body", "body": reply.body})


class Written:
    """Responses as they go over the wire; the last is remembered, for in a storm nearly all are one and the same."""

    def __init__(self) -> None:
        self._reply: Reply | None = None
        self._always: Sequence[tuple[bytes, bytes]] = ()
        self._bytes = b""

    def bytes_of(self, reply: Reply, always: Sequence[tuple[bytes, bytes]], *, close: bool) -> bytes:
        """A whole response; ``always`` are headers that all have. Raises ValueError where a header breaks its line."""
        if close:
            return _response(reply, always, close=True)
        if reply is not self._reply or always is not self._always:
            self._bytes = _response(reply, always, close=False)
            self._reply, self._always = reply, always
        return self._bytes


def _response(reply: Reply, always: Sequence[tuple[bytes, bytes]], *, close: bool) -> bytes:
    lines = [name + b": " + value for name, value in (*always, *headers_of(reply, close=close))]
    head = b"\r\n".join(lines)
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1:
        raise ValueError("a header of the answer has a line break")
    return STATUS_LINE[reply.status] + head + b"\r\n\r\n" + reply.body
