"""Playbooks that ask for the budget of a service level: what is spent, or not known, holds them back, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from quell.cli.main import run

FILES = {
    "quell.yaml": "store: sqlite:///quell.db\nsources:\n  console: {use: console}\n",
    "rules/slo.yaml": "slos:\n  - {name: shop, objective: 99%, over: 1d, bad: calls.errors, total: calls.count}\n",
    "playbooks/promote.yaml": """\
playbook: promote
version: 1
when: {alert: 'alertname="NewModel"'}
mode: enforce
guards: {unless: ['slo.budget("shop").left < 0.25']}
steps:
  - {id: note, do: console.page, with: {text: promoted}}
""",
    "playbooks/promote.test.yaml": """\
playbooks: [promote]
rules: [rules/slo.yaml]
mode: enforce
feed: [{at: 100m, alert: {alertname: NewModel, service: model}}]
tests:
  - test: much is left
    feed: [{at: 30s, record: {kind: call, entity: service/shop, count: 200}, every: 1m, times: 99}]
    expect: [{at: 101m, runs: [{state: done}]}]
  - test: all is spent
    feed: [{at: 30s, record: {kind: call, entity: service/shop, count: 200, errors: 200}, every: 1m, times: 99}]
    expect: [{at: 101m, runs: [{state: skipped}]}]
  - test: nothing was told for more than an hour
    feed: [{at: 30s, record: {kind: call, entity: service/shop, count: 200}, every: 1m, times: 20}]
    expect: [{at: 101m, runs: [{state: skipped, error: 'of the budget of "shop" of service/shop for 1h20m'}]}]
  - test: nothing was ever told
    expect: [{at: 101m, runs: [{state: skipped, error: 'nothing is known yet of the budget of "shop"'}]}]
""",
}


def test_a_budget_that_is_spent_or_not_known_holds_a_playbook_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert run(["test", str(tmp_path)]) == 0, capsys.readouterr().out
