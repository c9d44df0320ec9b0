from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, never_chokes, posted
from quell.errors import BadPayload, Misconfigured
from quell.model.records import AlertRecord, ChangeRecord, SampleRecord
from quell.model.wire import to_wire
from quell.sdk.connector import Received
from quell.sdk.testkit import NOW
from quell_connectors.webhook import Webhook
from quell_connectors.webhook.paths import read_text

NDJSON = {"content_type": "application/x-ndjson"}
MAPPING = {
    "alerts": "${body.items}",
    "status": "item.state",
    "name": "item.rule.name",
    "key": "${item.rule.name}/${item.host}",
    "severity": "'critical'",
    "summary": "item.text",
    "at": "item.ts",
    "value": "item.value",
    "url": "https://tool.example/${item.id}",
    "labels": {"service": "item.host", "team": "headers.x-team", "env": "query.env", "first": "item.tags[0]"},
    "labels_from": "item.tags",
    "annotations": {"all": "body.items[*].host"},
}
BODY = {
    "items": [
        {"id": 7, "state": "ALARM", "rule": {"name": "Disk"}, "host": "a", "text": "full", "ts": 1772355600,
         "value": "0.97", "tags": ["zone:z1", "kube_namespace:shop"]},
        {"id": 8, "state": "OK", "rule": {"name": "Disk"}, "host": "b", "ts": 1772355600000},
        {"id": 9, "state": "SNOOZED", "rule": {"name": "Disk"}, "host": "c"},
    ]
}  # fmt: skip


def received(body: Any, mapping: Any = None, status_map: Any = None, **headers: str) -> Received:
    options = {"mapping": mapping, "status_map": status_map}
    got: Received = built(Webhook, **options).receive(posted(body, **headers), NOW)
    return got


def test_a_mapping_makes_alerts_of_any_body() -> None:
    got = received(BODY, MAPPING, {"snoozed": "ignore"}, x_team="sre")

    fired, resolved = got.records
    assert fired == AlertRecord(
        at=1772355600.0,
        seen=NOW,
        source="src",
        status="firing",
        labels={
            "service": "a", "team": "sre", "first": "zone:z1", "zone": "z1", "kube_namespace": "shop",
            "namespace": "shop", "alertname": "Disk", "severity": "critical",
        },
        annotations={"summary": "full", "all": "a,b,c"},
        key="Disk/a",
        value=0.97,
        url="https://tool.example/7",
    )  # fmt: skip
    assert isinstance(resolved, AlertRecord)
    assert (resolved.status, resolved.at, resolved.key) == ("resolved", 1772355600.0, "Disk/b")
    assert (got.reply.status, msgspec.json.decode(got.reply.body)) == (200, {"accepted": 2, "rejected": []})


def test_the_body_itself_may_be_the_one_item() -> None:
    [record] = received({"check": "ping", "ok": False}, {"name": "item.check", "status": "item.ok"},
                        {"false": "firing", "true": "resolved"}).records  # fmt: skip

    assert isinstance(record, AlertRecord)
    assert (record.status, record.labels) == ("firing", {"alertname": "ping"})


def test_changes_are_mapped_too() -> None:
    mapping = {"changes": "body.deploys", "type": "'deploy'", "revision": "item.sha", "entity": "service/${item.app}",
               "labels": {"service": "item.app"}, "summary": "deployed ${item.app}"}  # fmt: skip
    [record] = received({"deploys": [{"app": "cart", "sha": "abc"}]}, mapping).records

    assert isinstance(record, ChangeRecord)
    assert (record.type, record.entity, record.revision, record.summary) == (
        "deploy",
        "service/cart",
        "abc",
        "deployed cart",
    )
    assert record.id
    assert received({"deploys": [{"app": "cart", "sha": "abc"}]}, mapping).records[0].id == record.id


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({**BODY["items"][0], "state": "PURPLE"}, 'status: "PURPLE" is not known; known are firing, resolved'),
        ({**BODY["items"][0], "ts": "noon"}, "at: 'noon' is not a time"),
        ({**BODY["items"][0], "value": "many"}, 'value: "many" is not a number'),
        ({**BODY["items"][0], "tags": [f"t{n}:x" for n in range(10_000)]}, "labels; at most 64"),
    ],
)
def test_an_item_that_cannot_be_read_is_put_aside(item: Any, reason: str) -> None:
    got = received({"items": [item, BODY["items"][1]]}, MAPPING)

    assert len(got.records) == 1
    assert reason in got.rejected[0].reason
    assert msgspec.json.decode(got.rejected[0].payload) == item


def test_an_alert_that_nothing_identifies_is_put_aside() -> None:
    got = received({"x": 1}, {"name": "item.rule"})

    assert (got.reply.status, got.rejected[0].reason) == (
        400,
        "nothing identifies the alert: its labels and its key are empty",
    )


@pytest.mark.parametrize("body", [{"things": []}, {"items": None}, {"items": "a"}, [], 7])
def test_a_body_without_the_list_is_refused(body: Any) -> None:
    with pytest.raises(BadPayload, match=r"no list where mapping\.alerts looks"):
        received(body, MAPPING)


def test_every_mistake_of_a_mapping_is_told_at_once() -> None:
    with pytest.raises(Misconfigured) as caught:
        built(
            Webhook,
            mapping={
                "alerts": "itms.list", "statsu": "item.x", "labels": {"a": "item..b", "c": "plain"}, "changes": "body",
            },
            status_map={"UP": "fine"},
        )  # fmt: skip
    text = str(caught.value)
    assert 'both "alerts" and "changes" are given' in text
    assert '"statsu" is not known' in text
    assert '"item..b" cannot be read from "..b" on' in text
    assert '"plain" does not start with body, item, headers or query; quote a constant' in text
    assert 'status_map.UP: "fine" is not a status; write firing, resolved or ignore' in text


def test_a_mapping_must_identify() -> None:
    with pytest.raises(Misconfigured, match="nothing identifies an alert"):
        built(Webhook, mapping={"status": "item.state"})


def test_a_source_without_a_mapping_takes_records_only() -> None:
    with pytest.raises(BadPayload, match="this source has no mapping"):
        received({"a": 1})


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("body.a.b", 1),
        ("body['x.y']", 2),
        ('body["x.y"]', 2),
        ("body.list[1]", "q"),
        ("body.list[9]", None),
        ("body.list[*]", ["p", "q"]),
        ("body.rows[*].n", [1, 2]),
        ("body.a.b.c", None),
        ("${body.a.b}", 1),
        ("${ body.a.b }-${body.list[0]}", "1-p"),
        ("'body.a'", "body.a"),
        (7, "7"),
    ],
)
def test_paths(written: Any, value: Any) -> None:
    body = {"a": {"b": 1}, "x.y": 2, "list": ["p", "q"], "rows": [{"n": 1}, {"n": 2}, {}]}

    assert read_text(written).value({"body": body}) == value


def test_record_lines_are_taken_as_they_are_and_arrive_now() -> None:
    alert = AlertRecord(at=NOW - 60, source="nagios", id="a", status="firing", labels={"alertname": "X"})
    sample = SampleRecord(at=NOW - 30, entity="service/a", metric="m", points=[(NOW - 30, 1.5)])
    lines = b"\n".join(msgspec.json.encode(to_wire(record)) for record in (alert, sample)) + b"\n\n"

    got = received(lines, **NDJSON)

    assert got.records == [
        msgspec.structs.replace(alert, seen=NOW),
        msgspec.structs.replace(sample, seen=NOW, source="src"),
    ]
    assert msgspec.json.decode(got.reply.body) == {"accepted": 2, "rejected": []}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not readable as JSON"),
        (b"7", "expected an object, got a number"),
        (b"\xff", "not"),
        (b'{"kind":"command","at":1,"verb":"approve"}', "kind: 'command' is not taken here"),
        (b'{"kind":"step_finished","at":1,"key":"k","outcome":"done"}', "is not taken here"),
        (b'{"at":1}', "kind: None is not taken here"),
        (
            b'{"kind":"alert","source":"detect","key":"high/service/a/m","status":"resolved","labels":{}}',
            'source: "detect" is that of quell\'s own alerts',
        ),
        (b'{"kind":"alert","at":"noon","status":"firing","labels":{}}', "at: "),
        (b'{"kind":"alert","at":-5,"status":"firing","labels":{}}', "at: not a time between 1970 and 9999"),
        (b'{"kind":"alert","status":"maybe","labels":{}}', "status: Invalid enum value 'maybe'"),
        (b'{"kind":"change","type":"deploy","files":7}', "files: expected a list"),
    ],
)
def test_a_line_that_cannot_be_read_is_put_aside_with_its_number(line: bytes, reason: str) -> None:
    fine = b'{"kind":"alert","at":"2026-03-01T09:00:00Z","status":"firing","labels":{"a":"b"}}'

    got = received(fine + b"\n" + line, **NDJSON)

    assert (len(got.records), got.reply.status) == (1, 200)
    assert got.rejected[0].reason.startswith("line 2: ")
    assert reason in got.rejected[0].reason
    assert received(line, **NDJSON).reply.status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = ("id", "state", "rule", "host", "text", "ts", "value", "tags")


@given(body=JSON, items=st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)), max_size=3))
def test_any_json_is_answered(body: Any, items: list[Any]) -> None:
    receiver = built(Webhook, mapping=MAPPING)
    never_chokes(receiver, posted(body))
    never_chokes(receiver, posted({"items": items}))


@given(
    record=st.dictionaries(st.sampled_from(["at", "seen", "labels", "status", "type", "points", "entity"]), JSON),
    kind=st.sampled_from(["alert", "change", "sample", "entity"]) | st.text(),
    raw=st.binary(max_size=100),
)
def test_any_line_is_answered(record: dict[str, Any], kind: str, raw: bytes) -> None:
    line = msgspec.json.encode({**record, "kind": kind})
    never_chokes(built(Webhook), posted(line + b"\n" + raw, **NDJSON))
