"""One connection of a sender, as the receiver keeps it."""

from __future__ import annotations

from socket import socket

FREE = 0
"""Nothing is under way."""
BODY = 1
"""The rest of a body is awaited."""
ASKED = 2
"""The daemon was asked what the head means; nothing is read meanwhile."""
UNDER_WAY = 3
"""The daemon has the delivery; its answer is awaited."""


class Line:
    """``since`` is when it came into its state, ``got`` what was read of the request that is not passed on yet.

    ``begin`` is where the body begins in that, ``length`` its bytes, ``missing`` those of them that are still to come.
    ``fresh``: nothing was ever asked on it.
    """

    __slots__ = (
        "begin", "descriptor", "fresh", "got", "length", "missing", "number", "peer", "since", "socket", "state", "way",
    )  # fmt: skip

    def __init__(self, number: int, connected: socket, peer: str, now: float, *, fresh: bool) -> None:
        self.number = number
        self.socket = connected
        self.descriptor = connected.fileno()
        self.peer = peer
        self.since = now
        self.state = FREE
        self.fresh = fresh
        self.got: bytes | bytearray = b""
        self.begin = self.length = self.missing = self.way = 0
