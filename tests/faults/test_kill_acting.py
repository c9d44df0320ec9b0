"""kill -9 while acts are under way: every page that was decided is written, and none of them twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from faults.child import Child, write_config
from faults.nursery import Forked, Nursery
from ports import free_port

TRIAGE = """
triage:
  rules:
    - {name: always, match: ['severity="page-me"'], verdict: page, reason: a test}
"""


class Pager(threading.Thread):
    """Sends alerts that page, one by one, each again until it is acknowledged."""

    def __init__(self, child: Child, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self._child = child
        self._over = over

    def run(self) -> None:
        count = 0
        while not self._over.is_set():
            name = f"alert-{count}"
            body = msgspec.json.encode([{"labels": {"alertname": name, "severity": "page-me"}}])
            if self._child.ask("POST", "/api/v2/alerts", body, {"content-type": "application/json"})[0] == 200:
                self.acknowledged.append(name)
                count += 1
            time.sleep(0.02)


def pages_once(directory: Path, nursery: Nursery, *, kills: int, seed: int) -> None:
    schedule = random.Random(seed)
    pages = directory / "pages.jsonl"
    sources = f"  alertmanager: {{use: alertmanager}}\n  out: {{use: file, path: {pages}}}\n"
    config = write_config(directory, "snapshot_every: 1s\npages: [{to: out.page}]\n", sources)
    (directory / "rules").mkdir()
    (directory / "rules" / "triage.yaml").write_text(TRIAGE)
    child = Forked(nursery, config, free_port())
    over = threading.Event()
    pager = Pager(child, over)
    try:
        child.spawn()
        child.wait_ready()
        pager.start()
        for _ in range(kills):
            time.sleep(0.1 + schedule.random() * 0.8)
            child.kill()
            child.spawn()
            child.wait_ready()
        time.sleep(0.3)
        over.set()
        pager.join(15)
        assert len(pager.acknowledged) > kills * 3
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if all(entry["state"] == "done" for entry in child.api("GET", "/ledger")["ledger"]):
                break
            time.sleep(0.1)
        alerts = child.api("GET", "/alerts?status=all&limit=100000")["alerts"]
        incident_of = {alert["labels"]["alertname"]: alert.get("incident") for alert in alerts}
        written = Counter(msgspec.json.decode(line)["incident"] for line in pages.read_bytes().splitlines())
        assert set(pager.acknowledged) <= set(incident_of)
        assert [name for name in pager.acknowledged if written[incident_of[name]] != 1] == []
        assert child.end() == 0
        assert "in doubt" not in child.log
        print(f"\nkills {kills}; acknowledged {len(pager.acknowledged)}, pages written {written.total()}, none twice")
    finally:
        over.set()
        child.close()


def test_three_kills(tmp_path: Path, nursery: Nursery) -> None:
    pages_once(tmp_path / "quell", nursery, kills=3, seed=3)


@pytest.mark.long
def test_forty_kills(tmp_path: Path, nursery: Nursery) -> None:
    pages_once(tmp_path / "quell", nursery, kills=40, seed=4)
