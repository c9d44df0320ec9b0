"""From a monitor's report and a number that falls to the change that is named as the cause, and to their ends."""

from __future__ import annotations

import msgspec

from connectors.deliveries import golden
from connectors.monitors import recorded, told
from quell.core.engine import Engine
from quell.model.records import AlertRecord, AnyRecord, DependencyRecord, EntityRecord
from quell.model.rulebook import Rulebook
from quell.sdk.testkit import NOW
from quell_connectors.evidently import Evidently
from quell_connectors.great_expectations import GreatExpectations

PARTS = {"model": "fraud", "dataset": "payments"}


def estate() -> list[AnyRecord]:
    edges = [
        ("kpi/approvals", "service/checkout", "measures"),
        ("service/checkout", "endpoint/fraud", "calls"),
        ("endpoint/fraud", "model/fraud", "serves"),
        ("model/fraud", "dataset/payments", "reads"),
    ]
    names = {name for edge in edges for name in edge[:2]}
    at = NOW - 3600
    return [
        *(EntityRecord(at=at, entity=name) for name in sorted(names)),
        *(DependencyRecord(at=at, from_=source, to=target, type=kind) for source, target, kind in edges),
    ]


def fell() -> AlertRecord:
    labels = {"alertname": "ApprovalsFell", "severity": "critical", "kpi": "approvals"}
    return AlertRecord(at=NOW + 900, source="sql", status="firing", labels=labels, entity="kpi/approvals")


def test_a_falling_number_leads_to_the_data_set_whose_schema_changed() -> None:
    engine = Engine(Rulebook())
    engine.decide(estate(), NOW - 3600)
    engine.decide(told(GreatExpectations, recorded("great_expectations/validation-1.24.1.json")).records, NOW)
    drift = told(Evidently, recorded("evidently/run-0.7.23-p-values.json"), options=PARTS, now=NOW + 60)
    engine.decide(drift.records, NOW + 60)
    engine.decide([fell()], NOW + 900)
    for minute in range(16, 60):
        engine.decide([], NOW + 60 * minute)
    [mark] = [mark for mark, alert in engine.state.alerts.items() if alert.labels["alertname"] == "ApprovalsFell"]
    incident = engine.state.incidents[engine.state.alerts[mark].incident or ""]
    first = incident.suspects[0]
    assert first.entity == "dataset/payments"
    assert first.change is not None
    assert engine.state.changes[first.change].type == "schema"


def test_a_good_report_ends_what_a_bad_one_began() -> None:
    engine = Engine(Rulebook())
    report = golden("evidently/run-0.7.23-distances.json")
    engine.decide(told(Evidently, report, options=PARTS).records, NOW)
    assert {alert.labels["feature"] for alert in engine.state.alerts.values() if alert.firing} == {"amount", "currency"}
    for metric in report["metrics"][1:]:
        metric["value"] = 0.01
    engine.decide(told(Evidently, msgspec.json.encode(report), options=PARTS, now=NOW + 3600).records, NOW + 3600)
    assert not [alert for alert in engine.state.alerts.values() if alert.firing]


def test_what_is_not_told_again_is_over_in_time() -> None:
    engine = Engine(Rulebook())
    options = {**PARTS, "holds": 3600.0}
    engine.decide(told(Evidently, recorded("evidently/run-0.7.23-p-values.json"), options=options).records, NOW)
    engine.decide([], NOW + 3500)
    assert [alert for alert in engine.state.alerts.values() if alert.firing]
    engine.decide([], NOW + 3700)
    assert not [alert for alert in engine.state.alerts.values() if alert.firing]
