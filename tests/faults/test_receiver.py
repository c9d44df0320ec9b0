"""The process that takes deliveries in is killed, stopped and left behind: nothing is lost and nothing comes twice."""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from faults.child import Child, write_config
from faults.waiting import resident_mb, wait_for
from ports import free_port

SENDERS = 6
MOST_AT_FULL_SPEED = 10_000
"""Alerts of one sender; those of all must not be more than one answer of the API holds."""
_JSON = {"content-type": "application/json"}


class Sender(threading.Thread):
    """Posts alerts that nobody else sends, each exactly once, on a connection that it keeps for as long as it can."""

    def __init__(self, child: Child, number: int, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.answers: Counter[int] = Counter()
        self._child = child
        self._number = number
        self._over = over
        self._random = random.Random(number)

    def run(self) -> None:
        line = self._line()
        while not self._over.is_set():
            if len(self.sent) > MOST_AT_FULL_SPEED:
                time.sleep(0.2)
            count = self._random.choice([1, 1, 1, 3, 20])
            names = [f"s{self._number}-{len(self.sent) + n}" for n in range(count)]
            self.sent.update(names)
            body = msgspec.json.encode([{"labels": {"alertname": name, "severity": "info"}} for name in names])
            status = 0
            try:
                line.request("POST", "/api/v2/alerts", body, _JSON)
                answer = line.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                line.close()
                line = self._line()
                time.sleep(0.01)
            self.answers[status] += 1
            if status == 200:
                self.acknowledged.update(names)
            elif status:
                self.refused.update(names)
        line.close()

    def _line(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._child.port, timeout=30)


def receiver_of(child: Child) -> int:
    """The receiver's process, once it is at work."""
    wait_for("no receiver is at work", lambda: child.api("GET", "/status")["receiver"]["at_work"])
    return int(child.api("GET", "/status")["receiver"]["process"])


def judge(child: Child, senders: list[Sender], least: int) -> None:
    """What was acknowledged is there once, what was refused is not, and nobody knows anything else."""
    acknowledged, sent, refused = (
        set[str]().union(*(getattr(each, name) for each in senders)) for name in ("acknowledged", "sent", "refused")
    )
    found = child.api("GET", "/alerts?status=all&limit=100000")["alerts"]
    counts = Counter({alert["labels"]["alertname"]: alert.get("count", 1) for alert in found})
    assert len(acknowledged) > least, "the senders did not get through; the test tests nothing"
    assert acknowledged - set(counts) == set()
    assert set(counts) <= sent
    assert set(counts) & refused == set()
    assert {name: count for name, count in counts.items() if count != 1} == {}
    assert sum(counts.values()) == sum(
        int(float(line.split()[1]))
        for line in child.ask("GET", "/metrics")[1].decode().splitlines()
        if line.startswith("quell_records_accepted_total ")
    )


def killed(directory: Path, kills: int, seed: int, how: signal.Signals = signal.SIGKILL) -> None:
    dice = random.Random(seed)
    child = Child(write_config(directory, "receiver: true\n"), free_port())
    over = threading.Event()
    senders = [Sender(child, number, over) for number in range(SENDERS)]
    try:
        child.spawn()
        child.wait_ready()
        receiver_of(child)
        for sender in senders:
            sender.start()
        for number in range(kills):
            process = receiver_of(child)
            time.sleep(dice.choice([0.05, 0.2, 0.6]) * dice.random())
            os.kill(process, how)
            before = sum(len(sender.acknowledged) for sender in senders)
            wait_for("nothing is taken any more", lambda before=before: sum(  # type: ignore[misc]
                len(sender.acknowledged) for sender in senders) > before + 20)  # fmt: skip
            wait_for("it was not noticed", lambda n=number: child.api("GET", "/status")["receiver"]["lost"] > n)  # type: ignore[misc]
        over.set()
        for sender in senders:
            sender.join(35)
        judge(child, senders, kills * 20)
        assert child.end() == 0
        assert "Traceback" not in child.log, child.log
    finally:
        over.set()
        child.close()


def test_two_kills_of_the_receiver(tmp_path: Path) -> None:
    killed(tmp_path / "quell", kills=2, seed=3)


def test_a_receiver_that_hangs(tmp_path: Path) -> None:
    killed(tmp_path / "quell", kills=1, seed=4, how=signal.SIGSTOP)


@pytest.mark.long
def test_six_kills_of_the_receiver(tmp_path: Path) -> None:
    killed(tmp_path / "quell", kills=6, seed=5)


def alive(process: int) -> bool:
    """Whether it runs; one that waits for its parent to look at it does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("stopped", [False, True])
def test_it_does_not_outlive_a_daemon_that_is_killed(tmp_path: Path, *, stopped: bool) -> None:
    child = Child(write_config(tmp_path / "quell", "receiver: true\n"), free_port())
    try:
        child.spawn()
        child.wait_ready()
        process = receiver_of(child)
        assert child.alert("before")
        assert resident_mb(process) < 14
        if stopped:
            os.kill(process, signal.SIGSTOP)
        child.kill()
        wait_for("the receiver is left behind", lambda: not alive(process), 10.0)
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", child.port))
            taken.listen()
        child.spawn()
        child.wait_ready()
        receiver_of(child)
        assert child.alert("after")
        assert {each["labels"]["alertname"] for each in child.api("GET", "/alerts")["alerts"]} == {"before", "after"}
        assert child.end() == 0
    finally:
        child.close()


def test_a_daemon_killed_under_load_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    child = Child(write_config(tmp_path / "quell", "receiver: true\n"), free_port())
    over = threading.Event()
    senders = [Sender(child, number, over) for number in range(SENDERS)]
    try:
        for _ in range(3):
            child.spawn()
            child.wait_ready()
            if not senders[0].is_alive():
                for sender in senders:
                    sender.start()
            time.sleep(0.5)
            child.kill()
        over.set()
        for sender in senders:
            sender.join(35)
        child.spawn()
        child.wait_ready()
        child.decided_over()
        found = {each["labels"]["alertname"] for each in child.api("GET", "/alerts?status=all&limit=100000")["alerts"]}
        acknowledged = set[str]().union(*(sender.acknowledged for sender in senders))
        assert len(acknowledged) > 50
        assert acknowledged <= found
        assert child.end() == 0
    finally:
        over.set()
        child.close()


def test_signals_to_all_end_the_daemon_in_order(tmp_path: Path) -> None:
    child = Child(write_config(tmp_path / "quell", "receiver: true\n"), free_port())
    over = threading.Event()
    senders = [Sender(child, number, over) for number in range(SENDERS)]
    try:
        child.spawn()
        child.wait_ready()
        process = receiver_of(child)
        for sender in senders:
            sender.start()
        time.sleep(0.5)
        for each in (signal.SIGINT, signal.SIGTERM):  # as Ctrl-C and as a service manager send it to all
            os.kill(process, each)
        began = time.monotonic()
        assert child.end() == 0
        assert time.monotonic() - began < 10
        assert not alive(process)
        over.set()
        for sender in senders:
            sender.join(35)
        assert "lost" not in child.log
        assert all(set(sender.answers) <= {0, 200, 503} for sender in senders)
        child.spawn()
        child.wait_ready()
        child.decided_over()
        found = {each["labels"]["alertname"] for each in child.api("GET", "/alerts?status=all&limit=100000")["alerts"]}
        acknowledged = set[str]().union(*(sender.acknowledged for sender in senders))
        refused = set[str]().union(*(sender.refused for sender in senders))
        assert acknowledged <= found
        assert not refused & found
        assert "groups=0" in child.log.rpartition("event=recovered")[2].partition("\n")[0]  # the snapshot had it all
        assert child.end() == 0
    finally:
        over.set()
        child.close()


def test_without_it_there_is_no_other_process(tmp_path: Path) -> None:
    child = Child(write_config(tmp_path / "quell", "receiver: false\n"), free_port())
    try:
        child.spawn()
        child.wait_ready()
        assert child.alert("a")
        assert not child.api("GET", "/status")["receiver"]["wanted"]
        assert not Path(f"/proc/{child.process.pid}/task/{child.process.pid}/children").read_text().split()
        assert child.end() == 0
    finally:
        child.close()
