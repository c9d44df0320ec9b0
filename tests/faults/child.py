"""A daemon in a process of its own, that can be killed at any moment and started again on the same files."""

from __future__ import annotations

import hashlib
import http.client
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

TOKEN = "qll_test_00112233445566778899"
_COMMAND = "from quell.cli.main import main; main()"


def write_config(directory: Path, extra: str = "", sources: str = "  alertmanager: {use: alertmanager}\n") -> Path:
    directory.mkdir(exist_ok=True)
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    tokens = f"tokens:\n  - {{id: test, sha256: {digest}, scopes: [admin], by: ana}}\n"
    (directory / "tokens.yaml").write_text(tokens)
    config = directory / "quell.yaml"
    config.write_text(f"store: sqlite:///quell.db\nsources:\n{sources}{extra}")
    return config


class Child:
    """``quell serve`` on one port; stderr goes to a file beside the configuration."""

    def __init__(self, config: Path, port: int) -> None:
        self.port = port
        self._config = config
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()

    @property
    def log(self) -> str:
        return (self._config.parent / "err.log").read_text()

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def spawn(self, *options: str) -> None:
        command = [
            sys.executable,
            "-c",
            _COMMAND,
            "serve",
            "-c",
            str(self._config),
            "--listen",
            f"127.0.0.1:{self.port}",
            *options,
        ]
        self._lines = queue.Queue()
        with (self._config.parent / "err.log").open("a") as err:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)
        self._reader = threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True)
        self._reader.start()

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.put(line)
        lines.put("")

    def wait_ready(self, within_s: float = 60.0) -> None:
        line = self._lines.get(timeout=within_s)
        assert line.startswith("quell listening on"), f"{line!r}\n{self.log[-3000:]}"

    def decided_over(self, within_s: float = 60.0) -> None:
        """Waits until all that was accepted is decided over, which after a kill may go on behind a ready daemon."""
        until = time.monotonic() + within_s
        while self.api("GET", "/status")["backlog"]["records"]:
            assert time.monotonic() < until, self.log[-3000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL: nothing is written, nothing is said."""
        self._gone(signal.SIGKILL)

    def end(self) -> int:
        """SIGTERM; the exit code."""
        return self._gone(signal.SIGTERM)

    def _gone(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(30)
        self._reader.join(5)
        return code

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._gone(signal.SIGKILL)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body; status 0 when there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def api(self, method: str, path: str, content: Any = None) -> Any:
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        body = None if content is None else content if isinstance(content, bytes) else msgspec.json.encode(content)
        status, answer = self.ask(method, f"/api/quell/v1{path}", body, headers)
        assert status in {200, 202}, (status, answer, self.log[-3000:])
        return msgspec.json.decode(answer)

    def alert(self, name: str) -> bool:
        """Sends an alert that pages; whether it was taken."""
        body = msgspec.json.encode([{"labels": {"alertname": name, "severity": "page-me"}}])
        return self.ask("POST", "/api/v2/alerts", body, {"content-type": "application/json"})[0] == 200

    def runs(self) -> list[dict[str, Any]]:
        """All runs of playbooks."""
        found: list[dict[str, Any]] = self.api("GET", "/runs?limit=100000")["runs"]
        return found
