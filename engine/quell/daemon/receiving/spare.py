"""A descriptor kept for the connection for which there is none: it is told so, and not closed without a word."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from quell.daemon.receiver.refusing import refuse


class Spare:
    """Takes connections over from ``beside`` also when this process cannot open another file."""

    def __init__(self) -> None:
        self._kept: int | None = None
        self._keep()

    def received(self, beside: socket.socket) -> tuple[list[int], bool]:
        """The descriptors that came next, and whether there is room for them. Raises OSError."""
        self.close()
        try:
            _, descriptors, _, _ = socket.recv_fds(beside, 1, 1, socket.MSG_CMSG_CLOEXEC)
        finally:
            self._keep()
        return descriptors, self._kept is not None

    def refuse(self, descriptor: int, unsent: bytes, read: bytes) -> None:
        """Tells whoever waits for no other answer that there is no room, and closes the connection."""
        refuse(socket.socket(fileno=descriptor), unsent, read)
        self._keep()

    def close(self) -> None:
        """Gives it up."""
        if self._kept is not None:
            os.close(self._kept)
            self._kept = None

    def _keep(self) -> None:
        if self._kept is None:
            with suppress(OSError):
                self._kept = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
