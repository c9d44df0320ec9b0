"""The command against a daemon that runs: from init to an incident that a person acknowledges."""

import json
import os
import re
import subprocess
import sys
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from quell.cli.demo import child
from quell.cli.main import run
from quell.model.times import format_time

SAY_IT = """
playbook: say-it
when: {by_hand: true}
mode: enforce
steps:
  - {id: say, do: console.print, with: {text: "Look at ${incident.id}."}}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live") / "conf"
    command = [sys.executable, "-m", "quell.cli", "init", str(folder)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    (token,) = re.findall(r"qll_admin_[0-9a-f]{64}", said)
    (folder / "playbooks" / "say-it.yaml").write_text(SAY_IT)
    # Fast, so that what needs a minute of holding back needs a second here.
    with child.daemon(folder, child.free_port(), clock_speed=30.0) as running:
        _tell_of_a_broken_cart(running.url, token)
        yield running, token


def _tell_of_a_broken_cart(url, token):
    environment = {**os.environ, "QUELL_URL": url, "QUELL_TOKEN": token}
    command = [sys.executable, "-m", "quell.cli", "status", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    now = json.loads(told.stdout)["now"]
    source = {"at": now, "source": "test"}
    lines = [
        {**source, "kind": "dependency", "from": "service/web", "to": "service/cart", "type": "calls"},
        {**source, "kind": "dependency", "from": "service/api", "to": "service/cart", "type": "calls"},
        {**source, "kind": "change", "id": "chg-1", "type": "deploy", "entity": "service/cart", "summary": "cart v2"},
    ]
    records = "".join(json.dumps(line) + "\n" for line in lines)
    sent = subprocess.run(
        [sys.executable, "-m", "quell.cli", "send", "-"],
        input=records, capture_output=True, text=True, check=True, timeout=60, env=environment,
    )  # fmt: skip
    assert "3 accepted" in sent.stdout
    alerts = [
        {"labels": {"alertname": name, "service": service, "severity": "critical"}, "startsAt": now}
        for name, service in (
            ("HighErrors", "cart"),
            ("PodCrash", "cart"),
            ("HighErrors", "web"),
            ("HighErrors", "api"),
        )
    ]
    # As Prometheus does: no token.
    request = Request(url + "/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"})
    with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
        assert answer.status == 200


@pytest.fixture
def asked(daemon, monkeypatch, capsys):
    running, token = daemon
    monkeypatch.setenv("QUELL_URL", running.url)
    monkeypatch.setenv("QUELL_TOKEN", token)

    def ask(*words, code=0):
        assert run(list(words)) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    return ask


@pytest.fixture
def incident(asked):
    for _ in range(100):
        found = json.loads(asked("incidents", "--json"))["incidents"]
        if found and len(found[0]["alerts"]) == 4:
            return found[0]["id"]
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("no incident was opened")


def test_an_incident_is_listed_shown_and_explained(asked, incident):
    assert incident in asked("incidents")
    shown = asked("show", incident)
    assert "deploy chg-1 of service/cart" in shown
    assert "4 alerts:" in shown
    assert "cart v2" in shown
    why = asked("why", incident)
    assert "service/cart" in why
    assert "chg-1" in why


def test_alerts_say_why_they_did_not_page(asked, incident):
    assert asked("alerts").count(" " + incident + " ") >= 4
    assert "PodCrash" in asked("why-not", "PodCrash")
    fingerprint = json.loads(asked("alerts", "--json"))["alerts"][0]["fingerprint"]
    assert asked("why-not", fingerprint)


def test_the_graph_says_who_said_what(asked, incident):
    assert "2 calls" in asked("graph")
    shown = asked("graph", "service/cart")
    assert "service/web" in shown
    assert "says test" in shown
    assert 'nothing is known of the entity "service/nothing"' in asked("graph", "service/nothing", code=1)


def test_status_quarantine_ledger_and_playbooks_answer(asked, incident):
    assert "incidents.open" in asked("status")
    told = asked("status")
    assert "alertmanager" in told
    rows = dict(line.split()[:2] for line in told.splitlines() if line.startswith(("ready ", "clock_speed ")))
    assert rows == {"ready": "yes", "clock_speed": "30"}
    assert "collect-diagnostics" in asked("playbooks")
    assert asked("quarantine") == "the quarantine is empty\n"
    assert "console.page" in asked("ledger")


def test_records_that_cannot_be_read_are_quarantined(asked, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"kind": "tick", "at": 5}\n{"kind": "nothing"}\n')
    assert asked("send", str(path)) == "2 sent, 1 accepted, 1 rejected\n"
    kept = json.loads(asked("quarantine", "--json"))["quarantine"]
    assert 'unknown kind "nothing"' in kept[0]["reason"]


def test_a_playbook_runs_dry_by_hand(asked, incident):
    told = asked("run", "say-it", incident, "--dry")
    assert "say-it (dry): " in told
    assert "  say: a print would be on the console\n" in told
    assert "nothing was changed" in told
    assert 'no playbook is named "nothing"' in asked("run", "nothing", incident, code=1)
    runs = json.loads(asked("runs", "--incident", incident, "--json"))["runs"]
    mine = next(run for run in runs if run["playbook"] == "say-it" and run["by"] == "admin")
    told = asked("runs", mine["id"])
    assert "would be on the console" in told
    assert "done (dry run: nothing was done)" in told
    assert "done (dry)" in asked("ledger", "--run", mine["id"])
    began = asked("run", "say-it", incident)
    assert f"follow it with: quell runs {began.partition(':')[0]}\n" in began


def test_the_audit_trail_is_verified_and_playbooks_are_scored(asked, incident):
    assert "the audit trail is whole" in asked("audit", "verify")
    assert json.loads(asked("audit", "verify", "--json"))["whole"]
    assert "say-it" in asked("stats", "playbooks", "--since", "7d")


def test_an_explanation_is_drawn(asked, incident, tmp_path):
    drawn = asked("why", incident, "--format", "svg")
    assert drawn.startswith("<svg ")
    assert "◆ deploy" in drawn
    asked("why", incident, "--format", "svg", "--out", str(tmp_path / "why.svg"))
    assert (tmp_path / "why.svg").read_text().startswith("<svg ")
    asked("why", incident, "--format", "png", "--out", str(tmp_path / "why.png"))
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
    asked("why", incident, "--out", str(tmp_path / "why.txt"))
    assert "First cause" in (tmp_path / "why.txt").read_text() or "clear cause" in (tmp_path / "why.txt").read_text()
    asked("why", incident, "--json", "--out", str(tmp_path / "why.json"))
    told = json.loads((tmp_path / "why.json").read_text())
    assert told["candidates"][0]["points_for"]
    assert {one["entity"] for one in told["story"]["actors"]} >= {"service/cart", "service/web", "service/api"}
    assert {one["from"] for one in told["story"]["links"]} == {"service/cart"}
    assert told["story"]["started_at"].endswith("Z")
    assert json.loads(asked("why", incident, "--format", "json"))["candidates"][0]["entity"] == "service/cart"
    assert "a PNG is no text" in asked("why", incident, "--format", "png", code=2)
    assert "cannot be written" in asked("why", incident, "--out", str(tmp_path / "none" / "why.txt"), code=1)
    assert 'no incident has the id "INC-0"' in asked("why", "INC-0", "--format", "svg", code=1)


def test_unknown_ids_are_said_plainly(asked):
    assert asked("show", "INC-none", code=1) == 'no incident has the id "INC-none"\n'
    assert asked("approve", "R-none", code=1) == 'no run has the id "R-none"\n'
    assert '"aa" is none; it is four letters or more' in asked("approve", "R-none", "aa", code=2)
    assert asked("why-not", "0" * 16, code=1) == f'no alert has the fingerprint "{"0" * 16}"\n'


def test_without_the_token_nothing_is_told(asked, monkeypatch):
    monkeypatch.delenv("QUELL_TOKEN")
    assert "wants a token" in asked("incidents", code=1)
    monkeypatch.setenv("QUELL_TOKEN", "qll_admin_" + "0" * 64)
    assert "does not accept this token" in asked("incidents", code=1)


def test_who_writes_https_is_told_that_there_is_none(asked, monkeypatch):
    monkeypatch.setenv("QUELL_URL", os.environ["QUELL_URL"].replace("http:", "https:"))
    said = asked("incidents", code=1)
    assert "speaks no TLS" in said
    assert "write http://" in said


def test_playbooks_are_paused_and_go_on(asked):
    assert asked("pause", "--note", "release") == "playbooks are paused\n"
    assert json.loads(asked("status", "--json"))["paused_by"]
    assert asked("unpause") == "playbooks act again\n"
    audit = asked("audit")
    assert "pause" in audit
    assert "admin" in audit


def test_a_person_acknowledges_resolves_and_reopens(asked, incident):
    assert asked("ack", incident, "--note", "on it") == f"{incident}: acknowledged\n"
    assert "acknowledged by admin" in asked("show", incident)
    assert asked("resolve", incident) == f"{incident}: resolved\n"
    assert incident not in asked("incidents")
    assert incident in asked("incidents", "--status", "all")
    assert asked("reopen", incident) == f"{incident}: open again\n"
    assert incident in asked("incidents")


def test_the_port_that_is_taken_is_said(daemon, capsys, tmp_path):
    running, _ = daemon
    address = running.url.removeprefix("http://")
    assert run(["init", str(tmp_path)]) == 0
    assert run(["serve", "-c", str(tmp_path), "--listen", address]) == 1
    assert f'cannot listen on "{address}"' in capsys.readouterr().err
    assert run(["serve", "-c", str(tmp_path), "--listen", "nowhere"]) == 2
    assert '"nowhere" is not an address' in capsys.readouterr().err


def test_times_are_now(asked, incident):
    found = json.loads(asked("incidents", "--json"))["incidents"][0]
    assert found["opened_at"] <= json.loads(asked("status", "--json"))["now"]
    assert format_time(0.0) < found["opened_at"]
