"""A real Prometheus sends to quell and is pulled by it: one alert, whichever way it came."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from faults.child import Child, write_config
from ports import free_port

PROMETHEUS = """\
global: {{evaluation_interval: 200ms}}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""
RULES = """\
groups:
- name: g
  rules:
  - {alert: Always, expr: vector(1), labels: {severity: critical, service: web}}
"""


def eventually(ask: Any, within_s: float = 25.0) -> Any:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = ask()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen")


@pytest.mark.needs("prometheus")
def test_pushed_and_pulled_are_one_alert(tmp_path: Path) -> None:
    port, quell_port = free_port(), free_port()
    folder = tmp_path / "prometheus"
    folder.mkdir()
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(port=quell_port))
    (folder / "rules.yml").write_text(RULES)
    sources = (
        "  alertmanager: {use: alertmanager}\n"
        f"  prom: {{use: prometheus, url: 'http://127.0.0.1:{port}', every: 1s}}\n"
    )
    child = Child(write_config(tmp_path / "quell", "allow_addresses: [loopback]\n", sources), quell_port)
    command = [
        "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error",
        f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s",
    ]  # fmt: skip
    try:
        child.spawn()
        child.wait_ready()
        eventually(lambda: child.api("GET", "/status")["sources"]["prom"]["state"] == "unreachable")
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process,
        ):
            try:
                (alert,) = eventually(lambda: child.api("GET", "/alerts")["alerts"])
                assert alert["labels"] == {"alertname": "Always", "severity": "critical", "service": "web"}
                status, body = child.ask("GET", "/api/v2/alerts")
                assert status == 200
                assert b'"Always"' in body
                sources_seen = eventually(lambda: _both_ways(child))
                assert sources_seen["prom"]["state"] == "ok"
                assert len(child.api("GET", "/alerts")["alerts"]) == 1
            finally:
                process.terminate()
        assert child.end() == 0
        assert "Traceback" not in child.log
    finally:
        child.close()


def _both_ways(child: Child) -> Any:
    """The sources, once both have brought something."""
    sources = child.api("GET", "/status")["sources"]
    return sources if all(source["last_ok_at"] for source in sources.values()) else None
