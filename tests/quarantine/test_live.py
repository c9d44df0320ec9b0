"""With a real daemon: a wrong mapping is mended and reloaded, and what it had refused comes in after all, once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from faults.child import TOKEN, Child, write_config
from ports import free_port

WRONG = """  hook:
    use: webhook
    mapping: {alerts: body.problems, name: item.title, status: item.state, labels: {service: item.host}}
    status_map: {GOOD: resolved}
"""
RIGHT = WRONG.replace("GOOD: resolved", "GOOD: resolved, UGLY: firing")


def quell(child: Child, *words: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "quell.cli", *words, "--url", f"http://127.0.0.1:{child.port}", "--token", TOKEN]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def problem(number: int) -> dict[str, str]:
    return {"title": f"p{number}", "host": f"h{number % 7}", "state": "UGLY"}


def deliver(child: Child, *numbers: int) -> int:
    body = json.dumps({"from": "x", "problems": [problem(number) for number in numbers]}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    return child.ask("POST", "/in/hook", body, headers)[0]


def mend(child: Child, directory: Path) -> None:
    before = child.api("GET", "/status")["config"]["loaded_at"]
    write_config(directory, sources=RIGHT)
    child.process.send_signal(signal.SIGHUP)
    while child.api("GET", "/status")["config"]["loaded_at"] == before:
        time.sleep(0.05)


def alerts(child: Child) -> dict[str, int]:
    found: list[dict[str, Any]] = child.api("GET", "/alerts?status=all&limit=100000")["alerts"]
    return {alert["labels"]["alertname"]: alert.get("count", 1) for alert in found}


def test_what_a_wrong_mapping_refused_is_replayed_by_the_command(tmp_path: Path) -> None:
    directory = tmp_path / "quell"
    child = Child(write_config(directory, sources=WRONG), free_port())
    try:
        child.spawn()
        child.wait_ready()
        assert deliver(child, 1, 2, 3) == 400
        assert deliver(child, 4) == 400
        assert child.ask("POST", "/in/hook", b"{", {"content-type": "application/json"})[0] == 400
        listed = quell(child, "quarantine")
        assert listed.count("UGLY") >= 4
        assert '"p2"' in quell(child, "quarantine", "show", "2")
        said = quell(child, "quarantine", "replay", "1", code=1)
        assert "1: failed" in said
        assert "1 could not be replayed and wait with the new reason" in said
        assert alerts(child) == {}
        mend(child, directory)
        said = quell(child, "quarantine", "replay", "--all", "--source", "hook", code=1)
        assert "1 failed, 4 replayed" in said
        assert alerts(child) == {f"p{number}": 1 for number in (1, 2, 3, 4)}
        assert child.api("GET", "/status")["quarantine"] == {"waiting": 1}
        assert "5: dropped" in quell(child, "quarantine", "drop", "--all")
        assert "the quarantine is empty" in quell(child, "quarantine")
        assert quell(child, "quarantine", "--state", "replayed").count("replayed") == 4
        assert "tried again 2 times" in quell(child, "quarantine", "show", "1")
        assert "1: skipped: it was replayed before, by ana" in quell(child, "quarantine", "replay", "1")
        assert "give the ids of entries, or --all" in quell(child, "quarantine", "replay", code=1)
        assert "nothing waits" in quell(child, "quarantine", "replay", "--all")
        trail = [(row["audit"]["who"], row["audit"]["what"]) for row in child.api("GET", "/audit")["audit"]]
        put_away = [one for one in trail if one[1].endswith("_quarantined")]
        assert put_away == [("ana", "drop_quarantined"), *[("ana", "replay_quarantined")] * 4]
        assert ("quell", "reload") in trail, "the mapping was put right meanwhile"
        assert child.end() == 0
        assert "Traceback" not in child.log
    finally:
        child.close()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_replays_that_are_killed_in_between_apply_everything_once(tmp_path: Path, seed: int) -> None:
    directory, chance = tmp_path / "quell", random.Random(seed)
    child = Child(write_config(directory, "snapshot_every: 1s\n", sources=WRONG), free_port())
    try:
        child.spawn()
        child.wait_ready()
        for start in range(0, 300, 20):
            assert deliver(child, *range(start, start + 20)) == 400
        mend(child, directory)
        ids = list(range(1, 301))
        for _ in range(5):
            over = threading.Event()
            asking = threading.Thread(target=replaying, args=(child, ids, over), daemon=True)
            asking.start()
            time.sleep(chance.random() * 0.25)
            child.kill()
            over.set()
            asking.join(30)
            child.spawn()
            child.wait_ready()
        left = [entry["id"] for entry in child.api("GET", "/quarantine?limit=1000")["quarantine"]]
        for start in range(0, len(left), 100):
            child.api("POST", "/quarantine/replay", {"ids": left[start : start + 100]})
        assert child.api("GET", "/status")["quarantine"] == {"waiting": 0}
        assert alerts(child) == {f"p{number}": 1 for number in range(300)}
        entries = [row["audit"] for row in child.api("GET", "/audit?limit=10000")["audit"]]
        trail = [entry["target"] for entry in entries if entry["what"].endswith("_quarantined")]
        assert sorted(map(int, trail)) == ids
        assert child.end() == 0
    finally:
        child.close()


def replaying(child: Child, ids: list[int], over: threading.Event) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    for start in range(0, len(ids), 10):
        if over.is_set():
            return
        body = json.dumps({"ids": ids[start : start + 10]}).encode()
        child.ask("POST", "/api/quell/v1/quarantine/replay", body, headers)
