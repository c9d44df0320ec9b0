from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, golden, never_chokes, posted
from quell.model.records import AlertRecord, ChangeRecord
from quell.sdk.connector import Received
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW
from quell_connectors.pagerduty import PagerDuty

KEY = "samplekeyhere00000000000000000ab"


def received(body: Any, path: str = "/v2/enqueue", **options: Any) -> Received:
    got: Received = built(PagerDuty, **options).receive(posted(body, path), NOW)
    return got


def answer(got: Received) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(got.reply.body)
    return decoded


def event(**changed: Any) -> dict[str, Any]:
    return {**golden("pagerduty/trigger.json"), **changed}


def payload(**changed: Any) -> dict[str, Any]:
    return {**golden("pagerduty/trigger.json")["payload"], **changed}


def test_a_trigger_becomes_an_alert_that_names_what_it_is_about() -> None:
    got = received(event())

    [record] = got.records
    assert isinstance(record, AlertRecord)
    assert record.labels == {
        "alertname": "SyntheticCheckFailed",
        "severity": "critical",
        "component": "cart",
        "group": "shop",
        "source": "cart-7d9f-abcde",
        "kube_namespace": "shop",
        "namespace": "shop",
        "cluster": "eu1",
    }
    assert record.annotations["summary"] == "Synthetic check of cart fails."
    assert record.annotations["event_id"] == "e000015"
    assert (record.status, record.at, record.seen) == ("firing", 1772432367.707, NOW)
    assert record.url == "https://runbooks.example/cart"
    assert record.starts_at is None
    assert got.reply.status == 202
    assert answer(got) == {
        "status": "success",
        "message": "Event processed",
        "dedup_key": "SyntheticCheckFailed/shop/cart",
    }


def test_a_resolve_needs_no_payload_and_has_the_key_of_its_trigger() -> None:
    [fired] = received(event()).records
    [resolved] = received(golden("pagerduty/resolve.json")).records

    assert isinstance(fired, AlertRecord)
    assert isinstance(resolved, AlertRecord)
    assert (resolved.status, resolved.key, resolved.labels, resolved.at) == ("resolved", fired.key, {}, NOW)


def test_keys_are_scoped_by_routing_key_which_is_not_shown() -> None:
    [one] = received(event()).records
    [other] = received(event(routing_key="b" * 32)).records

    assert isinstance(one, AlertRecord)
    assert isinstance(other, AlertRecord)
    assert one.key != other.key
    assert KEY not in repr(one)


def test_what_alertmanager_sends_is_named_after_its_rule() -> None:
    [fired] = received(golden("pagerduty/alertmanager-trigger.json")).records
    [resolved] = received(golden("pagerduty/alertmanager-resolve.json")).records

    assert isinstance(fired, AlertRecord)
    assert isinstance(resolved, AlertRecord)
    assert fired.labels == {"alertname": "Broken", "severity": "error", "source": "Alertmanager"}
    assert "instance = 10.0.0.5:9090" in fired.annotations["firing"]
    assert (resolved.key, resolved.labels) == (fired.key, fired.labels)


def test_an_event_without_a_key_gets_one_that_stays_the_same() -> None:
    bare = {name: value for name, value in event().items() if name != "dedup_key"}
    later = {**bare, "payload": payload(timestamp="2026-03-02T07:00:00Z")}

    keys = {answer(received(body))["dedup_key"] for body in (bare, later)}
    other = answer(received({**bare, "payload": payload(component="web")}))["dedup_key"]

    assert len(keys) == 1
    assert other not in keys


def test_an_acknowledgement_is_taken_and_changes_nothing() -> None:
    got = received(event(event_action="acknowledge"))

    assert (got.reply.status, list(got.records), answer(got)["status"]) == (202, [], "success")


@pytest.mark.parametrize("path", ["/v2/change/enqueue", "/in/src"])
def test_a_change_event_becomes_a_change(path: str) -> None:
    got = received(golden("pagerduty/change.json"), path)

    [record] = got.records
    assert isinstance(record, ChangeRecord)
    assert (record.type, record.revision, record.author, record.at) == ("deploy", "v17", "ana", 1772431800.0)
    assert record.labels["service"] == "cart"
    assert record.url == "https://ci.example/17"
    assert record.id == received(golden("pagerduty/change.json"), path).records[0].id != ""
    assert answer(got) == {"status": "success", "message": "Change event processed"}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, ["'routing_key' is missing or blank", "'event_action' is missing or blank"]),
        (event(routing_key="short"), ["Length of 'routing_key' is incorrect (should be 32 characters)"]),
        (event(event_action="explode"), ["'event_action' is invalid"]),
        (event(payload=None), ["'payload' is missing or blank"]),
        (event(event_action="resolve", dedup_key=None), ["'dedup_key' is missing or blank"]),
        (event(dedup_key="k" * 256), ["'dedup_key' is too long"]),
        (event(payload=payload(severity="fatal")), ["'payload.severity' is invalid"]),
        (event(payload=payload(timestamp="yesterday")), ["'payload.timestamp' is invalid"]),
        (event(payload={}), ["summary' is missing", "source' is missing", "severity' is invalid"]),
        (event(payload=payload(summary=7)), ["payload.summary: expected text, got a number"]),
        (event(payload=payload(custom_details={str(n): "x" for n in range(10_000)})), ["10005 labels; at most 64"]),
        (b"{", ["not readable as JSON"]),
        (b'{"routing_key":"\xff"}', ["not UTF-8"]),
        (b"[]", ["expected an object, got a list"]),
        (b"[" * 1000 + b"]" * 1000, ["nested deeper"]),
    ],
)
def test_an_invalid_event_is_refused_as_pagerduty_does_and_kept_for_people(body: Any, errors: list[str]) -> None:
    got = received(body)

    said = answer(got)
    assert (got.reply.status, said["status"], said["message"]) == (400, "invalid event", "Event object is invalid")
    for error in errors:
        assert any(error in text for text in said["errors"]), said
    assert list(got.records) == []
    assert got.rejected[0].reason == "; ".join(said["errors"])


def test_a_body_beyond_512_kb_is_refused() -> None:
    got = received(event(payload=payload(summary="x" * 600_000)))

    assert got.reply.status == 413
    assert len(got.rejected[0].payload) == 4096


def test_a_year_one_timestamp_means_now() -> None:
    [record] = received(event(payload=payload(timestamp="0001-01-01T00:00:00Z"))).records

    assert record.at == NOW


def test_a_stranger_s_routing_key_is_refused_where_one_is_configured() -> None:
    assert received(event(), routing_key=Secret(KEY)).reply.status == 202
    assert answer(received(event(), routing_key=Secret("b" * 32)))["errors"] == ["'routing_key' is not known here"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(body=JSON, shape=st.fixed_dictionaries({}, optional=dict.fromkeys(
    ("payload", "custom_details", "dedup_key", "timestamp", "summary", "links"), JSON)))  # fmt: skip
def test_any_json_is_answered(body: Any, shape: dict[str, Any]) -> None:
    receiver = built(PagerDuty)
    never_chokes(receiver, posted(body, "/v2/enqueue"))
    mixed = payload(**{name: shape[name] for name in ("custom_details", "timestamp", "summary") if name in shape})
    whole = event(**{"payload": mixed, **{name: shape[name] for name in ("dedup_key", "links") if name in shape}})
    for path in ("/v2/enqueue", "/v2/change/enqueue"):
        never_chokes(receiver, posted(whole, path))


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_answered(raw: bytes) -> None:
    never_chokes(built(PagerDuty), posted(raw))
