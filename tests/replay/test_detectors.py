"""Recorded telemetry is replayed through detectors: what they find is grouped, paged and reported as any alert is."""

import json

from quell.cli.main import run
from quell.model.detect import DetectRule, Threshold
from quell.model.rulebook import Rulebook
from quell.replay.reader import Reader
from quell.replay.results import result_lines
from quell.replay.run import replay
from replay.shop import graph, line, written

SLOW = DetectRule(name="Slow", metric="latency", when=Threshold(above=1.0), need=2, of=3, severity="critical", where=())
CONFIG = """\
store: sqlite:///quell.db
sources:
  console: {use: console}
pages:
  - to: console.page
"""
DETECT = """\
detect:
  - name: Slow
    metric: latency
    when: {threshold: {above: 1}}
    for: 2 of 3
    severity: critical
"""


def minutes():
    """Cart, and what needs it, are slow from the tenth minute on until the thirtieth."""
    yield from graph()
    for minute in range(60):
        for name in ("cart", "web", "api"):
            slow = 10 <= minute < 30
            yield line("sample", 60 * minute, entity=f"service/{name}", metric="latency", value=3.0 if slow else 0.2)


def test_recorded_samples_become_alerts_in_one_incident(tmp_path):
    reader = Reader()
    outcome = replay(reader.read(written(tmp_path / "records.jsonl", minutes())), Rulebook(version="1", detect=(SLOW,)))
    found = [each for each in result_lines(outcome) if each["kind"] == "alert_result"]
    assert [each["id"] for each in found] == [
        f"detect/Slow/service/{name}/latency/1" for name in ("api", "cart", "web")
    ]
    (incident,) = [each for each in result_lines(outcome) if each["kind"] == "incident_result"]
    assert {each["incident"] for each in found} == {incident["incident"]}
    assert incident["suspects"][0]["entity"] == "service/cart"


def test_without_detectors_they_become_none(tmp_path):
    outcome = replay(Reader().read(written(tmp_path / "records.jsonl", minutes())), Rulebook(version="1"))
    assert not outcome.alerts
    assert not outcome.incidents


def test_a_backtest_tells_what_a_new_detector_would_have_found(tmp_path, capfd):
    rules = tmp_path / "quell"
    (rules / "rules").mkdir(parents=True)
    (rules / "quell.yaml").write_text(CONFIG)
    (rules / "rules" / "detect.yaml").write_text(DETECT)
    history = written(tmp_path / "history.jsonl", [*minutes(), line("tick", 7200)])
    code = run(["backtest", str(rules), "--history", str(history), "--from", "none", "--json"])
    told = capfd.readouterr()
    assert code in {0, 1}, told.err
    found = json.loads(told.out)
    assert "Slow" in json.dumps(found)
