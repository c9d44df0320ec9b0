"""Grafana's unified alerting: its webhook is taken by the connector alertmanager, as it is."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.deliveries import built, golden, posted
from quell.model.alert import fingerprint
from quell.model.records import AlertRecord
from quell.sdk.secret import Secret
from quell.sdk.signatures import Hmac, refusal
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


@pytest.mark.parametrize(
    ("values", "value"),
    [
        ({"A": 1}, 1.0),
        ({"A": "NaN"}, None),
        ({"A": "+Inf", "B": 2.5}, 2.5),
        ({"A": True}, None),
        ([1], None),
        ("x", None),
    ],
)
def test_no_alert_is_lost_for_what_its_values_are(values: Any, value: float | None) -> None:
    body = golden("grafana/webhook.json")
    given = {**body, "alerts": [{**body["alerts"][0], "values": values}, body["alerts"][1]]}
    got = built(Alertmanager).receive(posted(given, "/in/src"), NOW)
    assert (got.reply.status, list(got.rejected), len(got.records)) == (200, [], 2)
    assert got.records[0].value == value


def test_the_test_of_a_contact_point_and_put_are_taken() -> None:
    """What Grafana sends when somebody presses Test, by either of the two methods that it offers."""
    tried = {
        "status": "firing", "labels": {"alertname": "TestAlert", "instance": "Grafana"},
        "annotations": {"summary": "Notification test"}, "startsAt": "2026-03-01T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "?orgId=1", "fingerprint": "57c6d9296de2ad39",
        "silenceURL": "https://grafana.example/alerting/silence/new", "dashboardURL": "", "panelURL": "",
        "values": None, "valueString": "[ metric='foo' labels={instance=bar} value=10 ]",
    }  # fmt: skip
    body = {**golden("grafana/webhook.json"), "alerts": [tried], "groupKey": "test-57c6d9296de2ad39-1772359200"}
    for method in ("POST", "PUT"):
        got = built(Alertmanager).receive(replace(posted(body, "/in/src"), method=method), NOW)
        (record,) = got.records
        assert (got.reply.status, record.labels["alertname"], record.value) == (200, "TestAlert", None)


def test_what_grafana_signs_is_believed_with_the_auth_of_the_how_to() -> None:
    raw = posted(golden("grafana/webhook.json"), "/in/src")
    stamp = str(int(NOW))
    signature = hmac.new(b"s" * 20, stamp.encode() + b":" + raw.body, hashlib.sha256).hexdigest()
    how = Hmac(
        secrets=(Secret("s" * 20),), header="x-grafana-alerting-signature",
        timestamp_header="x-grafana-alerting-timestamp", signed="{timestamp}:{body}",
    )  # fmt: skip
    headers = {"x-grafana-alerting-signature": signature, "x-grafana-alerting-timestamp": stamp}
    assert refusal(replace(raw, headers=headers), how, NOW) == ""
    assert refusal(replace(raw, headers=headers, body=raw.body + b" "), how, NOW)


def test_the_end_is_of_the_same_alert() -> None:
    body = golden("grafana/webhook.json")
    ended = {**body["alerts"][0], "status": "resolved", "endsAt": "2026-03-01T10:59:30+01:00", "values": None}
    [resolved] = built(Alertmanager).receive(posted({**body, "alerts": [ended], "status": "resolved"}), NOW).records
    first = built(Alertmanager).receive(posted(body), NOW).records[0]
    assert (resolved.status, fingerprint(resolved.labels)) == ("resolved", fingerprint(first.labels))
