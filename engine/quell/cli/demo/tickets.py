"""A small ticket system on loopback, so that a playbook of the demo has somewhere to open a ticket.

``POST /tickets`` keeps a ticket and answers with its id (a repeated ``key`` answers with the first one's),
``GET /tickets?key=…`` lists those with that key. ``POST /deploys/<service>/rollback`` stands for a deploy tool and
notes that it was asked; ``GET /rollbacks`` lists them. Everything is in memory. Run it as
``python -m quell.cli.demo.tickets PORT``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

_BODY_CAP = 1024 * 1024


@dataclass
class Desk:
    """The tickets as they were opened, each with its ``id`` and ``key``, and the services to be rolled back."""

    tickets: list[dict[str, Any]] = field(default_factory=list)
    rollbacks: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def open(self, body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """The ticket for this key, and whether it is a new one."""
        key = str(body.get("key", ""))
        with self.lock:
            known = next((ticket for ticket in self.tickets if key and ticket["key"] == key), None)
            if known is not None:
                return known, False
            ticket = {**body, "id": f"OPS-{len(self.tickets) + 1}", "key": key}
            self.tickets.append(ticket)
            return ticket, True

    def with_key(self, keys: list[str] | None) -> list[dict[str, Any]]:
        """The tickets with one of these keys; all without keys."""
        with self.lock:
            return [ticket for ticket in self.tickets if keys is None or ticket["key"] in keys]


class Receiver(ThreadingHTTPServer):
    """The desk behind HTTP on loopback."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.desk = Desk()
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _BODY_CAP))
        parts = urlsplit(self.path).path.strip("/").split("/")
        if parts == ["tickets"]:
            try:
                body = msgspec.json.decode(raw, type=dict[str, Any])
            except msgspec.MsgspecError as error:
                self._answer(400, {"error": str(error)})
                return
            body.setdefault("key", self.headers.get("Idempotency-Key", ""))
            ticket, new = self.server.desk.open(body)
            self._answer(201 if new else 200, self._linked(ticket))
        elif len(parts) == 3 and parts[0] == "deploys" and parts[2] == "rollback":
            with self.server.desk.lock:
                self.server.desk.rollbacks.append(parts[1])
            self._answer(202, {"service": parts[1], "state": "rolling back"})
        else:
            self._answer(404, {"error": f"no such place: {self.path}"})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/tickets":
            found = self.server.desk.with_key(parse_qs(parts.query).get("key"))
            self._answer(200, [self._linked(ticket) for ticket in found])
        elif parts.path == "/rollbacks":
            self._answer(200, list(self.server.desk.rollbacks))
        else:
            self._answer(404, {"error": f"no such place: {self.path}"})

    def _linked(self, ticket: dict[str, Any]) -> dict[str, Any]:
        return {**ticket, "url": f"http://{self.headers.get('Host', '')}/tickets?key={ticket['key']}"}

    def _answer(self, status: int, value: dict[str, Any] | list[Any]) -> None:
        body = msgspec.json.encode(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name
        """Says nothing: the demo's report tells what happened."""


def main() -> None:
    """Serves until it is ended."""
    with Receiver(int(sys.argv[1])) as receiver:
        receiver.serve_forever(0.1)


if __name__ == "__main__":
    main()
