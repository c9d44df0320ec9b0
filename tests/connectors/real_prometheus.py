"""Debian's own Prometheus on a free port of loopback, scraping itself, with rules that a test can change."""

from __future__ import annotations

import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ports import free_port

ALWAYS = """
  - alert: AlwaysFiring
    expr: vector(7) > 5
    labels: {severity: critical, service: checkout}
    annotations: {summary: "checkout is above {{ $value }}"}
"""
PENDING = """
  - alert: NotYet
    expr: vector(1)
    for: 1h
"""


class RealPrometheus:
    """``rules`` writes the rule file and has it read again."""

    def __init__(self, directory: Path, targets: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = directory
        self._write(ALWAYS + PENDING)
        (directory / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            "rule_files: [rules.yml]\n"
            "scrape_configs:\n"
            + "".join(
                f'  - {{job_name: {job}, static_configs: [{{targets: ["{address}"]}}]}}\n'
                for job, address in {"self": f"127.0.0.1:{self.port}", **targets}.items()
            )
        )
        with (directory / "log").open("w") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stderr=log,
                stdout=log,
            )  # fmt: skip

    def rules(self, text: str) -> None:
        self._write(text)
        self.process.send_signal(signal.SIGHUP)

    def until(self, holds: Callable[[bytes], bool], path: str) -> None:
        """Waits until what ``path`` answers is as wanted; 30 s at most."""
        end = time.monotonic() + 30
        said = b""
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                    said = answer.read()
            except (urllib.error.URLError, ConnectionError):
                said = b""
            if holds(said):
                return
            time.sleep(0.1)
        raise AssertionError(f"{path} says {said!r}\n{(self._directory / 'log').read_text()[-2000:]}")

    def _write(self, rules: str) -> None:
        (self._directory / "rules.yml").write_text(f"groups:\n- name: shop\n  rules:{rules or ' []'}\n")


@contextmanager
def real_prometheus(directory: Path, targets: Mapping[str, str] | None = None) -> Iterator[RealPrometheus]:
    """It scrapes itself each second, and ``targets``: addresses by job."""
    prometheus = RealPrometheus(directory, targets or {})
    try:
        prometheus.until(lambda said: b'"firing"' in said, "/api/v1/alerts")
        prometheus.until(lambda said: b'"1"' in said, "/api/v1/query?query=up")
        yield prometheus
    finally:
        prometheus.process.terminate()
        prometheus.process.wait(10)
