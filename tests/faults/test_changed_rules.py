"""kill -9, then other rules: what was decided by the old ones is not decided a second time by the new ones."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import msgspec

from faults.child import Child, write_config
from faults.nursery import Forked, Nursery
from ports import free_port

SOURCES = "  alertmanager: {{use: alertmanager}}\n  out: {{use: file, path: {pages}}}\n"


def incidents(child: Child) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = child.api("GET", "/incidents?status=all")["incidents"]
    return found


def wait_for(what: str, holds: Any) -> None:
    deadline = time.monotonic() + 25
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_an_incident_that_only_a_timer_opened_keeps_its_name(tmp_path: Path, nursery: Nursery) -> None:
    directory = tmp_path / "quell"
    config = write_config(directory)
    rules = directory / "rules" / "triage.yaml"
    rules.parent.mkdir()
    rules.write_text("triage: {lone_page_after: 500ms}\n")
    child = Forked(nursery, config, free_port())
    try:
        child.spawn()
        child.wait_ready()
        body = msgspec.json.encode([{"labels": {"alertname": "Lone", "severity": "critical"}}])
        assert child.ask("POST", "/api/v2/alerts", body, {"content-type": "application/json"})[0] == 200
        wait_for("the incident", lambda: incidents(child))
        [first] = incidents(child)
        child.kill()
        rules.write_text("triage: {lone_page_after: 10ms}\n")
        child.spawn()
        child.wait_ready()
        assert [(each["id"], each["opened_at"]) for each in incidents(child)] == [(first["id"], first["opened_at"])]
        assert child.end() == 0
    finally:
        child.close()


def test_a_page_is_not_sent_again_under_other_rules(tmp_path: Path, nursery: Nursery) -> None:
    directory = tmp_path / "quell"
    pages = directory / "pages.jsonl"
    config = write_config(directory, "pages: [{to: out.page}]\n", SOURCES.format(pages=pages))
    rules = directory / "rules" / "triage.yaml"
    rules.parent.mkdir()
    rules.write_text("triage: {lone_page_after: 500ms}\n")
    child = Forked(nursery, config, free_port())
    try:
        child.spawn()
        child.wait_ready()
        body = msgspec.json.encode([{"labels": {"alertname": "Lone", "severity": "critical"}}])
        assert child.ask("POST", "/api/v2/alerts", body, {"content-type": "application/json"})[0] == 200
        wait_for("the page", pages.exists)
        wait_for("its result", lambda: [e["state"] for e in child.api("GET", "/ledger")["ledger"]] == ["done"])
        first = incidents(child)
        child.kill()
        rules.write_text("triage: {lone_page_after: 2s}\n")
        child.spawn()
        child.wait_ready()
        assert "rules changed while stopped" in child.log
        time.sleep(2.2)  # by the rules of now the page would be due within this time
        second = incidents(child)
        assert [(each["id"], each["opened_at"]) for each in second] == [(first[0]["id"], first[0]["opened_at"])]
        assert len(pages.read_bytes().splitlines()) == 1
        assert [entry["state"] for entry in child.api("GET", "/ledger")["ledger"]] == ["done"]
        child.kill()
        child.spawn()
        child.wait_ready()
        assert "groups=0" in child.log.rpartition("event=recovered")[2].partition("\n")[0]  # saved after the recovery
        assert [each["id"] for each in incidents(child)] == [first[0]["id"]]
        child.kill()
        with sqlite3.connect(directory / "quell.db") as database:
            assert database.execute("SELECT count(*) FROM ledger").fetchone() == (1,)
        database.close()
    finally:
        child.close()
