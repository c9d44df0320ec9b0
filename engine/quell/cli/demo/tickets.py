"""A small ticket system on loopback, so that a playbook of the demo has somewhere to open a ticket.

``POST /tickets`` keeps a ticket and answers with its id (a repeated ``key`` answers with the first one's),
``GET /tickets?key=…`` lists those with that key, ``POST /deploys/<service>/rollback`` notes that it was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgspec

_BODY_CAP = 1024 * 1024


@dataclass(frozen=True)
class Ticket:
    """A ticket as it was opened."""

    id: str
    key: str
    title: str
    body: dict[str, Any]


@dataclass
class Desk:
    """The tickets, and the rollbacks that were asked for, in order."""

    tickets: list[Ticket] = field(default_factory=list)
    rollbacks: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def open(self, body: dict[str, Any]) -> tuple[Ticket, bool]:
        """The ticket for this key, and whether it is a new one."""
        key = str(body.get("key", ""))
        with self._lock:
            known = next((ticket for ticket in self.tickets if key and ticket.key == key), None)
            if known is not None:
                return known, False
            ticket = Ticket(f"OPS-{len(self.tickets) + 1}", key, str(body.get("title", "")), body)
            self.tickets.append(ticket)
            return ticket, True


class TicketReceiver:
    """The desk behind HTTP on a free port of loopback, served by a thread while the ``with`` block lasts."""

    def __init__(self) -> None:
        self.desk = Desk()
        desk = self.desk

        class Handler(_Handler):
            pass

        Handler.desk = desk
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="demo-tickets")
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    desk: Desk
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), _BODY_CAP)
        raw = self.rfile.read(length)
        parts = urlsplit(self.path).path.strip("/").split("/")
        if parts == ["tickets"]:
            try:
                body = msgspec.json.decode(raw, type=dict[str, Any])
            except msgspec.MsgspecError as error:
                self._answer(400, {"error": str(error)})
                return
            body.setdefault("key", self.headers.get("Idempotency-Key", ""))
            ticket, new = self.desk.open(body)
            self._answer(201 if new else 200, _as_json(ticket, self.headers.get("Host", "")))
        elif len(parts) == 3 and parts[0] == "deploys" and parts[2] == "rollback":
            self.desk.rollbacks.append(parts[1])
            self._answer(202, {"service": parts[1], "state": "rolling back"})
        else:
            self._answer(404, {"error": f"no such place: {self.path}"})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.rstrip("/") != "/tickets":
            self._answer(404, {"error": f"no such place: {self.path}"})
            return
        keys = parse_qs(parts.query).get("key")
        host = self.headers.get("Host", "")
        found = [ticket for ticket in self.desk.tickets if keys is None or ticket.key in keys]
        self._answer(200, {"tickets": [_as_json(ticket, host) for ticket in found]})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = msgspec.json.encode(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name
        """Says nothing: the demo's report tells what happened."""


def _as_json(ticket: Ticket, host: str) -> dict[str, Any]:
    return {**ticket.body, "id": ticket.id, "key": ticket.key, "url": f"http://{host}/tickets/{ticket.id}"}
