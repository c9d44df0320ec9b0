"""Real clients against the real daemon: amtool, Prometheus, an Alertmanager's webhook, Grafana's data source check."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alertmanager.servers import OverHttp, real_alertmanager, real_quell, running
from ports import free_port
from quell.model.times import format_time

WAIT_S = 30.0


@pytest.fixture
def quell(tmp_path: Path) -> Iterator[OverHttp]:
    folder = tmp_path / "quell"
    folder.mkdir()
    with real_quell(folder) as server:
        yield server


def alerts(server: OverHttp, query: str = "") -> list[dict[str, Any]]:
    answered = server.ask("GET", f"/api/v2/alerts{query}", None, {})
    assert answered.status == 200, answered
    listed: list[dict[str, Any]] = json.loads(answered.body)
    return listed


def eventually(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def amtool(server: OverHttp, *words: str, fails: bool = False) -> str:
    command = ["amtool", f"--alertmanager.url=http://127.0.0.1:{server.port}", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert bool(done.returncode) == fails, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.needs("amtool")
def test_amtool_alerts(quell: OverHttp) -> None:
    amtool(quell, "alert", "add", "Disk", "node=n1", "severity=critical", "--annotation=summary=disk is full")
    amtool(quell, "alert", "add", "Later", "--end=2099-01-01T00:00:00Z", "--generator-url=http://p.example/g")
    shown = amtool(quell, "alert", "query")
    assert "Disk" in shown
    assert "disk is full" in shown
    (disk,) = json.loads(amtool(quell, "-o", "json", "alert", "query", "node=~n.", "severity=critical"))
    assert disk["labels"] == {"alertname": "Disk", "node": "n1", "severity": "critical"}
    assert "http://p.example/g" in amtool(quell, "-o", "extended", "alert", "query", "alertname=Later")
    amtool(quell, "alert", "add", "Disk", "node=n1", "severity=critical", f"--end={format_time(time.time())}")
    assert "Disk" not in amtool(quell, "alert", "query")


@pytest.mark.needs("amtool")
def test_amtool_silences(quell: OverHttp) -> None:
    amtool(quell, "alert", "add", "Disk", "node=n1")
    first = amtool(
        quell, "silence", "add", "alertname=Disk", "--comment=a look", "--duration=1h", "--author=ada"
    ).strip()
    assert "a look" in amtool(quell, "silence", "query")
    assert "Disk" not in amtool(quell, "alert", "query")
    assert "suppressed" in amtool(quell, "alert", "query", "--silenced")
    assert amtool(quell, "silence", "query", "--quiet", "alertname=Disk").strip() == first
    amtool(quell, "silence", "update", "--duration=3h", "--comment=longer", first)
    (updated,) = json.loads(amtool(quell, "-o", "json", "silence", "query"))
    assert (updated["id"], updated["comment"]) == (first, "longer")
    amtool(quell, "silence", "expire", first)
    assert amtool(quell, "silence", "query", "--quiet").strip() == ""
    assert first in amtool(quell, "silence", "query", "--expired", "--quiet")
    assert "Disk" in amtool(quell, "alert", "query")
    amtool(quell, "silence", "expire", "11111111-2222-3333-4444-555555555555", fails=True)
    assert "receiver: quell" in amtool(quell, "config", "routes", "show")
    assert "disabled" in amtool(quell, "cluster", "show")


PROMETHEUS = """\
global: {{evaluation_interval: 200ms, external_labels: {{cluster: eu-1}}}}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""
# Prometheus finds its Alertmanagers up to five seconds after its start: "Short" fires again if that took longer.
RULES = """\
groups:
- name: g
  rules:
  - alert: Short
    expr: vector((time() - {start}) % 14) < 9
    labels: {{severity: page}}
    annotations: {{summary: "at {{{{ $value }}}}"}}
  - alert: Long
    expr: vector(1)
"""


@pytest.mark.needs("prometheus")
def test_prometheus_sends_to_quell_as_to_an_alertmanager(quell: OverHttp, tmp_path: Path) -> None:
    folder, port = tmp_path / "prometheus", free_port()
    folder.mkdir()
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(port=quell.port))
    (folder / "rules.yml").write_text(RULES.format(start=round(time.time())))
    command = [
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
        "--log.level=error",
    ]
    with running(command, port, folder) as prometheus:
        (short,) = eventually(lambda: alerts(quell, "?filter=alertname%3DShort"))
        assert short["labels"] == {"alertname": "Short", "cluster": "eu-1", "severity": "page"}
        assert short["annotations"]["summary"].startswith("at ")
        assert f":{prometheus.port}/graph?" in short["generatorURL"]
        assert short["startsAt"] < short["endsAt"]
        eventually(lambda: not alerts(quell, "?filter=alertname%3DShort"))
        assert [alert["labels"]["alertname"] for alert in alerts(quell)] == ["Long"]
        metrics = prometheus.ask("GET", "/metrics", None, {}).body.decode()
    target = f'alertmanager="http://127.0.0.1:{quell.port}/api/v2/alerts"'
    assert f"prometheus_notifications_errors_total{{{target}}} 0" in metrics


@pytest.mark.needs("prometheus-alertmanager")
def test_an_alertmanager_with_quell_as_webhook_receiver(quell: OverHttp, tmp_path: Path) -> None:
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    config = f"""\
route: {{receiver: quell, group_wait: 10ms, group_interval: 200ms, repeat_interval: 1h}}
receivers:
- name: quell
  webhook_configs: [{{url: "http://127.0.0.1:{quell.port}/in/alertmanager"}}]
"""
    fire = {"labels": {"alertname": "Hooked"}, "startsAt": format_time(time.time() - 60)}
    sent = {"Content-Type": "application/json"}
    with real_alertmanager(folder, config) as server:
        server.ask("POST", "/api/v2/alerts", json.dumps([fire]).encode(), sent)
        (ours,) = eventually(lambda: alerts(quell))
        (theirs,) = alerts(server)
        for name in ("labels", "startsAt", "fingerprint"):
            assert ours[name] == theirs[name]
        resolved = {**fire, "endsAt": format_time(time.time() - 1)}
        server.ask("POST", "/api/v2/alerts", json.dumps([resolved]).encode(), sent)
        eventually(lambda: not alerts(quell))


def test_the_check_of_grafana_s_data_source(quell: OverHttp) -> None:
    """It tells the kinds of Alertmanager apart by which of these answer."""
    assert quell.ask("GET", "/api/v1/status/buildinfo", None, {}).status != 200
    assert quell.ask("GET", "/alertmanager/api/v2/status", None, {}).status != 200
    status = json.loads(quell.ask("GET", "/api/v2/status", None, {}).body)
    assert status["versionInfo"]["version"] == "0.28.0"
    metrics = quell.ask("GET", "/metrics", None, {}).body.decode()
    assert 'alertmanager_build_info{version="0.28.0"} 1' in metrics
    assert quell.ask("GET", "/-/healthy", None, {}).body == b"OK"
