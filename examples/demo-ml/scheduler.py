"""A small scheduler that stands in for Airflow: what quell asks of Airflow 3's REST API, and nothing that runs.

Airflow itself takes minutes to install and start. This speaks the same contract (``/api/v2``, a token for user and
password, DAGs, assets, runs, pausing), so that the connector is the real one; the real Airflow is in the long tests.
``train_fraud`` "runs" every few seconds unless it is paused: that is what must not go on on broken data.
Run as ``python scheduler.py PORT``; user quell, password quell.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

RETRAIN_EVERY_S = 15.0
USER = PASSWORD = "quell"  # a demo on loopback
_DAGS = {"load_transactions": "data-platform", "train_fraud": "risk"}


class Scheduler(ThreadingHTTPServer):
    """Two DAGs, one asset between them, and the runs of the second."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.lock = Lock()
        self.paused = dict.fromkeys(_DAGS, False)
        self.runs: list[dict[str, Any]] = []
        self.token = secrets.token_hex(16)

    def retrain(self) -> None:
        """Adds a run now and then, as a schedule does."""
        while True:
            time.sleep(RETRAIN_EVERY_S)
            with self.lock:
                if not self.paused["train_fraud"]:
                    now = datetime.now(UTC).isoformat()
                    self.runs.append({
                        "dag_id": "train_fraud", "dag_run_id": f"scheduled__{now}", "state": "success",
                        "start_date": now, "end_date": now, "run_type": "scheduled", "dag_versions": [],
                    })  # fmt: skip

    def dag(self, name: str) -> dict[str, Any]:
        """A DAG as Airflow tells it."""
        every = f"every {RETRAIN_EVERY_S:g}s" if name == "train_fraud" else "always"
        return {
            "dag_id": name, "is_paused": self.paused[name], "timetable_summary": every, "owners": [_DAGS[name]],
            "tags": [], "description": None,
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    server: Scheduler
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query)
        match _place(parts.path):
            case ["version"]:
                self._answer(200, {"version": "3.0.0", "git_version": "stand-in of quell's demo"})
            case _ if not self._known():
                self._answer(401, {"detail": "Not authenticated"})
            case ["dags"]:
                self._list("dags", [self.server.dag(name) for name in _DAGS], asked)
            case ["assets"]:
                writer, reader = [{"dag_id": "load_transactions"}], [{"dag_id": "train_fraud"}]
                asset = {"uri": "lake://shop/transactions", "name": "transactions", "producing_tasks": writer}
                self._list("assets", [{**asset, "consuming_tasks": reader, "scheduled_dags": []}], asked)
            case ["dags", name] if name in _DAGS:
                self._answer(200, self.server.dag(name))
            case ["dags", name, "dagRuns"] if name == "~" or name in _DAGS:
                since, states = asked.get("end_date_gte", [""])[0], asked.get("state")
                found = [
                    run
                    for run in self.server.runs
                    if name in {"~", run["dag_id"]}
                    and run["end_date"] >= since
                    and (not states or run["state"] in states)
                ]
                self._list("dag_runs", found, asked)
            case _:
                self._answer(404, {"detail": "Not Found"})

    def do_PATCH(self) -> None:
        body = self._body()
        match _place(urlsplit(self.path).path):
            case _ if not self._known():
                self._answer(401, {"detail": "Not authenticated"})
            case ["dags", name] if name in _DAGS and set(body) == {"is_paused"}:
                with self.server.lock:
                    self.server.paused[name] = bool(body["is_paused"])
                self._answer(200, self.server.dag(name))
            case _:
                self._answer(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = self._body()
        if self.path != "/auth/token":
            self._answer(404, {"detail": "Not Found"})
        elif body == {"username": USER, "password": PASSWORD}:
            self._answer(201, {"access_token": self.server.token})
        else:
            self._answer(401, {"detail": "Invalid credentials"})

    def _known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.server.token}"

    def _body(self) -> dict[str, Any]:
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def _list(self, key: str, found: list[Any], asked: dict[str, list[str]]) -> None:
        start = int(asked.get("offset", ["0"])[0])
        some = found[start : start + int(asked.get("limit", ["100"])[0])]
        self._answer(200, {key: some, "total_entries": len(found)})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name
        """Says nothing: the demo tells what happened."""


def _place(path: str) -> list[str]:
    found = [unquote(part) for part in path.strip("/").split("/")]
    return found[2:] if found[:2] == ["api", "v2"] else []


def main() -> None:
    """Serves until it is ended."""
    with Scheduler(int(sys.argv[1])) as scheduler:
        Thread(target=scheduler.retrain, daemon=True).start()
        scheduler.serve_forever(0.1)


if __name__ == "__main__":
    main()
