"""Grafana's unified alerting: its webhook is taken by the connector alertmanager, as it is."""

from __future__ import annotations

from connectors.deliveries import built, golden, posted
from quell.model.alert import fingerprint
from quell.model.records import AlertRecord
from quell.sdk.testkit import NOW
from quell_connectors.alertmanager import Alertmanager


def test_a_webhook_of_grafana_is_taken_whole() -> None:
    got = built(Alertmanager).receive(posted(golden("grafana/webhook.json"), "/in/src"), NOW)
    assert (got.reply.status, list(got.rejected)) == (200, [])
    fired, resolved, no_data = got.records
    assert isinstance(fired, AlertRecord)
    assert fired.status == "firing"
    assert fired.labels == {
        "alertname": "High error rate", "grafana_folder": "Shop", "service": "checkout", "severity": "critical",
    }  # fmt: skip
    assert fired.annotations["summary"] == "High error rate at checkout"
    assert fired.starts_at == NOW - 100
    assert fired.value == 0.34
    assert fired.url.startswith("https://grafana.example/")
    assert (resolved.status, resolved.ends_at) == ("resolved", NOW - 60)
    assert (no_data.status, no_data.labels["rulename"], no_data.value) == ("firing", "Cart stock", None)
    assert len({fingerprint(one.labels) for one in got.records}) == 3


def test_the_end_is_of_the_same_alert() -> None:
    body = golden("grafana/webhook.json")
    ended = {**body["alerts"][0], "status": "resolved", "endsAt": "2026-03-01T10:59:30+01:00", "values": None}
    [resolved] = built(Alertmanager).receive(posted({**body, "alerts": [ended], "status": "resolved"}), NOW).records
    first = built(Alertmanager).receive(posted(body), NOW).records[0]
    assert (resolved.status, fingerprint(resolved.labels)) == ("resolved", fingerprint(first.labels))
