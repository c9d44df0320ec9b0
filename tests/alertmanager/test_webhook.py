"""Webhooks of Alertmanager and Grafana become one record per alert; what cannot be read is set aside with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.model.alert import fingerprint
from quell.model.times import format_time
from quell.sdk.connector import Context, Received, Request
from quell.sdk.payload import MAX_ALERTS
from quell.sdk.testkit import NOW, FakeHttp, check_connector
from quell_connectors.alertmanager import Alertmanager

UNSET = "0001-01-01T00:00:00Z"
AT = {name: format_time(NOW + seconds) for name, seconds in {"ago": -3600, "past": -60, "now": 0, "ahead": 600}.items()}


def connector() -> Alertmanager:
    return Alertmanager({"receiver": "quell"}, Context(source="am-prod", http=FakeHttp()))


def deliver(body: Any, path: str = "/in/am-prod", method: str = "POST") -> Received:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return connector().receive(Request(method, path, raw, {"content-type": "application/json"}), NOW)


def hook(*alerts: Any, **more: Any) -> dict[str, Any]:
    whole = {"version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "quell", "truncatedAlerts": 0}
    return {**whole, "alerts": list(alerts), **more}


def alert(**more: Any) -> dict[str, Any]:
    fixed = {"status": "firing", "labels": {"alertname": "Down", "job": "api"}, "annotations": {"summary": "it is"}}
    return {**fixed, "startsAt": AT["ago"], "endsAt": UNSET, "generatorURL": "http://p/g", "fingerprint": "77", **more}


def test_every_connector_rule_holds() -> None:
    check_connector(Alertmanager)


def test_a_firing_alert() -> None:
    received = deliver(hook(alert()))
    assert received.reply.status == 200
    assert received.rejected == []
    (record,) = received.records
    assert record.at == NOW - 3600
    assert record.seen == NOW
    assert record.source == "am-prod"
    assert record.id == ""
    assert record.status == "firing"
    assert (record.starts_at, record.ends_at, record.timeout) == (NOW - 3600, None, False)
    assert record.labels == {"alertname": "Down", "job": "api"}
    assert record.annotations == {"summary": "it is"}
    assert record.key == ""
    assert record.url == "http://p/g"


def test_a_resolved_alert_is_the_same_alert_at_its_end() -> None:
    fired, resolved = deliver(hook(alert(), alert(status="resolved", endsAt=AT["past"]))).records
    assert fingerprint(fired.labels) == fingerprint(resolved.labels)
    assert (resolved.status, resolved.at, resolved.ends_at) == ("resolved", NOW - 60, NOW - 60)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"endsAt": AT["ahead"]}, (NOW - 3600, NOW - 3600, NOW + 600)),
        ({"endsAt": AT["past"]}, (NOW - 3600, NOW - 3600, None)),
        ({"startsAt": None, "endsAt": None}, (NOW, NOW, None)),
        ({"startsAt": AT["ahead"]}, (NOW, NOW + 600, None)),
        ({"status": "resolved", "endsAt": UNSET}, (NOW, NOW - 3600, NOW)),
        ({"status": "resolved", "endsAt": AT["ahead"]}, (NOW, NOW - 3600, NOW)),
        ({"status": "resolved", "startsAt": UNSET, "endsAt": AT["past"]}, (NOW - 60, NOW - 60, NOW - 60)),
        ({"status": "resolved", "startsAt": AT["now"], "endsAt": AT["past"]}, (NOW - 60, NOW - 60, NOW - 60)),
        ({"startsAt": "2026-03-01T11:00:00.123456789+02:00"}, (NOW - 3599.876544, NOW - 3599.876544, None)),
    ],
)
def test_times(changes: dict[str, Any], expected: tuple[float, float, float | None]) -> None:
    (record,) = deliver(hook(alert(**changes))).records
    assert (record.at, record.starts_at, record.ends_at) == pytest.approx(expected)


def test_grafana() -> None:
    grafana = alert(
        values={"B": 17.5},
        valueString="[ var='B' ]",
        silenceURL="http://g/s",
        panelURL="http://g/p",
        imageURL="",
        generatorURL="",
    )
    received = deliver(
        hook(grafana, version="1", orgId=1, title="[FIRING]", state="alerting", message="m"), method="PUT"
    )
    (record,) = received.records
    assert record.value == 17.5
    assert record.url == "http://g/p"
    assert deliver(hook(alert(values={"A": 1, "B": None}))).records[0].value == 1.0
    assert deliver(hook(alert(values={"A": 1, "B": 2}))).records[0].value is None
    assert deliver(hook(alert(values=None))).records[0].value is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (None, ": expected an object, got null"),
        (7, ": expected an object, got a number"),
        ({"status": "firing"}, "missing required field `labels`"),
        (alert(labels={"a": 1}), ".labels.a: expected text or null, got a number"),
        (alert(labels={}), "at least one label pair required"),
        (alert(labels={"a": ""}), "at least one label pair required"),
        (alert(labels={f"l{n}": "x" for n in range(10_000)}), "10000 labels; at most 64 are taken"),
        (alert(labels={"a": "x" * 5000}), 'label "a" is longer than 4096 bytes'),
        (alert(annotations={"a": "x" * 70_000}), 'annotation "a" is longer than 65536 bytes'),
        (alert(annotations={"": "x"}), 'invalid annotations: invalid name ""'),
        (alert(status="maybe"), 'status "maybe" is neither firing nor resolved'),
        (alert(startsAt="yesterday"), 'parsing time "yesterday"'),
        (alert(startsAt="2026-13-01T00:00:00Z"), 'parsing time "2026-13-01T00:00:00Z"'),
        (alert(startsAt="99999-01-01T00:00:00Z"), "parsing time"),
    ],
)
def test_one_bad_alert_does_not_stop_the_others(bad: Any, reason: str) -> None:
    received = deliver(hook(alert(), bad, alert(labels={"alertname": "Other"})))
    assert [record.labels["alertname"] for record in received.records] == ["Down", "Other"]
    assert received.reply.status == 200
    assert [reason in rejected.reason for rejected in received.rejected] == [True]
    alone = deliver(hook(bad))
    assert (alone.reply.status, alone.records) == (400, [])
    assert reason in alone.reply.body.decode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not readable as JSON"),
        (b"not json", "not readable as JSON"),
        (b"\xff", "not readable as JSON"),
        (b'{"alerts":[],"title":"\xff"}', ""),
        (b"[]", "expected an object, got a list"),
        (b"{}", "missing required field `alerts`"),
        (b'{"alerts":{}}', "alerts: expected a list, got an object"),
        (b'{"alerts":[' * 70 + b"]}" * 70, "nested deeper than 64 levels"),
        (b'{"alerts":[],"x":"' + b"y" * 10_000_000 + b'"}', "10000020 bytes; at most 8388608 are taken"),
        (hook(*[alert()] * (MAX_ALERTS + 1)), "10001 alerts; at most 10000 are taken at once"),
    ],
)
def test_unreadable_deliveries_are_kept_and_answered(body: Any, reason: str) -> None:
    received = deliver(body)
    assert received.records in ((), [])
    if not reason:  # a part that is not looked at may hold anything
        assert received.reply.status == 200
        return
    assert received.reply.status == 400
    (rejected,) = received.rejected
    assert reason in rejected.reason
    assert reason in received.reply.body.decode()
    assert len(rejected.payload) <= 65536


def test_cut_off_alerts_are_told() -> None:
    received = deliver(hook(alert(), truncatedAlerts=3))
    assert received.reply.status == 200
    assert len(received.records) == 1
    assert received.rejected[0].reason.startswith("truncatedAlerts: the sender left 3 alerts out of this delivery")


def test_other_methods_are_told_what_to_use() -> None:
    reply = deliver(hook(), method="GET").reply
    assert (reply.status, reply.headers) == (405, {"Allow": "POST, PUT"})


def test_a_prometheus_with_a_path_prefix_is_understood() -> None:
    body = [{"labels": {"alertname": "Down"}, "startsAt": AT["ago"], "endsAt": AT["ahead"]}]
    received = deliver(body, path="/in/am-prod/api/v2/alerts")
    assert received.reply.status == 200
    assert received.reply.body == b""
    assert received.records[0].ends_at == NOW + 600


TEXT = st.text(max_size=8)
VALUE = st.none() | st.integers() | TEXT | st.lists(TEXT, max_size=2) | st.dictionaries(TEXT, TEXT, max_size=3)
ALERT = st.dictionaries(
    st.sampled_from(["status", "labels", "annotations", "startsAt", "endsAt", "values", "generatorURL"]),
    VALUE | st.sampled_from(["firing", "resolved", AT["ago"], AT["ahead"], UNSET]) | st.just({"alertname": "A"}),
)


@given(st.lists(ALERT | VALUE, max_size=4))
def test_it_never_chokes_and_every_alert_is_accounted_for(alerts: list[Any]) -> None:
    received = deliver(hook(*alerts))
    assert len(received.records) + len(received.rejected) == len(alerts)
    assert repr(received) == repr(deliver(hook(*alerts)))
    assert received.reply.status == (200 if received.records or not alerts else 400)
    for record in received.records:
        assert record.at <= NOW
        assert record.labels
