"""A daemon in a process of its own whose hours pass quickly: its hourly digests come once each, also over a kill."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from faults.child import TOKEN, Child, write_config
from ports import free_port
from quell.cli.main import run

DIGEST = 'digest: {to: console.print, cron: "0 * * * *", over: 7d}\n'
SOURCES = "  alertmanager: {use: alertmanager}\n  console: {use: console}\n"
HOUR_S = 1.0


def told(child: Child) -> dict[str, str]:
    """What became of each digest, by its key."""
    entries: list[dict[str, Any]] = child.api("GET", "/ledger")["ledger"]
    return {one["perform"]["key"]: one["state"] for one in entries if one["perform"]["key"].startswith("digest/")}


def wait_for(child: Child, count: int) -> dict[str, str]:
    deadline = time.monotonic() + 40.0
    while time.monotonic() < deadline:
        found = told(child)
        if sum(state == "done" for state in found.values()) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{found}\n{child.log[-3000:]}")


def test_digests_of_a_real_daemon_over_a_kill(tmp_path: Path, capsys: Any) -> None:
    config = write_config(tmp_path / "conf", DIGEST, SOURCES)
    child = Child(config, free_port())
    speed = ("--clock-speed", str(3600.0 / HOUR_S))
    try:
        child.spawn(*speed)
        child.wait_ready()
        for name in ("DiskFull", "DiskFull", "SlowQueries"):
            assert child.alert(name)
        before = wait_for(child, 1)
        child.kill()
        child.spawn(*speed)
        child.wait_ready()
        after = wait_for(child, len(before) + 1)
        assert set(before) <= set(after)
        assert all(key.count("/") == 1 for key in after), "each was told at the first attempt"
        words = ["stats", "--since", "7d", "--url", f"http://127.0.0.1:{child.port}", "--token", TOKEN]
        assert run(words) == 0
        said = capsys.readouterr().out
        assert "From events to pages\n  3 events → 2 alerts → " in said
        assert "Noisiest rules" in said
        assert child.end() == 0
    finally:
        child.close()
