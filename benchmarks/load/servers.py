"""The servers that are measured beside each other, each on loopback with its data in a folder that goes away."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from load.process import Used, end, free_port, started, used

PEER = "prometheus-alertmanager"
_READY_S = 120.0
_PATIENCE_S = 600.0
"""How long an answer is waited for that should take no time: that it takes long is a finding."""
_NOTICES_S = 1.5
"""How long Alertmanager is watched after its last answer: its group_wait is 1 s, then it tells."""


class NotThere(Exception):
    """What was to be measured cannot run here; the text says why."""


@dataclass(slots=True)
class Server:
    """One that runs. ``waiting``: its gauge of what is not decided over yet, "" when there is none."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    headers: dict[str, str] = field(default_factory=dict)
    waiting: str = ""
    settle_s: float = 0.0
    path: str = "/api/v2/alerts"
    wrap: bool = False
    """Whether alerts are sent as Alertmanager's webhook sends them and not as its API takes them."""
    also: tuple[int, ...] = ()
    """Other processes that work for it alone."""

    def used(self) -> Used:
        """What it and its children have used."""
        found = [used(pid) for pid in (self.process.pid, *self.also)]
        return Used(*(sum(getattr(one, name) for one in found) for name in ("cpu_s", "rss_mib", "peak_mib")))

    def get(self, path: str, timeout_s: float = 60.0) -> tuple[int, bytes]:
        """Status and body. Raises OSError."""
        return self._ask("GET", path, None, timeout_s)

    def post(self, path: str, body: bytes, timeout_s: float = 120.0) -> tuple[int, bytes]:
        """Status and body. Raises OSError."""
        return self._ask("POST", path, body, timeout_s)

    def metric(self, name: str) -> int:
        """What /metrics says of a metric without labels; 0 when it says nothing."""
        lines = self.get("/metrics", _PATIENCE_S)[1].decode().splitlines()
        return next((int(float(line.split()[1])) for line in lines if line.startswith(f"{name} ")), 0)

    def status(self) -> dict[str, dict[str, int]]:
        """What quell says of itself."""
        found: dict[str, dict[str, int]] = json.loads(self.get("/api/quell/v1/status", _PATIENCE_S)[1])
        return found

    def decided_over(self) -> None:
        """Returns when quell has decided over all that it has: after a start it is ready before that."""
        until = time.monotonic() + _PATIENCE_S
        while self.metric(self.waiting) and time.monotonic() < until:
            time.sleep(0.1)

    def _ask(self, method: str, path: str, body: bytes | None, timeout_s: float) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **self.headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def wait_until_ready(server: Server, path: str, log: Path) -> None:
    """Returns when ``path`` answers 200. Raises NotThere with the end of the log when it does not."""
    until = time.monotonic() + _READY_S
    while time.monotonic() < until and server.process.poll() is None:
        try:
            if server.get(path, 5.0)[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.01)
    told = log.read_text(errors="replace")[-800:].strip() if log.exists() else ""
    raise NotThere(f"{server.name} did not get ready: {told}")


# Alertmanager

_ALERTMANAGER = """\
route:
  receiver: hook
  group_by: [alertname, cluster]
  group_wait: 1s
  group_interval: 5s
  repeat_interval: 4h
receivers:
  - name: hook
    webhook_configs:
      - url: http://127.0.0.1:{sink}/
        send_resolved: false
inhibit_rules:
  - source_matchers: ['alertname = "Alert00"']
    target_matchers: ['severity = "warning"', 'alertname != "Alert00"']
    equal: [cluster, node]
"""


@contextmanager
def alertmanager(sink: int) -> Iterator[Server]:
    """Debian's Alertmanager on its own, with an inhibition and a receiver. Raises NotThere."""
    program = shutil.which(PEER) or shutil.which("alertmanager")
    if program is None:
        raise NotThere("not installed (Debian: apt-get install prometheus-alertmanager)")
    with TemporaryDirectory(prefix="quell-load-") as folder:
        place, port = Path(folder), free_port()
        (place / "alertmanager.yml").write_text(_ALERTMANAGER.format(sink=sink))
        command = [
            program, "--config.file=alertmanager.yml", "--storage.path=data", f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=", "--log.level=error",
        ]  # fmt: skip
        with started(command, place, place / "log") as process:
            server = Server("Alertmanager", process, port, settle_s=_NOTICES_S)
            wait_until_ready(server, "/-/ready", place / "log")
            yield server


# Quell

_MARKERS = """\
  rules:
    - name: markers page at once
      match: ['marker="yes"']
      verdict: page
"""
_SOURCES = """

sources:
  hook: {{use: http, url: "http://127.0.0.1:{sink}"}}
  estate: {{use: topology}}
"""
_PAGES = "  - to: console.page\n"
_PAGES_TO_SINK = """\
  - to: hook.request
    with: {url: /, json: {incident: "${incident.id}", title: "${incident.title}", severity: "${incident.severity}"}}
"""


@dataclass(frozen=True, slots=True)
class Quell:
    """A configuration in ``folder``, as `quell init` writes it, with what the measurements need changed."""

    folder: Path
    token: str
    port: int

    @contextmanager
    def running(self) -> Iterator[Server]:
        """The daemon, ready, and ended in order after."""
        with self.begun() as server:
            wait_until_ready(server, "/ready", self.folder / "log")
            yield server

    @contextmanager
    def begun(self) -> Iterator[Server]:
        """The daemon, just started."""
        command = [sys.executable, "-m", "quell.cli", "serve", "-c", str(self.folder)]
        with started(command, self.folder, self.folder / "log") as process:
            headers = {"Authorization": f"Bearer {self.token}"}
            yield Server("quell", process, self.port, headers, waiting="quell_inbox_size")


def kill(server: Server) -> None:
    """Ends it as a power cut of the process would."""
    end(server.process, signal.SIGKILL)


@contextmanager
def quell_made(sink: int, store: str = "sqlite:///quell.db") -> Iterator[Quell]:
    """A fresh configuration: `quell init`, then pages to the sink, tokens asked for even on this machine."""
    with TemporaryDirectory(prefix="quell-load-") as above:
        folder, port = Path(above) / "quell", free_port()
        made = subprocess.run(
            [sys.executable, "-m", "quell.cli", "init", str(folder)], check=True, capture_output=True, text=True
        )
        token = re.search(r"qll_\w+", made.stdout)
        assert token is not None, made.stdout
        config = folder / "quell.yaml"
        text = config.read_text()
        for old, new in (
            ("listen: 127.0.0.1:9099", f"listen: 127.0.0.1:{port}"),
            ("store: sqlite:///quell.db", f"store: {store}"),
            ("open_on_loopback: true", "open_on_loopback: false"),
            ("\nsources:\n", _SOURCES.format(sink=sink)),
            (_PAGES, _PAGES_TO_SINK),
        ):
            text = _replaced(text, old, new)
        config.write_text(text)
        rules = folder / "rules" / "triage.yaml"
        rules.write_text(_replaced(rules.read_text(), "  rules:\n", _MARKERS))
        yield Quell(folder, token[0], port)


def _replaced(text: str, old: str, new: str) -> str:
    """``text`` with ``old`` replaced, which must stand there once: else what is measured is not what was meant."""
    if text.count(old) != 1:
        raise SystemExit(f"quell init writes another configuration than is known here: {old!r} is not there once")
    return text.replace(old, new)


@contextmanager
def quell(sink: int, store: str = "sqlite:///quell.db") -> Iterator[Server]:
    """The daemon on a fresh store."""
    with quell_made(sink, store) as made, made.running() as server:
        yield server


@contextmanager
def sink_running() -> Iterator[int]:
    """The port of a webhook receiver in a process of its own."""
    with TemporaryDirectory(prefix="quell-load-") as folder, ExitStack() as stack:
        port = free_port()
        command = [sys.executable, str(Path(__file__).with_name("sink.py")), str(port)]
        process = stack.enter_context(started(command, Path(folder), Path(folder) / "log"))
        until = time.monotonic() + _READY_S
        while time.monotonic() < until and process.poll() is None:
            try:
                Server("sink", process, port).get("/", 5.0)
                break
            except OSError:
                time.sleep(0.01)
        yield port
