"""The wall clock jumps by hours, ahead and back, while records come in: no order is lost and nothing stands still."""

from __future__ import annotations

import http.server
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from faults.child import write_config
from faults.judgement import journal_and_state, judge
from faults.load import Sender, Told
from faults.nursery import Forked, Nursery
from faults.waiting import wait_for
from faults.worlds import Wall
from ports import free_port

HOUR = 3600.0


class Asked(http.server.BaseHTTPRequestHandler):
    """A Prometheus without alerts, which counts how often it is asked."""

    count = 0

    def do_GET(self) -> None:
        Asked.count += 1
        body = b'{"status": "success", "data": {"groups": [], "alerts": []}}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def prometheus() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asked) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def daemon(tmp_path: Path, nursery: Nursery, wall: Wall, sources: str) -> Iterator[Forked]:
    config = write_config(
        tmp_path / "quell", "snapshot_every: 300ms\nallow_addresses: [127.0.0.1]\n",
        f"  alertmanager: {{use: alertmanager}}\n{sources}",
    )  # fmt: skip
    (config.parent / "rules").mkdir()
    (config.parent / "rules" / "triage.yaml").write_text("triage: {lone_page_after: 300ms}\n")
    child = Forked(nursery, config, free_port(), {"wall_clock_of": str(wall.file)})
    try:
        child.spawn()
        child.wait_ready()
        yield child
    finally:
        child.close()


def jumps(tmp_path: Path, nursery: Nursery, *, count: int, seed: int) -> None:
    pick = random.Random(seed)
    wall = Wall(tmp_path / "wall")
    over = threading.Event()
    with daemon(tmp_path, nursery, wall, "") as child:
        senders = [Sender(child.port, number, over, seed=seed) for number in range(3)]
        for sender in senders:
            sender.start()
        try:
            kills = 0
            for _ in range(count):
                time.sleep(0.1 + pick.random() * 0.3)
                wall.ahead(pick.choice([-2.0, -0.01, 0.0, 0.3, 5.0]) * HOUR * pick.random())
                if pick.random() < 0.4:
                    child.kill()
                    kills += 1
                    child.spawn()
                    child.wait_ready()
            time.sleep(0.3)
        finally:
            over.set()
        for sender in senders:
            sender.join(30)
        assert [sender.failure for sender in senders if sender.failure] == []
        child.kill()
        child.spawn()
        child.wait_ready()
        assert child.end() == 0
        assert "Traceback" not in child.log, child.log
        told = Told.all(sender.told for sender in senders)
        found = judge(*journal_and_state(child.directory / "quell.db", tmp_path), told, aged=True)
        print(f"\njumps {count}, kills {kills + 1}, acknowledged {len(told.acknowledged)}, lost 0, twice 0; {found}")
        assert len(told.acknowledged) > count * 3


def test_it_jumps_under_load(tmp_path: Path, nursery: Nursery) -> None:
    jumps(tmp_path, nursery, count=5, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", [31, 32])
def test_it_jumps_again_and_again(tmp_path: Path, nursery: Nursery, seed: int) -> None:
    jumps(tmp_path, nursery, count=25, seed=seed)


def test_after_a_jump_back_timers_and_pulls_go_on(tmp_path: Path, nursery: Nursery, prometheus: str) -> None:
    wall = Wall(tmp_path / "wall")
    wall.ahead(2 * HOUR)
    source = f"  prom: {{use: prometheus, url: '{prometheus}', every: 1s}}\n"
    with daemon(tmp_path, nursery, wall, source) as child:
        wait_for("a pull", lambda: Asked.count)
        wall.ahead(0.0)
        time.sleep(1.2)
        before = Asked.count
        content = [{"labels": {"alertname": "Lone", "severity": "critical"}}]
        body = msgspec.json.encode(content)
        assert child.ask("POST", "/api/v2/alerts", body, {"content-type": "application/json"})[0] == 200
        wait_for("the incident", lambda: child.api("GET", "/incidents")["incidents"], within_s=20)
        wait_for("further pulls", lambda: Asked.count > before + 2, within_s=20)
        assert child.end() == 0
        assert "wall clock went back" in child.log


SCHEDULED = """\
playbook: look
when: {every: 10m}
mode: enforce
steps:
  - id: judge
    do: quell.validate_drift
"""


def test_what_a_schedule_missed_while_the_machine_slept_comes_once(tmp_path: Path, nursery: Nursery) -> None:
    wall = Wall(tmp_path / "wall")
    playbooks = tmp_path / "quell" / "playbooks"
    playbooks.mkdir(parents=True)
    (playbooks / "look.yaml").write_text(SCHEDULED)
    with daemon(tmp_path, nursery, wall, "") as child:
        wall.ahead(20 * HOUR)
        wait_for("the late run", lambda: child.api("GET", "/runs")["runs"], within_s=20)
        time.sleep(0.5)
        assert len(child.api("GET", "/runs")["runs"]) <= 2
        assert child.end() == 0
