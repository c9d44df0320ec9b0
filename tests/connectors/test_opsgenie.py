"""Opsgenie's Alert API: what tools send there becomes alerts; an Alertmanager's own requests were recorded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, golden, never_chokes, posted
from quell.model.records import AlertRecord
from quell.sdk.connector import Received, Request
from quell.sdk.secret import Secret
from quell.sdk.testkit import CANARY, NOW, check_connector
from quell_connectors.opsgenie import Opsgenie

KEY = f"{CANARY}-eb243592"


def asked(body: Any, path: str = "/v2/alerts", key: str = KEY, method: str = "POST", **options: Any) -> Received:
    request = posted(body, path.partition("?")[0], authorization=f"GenieKey {key}")
    got: Received = built(Opsgenie, **options).receive(
        Request(method, request.path, request.body, request.headers), NOW
    )
    return got


def record(got: Received) -> AlertRecord:
    assert got.reply.status == 202
    [one] = got.records
    assert isinstance(one, AlertRecord)
    return one


def test_the_rules_of_the_house_hold() -> None:
    check_connector(Opsgenie)
    check_connector(Opsgenie, {"api_key": None})


def test_an_alert_is_created_as_opsgenie_would() -> None:
    got = asked(golden("opsgenie/create.json"))
    answer = msgspec.json.decode(got.reply.body)
    assert answer["result"] == "Request will be processed"
    assert set(answer) == {"result", "took", "requestId"}
    one = record(got)
    assert (one.status, one.at, one.source) == ("firing", NOW, "src")
    assert one.labels == {
        "alertname": "Checkout: 5xx above 5 %",
        "service": "checkout",
        "region": "eu1",
        "env": "prod",
        "entity": "checkout",
        "source": "synthetic-7",
        "team": "payments",
        "severity": "error",
        "priority": "P2",
        "runbook_url": "https://runbooks.example/checkout",
    }
    assert one.annotations == {
        "summary": "Checkout: 5xx above 5 % (eu1)",
        "description": "Orders fail since 09:58.",
        "note": "seen by three probes",
        "tags": "OverwriteQuietHours",
    }
    assert one.url == "https://runbooks.example/checkout"
    assert one.key.endswith("/checkout-5xx-eu1")
    assert KEY not in repr(got)


def test_closing_ends_the_alert_of_that_alias_and_of_that_sender() -> None:
    created = record(asked(golden("opsgenie/create.json")))
    path = "/v2/alerts/checkout-5xx-eu1/close?identifierType=alias"
    closed = record(asked({"user": "ana", "note": "fixed"}, path))
    assert (closed.status, closed.key, closed.labels) == ("resolved", created.key, {})
    assert closed.annotations == {"closed_by": "ana", "note": "fixed"}
    assert record(asked(b"", path)).key == created.key
    assert record(asked({}, f"/in/og{path}")).key == created.key
    assert record(asked({}, path, key="another")).key != created.key


def test_what_an_alertmanager_sends_from_begin_to_end() -> None:
    requests = golden("opsgenie/alertmanager.json")
    got = [asked(one["body"], one["path"], method=one["method"]) for one in requests]
    assert [one.reply.status for one in got] == [202] * 4
    fired, closed = record(got[0]), record(got[3])
    assert got[1].records == got[2].records == ()
    assert fired.key == closed.key
    assert fired.labels == {
        "alertname": "HighErrorRate",
        "service": "checkout",
        "severity": "critical",
        "env": "prod",
        "entity": "checkout",
        "team": "payments",
        "priority": "P1",
    }
    assert fired.url == "http://alertmanager.example:9093/#/alerts?receiver=og"
    assert (fired.status, closed.status) == ("firing", "resolved")


def test_an_alert_without_alias_is_known_by_what_it_says() -> None:
    first, again, other = (record(asked({"message": text})) for text in ("disk full", "disk full", "disk gone"))
    assert first.key == again.key
    assert first.key != other.key
    assert first.labels == {"alertname": "disk full", "severity": "warning", "priority": "P3"}


@pytest.mark.parametrize("deed", ["acknowledge", "snooze", "notes", "tags", "escalate"])
def test_what_is_done_to_an_alert_neither_begins_nor_ends_it(deed: str) -> None:
    got = asked({"user": "ana"}, f"/v2/alerts/a/{deed}")
    assert (got.reply.status, list(got.records)) == (202, [])


def test_the_key_is_checked() -> None:
    mine = {"api_key": Secret(KEY)}
    assert asked({"message": "x"}, **mine).reply.status == 202
    for key in ("", "other", KEY + "x", "\ud800"):
        got = asked({"message": "x"}, key=key, **mine)
        assert (got.reply.status, list(got.records)) == (401, [])
    bearer = posted({"message": "x"}, "/v2/alerts", authorization=f"Bearer {KEY}")
    assert built(Opsgenie, **mine).receive(bearer, NOW).reply.status == 401


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Message can not be empty"),
        ({"message": " "}, "Message can not be empty"),
        ({"message": "x", "priority": "P9"}, "Priority should be one of"),
        ({"message": "x", "alias": "a" * 513}, "at most 512"),
        ({"message": 7}, "expected text"),
        ({"message": "x", "details": {f"l{n}": "x" for n in range(100)}}, "at most 64"),
        (b"{", "not readable as JSON"),
    ],
)
def test_what_opsgenie_refuses(body: Any, said: str) -> None:
    got = asked(body)
    assert got.reply.status == 422
    assert said in got.reply.body.decode()
    [rejected] = got.rejected
    assert said in rejected.reason
    assert not got.records


def test_other_places_are_nobodys() -> None:
    assert asked({}, "/v2/alerts/a/explode").reply.status == 404
    slashed = record(asked({}, "/v2/alerts/a%2Fb/close"))
    assert record(asked({}, "/v2/alerts/a/b/close")).key == slashed.key


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["message", "alias", "details", "tags", "priority", "entity", "responders", "source", "note"])


@given(st.dictionaries(NAMES, JSON, max_size=6), st.sampled_from(["", "/a/close", "//", "/a/notes", "/%ff/close"]))
def test_it_never_chokes(body: dict[str, Any], tail: str) -> None:
    never_chokes(built(Opsgenie), posted({"message": "x", **body}, f"/v2/alerts{tail}"))
