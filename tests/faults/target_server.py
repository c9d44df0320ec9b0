"""A ticket and switch system that counts what was done to it, in a process of its own.

It has a switch that is set (``/set``), tickets that are the same for the same key (``/ticket``), jobs that can be
looked for by their label and are made as often as one asks (``/job``), and messages that go out with every request
(``/sms``). It lies as it is told to: it does what it was asked and cuts the line, or says 500, or is slow. And it kills
who asks, between the effect and the answer, when a request says so itself.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


class World:
    """What has become of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.effects: Counter[str] = Counter()
        self.switches: dict[str, bool] = {}
        self.keys: set[str] = set()
        self.labels: set[str] = set()
        self.lies: dict[str, Any] = {}
        self.chance = random.Random(0)
        self.requests = 0

    def do(self, kind: str, asked: Mapping[str, Any]) -> None:
        """One request, once. Effects are counted by the name that the playbook gave."""
        name, key = asked["name"], asked["key"]
        with self.lock:
            if kind == "set":
                value = bool(asked["value"])
                if self.switches.get(name, False) == value:
                    return
                self.switches[name] = value
                kind = "on" if value else "off"
            elif kind == "ticket":
                if key in self.keys:
                    return
                self.keys.add(key)
            elif kind == "job":
                self.labels.add(key)
            self.effects[f"{kind} {name}"] += 1

    def lie(self, kind: str) -> str:
        """How this request is answered."""
        with self.lock:
            ways = [way for way in ("lost", "500", "429", "slow", "late") if self.lies.get(way)]
            if not ways or self.chance.random() >= float(self.lies.get("share", 1.0)):
                return ""
            way = self.chance.choice(ways)
            # Who looks for a job before it makes one finds none that comes into being later.
            return "" if way == "late" and kind == "job" else way


WORLD = World()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, label = self.path.partition("?label=")
        with WORLD.lock:
            if path == "/jobs":
                found: Any = {"found": unquote(label) in WORLD.labels}
            else:
                found = {"effects": dict(WORLD.effects), "requests": WORLD.requests, "switches": WORLD.switches}
        self.say(200, found)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        kind = self.path[1:]
        if kind == "lies":
            with WORLD.lock:
                WORLD.lies, WORLD.chance = asked, random.Random(asked.get("seed", 0))
            self.say(200, {})
            return
        with WORLD.lock:
            WORLD.requests += 1
        way = WORLD.lie(kind)
        if way == "429":
            self.say(429, {"error": "busy"}, {"Retry-After": "0"})
            return
        if way == "late":
            time.sleep(float(WORLD.lies["late"]))
        WORLD.do(kind, asked)
        if asked.get("kill"):
            os.kill(int(asked["kill"]), signal.SIGKILL)
        if way == "slow":
            time.sleep(float(WORLD.lies["slow"]))
        if way == "lost":
            self.close_connection = True
        elif way == "500":
            self.say(500, {"error": "it is done, and I say that it is not"})
        else:
            self.say(200, {"ok": True})

    def say(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        try:
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_arguments: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_who: Any) -> None:
        """Whoever asked was killed: nobody is there to tell."""


def main() -> None:
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
