"""A sender's wrong clock, from its request to the one alert that comes of it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from connectors.monitors import told
from connectors.otlp_payloads import both, gauge, logs, metrics, ns, span, traces
from quell.core.engine import Engine
from quell.model.records import AnyRecord
from quell.model.rulebook import Rulebook
from quell.sdk.connector import Context, Request
from quell.sdk.testkit import NOW, FakeHttp
from quell_connectors.predictions import Predictions
from quell_connectors.soda import Soda
from quell_connectors.webhook import Webhook

HOUR = 3600.0


def said(*deliveries: list[AnyRecord]) -> list[str]:
    """What of clocks is told after the deliveries, one after the other."""
    engine = Engine(Rulebook(version="1"))
    for number, records in enumerate(deliveries):
        engine.decide(records, NOW + number)
    found = [one for one in engine.state.alerts.values() if one.name == "SourceClockIsWrong" and one.firing]
    return [one.annotations["summary"] for one in found]


@pytest.mark.parametrize(
    ("signal", "request_"),
    [
        ("metrics", lambda ago: metrics("web", gauge("load", 1.0, ago=ago))),
        ("traces", lambda ago: traces(("web", [span(1, ago=ago)]))),
        ("logs", lambda ago: logs("web", {"timeUnixNano": str(ns(ago)), "body": {"stringValue": "x"}})),
    ],
)
def test_what_otlp_does_not_take_for_its_time_is_one_alert(signal: str, request_: object) -> None:
    def sends(ago: float) -> list[AnyRecord]:
        return list(both(signal, request_(ago)).records)  # type: ignore[operator]

    assert said(sends(5.0), sends(3000.0)) == []
    (ahead,) = said(sends(-2 * HOUR), sends(-2 * HOUR), sends(-HOUR))
    assert "source otel tells times up to 2h ahead of ours" in ahead
    (behind,) = said(sends(3 * HOUR))
    assert "source otel tells times up to 3h behind, such as are not taken any more" in behind


def test_predictions_and_webhooks_of_a_clock_that_is_ahead_are_one_alert_each() -> None:
    predictions = Predictions({}, Context("log", FakeHttp()))
    event = {"kind": "prediction", "model": "fraud", "score": 0.5, "features": {"a": 1.0}, "at": NOW + HOUR}
    body = msgspec.json.encode(event)
    got = predictions.receive(Request("POST", "/in/log", body, {"content-type": "application/json"}), NOW)
    (text,) = said(list(got.records))
    assert "source log tells times up to 1h" in text.replace("59m", "1h")

    hook = Webhook({}, Context("hook", FakeHttp()))
    line = msgspec.json.encode({"kind": "sample", "entity": "kpi/a", "metric": "m", "value": 1.0, "at": NOW + HOUR})
    got = hook.receive(Request("POST", "/in/hook", line, {"content-type": "application/x-ndjson"}), NOW)
    (text,) = said(list(got.records))
    assert "source hook tells times up to 1h ahead of ours" in text


@pytest.mark.parametrize(("ahead_s", "is_told"), [(HOUR, True), (60.0, False), (-HOUR, False)])
def test_a_report_of_a_monitor_that_lies_ahead_is_told(ahead_s: float, is_told: bool) -> None:
    at = datetime.fromtimestamp(NOW + ahead_s, UTC).isoformat()
    scan = {"scanEndTimestamp": at, "checks": [{"name": "rows > 0", "outcome": "fail", "table": "payments"}]}
    got = told(Soda, scan)
    assert got.records
    assert bool(said(list(got.records))) is is_told
