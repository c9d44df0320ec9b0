"""Detectors that compare with profiles in `quell test`, as people test their rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiles.data import fine, profile
from quell.cli.main import run
from quell.config.profile_file import profile_text

RULES = """\
detect:
  - name: PaymentsDrift
    distribution: "*"
    where: [entity="dataset/payments"]
    when: {drift: {}}
    for: 2 of 3
    every: 10m
    severity: critical
"""
TESTS = """\
tests:
  - test: currencies that change for twenty minutes are drift
    feed:
      - at: 1m
        every: 10m
        times: 2
        record:
          {kind: distribution, entity: dataset/payments, field: currency, type: text, count: 1000,
           categories: {EUR: 100, USD: 900}}
    expect:
      - at: 25m
        firing: [{alertname: PaymentsDrift, dataset: payments, kind: drift}]
  - test: those of ten minutes are not
    feed:
      - at: 1m
        record:
          {kind: distribution, entity: dataset/payments, field: currency, type: text, count: 1000,
           categories: {EUR: 100, USD: 900}}
    expect:
      - {at: 40m, firing: []}
"""


def test_a_rule_is_tested_with_distributions_as_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "quell.yaml").write_text("{}\n")
    for name, text in {
        "rules/drift.yaml": RULES,
        "rules/drift.test.yaml": TESTS,
        "profiles/payments.json": profile_text(profile(fine(5_000))),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    code = run(["test", str(tmp_path)])
    told = capsys.readouterr()
    assert code == 0, told
