"""Signals: the first one ends in order and loses nothing, a second one ends at once, SIGHUP reloads."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

from faults.child import Child, write_config
from faults.test_kill import SENDERS, Sender
from ports import free_port


def test_a_drain_under_load_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    child = Child(write_config(tmp_path / "quell"), free_port())
    over = threading.Event()
    senders = [Sender(child, number, over) for number in range(SENDERS)]
    try:
        child.spawn()
        child.wait_ready()
        for sender in senders:
            sender.start()
        time.sleep(0.7)
        began = time.monotonic()
        assert child.end() == 0
        assert time.monotonic() - began < 10
        over.set()
        for sender in senders:
            sender.join(15)
        acknowledged = set[str]().union(*(sender.acknowledged for sender in senders))
        assert len(acknowledged) > 50
        log = child.log
        assert "event=stopped" in log
        assert "Traceback" not in log, log
        child.spawn()
        child.wait_ready()
        found = {each["labels"]["alertname"] for each in child.api("GET", "/alerts?status=all&limit=100000")["alerts"]}
        assert acknowledged <= found
        assert "groups=0" in child.log.rpartition("event=recovered")[2].partition("\n")[0]  # the snapshot had it all
    finally:
        over.set()
        child.close()


def test_the_token_is_in_no_log_and_reload_by_signal(tmp_path: Path) -> None:
    config = write_config(tmp_path / "quell")
    child = Child(config, free_port())
    try:
        child.spawn()
        child.wait_ready()
        before = child.api("GET", "/status")["config"]["version"]
        config.write_text(config.read_text() + "snapshot_every: soon\n")
        child.process.send_signal(signal.SIGHUP)
        problems = _until(lambda: child.api("GET", "/status")["config"]["problems"])
        assert problems[0].startswith("quell.yaml:4:")
        assert child.api("GET", "/status")["config"]["version"] == before
        config.write_text(config.read_text().replace("soon", "30s"))
        child.process.send_signal(signal.SIGHUP)
        _until(lambda: child.api("GET", "/status")["config"]["version"] != before)
        assert child.end() == 0
        assert "00112233445566778899" not in child.log
        # --listen stands, so the file's address did not change.
        changed = [line for line in child.log.splitlines() if "takes effect at the next start" in line]
        assert ["setting=snapshot_every_s" in line for line in changed] == [True]
    finally:
        child.close()


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    child = Child(write_config(tmp_path / "quell"), free_port())
    try:
        child.spawn()
        child.wait_ready()
        child.process.send_signal(signal.SIGSTOP)  # so that both are there before it can end in order
        child.process.send_signal(signal.SIGTERM)
        child.process.send_signal(signal.SIGINT)
        child.process.send_signal(signal.SIGCONT)
        assert child.process.wait(10) == 143
    finally:
        child.close()


def _until(holds: object, within_s: float = 30.0) -> list[str]:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        found = holds()  # type: ignore[operator]
        if found:
            return found  # type: ignore[no-any-return]
        time.sleep(0.05)
    raise AssertionError("it did not happen")
