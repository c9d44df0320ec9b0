"""The commands beside a real daemon: a backup under load, and a daemon that goes on from it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from faults.child import TOKEN, Child, write_config
from ports import free_port
from quell.daemon.decider import Decider
from quell.daemon.saved import opened
from quell.daemon.serve import restored
from quell.model.rulebook import Rulebook
from quell.store.opening import open_store
from quell.store.port import Group


def quell(*words: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "quell.cli", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout if code == 0 else ended.stderr


class Posting(threading.Thread):
    """Posts alerts until told to end; remembers how many were acknowledged."""

    def __init__(self, child: Child, number: int) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.acknowledged: list[str] = []
        self.refused = 0
        self._child, self._number = child, number

    def run(self) -> None:
        count = 0
        while not self.over.is_set():
            names = [f"a{self._number}-{count}-{n}" for n in range(10)]
            labels = [
                {"alertname": name, "service": f"s{n % 4}", "severity": "critical"} for n, name in enumerate(names)
            ]
            body = msgspec.json.encode([{"labels": each} for each in labels])
            status, _ = self._child.ask("POST", "/api/v2/alerts", body, {"content-type": "application/json"})
            if status == 200:
                self.acknowledged += names
            else:
                self.refused += 1
            count += 1
            self.over.wait(0.02)


def decided(decider: Decider, groups: list[Group], until: float) -> bytes:
    for group in groups:
        decider.decide(group.records, group.now)
    decider.decide([], until)
    return decider.snapshot()


def recovered(directory: Path, url: str, last: int, *, from_the_start: bool) -> bytes:
    """The state after group ``last``, by the snapshot and the journal behind it, or by the journal alone."""
    store = open_store(url, directory)
    found = store.recover()
    assert found.state is not None
    saved = opened(found.state)
    rulebook = saved.rulebook or Rulebook()
    assert from_the_start or found.seq > 0
    begun = restored(rulebook, None if from_the_start else saved.state)
    groups = [group for group in store.groups_after(0 if from_the_start else found.seq) if group.seq <= last]
    until = next(group.now for group in store.groups_after(last - 1))
    store.close()
    return decided(begun, groups, until)


def test_a_backup_under_load_is_the_state_of_then(tmp_path: Path) -> None:
    directory, file = tmp_path / "quell", tmp_path / "b.db"
    child = Child(write_config(directory, "snapshot_every: 1s\n"), free_port())
    posting = [Posting(child, number) for number in range(2)]
    try:
        child.spawn()
        child.wait_ready()
        for each in posting:
            each.start()
        while child.api("GET", "/status")["journal"]["seq"] < 100:
            posting[0].over.wait(0.1)
        made = msgspec.json.decode(quell("backup", str(file), "-c", str(directory), "--json"))
        before = sum(len(each.acknowledged) for each in posting)
        while sum(len(each.acknowledged) for each in posting) < before + 100:
            posting[0].over.wait(0.1)
        assert "in use by another quell" in quell("restore", str(file), "-c", str(directory), code=1)
        for each in posting:
            each.over.set()
            each.join(30)
        assert [each.refused for each in posting] == [0, 0], "the daemon took everything meanwhile"
        last = made["contents"]["seq"]
        assert child.api("GET", "/status")["journal"]["seq"] > last >= 100
        names = {alert["labels"]["alertname"] for alert in alerts(child)}
        assert child.end() == 0
        assert f"up to      group {last} at 20" in quell("restore", str(file), "--check")
        said = quell("restore", str(file), "-c", str(directory))
        (kept,) = directory.glob("quell.db.before-*")
        assert str(kept) in said
        expected = recovered(directory, f"sqlite:///{kept.name}", last, from_the_start=True)
        assert recovered(directory, "sqlite:///quell.db", last, from_the_start=False) == expected
        child.spawn()
        child.wait_ready()
        assert child.api("GET", "/status")["journal"]["seq"] == last
        again = {alert["labels"]["alertname"] for alert in alerts(child)}
        assert len(again) == made["contents"]["records"]
        assert again < names
        assert child.end() == 0
        assert "Traceback" not in child.log
    finally:
        child.close()


def alerts(child: Child) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = child.api("GET", "/alerts?status=all&limit=100000")["alerts"]
    return found


def test_the_commands_say_what_is_wrong(tmp_path: Path) -> None:
    directory, file = tmp_path / "quell", tmp_path / "b.db"
    write_config(directory)
    assert "there is no such database" in quell("backup", str(file), "-c", str(directory), code=1)
    open_store("sqlite:///quell.db", directory).close()
    assert "whole" in quell("backup", str(file), "-c", str(directory))
    assert "is there already" in quell("backup", str(file), "-c", str(directory), code=1)
    assert "whole" in quell("backup", str(file), "--store", f"sqlite:///{directory}/quell.db", "--force")
    assert "is not a URL" in quell("backup", str(file), "--store", "quell.db", code=1)
    assert "NOWHERE is not set" in quell("backup", str(file), "--store", "env:NOWHERE", code=1)
    file.write_bytes(file.read_bytes()[:20_000])
    assert "b.db" in quell("restore", str(file), "--check", code=1)
    assert TOKEN not in quell("restore", str(file), "-c", str(directory), code=1)
