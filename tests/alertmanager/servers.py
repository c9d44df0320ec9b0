"""Two ways to get answers: a real Alertmanager on loopback, and anything else that speaks HTTP there."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import free_port


@dataclass(frozen=True)
class Answered:
    """An answer as it came; status 0: the connection was closed without one."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class OverHttp:
    """A server on a loopback port."""

    port: int

    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return Answered(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        except http.client.RemoteDisconnected:
            return Answered(0, {}, b"")
        finally:
            connection.close()


def wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if OverHttp(port).ask("GET", "/-/ready", None, {}).status == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not ready on port {port}:\n{log.read_text()[-2000:]}")


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[OverHttp]:
    """A process that serves on ``port``, from ready to ended."""
    log = folder / "log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=folder) as process:
        try:
            wait_until_ready(port, process, log)
            yield OverHttp(port)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def real_alertmanager(folder: Path, config: str) -> Iterator[OverHttp]:
    """Debian's Alertmanager, on its own, with its data in ``folder``."""
    program = shutil.which("prometheus-alertmanager")
    assert program, "the test must be marked needs('prometheus-alertmanager')"
    port = free_port()
    (folder / "alertmanager.yml").write_text(config)
    command = [
        program,
        "--config.file=alertmanager.yml",
        "--storage.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    with running(command, port, folder) as server:
        yield server


QUELL_YAML = """\
listen: 127.0.0.1:{port}
store: sqlite:///quell.db
sources:
  alertmanager: {{use: alertmanager}}
open_on_loopback: true
resolve_timeout: 5m
log: {{level: warning, format: text}}
"""
INHIBIT_YAML = """\
inhibit:
  - name: node
    source: ['alertname="NodeDown"']
    target: ['alertname="PodDown"']
    equal: [node]
"""


@contextmanager
def real_quell(folder: Path) -> Iterator[OverHttp]:
    """The daemon as a user starts it, with its store in ``folder``."""
    port = free_port()
    (folder / "rules").mkdir()
    (folder / "quell.yaml").write_text(QUELL_YAML.format(port=port))
    (folder / "rules" / "inhibit.yaml").write_text(INHIBIT_YAML)
    with running([sys.executable, "-m", "quell.cli", "serve", "-c", "quell.yaml"], port, folder) as server:
        yield server
