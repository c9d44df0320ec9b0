"""A wire between the store and its server that breaks at the worst moment: over a commit."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from ports import free_port

Break = Literal["", "commit lost", "answer lost", "answer lost, server not told"]
"""Where it breaks: before the server gets the commit, after it carried it out, or likewise with its side left open."""
_COMMIT = b"COMMIT;\0"


class Wire:
    """Carries connections to the server of ``url``; ``through`` is the URL that leads over it.

    With ``breaks`` set it breaks once, over the next commit. If it ``dies`` of that it is ``dead`` until it is not.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 5432)
        self.breaks: Break = ""
        self.dies = False
        self.dead = False
        self.silent = False
        """Nothing comes through, and nobody is told: a network that lost its way."""
        port = free_port()
        self.through = urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}"))
        self._listening = socket.create_server(("127.0.0.1", port))
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def close(self) -> None:
        for each in [self._listening, *self._sockets]:
            _end(each)

    def _take(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.dead:
                client.close()
                continue
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()
            threading.Thread(target=_pour, args=(server, client), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.silent:
                    continue
                if self.breaks and _COMMIT in data:
                    self._break(data, client, server)
                    return
                server.sendall(data)
        _end(server)

    def _break(self, data: bytes, client: socket.socket, server: socket.socket) -> None:
        kind, self.breaks = self.breaks, ""
        self.dead = self.dies
        if kind == "commit lost":
            _end(server)
        else:
            client.shutdown(socket.SHUT_WR)  # before the answer can come
            server.sendall(data)
            if kind == "answer lost":
                _end(server, abruptly=False)
        _end(client)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def _end(one: socket.socket, *, abruptly: bool = True) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR if abruptly else socket.SHUT_WR)
    if abruptly:
        one.close()
