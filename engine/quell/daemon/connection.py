"""One connection of the HTTP server, with bounds: heads that do not end, bodies that pile up, peers without number.

The server's own parser keeps a head until it is whole, and bodies until they are answered; whoever sends slowly, or
without end, or on thousands of connections, must not fill the memory or take the place of those who behave.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 128 * 1024
"""Of one request's first line and headers together."""
HEAD_WITHIN_S = 30.0
"""Seconds until the head of a request must be there; a new connection has as long to say anything at all."""
MOST_UNDER_WAY = 128 * 1024 * 1024
"""Bytes of all bodies together that have come in and are not answered yet; one alone may be larger."""
_NO_ROOM = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: 64\r\n\r\n"
    b'{"error":"overloaded: too much is coming in; nothing was taken"}'
)
_FILES_FOR_OTHERS = 128
"""Open files that connections leave to the store, to connectors and to logs."""
_FILES_WANTED = 65_536


class Connection(HttpToolsProtocol):
    """Answers 503 to a body for which there is no room, and gives up what does not get to an end."""

    under_way = 0
    """Bytes of bodies, of all connections of this process."""
    most_connections = 1024 - _FILES_FOR_OTHERS
    most_body = 8 * 1024 * 1024
    """Bytes of one body; what is larger is read on for its sender's sake and not kept, and counts no more."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_since: float | None = None
        self._head_bytes = 0
        self._body_bytes = 0
        self._too_large = False
        self._refused_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = self.loop.time()
        if len(self.connections) > self.most_connections:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_body()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        within_head = self._head_since is not None
        super().data_received(data)
        if within_head and self._head_since is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"The head of the request is larger than {MOST_HEAD_BYTES} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_since, self._too_large = self.loop.time(), False

    def on_headers_complete(self) -> None:
        self._head_since, self._head_bytes = None, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._refused_since is not None:
            return
        if not self._too_large and not self.cycle.response_complete:
            Connection.under_way += len(body)
            self._body_bytes += len(body)
            if self._body_bytes > self.most_body:
                self._forget_body()
                self._too_large = True
            elif self._body_bytes < Connection.under_way > MOST_UNDER_WAY and not self.cycle.response_started:
                self._refuse()
                return
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused_since is not None:
            self.transport.close()
        else:
            super().on_message_complete()

    def _refuse(self) -> None:
        """Answers at once; what still comes is dropped, so that the sender gets to see the answer."""
        self._refused_since = self.loop.time()
        self.transport.write(_NO_ROOM)
        self.cycle.disconnected = True  # whoever reads the body is told that nobody waits for an answer
        self.cycle.body = bytearray()
        self.cycle.message_event.set()
        self.flow.resume_reading()
        self._forget_body()

    def on_response_complete(self) -> None:
        self._forget_body()
        super().on_response_complete()

    def _forget_body(self) -> None:
        Connection.under_way -= self._body_bytes
        self._body_bytes = 0

    def shutdown(self) -> None:
        """At the end nobody is waited for whose body is not there yet: nothing of it was taken."""
        if self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.transport.close()
        else:
            super().shutdown()

    def give_up_if_slow(self, now: float) -> None:
        """Closes it when a head does not come, or what was refused does not end; ``now`` is the loop's time."""
        busy = self.cycle is not None and not self.cycle.response_complete
        since = self._refused_since if self._refused_since is not None else None if busy else self._head_since
        if since is not None and now - since > HEAD_WITHIN_S:
            self.transport.close()


def look_after(connections: Iterable[Any]) -> None:
    """Gives up those that are too slow; to be called every now and then."""
    now = asyncio.get_running_loop().time()
    for each in list(connections):
        if isinstance(each, Connection):
            each.give_up_if_slow(now)


def make_room(most_body: int) -> None:
    """Lets this process open as many files as the machine allows it; connections may use most of them."""
    Connection.most_body = most_body
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    wanted = max(soft, _FILES_WANTED if unlimited else min(hard, _FILES_WANTED))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    Connection.most_connections = max(16, wanted - _FILES_FOR_OTHERS)
