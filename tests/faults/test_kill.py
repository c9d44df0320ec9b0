"""kill -9 at any moment: what was acknowledged is there after the restart, and nothing is there twice.

Here with the program as people start it; `test_many_kills` has the hundreds.
"""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from faults.child import TOKEN, Child, write_config
from ports import free_port

SENDERS = 4


class Sender(threading.Thread):
    """Posts alerts that nobody else sends, each exactly once, and remembers which were acknowledged.

    Half of the deliveries speak Alertmanager's format, half quell's own.
    """

    def __init__(self, child: Child, number: int, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self._child = child
        self._random = random.Random(number)
        self._number = number
        self._over = over

    def run(self) -> None:
        count = 0
        while not self._over.is_set():
            names = [f"s{self._number}-{count + n}" for n in range(self._random.choice([1, 1, 3, 20]))]
            count += len(names)
            self.sent.update(names)
            if self._deliver(names):
                self.acknowledged.update(names)
            else:
                time.sleep(0.02)

    def _deliver(self, names: list[str]) -> bool:
        if self._random.random() < 0.5:
            body = msgspec.json.encode([{"labels": {"alertname": name, "severity": "info"}} for name in names])
            return self._child.ask("POST", "/api/v2/alerts", body, {"content-type": "application/json"})[0] == 200
        now = datetime.now(UTC).isoformat()
        lines = b"\n".join(
            msgspec.json.encode(
                {"kind": "alert", "at": now, "id": name, "status": "firing",
                 "labels": {"alertname": name, "severity": "info"}}
            )
            for name in names
        )  # fmt: skip
        headers = {"authorization": f"Bearer {TOKEN}"}
        return self._child.ask("POST", "/api/quell/v1/records", lines, headers)[0] == 200


def survives(directory: Path, kills: int, seed: int) -> None:
    schedule = random.Random(seed)
    child = Child(write_config(directory, "snapshot_every: 1s\n"), free_port())
    over = threading.Event()
    senders = [Sender(child, number, over) for number in range(SENDERS)]
    try:
        child.spawn()
        child.wait_ready()
        for sender in senders:
            sender.start()
        for _ in range(kills):
            time.sleep(schedule.choice([0.05, 0.2, 0.5, 1.3]) * schedule.random())
            child.kill()
            child.spawn()
            if schedule.random() < 0.3:  # also while it recovers
                time.sleep(schedule.random() * 2.0)
                child.kill()
                child.spawn()
            child.wait_ready()
        time.sleep(0.5)
        over.set()
        for sender in senders:
            sender.join(15)
        acknowledged = set[str]().union(*(sender.acknowledged for sender in senders))
        sent = set[str]().union(*(sender.sent for sender in senders))
        found = child.api("GET", "/alerts?status=all&limit=100000")["alerts"]
        names = [alert["labels"]["alertname"] for alert in found]
        counts = {alert["labels"]["alertname"]: alert.get("count", 1) for alert in found}
        assert len(acknowledged) > kills * 5, "the senders did not get through; the test tests nothing"
        assert acknowledged - set(names) == set()
        assert set(names) <= sent
        assert len(names) == len(set(names))
        assert {name: count for name, count in counts.items() if count != 1} == {}
        assert child.end() == 0
    finally:
        over.set()
        child.close()


def test_two_kills(tmp_path: Path) -> None:
    survives(tmp_path / "quell", kills=2, seed=1)


@pytest.mark.long
def test_more_than_six_kills(tmp_path: Path) -> None:
    survives(tmp_path / "quell", kills=6, seed=11)
