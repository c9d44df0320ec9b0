"""What is told to whoever connects when there is no room: as bytes, for at such a time nobody takes long over it."""

from __future__ import annotations

from contextlib import suppress
from socket import SHUT_WR, socket

RETRY_AFTER_S = 5
_UNREAD = 65_536
"""Bytes that may be there unread: what is closed before they are read loses its answer as well."""


def overloaded(why: str) -> bytes:
    """A whole answer that says so, after which the connection is closed."""
    body = b'{"error":"overloaded: %b"}' % why.encode()
    return (
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\nconnection: close\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    ) % (RETRY_AFTER_S, len(body), body)


NO_PLACE = overloaded("there are too many connections; nothing taken")
"""To whoever connects when no more connections can be had."""
NO_ROOM = overloaded("too much is coming in; nothing was taken")
"""To whoever sends a body when no more of these can be kept."""


def refuse(connected: socket, unsent: bytes | bytearray, read: bytes | bytearray) -> None:
    """Tells whoever waits for no other answer that there is no room, and closes the connection.

    ``unsent`` is what is still to be sent of an answer, ``read`` what was read and is not answered.
    """
    with connected, suppress(OSError):
        connected.setblocking(False)
        connected.send(unsent + (NO_PLACE if read or not unsent else b""))
        connected.shutdown(SHUT_WR)
        connected.recv(_UNREAD)
