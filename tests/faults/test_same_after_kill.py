"""After kill -9 in the middle of a storm, the incidents, alerts, silences and runs are what they were."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from faults.child import Child, write_config
from faults.nursery import Forked, Nursery
from ports import free_port

WATCHED = ("/incidents?status=all", "/alerts?status=all", "/runs", "/audit")


def seen(child: Child) -> dict[str, Any]:
    found = {path: child.api("GET", path) for path in WATCHED}
    found["silences"] = msgspec.json.decode(child.ask("GET", "/api/v2/silences")[1])
    return found


def storm(child: Child) -> None:
    at = datetime.now(UTC).isoformat()
    records: list[dict[str, Any]] = [
        {"kind": "dependency", "from": f"service/{one}", "to": f"service/{other}", "type": "calls"}
        for one, other in (("web", "api"), ("api", "db"), ("jobs", "db"))
    ]
    records += [
        {
            "kind": "alert",
            "status": "firing",
            "labels": {"alertname": f"{name}Errors", "service": service, "severity": "critical"},
            "entity": f"service/{service}",
        }
        for service in ("db", "api", "web", "jobs")
        for name in ("Slow", "Failing")
    ]
    child.api("POST", "/records", b"\n".join(msgspec.json.encode({**record, "at": at}) for record in records))


def test_everything_is_as_it_was(tmp_path: Path, nursery: Nursery) -> None:
    directory = tmp_path / "quell"
    config = write_config(directory, "snapshot_every: 1s\n")
    (directory / "rules").mkdir()
    child = Forked(nursery, config, free_port())
    try:
        child.spawn()
        child.wait_ready()
        storm(child)
        now = datetime.now(UTC)
        silence = {
            "matchers": [{"name": "service", "value": "jobs", "isRegex": False}],
            "createdBy": "ana", "comment": "known",
            "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat(),
        }  # fmt: skip
        body = msgspec.json.encode(silence)
        assert child.ask("POST", "/api/v2/silences", body, {"content-type": "application/json"})[0] == 200
        deadline = time.monotonic() + 25
        while not child.api("GET", "/incidents")["incidents"] and time.monotonic() < deadline:
            time.sleep(0.2)
        incident = child.api("GET", "/incidents")["incidents"][0]["id"]
        child.api("POST", f"/incidents/{incident}/ack", {"note": "mine"})
        before = seen(child)
        assert len(before["silences"]) == 1
        child.send(signal.SIGSTOP)  # nothing happens between what was seen and the kill
        child.kill()
        child.spawn()
        child.wait_ready()
        after = seen(child)
        for what in before:
            assert after[what] == before[what], what
        assert child.api("GET", "/status")["broken"] == ""
        assert child.end() == 0
        assert "Traceback" not in child.log
    finally:
        child.close()
