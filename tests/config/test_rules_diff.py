"""Suggestions as a diff: it applies, says what it did and the rules, and touches nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from quell.config.rules_diff import rules_diff
from quell.config.suggested import rules_file
from quell.model.habits import Suggestion

HOLD = {"name": "QueueBlip heals itself", "match": ['alertname="QueueBlip"'], "verdict": "hold", "hold": "5m"}
HIDES = {"name": "A hides B", "source": ['alertname="A"'], "target": ['alertname="B"'], "equal": ["service"]}


def suggestion(kind: Any, rule: dict[str, Any]) -> Suggestion:
    return Suggestion(
        id=f"sug-{kind}", kind=kind, text=f"{kind} it", evidence=("seen 40 times",), rule=rule, support=40, chance=0.0,
        confidence=0.9,
    )  # fmt: skip


def applied(tmp_path: Path, files: dict[str, str], *suggestions: Suggestion) -> dict[str, str]:
    """The files after `git apply` of the diff."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    diff = rules_diff(suggestions, files)
    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=tmp_path, check=True)
    return {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.yaml")}


LISTED = """# what we decided
triage:
  rules:
    - name: "first"
      match: ['alertname="Old"']
      verdict: digest
      reason: |
        long
        text

  flap_count: 5  # ours
mute: []
"""


def test_a_rule_joins_the_list_there_is(tmp_path: Path) -> None:
    after = applied(tmp_path, {"rules/a.yaml": "map: []\n", "rules/triage.yaml": LISTED}, suggestion("hold", HOLD))
    assert set(after) == {"rules/a.yaml", "rules/triage.yaml"}
    was, now = yaml.safe_load(LISTED), yaml.safe_load(after["rules/triage.yaml"])
    assert now["triage"]["rules"] == [*was["triage"]["rules"], HOLD]
    assert now["triage"]["flap_count"] == 5
    assert "# ours" in after["rules/triage.yaml"]
    assert "# sug-hold, 90% sure: hold it" in after["rules/triage.yaml"]


def test_without_a_list_it_gets_a_file(tmp_path: Path) -> None:
    files = {"rules/suggested.yaml": "triage: {rules: []}\n"}
    after = applied(tmp_path, files, suggestion("hold", HOLD), suggestion("inhibit", HIDES))
    now = yaml.safe_load(after["rules/suggested-2.yaml"])
    assert now == {"triage": {"rules": [HOLD]}, "inhibit": [HIDES]}
    assert after["rules/suggested.yaml"] == files["rules/suggested.yaml"]


def test_each_kind_goes_where_its_list_is(tmp_path: Path) -> None:
    files = {"rules/one.yaml": "inhibit:\n- name: x\n  source: []\n  target: [a]", "rules/triage.yaml": LISTED}
    after = applied(tmp_path, files, suggestion("inhibit", HIDES), suggestion("hold", HOLD))
    assert yaml.safe_load(after["rules/one.yaml"])["inhibit"][1] == HIDES
    assert len(yaml.safe_load(after["rules/triage.yaml"])["triage"]["rules"]) == 2


def test_nothing_suggested_changes_nothing() -> None:
    assert rules_diff((), {"rules/a.yaml": LISTED}) == ""


@given(st.text(max_size=60))
def test_any_file_is_left_whole(text: str) -> None:
    diff = rules_diff([suggestion("hold", HOLD)], {"rules/a.yaml": text})
    assert "+    - name" in diff or "+- name" in diff.replace("+  ", "+")
    assert not [line for line in diff.splitlines() if line.startswith("-") and not line.startswith(("---", "-triage"))]


DETECT = """detect:
  - {name: Other, metric: m, when: {threshold: {above: 0.8}}}
  - name: Slow  # ours
    metric: latency
    when: {threshold: {above: 0.8, until: 0.6, volume: 50}}  # as agreed
"""


def _limit(**limits: float) -> Suggestion:
    return suggestion("threshold", {"name": "Slow", "when": {"threshold": limits}})


def test_a_limit_changes_where_it_stands(tmp_path: Path) -> None:
    before = {"rules/a.yaml": "detect: []\n", "rules/detect.yaml": DETECT, "rules/triage.yaml": LISTED}
    after = applied(tmp_path, before, _limit(above=0.00001, until=0.00001), suggestion("hold", HOLD))
    assert after["rules/a.yaml"] == "detect: []\n"
    assert after["rules/detect.yaml"] == DETECT.replace("0.8, until: 0.6", "0.00001, until: 0.00001")
    assert "QueueBlip" in after["rules/triage.yaml"]


def test_a_limit_that_stands_nowhere_changes_nothing() -> None:
    assert rules_diff([_limit(above=0.9)], {"rules/a.yaml": "detect: []\n", "rules/b.yaml": "- no mapping\n"}) == ""
    assert rules_diff([_limit(below=0.1)], {"rules/detect.yaml": DETECT}) == "", "it has no such limit"


def test_a_limit_is_a_comment_in_a_file_of_suggestions() -> None:
    text = rules_file([_limit(above=0.9)], "head")
    assert yaml.safe_load(text) is None
    assert "# sug-threshold, 90% sure: threshold it" in text


SLOS = """slos:
  - name: fast  # ours
    objective: 99%
    bad: calls.errors
    total: calls.count
  - {name: own, objective: 99%, bad: a, total: b,
     burn: [{rate: 1, over: 3d, confirm: 6h}, {rate: 14, over: 1h, confirm: 5m}]}
detect:
  - name: Odd
    metric: latency
    when:
      anomaly:
        direction: up
  - {name: Full, metric: disk, when: {forecast: {above: 90, within: 6h, over: 1h}}}
  - {name: Moved, distribution: "*", when: {drift: {psi: 0.2}}}
  - {name: Bare, metric: x, when: {anomaly: {}}}
"""


def test_other_numbers_are_written_where_they_stand_or_beside_what_stands_there(tmp_path: Path) -> None:
    rate = {"rate": 20.0, "over": "1h", "confirm": "5m", "severity": "critical", "page": True}
    slow = {"rate": 1.0, "over": "3d", "confirm": "6h", "severity": "warning", "page": False}
    after = applied(
        tmp_path, {"rules/slos.yaml": SLOS},
        suggestion("threshold", {"name": "fast", "burn": [rate, slow]}),
        suggestion("threshold", {"name": "own", "burn": [rate, slow]}),
        suggestion("threshold", {"name": "Odd", "when": {"anomaly": {"deviations": 7.5}}}),
        suggestion("threshold", {"name": "Full", "when": {"forecast": {"within": "4h"}}}),
        suggestion("threshold", {"name": "Moved", "when": {"drift": {"ks": 0.15, "psi": 0.3}}}),
        suggestion("threshold", {"name": "Bare", "when": {"anomaly": {"deviations": 7.5}}}),
        suggestion("threshold", {"name": "gone", "when": {"anomaly": {"deviations": 7.5}}}),
    )["rules/slos.yaml"]  # fmt: skip
    now = yaml.safe_load(after)
    assert now["slos"][0]["burn"] == [rate, slow]
    assert [one["rate"] for one in now["slos"][1]["burn"]] == [1, 20]
    assert now["detect"][0]["when"]["anomaly"] == {"direction": "up", "deviations": 7.5}
    assert now["detect"][1]["when"]["forecast"] == {"above": 90, "within": "4h", "over": "1h"}
    assert now["detect"][2]["when"]["drift"] == {"ks": 0.15, "psi": 0.3}
    assert now["detect"][3]["when"]["anomaly"] == {}, "there is nothing to write it beside"
    assert "# ours" in after
