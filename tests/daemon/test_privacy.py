"""With a real daemon: nothing personal reaches the disk, the log, people or programs, whichever way it comes in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from faults.child import TOKEN, Child, write_config
from ports import free_port
from quell.cli.main import run
from quell.daemon.saved import opened
from quell.privacy.rules import PrivacyRules
from quell.privacy.texts import Texts
from quell.store.opening import open_for_reading

KEY = "a key of some length 0123456789"
PLAIN = ("ann@example.org", "usr-4711", "4111 1111 1111 1111", "10.11.12.13", "E-123456")
PRIVACY = """
privacy:
  secret: env:PRIVACY_KEY
  rules:
    - {fields: [user_id, "customer_*"], patterns: [email, ip]}
    - {patterns: [card, '/E-\\d{6}/'], do: mask}
    - {fields: [note_of_agent], do: drop}
"""
SOURCES = """  alertmanager: {use: alertmanager}
  hook:
    use: webhook
    mapping: {alerts: body.problems, name: item.title, status: item.state, labels: {user_id: item.user_id}}
    status_map: {BAD: firing}
  predictions: {use: predictions}
  otlp: {use: otlp}
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    monkeypatch.setenv("PRIVACY_KEY", KEY)
    child = Child(write_config(tmp_path / "quell", PRIVACY, SOURCES), free_port())
    try:
        child.spawn()
        child.wait_ready()
        yield child
    finally:
        child.close()


def send(child: Child, path: str, content: object) -> int:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    return child.ask("POST", path, body, headers)[0]


def all_of_it(directory: Path) -> bytes:
    """Everything that stands in files, packed or not."""
    told = b"".join(path.read_bytes() for path in directory.iterdir() if path.name not in {"quell.yaml", "tokens.yaml"})
    with closing(open_for_reading(f"sqlite:///{directory}/quell.db", directory)) as reading:
        told += b"".join(str(group).encode() for group in reading.groups())
        told += b"".join(str(entry).encode() for entry in reading.quarantine())
        told += b"".join(str(entry).encode() for entry in reading.audit())
        state = reading.state() or b""
    return told + (opened(state).state if state else b"")


def test_nothing_personal_is_kept_whichever_way_it_comes(child: Child, tmp_path: Path) -> None:
    mail, user, card, ip, staff = PLAIN
    firing = {
        "labels": {
            "alertname": "Slow",
            "user_id": user,
            "instance": f"{ip}:9100",
            "customer_name": "Ann Onym",
            "severity": "page-me",
        },
        "annotations": {"summary": f"{mail} waits, card {card}, user_id={user}", "note_of_agent": f"{staff} said so"},
    }
    assert send(child, "/api/v2/alerts", [firing]) == 200
    # What cannot be read: half of it, all of it, and what is no text.
    assert send(child, "/in/hook", {"problems": [{"title": mail, "state": "UGLY", "user_id": user}]}) in {200, 400}
    assert send(child, "/in/hook", f'{{"problems": [{{"title": "{mail}", "user_id": "{user}", '.encode()) == 400
    assert send(child, "/in/otlp/v1/traces", b"\x00\xff" + f"{mail} {user}".encode()) in {400, 404}
    assert send(child, "/in/alertmanager", {"alerts": [{"labels": {"user_id": user}, "status": mail}]}) in {200, 400}
    # What programs and people say.
    assert (
        send(
            child,
            "/in/predictions",
            {"kind": "prediction", "model": "fraud", "features": {"user_id": user, "shop": staff}},
        )
        == 200
    )
    records = [
        {
            "kind": "log",
            "at": time.time(),
            "entity": "service/a",
            "text": f"login of {mail} from {ip}",
            "template": f"login of {mail} from <*>",
        },
        {"kind": "version", "at": time.time(), "entity": "model/fraud", "version": "1", "promoted_by": mail},
        {
            "kind": "span",
            "at": time.time(),
            "trace": "t",
            "span": "s",
            "entity": "service/a",
            "attributes": {"user_id": user, "http.url": f"/x?customer_id={user}"},
        },
        {"kind": "alert", "at": time.time(), "status": "odd", "labels": {"alertname": mail, "user_id": user}},
    ]
    child.ask(
        "POST",
        "/api/quell/v1/records",
        "\n".join(json.dumps(one) for one in records).encode(),
        {"content-type": "application/x-ndjson", "authorization": f"Bearer {TOKEN}"},
    )
    silence = {
        "matchers": [{"name": "user_id", "value": user, "isRegex": False, "isEqual": True}],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "ana",
        "comment": f"{mail} asked",
    }
    assert send(child, "/api/v2/silences", silence) == 200
    texts = Texts(PrivacyRules(key=KEY.encode()))
    found = child.api("GET", "/alerts?status=all&limit=100")["alerts"]
    slow = next(alert for alert in found if alert["labels"]["alertname"] == "Slow")
    assert slow["labels"]["user_id"] == texts.token(user), "the same everywhere, so that alerts still go together"
    assert slow["labels"]["instance"] == f"{texts.token(ip)}:9100"
    assert slow["annotations"]["summary"] == f"{texts.token(mail)} waits, card (card), user_id={texts.token(user)}"
    assert "note_of_agent" not in slow["annotations"]
    status, answer = child.ask("GET", "/api/v2/alerts", headers={"authorization": f"Bearer {TOKEN}"})
    assert status == 200
    assert next(one for one in json.loads(answer) if one["labels"]["alertname"] == "Slow")["status"]["silencedBy"], (
        "a silence for a person fits the alerts as they are kept"
    )
    told = json.dumps(child.api("GET", "/incidents?status=all")) + json.dumps(child.api("GET", "/quarantine?limit=100"))
    assert child.end() == 0
    kept = all_of_it(tmp_path / "quell")
    for plain in (*PLAIN, "Ann Onym", KEY):
        assert plain.encode() not in kept, plain
        assert plain not in told, plain
        assert plain not in child.log, plain
    assert texts.token(mail).encode() in kept


def test_without_the_secret_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path / "quell", PRIVACY, SOURCES)
    monkeypatch.delenv("PRIVACY_KEY", raising=False)
    assert run(["serve", "-c", str(config), "--listen", "127.0.0.1:0"]) == 2
    assert "environment variable PRIVACY_KEY is not set" in capsys.readouterr().err
    assert not (tmp_path / "quell" / "quell.db").exists()


def test_the_command_shows_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRIVACY_KEY", KEY)
    config = write_config(tmp_path / "quell", PRIVACY, SOURCES)

    def said(*words: str) -> str:
        assert run(["privacy", "-c", str(config), *words]) == 0
        return capsys.readouterr().out.strip()

    token = Texts(PrivacyRules(key=KEY.encode())).token(PLAIN[0])
    assert said("--token", PLAIN[0]) == token
    assert said(f"for {PLAIN[0]}", '{"note_of_agent": 1, "a": "E-123456"}') == f'for {token}\n{{"a":"(personal)"}}'
    assert said("--field", "note_of_agent", "x") == "(dropped)"
    config.write_text("sources: {}\n")
    assert run(["privacy", "-c", str(config), "x"]) == 1
    assert "there are no rules" in capsys.readouterr().err
