"""Deliveries that are told again and again, and a daemon that is killed meanwhile: what was acknowledged is there."""

from __future__ import annotations

import http.client
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from faults.child import write_config
from faults.nursery import Forked, Nursery
from ports import free_port
from quell.store.codec import Blob, unpack

ALERTS = 40
KILLS = 4


class Teller(threading.Thread):
    """Posts the same alerts until nobody answers, each time with an end a second later."""

    def __init__(self, port: int, number: int, first: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged = self.sent = 0
        self.last_end = self.last_sent = first
        self._port, self._number, self._end = port, number, first

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            while True:
                self._end += 1
                self.sent, self.last_sent = self.sent + 1, self._end
                connection.request(
                    "POST", "/api/v2/alerts", delivery(self._number, self._end), {"content-type": "application/json"}
                )
                if connection.getresponse().read() is not None:
                    self.acknowledged, self.last_end = self.acknowledged + 1, self._end
        except (OSError, http.client.HTTPException):
            connection.close()


BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def delivery(number: int, end: int) -> bytes:
    ends_at = (datetime.now(UTC).replace(microsecond=0, minute=0) + timedelta(days=1, seconds=end)).isoformat()
    content = [
        {
            "labels": {"alertname": f"t{number}-{n}", "severity": "info"},
            "startsAt": BEGIN.isoformat(),
            "endsAt": ends_at.replace("+00:00", "Z"),
        }
        for n in range(ALERTS)
    ]
    return msgspec.json.encode(content)


def test_nothing_that_was_told_again_is_lost_or_counted_twice(tmp_path: Path, nursery: Nursery) -> None:
    child = Forked(nursery, write_config(tmp_path / "quell", "snapshot_every: 1s\n"), free_port())
    sent, acknowledged, ends = [0, 0], [0, 0], [0, 0]
    try:
        for kill in range(KILLS):
            child.spawn()
            child.wait_ready()
            tellers = [Teller(child.port, number, ends[number]) for number in range(2)]
            for teller in tellers:
                teller.start()
            time.sleep(0.4 + 0.3 * kill)
            child.kill()
            for number, teller in enumerate(tellers):
                teller.join(20)
                sent[number] += teller.sent
                acknowledged[number] += teller.acknowledged
                ends[number] = teller.last_sent
        child.spawn()
        child.wait_ready()
        child.decided_over()
        for number in range(2):
            everything = child.api("GET", "/alerts?status=all&limit=1000")["alerts"]
            told = [each for each in everything if each["labels"]["alertname"].startswith(f"t{number}-")]
            assert len(told) == ALERTS
            counts = {each["count"] for each in told}
            assert len(counts) == 1  # each delivery was kept whole or not at all
            assert acknowledged[number] <= counts.pop() <= sent[number]
            assert acknowledged[number] > 20
        assert child.end() == 0
        assert "Traceback" not in child.log
    finally:
        child.close()
    assert packed_again(tmp_path / "quell") > 0


def packed_again(directory: Path) -> int:
    """Groups of the journal in which something is written as told again."""
    with sqlite3.connect(directory / "quell.db") as connection:
        rows = connection.execute("SELECT packed, records FROM journal").fetchall()
    return sum(b"\xa5again" in unpack(Blob(bool(packed), data)) for packed, data in rows)
