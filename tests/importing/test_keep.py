"""Workflows of Keep taken over: what is plain becomes a playbook, what is computed is said and left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quell.cli.main import run
from quell.config import load
from quell.config.nodes import read_document
from quell.importing.keep import workflows_from
from quell.importing.report import Report
from quell.sdk.registry import find_connectors

RESTART = """\
workflow:
  id: tell-deploy-tool
  description: Tell the deploy tool about critical errors.
  triggers:
    - type: alert
      filters:
        - {key: severity, value: critical}
        - {key: source, value: prometheus}
        - {key: name, value: 'r"High.*"'}
        - {key: environment, value: test, exclude: true}
  consts:
    base: http://127.0.0.1:9/api
  actions:
    - name: tell
      provider:
        type: http
        config: "{{ providers.default }}"
        with:
          url: "{{ consts.base }}/errors"
          method: POST
          body: {name: "{{ alert.name }}", service: "{{ alert.labels.service }}", price: "costs ${5}"}
    - name: say
      provider: {type: console, with: {message: "told of {{ alert.name }}"}}
"""


def read(text: str) -> tuple[list[Any], Report]:
    document, problems = read_document("workflow.yaml", text.encode())
    assert document is not None, problems
    report = Report(document)
    return workflows_from(document, report), report


def test_a_plain_one_becomes_a_playbook_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "workflow.yaml"
    path.write_text(RESTART)
    assert run(["import", str(path), "--out", str(tmp_path / "quell"), "--strict"]) == 0
    said = capsys.readouterr().out
    assert 'playbook "tell-deploy-tool", mode shadow' in said
    assert 'changed: filter source "prometheus": alerts of every source begin it' in said
    loaded = load(tmp_path / "quell", {name: kind.spec for name, kind in find_connectors().connectors.items()}, {})
    (playbook,) = loaded.rulebook.playbooks
    assert playbook.mode == "shadow"
    assert sorted(map(str, playbook.alert or ())) == [
        'alertname=~"High.*"', 'environment!="test"', 'severity="critical"',
    ]  # fmt: skip
    tell, say = playbook.steps
    assert tell.with_["url"] == "${vars.base}/errors"
    assert tell.with_["json"] == {
        "name": "${alert.name}", "service": "${alert.labels.service}", "price": "costs $ {5}",
    }  # fmt: skip
    assert say.with_ == {"text": "told of ${alert.name}"}


@pytest.mark.parametrize(
    ("trigger", "when"),
    [
        ("{type: manual}", {"by_hand": True}),
        ("{type: interval, value: 3600}", {"every": "3600s"}),
        ("{type: incident, events: [created, updated]}", {"incident": ["opened", "suspects_changed"]}),
        ("""{type: alert, cel: 'severity == "critical" && name != "Watchdog"'}""",
         {"alert": 'severity="critical", alertname!="Watchdog"'}),
    ],
)  # fmt: skip
def test_triggers(trigger: str, when: dict[str, Any]) -> None:
    action = "{name: say, provider: {type: console, with: {message: hello}}}"
    (one,), _ = read(f"workflow:\n  id: a\n  triggers: [{trigger}]\n  actions: [{action}]\n")
    assert one.playbook["when"] == when
    assert one.playbook["mode"] == "shadow"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("{name: a, if: '{{ alert.x }} == 1', provider: {type: console, with: {message: hi}}}", "its condition"),
        ("{name: a, foreach: '{{ steps.x }}', provider: {type: console, with: {message: hi}}}", '"foreach"'),
        ("{name: a, provider: {type: teams, with: {message: hi}}}", 'provider "teams" is not carried over'),
        ("{name: a, provider: {type: console, with: {message: 'keep.len({{ alert }})'}}}", "a function of Keep"),
        ("{name: a, provider: {type: console, with: {message: '{{ alert.other.thing }}'}}}", "no counterpart"),
        ("{name: a, provider: {type: http, with: {url: 'http://x/', headers: {a: b}}}}", "headers may hold secrets"),
    ],
)
def test_what_is_computed_is_left_out_and_the_playbook_is_off(action: str, said: str) -> None:
    plain = "{name: say, provider: {type: console, with: {message: hello}}}"
    (one,), report = read(f"workflow:\n  id: a\n  actions:\n    - {plain}\n    - {action}\n")
    assert one.playbook["mode"] == "off"
    assert [step["id"] for step in one.playbook["steps"]] == ["say"]
    (left,) = [item for item in report.items if item.fate == "left out"]
    assert said in left.text
    assert left.line == 5


SAY = "{name: say, provider: {type: console, with: {message: hi}}}"


def test_each_trigger_has_a_file_of_its_own_below_the_directory(tmp_path: Path) -> None:
    """Whoever hands out a workflow must not choose where it is written."""
    away = "../../../escaped"
    triggers = f"[{{type: '{away}'}}, {{type: incident}}, {{type: incident, events: [updated]}}]"
    path = tmp_path / "workflow.yaml"
    path.write_text(f"workflow:\n  id: a\n  triggers: {triggers}\n  actions: [{SAY}]\n")
    out = tmp_path / "deep/er/quell"
    assert run(["import", str(path), "--out", str(out)]) == 0
    written = sorted(each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*.yaml"))
    assert written == [
        "deep/er/quell/playbooks/a-escaped.yaml",
        "deep/er/quell/playbooks/a-incident-2.yaml",
        "deep/er/quell/playbooks/a-incident.yaml",
        "deep/er/quell/quell.yaml",
        "workflow.yaml",
    ]


def test_a_source_in_cel_is_said_and_a_file_beside_another_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trigger = "{type: alert, cel: \"source == 'grafana' && severity == 'critical'\"}"
    path = tmp_path / "workflow.yaml"
    path.write_text(f"workflow:\n  id: a\n  triggers: [{trigger}]\n  actions: [{SAY}]\n")
    out = tmp_path / "quell"
    assert run(["import", str(path), "--out", str(out)]) == 0
    assert "alerts of every source begin it" in capsys.readouterr().out
    assert run(["import", str(path), "--out", str(out)]) == 0
    assert "quell.imported.yaml is not read: take over into quell.yaml" in capsys.readouterr().out


def test_a_constant_that_is_computed_is_left_out_like_a_step() -> None:
    (one,), report = read(f"workflow:\n  id: a\n  consts: {{when: 'keep.utcnow()'}}\n  actions: [{SAY}]\n")
    assert one.playbook["mode"] == "off"
    assert [item.part for item in report.items if item.fate == "left out"] == ['constant "when"']


def test_an_address_with_a_secret_is_not_written_down() -> None:
    step = "{name: s, provider: {type: http, with: {url: 'https://x.example/?token=abc', method: POST}}}"
    (one,), report = read(f"workflow:\n  id: a\n  actions: [{SAY}, {step}]\n")
    assert "abc" not in str(one.playbook)
    assert any("secret" in item.text for item in report.items)


def test_a_secret_in_plain_words_is_not_written_down() -> None:
    body = "{team: a, auth: {api_key: hunter2}}"
    step = f"{{name: s, provider: {{type: http, with: {{url: 'https://x.example/', method: POST, body: {body}}}}}}}"
    text = f"workflow:\n  id: a\n  consts: {{slack_token: hunter2, team: a}}\n  actions: [{SAY}, {step}]\n"
    (one,), report = read(text)
    assert "hunter2" not in str(one.playbook)
    assert (one.playbook["vars"], one.playbook["mode"]) == ({"team": "a"}, "off")
    assert sum("seems to" in item.text for item in report.items) == 2
    assert not any("hunter2" in item.text for item in report.items)
