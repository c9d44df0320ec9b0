"""A connection that the receiver began and the daemon goes on with."""

from __future__ import annotations

import asyncio
from typing import Any

from quell.daemon.connection import Connection


class Handed(Connection):
    """Sends first what was still to be sent (``unsent``), and takes what was ``read`` before all that comes."""

    def __init__(self, *arguments: Any, unsent: bytes, read: bytes, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._unsent = unsent
        self._read = read
        self.told_of_no_room = bool(read) or not unsent

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if self._unsent:
            transport.write(self._unsent)  # before what is told where there is no room
        super().connection_made(transport)
        self.loop.call_soon(self._begin)

    def data_received(self, data: bytes) -> None:
        data, self._read = self._read + data, b""
        if data:
            super().data_received(data)

    def eof_received(self) -> None:
        self._begin()
        super().eof_received()

    def _begin(self) -> None:
        if self._read and not self.transport.is_closing():
            self.data_received(b"")
