from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, golden, never_chokes, posted
from quell.errors import BadPayload
from quell.model.records import AlertRecord, AnyRecord, ChangeRecord
from quell.sdk.connector import Received, Request
from quell.sdk.testkit import NOW
from quell_connectors.cloudevents import CloudEvents

STRUCTURED = {"content_type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content_type": "application/cloudevents-batch+json"}


def event(type_: str, data: Any = None, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "/s", "type": type_, "data": data, **more}


def received(body: Any, **headers: str) -> Received:
    got: Received = built(CloudEvents).receive(posted(body, **(headers or STRUCTURED)), NOW)
    return got


def one(body: Any, **headers: str) -> AnyRecord:
    [record] = received(body, **headers).records
    return record


def alert(body: Any) -> AlertRecord:
    record = one(body)
    assert isinstance(record, AlertRecord)
    return record


def change(body: Any) -> ChangeRecord:
    record = one(body)
    assert isinstance(record, ChangeRecord)
    return record


def test_an_alert_fires_and_resolves_under_its_own_key() -> None:
    fired = alert(golden("cloudevents/alert-firing.json"))
    resolved = alert(golden("cloudevents/alert-resolved.json"))

    assert fired.labels == {
        "alertname": "DagRunFailed",
        "severity": "error",
        "dag_id": "ad-features",
        "kube_namespace": "mlp",
        "namespace": "mlp",
        "host": "node-1",
        "node": "node-1",
        "cluster": "mlp-eu1",
        "subject": "pipeline/ad-features",
    }
    assert fired.annotations == {"summary": "DAG ad-features failed."}
    assert (fired.status, fired.key, fired.at) == ("firing", "e8ca859d914caf3f", 1772437204.62)
    assert (resolved.status, resolved.key, resolved.labels) == ("resolved", fired.key, fired.labels)
    assert fired.id == "/monitors/mlp-eu1#e000020"


def test_a_change_keeps_the_id_that_its_sender_gave_it() -> None:
    record = change(golden("cloudevents/change.json"))

    assert (record.id, record.type, record.entity) == ("chg-000001", "config", "")
    assert record.labels == {"kube_namespace": "mlp", "namespace": "mlp", "resource": "crm-api", "subject": "crm-api"}
    assert record.summary == "Configuration of crm-api changed"


def test_a_cdevent_says_what_was_deployed_where() -> None:
    record = change(golden("cloudevents/cdevents-service-deployed.json"))

    assert (record.type, record.revision) == ("deploy", "0b31b1c02ff458ad9b7b")
    assert record.labels["service"] == "cart"
    assert record.labels["environment"] == "production"
    assert record.id == "/event/source/123#271069a8-fc18-44f1-b38f-9d70a1695819"


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("dev.cdevents.service.upgraded.0.2.0", "deploy"),
        ("dev.cdevents.service.rolledback.0.2.0", "deploy"),
        ("dev.cdevents.service.published.0.2.0", "deploy"),
        ("dev.cdevents.service.removed.0.2.0", "deploy"),
        ("dev.cdevents.environment.modified.0.2.0", "config"),
        ("com.example.featureFlag.toggled", "flag"),
        ("com.example.schema.migrated.v2", "schema"),
        ("org.ml.model.promoted", "model"),
        ("org.ml.prompt.released", "prompt"),
        ("org.ml.dataset.updated", "data"),
        ("io.k8s.deployment.scaled", "deploy"),
        ("com.example.replicas.changed", "scale"),
        ("com.example.thing.changed", "config"),
    ],
)
def test_the_type_tells_the_kind_of_change(type_: str, kind: str) -> None:
    assert change(event(type_)).type == kind


def test_the_data_may_name_the_kind_and_the_entity_of_a_change() -> None:
    record = change(event("x.y", {"change": "c1", "change_type": "prompt", "entity": "prompt/greeting", "by": "ana"}))

    assert (record.id, record.type, record.entity, record.author) == ("c1", "prompt", "prompt/greeting", "ana")
    assert change(event("x.released", subject="service/cart")).entity == "service/cart"
    assert change(event("x.released", subject="https://x.example/cart")).entity == ""


@pytest.mark.parametrize(
    ("type_", "data", "status"),
    [
        ("dev.cdevents.incident.detected.0.3.0", {}, "firing"),
        ("dev.cdevents.incident.resolved.0.3.0", {}, "resolved"),
        ("example.check.failed", {}, "firing"),
        ("example.check.passed", {}, "resolved"),
        ("example.alert", {}, "firing"),
        ("example.alert", {"status": "Recovered"}, "resolved"),
        ("example.alert", {"status": "OK"}, "resolved"),
        ("example.alert.resolved", {"status": "no data"}, "resolved"),
        ("example.event", {"monitor": "m", "state": "closed"}, "resolved"),
        ("example.event", {"alert_key": "k"}, "firing"),
        ("example.event", {"status": "triggered"}, "firing"),
    ],
)
def test_status_comes_from_the_data_then_from_the_type(type_: str, data: dict[str, Any], status: str) -> None:
    assert alert(event(type_, data)).status == status


def test_without_a_key_source_subject_and_type_identify_an_alert() -> None:
    fired = alert(event("example.check.failed", subject="a"))

    assert fired.key == alert(event("example.check.passed", subject="a", id="2")).key
    assert fired.key != alert(event("example.check.failed", subject="b")).key
    assert fired.key != alert(event("example.check.failed", subject="a", source="/t")).key
    assert fired.key != alert(event("example.disk.check.failed", subject="a")).key


def test_tags_come_as_mapping_pairs_or_texts_and_numbers_only_describe() -> None:
    for tags in (
        {"pod_name": "p-1"},
        ["pod_name:p-1", "no-colon"],
        [{"key": "pod_name", "value": "p-1"}, {"name": "pod_name", "value": "p-1"}],
    ):
        record = alert(event("example.alert", {"tags": tags, "p95_ms": 12.5, "region": "eu", "pods": [1], "id": "x"}))
        assert (record.labels["pod"], record.labels["region"]) == ("p-1", "eu")
        assert record.annotations == {"p95_ms": "12.5", "id": "x"}


def test_value_threshold_and_link_are_taken() -> None:
    record = alert(event("example.alert", {"value": 0.2, "threshold": 0.05, "url": "https://m.example/1"}))

    assert (record.value, record.threshold, record.url) == (0.2, 0.05, "https://m.example/1")


def test_binary_mode_carries_attributes_in_percent_encoded_headers() -> None:
    request = Request(
        "POST",
        "/in/src",
        b'{"monitor":"Disk","status":"alarm"}',
        {
            "content-type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": "7",
            "ce-source": "/m%C3%BC",
            "ce-type": "example.alert",
            "ce-subject": "host%2Fa",
            "ce-time": "2026-03-01T09:00:00Z",
        },
    )

    [record] = built(CloudEvents).receive(request, NOW).records

    assert (record.id, record.labels["subject"], record.at) == ("/mü#7", "host/a", NOW - 3600)


def test_structured_mode_unpacks_base64_data() -> None:
    data = b64encode(b'{"monitor":"Disk"}').decode()

    assert alert(event("x", None, data_base64=data)).labels["alertname"] == "Disk"


def test_text_data_is_the_summary() -> None:
    record = alert(event("example.alert.firing", "disk full", datacontenttype="text/plain"))

    assert record.annotations["summary"] == "disk full"


def test_a_batch_keeps_what_can_be_read_and_shows_the_rest() -> None:
    got = received([event("example.alert"), event("example.greeting"), 7], **BATCH)

    assert (len(got.records), got.reply.status) == (1, 202)
    assert ["speaks neither" in entry.reason or "expected" in entry.reason for entry in got.rejected] == [True, True]
    assert msgspec.json.decode(got.rejected[0].payload)["type"] == "example.greeting"
    assert received([event("example.greeting")], **BATCH).reply.status == 400
    assert received([], **BATCH).reply.status == 202


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not readable as JSON"),
        (b"{", "not readable as JSON"),
        (b"\xff\xfe", "not readable"),
        (event("example.greeting.said"), 'type: "example.greeting.said" speaks neither of an alert nor of a change'),
        (event("dev.cdevents.pipelinerun.started.0.2.0"), "speaks neither"),
        ({"specversion": "1.0", "id": "1", "source": "/s"}, "missing required field `type`"),
        ({**event("a.alert"), "id": 7}, "id: expected text, got a number"),
        ({**event("a.alert"), "id": ""}, "id: is empty"),
        ({**event("a.alert"), "specversion": "0.3"}, 'specversion: "0.3" is not known'),
        ({**event("a.alert"), "time": "noon"}, "time: 'noon' is not a time"),
        ({**event("a.alert"), "data_base64": "###"}, "data_base64"),
        (event("a.alert", {str(n): "x" for n in range(10_000)}), "data: 10001 labels"),
        (b"[" * 500 + b"]" * 500, "nested deeper"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(body: Any, reason: str) -> None:
    with pytest.raises(BadPayload) as caught:
        received(body)
    assert reason in str(caught.value)


def test_another_encoding_is_refused_by_name() -> None:
    with pytest.raises(BadPayload, match="cloudevents\\+xml"):
        received(b"<event/>", content_type="application/cloudevents+xml")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ("monitor", "alert_key", "status", "tags", "labels", "subject", "value", "change", "change_type", "severity",
          "message", "entity", "starts_at", "url")  # fmt: skip


@given(
    body=JSON,
    data=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)),
    type_=st.sampled_from(["a.alert.firing", "a.config.changed", "a.b"]) | st.text(),
    time=st.none() | st.text() | st.datetimes().map(lambda moment: moment.isoformat()),
)
def test_any_json_is_answered(body: Any, data: dict[str, Any], type_: str, time: str | None) -> None:
    receiver = built(CloudEvents)
    never_chokes(receiver, posted(body))
    never_chokes(receiver, posted([body, event(type_, body), event(type_, data, time=time)], **BATCH))


HEADERS = st.sampled_from(["ce-specversion", "ce-id", "ce-source", "ce-type", "content-type"])


@given(raw=st.binary(max_size=200), headers=st.dictionaries(HEADERS, st.text(max_size=20)))
def test_any_bytes_are_answered(raw: bytes, headers: dict[str, str]) -> None:
    never_chokes(built(CloudEvents), Request("POST", "/in/src", raw, headers))
