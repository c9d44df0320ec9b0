"""Spans over OTLP: counted calls, who depends on whom, and no record for each span."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.otlp_payloads import (
    CLIENT,
    CONSUMER,
    INTERNAL,
    JSON,
    PRODUCER,
    PROTOBUF,
    SERVER,
    attributes,
    both,
    gauge,
    logs,
    metrics,
    ns,
    otlp,
    protobuf,
    sent,
    span,
    traces,
)
from quell.model.records import AnyRecord, CallRecord, DependencyRecord, EntityRecord, SamplesRecord, SpanRecord
from quell.model.wire import to_wire
from quell.sdk.testkit import NOW

WEB = {"http.request.method": "GET", "http.route": "/cart/{id}"}
DB = {"db.system.name": "postgresql", "server.address": "pg-1", "db.namespace": "shop"}


def edges(records: Iterable[AnyRecord]) -> set[tuple[str, str, str]]:
    return {(one.from_, one.to, one.type) for one in records if isinstance(one, DependencyRecord)}


def calls(records: Iterable[AnyRecord]) -> dict[tuple[str, str, str], CallRecord]:
    return {(one.entity, one.caller, one.operation): one for one in records if isinstance(one, CallRecord)}


def test_a_request_through_two_services_and_a_database() -> None:
    got = both("traces", traces(
        ("web", [span(1, name="GET", told=WEB, took=0.5), span(2, 1, kind=CLIENT, name="GET", took=0.4)]),
        ("cart", [span(3, 2, name="GET", told={**WEB, "http.route": "/items"}, took=0.3),
                  span(4, 3, kind=CLIENT, name="SELECT items", told=DB, took=0.1, error=True)]),
    ))  # fmt: skip
    assert edges(got.records) == {
        ("service/web", "service/cart", "calls"), ("service/cart", "database/pg-1", "calls"),
    }  # fmt: skip
    found = calls(got.records)
    assert set(found) == {
        ("service/web", "", "GET /cart/{id}"), ("service/cart", "service/web", "GET /items"),
        ("database/pg-1", "service/cart", "SELECT items"),
    }  # fmt: skip
    inner = found["service/cart", "service/web", "GET /items"]
    assert (inner.count, inner.errors, inner.at) == (1, 0, NOW - 5)
    assert inner.mean_s == pytest.approx(0.3)
    assert inner.net_s == pytest.approx(0.1)
    assert found["database/pg-1", "service/cart", "SELECT items"].errors == 1
    assert not [one for one in got.records if isinstance(one, SpanRecord)]


def test_many_spans_are_few_records() -> None:
    spans = [span(number, name="GET", told=WEB, error=number % 4 == 0) for number in range(1, 1001)]
    got = both("traces", traces(("web", spans)))
    [told] = [one for one in got.records if isinstance(one, CallRecord)]
    assert (told.count, told.errors) == (1000, 250)
    assert len(got.records) == 1


def test_the_other_half_of_a_call_is_joined_by_a_few_spans() -> None:
    asking = span(2, 1, kind=CLIENT, name="GET", told={"server.address": "10.0.0.7"})
    client = both("traces", traces(("web", [span(1), asking])))
    server = both("traces", traces(("cart", [span(3, 2)])))
    spans = [one for one in (*client.records, *server.records) if isinstance(one, SpanRecord)]
    assert [(one.entity, one.span, one.parent, one.counted) for one in spans] == [
        ("service/web", f"{2:016x}", "", True), ("service/cart", f"{3:016x}", f"{2:016x}", True),
    ]  # fmt: skip
    assert calls(server.records)["service/cart", "?", "op"].count == 1


def test_of_many_loose_spans_both_ends_choose_the_same_traces() -> None:
    ids = range(1, 401)
    web = sent("traces", traces(("web", [span(2, 1, kind=CLIENT, trace=one * 7919) for one in ids])))
    cart = sent("traces", traces(("cart", [span(3, 2, trace=one * 7919) for one in ids])))
    chosen = [{one.trace for one in got.records if isinstance(one, SpanRecord)} for got in (web, cart)]
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 16


@pytest.mark.parametrize(
    ("kind", "told", "edge"),
    [
        (CLIENT, {"db.system": "redis", "net.peer.name": "cache-1"}, ("cache/cache-1", "calls")),
        (CLIENT, {"db.system.name": "mysql", "server.address": "::1", "db.name": "a"}, ("database/web/a", "calls")),
        (CLIENT, {"db.system": "sqlite", "db.name": "x"}, None),
        (PRODUCER, {"messaging.system": "kafka", "messaging.destination.name": "orders"}, ("queue/orders", "calls")),
        (CONSUMER, {"messaging.system": "kafka", "messaging.destination.name": "orders"}, ("queue/orders", "consumes")),
        (CLIENT, {"messaging.system": "sqs", "messaging.destination.name": "q", "messaging.operation.type": "receive"},
         ("queue/q", "consumes")),
        (PRODUCER, {"messaging.system": "rabbitmq", "messaging.destination.name": "amq.gen-x1",
                    "messaging.destination.anonymous": True}, ("queue/rabbitmq", "calls")),
        (CLIENT, {"peer.service": "payments", "server.address": "10.1.1.1"}, ("service/payments", "calls")),
        (CLIENT, {"server.address": "payments.shop.svc.cluster.local"}, ("service/payments", "calls")),
        (CLIENT, {"server.address": "api.stripe.com"}, ("service/api.stripe.com", "calls")),
        (CLIENT, {"server.address": "10.1.1.1"}, None),
        (CLIENT, {"server.address": "localhost"}, None),
        (CLIENT, {"gen_ai.request.model": "gpt-4o", "gen_ai.operation.name": "chat"}, ("model/gpt-4o", "calls")),
        (INTERNAL, {"gen_ai.request.model": "gpt-4o", "gen_ai.operation.name": "invoke_agent"}, None),
        (CLIENT, {"http.request.method": "POST", "url.full": "http://f/v2/models/x/infer"}, ("model/x", "calls")),
        (CLIENT, {"http.method": "POST", "http.target": "/v1/models/fraud:predict"}, ("model/fraud", "calls")),
        (SERVER, {"server.address": "web"}, None),
        (CLIENT, {"server.address": "ip-10-1-2-3.eu-west-1.compute.internal"}, None),
        (INTERNAL, {"gen_ai.request.model": "local", "gen_ai.operation.name": "chat"}, ("model/local", "calls")),
        (SERVER, {"gen_ai.request.model": "served"}, None),
    ],
)  # fmt: skip
def test_peers_by_attributes(kind: int, told: dict[str, Any], edge: tuple[str, str] | None) -> None:
    got = both("traces", traces(("web", [span(1), span(2, 1, kind=kind, told=told)])))
    assert {(to, type_) for _, to, type_ in edges(got.records)} == ({edge} if edge else set())


def test_models_are_metered_and_priced() -> None:
    prices = {"gpt-4o": {"input": 2.5, "output": 10, "cached_input": 1.25}}
    told = {"gen_ai.request.model": "gpt-4o", "gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": 100}
    spans = [
        span(2, 1, kind=CLIENT, took=2.0, told={**told, "gen_ai.usage.input_tokens": 1000}),
        span(3, 1, kind=CLIENT, took=4.0, error=True, told={**told, "gen_ai.usage.input_tokens": 3000,
                                                              "gen_ai.usage.cache_read.input_tokens": 1000}),
    ]  # fmt: skip
    got = both("traces", traces(("bot", spans)), prices=prices)
    [table] = [one for one in got.records if isinstance(one, SamplesRecord)]
    assert table.entity == "model/gpt-4o"
    values = {name: value[0] for name, value in table.values.items()}
    cost = (3000 * 2.5 + 1000 * 1.25 + 200 * 10) / 1e6
    assert values == {
        "gen_ai_calls": 2.0, "gen_ai_errors": 1.0, "gen_ai_duration": 3.0, "gen_ai_input_tokens": 4000.0,
        "gen_ai_output_tokens": 200.0, "gen_ai_cost{currency=USD,from=spans}": pytest.approx(cost),
    }  # fmt: skip


def test_a_model_without_a_price_is_said_to_be_so() -> None:
    told = {"gen_ai.request.model": "new", "gen_ai.usage.input_tokens": 10}
    got = both("traces", traces(("bot", [span(2, 1, kind=CLIENT, told=told)])))
    [table] = [one for one in got.records if isinstance(one, SamplesRecord)]
    assert table.values["gen_ai_cost_unknown{from=spans}"] == [1.0]
    assert not [name for name in table.values if name.startswith("gen_ai_cost{")]
    partial = msgspec.json.decode(got.reply.body)["partialSuccess"]
    assert partial["rejectedSpans"] == "0"
    assert 'the cost of model "new" is not known' in partial["errorMessage"]


def test_evaluations_come_as_events_of_spans() -> None:
    event = {"timeUnixNano": str(ns()), "name": "gen_ai.evaluation.result", "attributes": [
        {"key": "gen_ai.evaluation.name", "value": {"stringValue": "relevance"}},
        {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.25}},
        {"key": "gen_ai.evaluation.score.label", "value": {"stringValue": "fail"}},
    ]}  # fmt: skip
    told = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1}
    got = both("traces", traces(("bot", [span(2, 1, kind=CLIENT, told=told, events=[event])])))
    [table] = [one for one in got.records if isinstance(one, SamplesRecord)]
    assert table.values["gen_ai_evaluation{name=relevance}"] == [0.25]
    assert table.values["gen_ai_evaluation_label{label=fail,name=relevance}"] == [1.0]


def test_resources_are_entities_with_labels_that_replicas_share() -> None:
    told = {
        "service.name": "cart", "service.version": "1.2", "service.instance.id": "i-1", "k8s.namespace.name": "shop",
        "k8s.pod.name": "cart-abc", "k8s.node.name": "node-3", "host.name": "cart-abc", "k8s.cluster.name": "eu1",
        "deployment.environment.name": "prod",
    }  # fmt: skip
    got = both("traces", traces((told, [span(1)])))
    [entity] = [one for one in got.records if isinstance(one, EntityRecord)]
    assert entity.entity == "service/cart"
    assert entity.labels == {"namespace": "shop", "cluster": "eu1", "environment": "prod", "version": "1.2"}
    assert edges(got.records) == {("service/cart", "host/node-3", "runs_on")}


@pytest.mark.parametrize(
    ("told", "entity"),
    [
        ({"service.name": "unknown_service:java", "k8s.deployment.name": "cart"}, "service/cart"),
        ({"service.name": "unknown_service:java"}, "service/unknown_service:java"),
        ({"k8s.pod.name": "cart-1"}, "pod/cart-1"),
        ({"host.name": "n1"}, "host/n1"),
        ({}, "service/unknown_service"),
    ],
)
def test_who_tells_no_name_is_known_by_the_next_best(told: dict[str, Any], entity: str) -> None:
    assert set(calls(both("traces", traces((told, [span(1)]))).records)) == {(entity, "", "op")}


def test_services_are_named_as_the_source_says() -> None:
    name = "service/${deployment.environment}/${service.name}"
    told = {"service.name": "web", "deployment.environment": "prod"}
    got = both("traces", traces((told, [span(1), span(2, 1, kind=CLIENT, told={"peer.service": "cart"})])), entity=name)
    assert ("service/prod/web", "service/prod/cart", "calls") in edges(got.records)


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("GET /users/4711/orders", "GET /users/*/orders"),
        ("GET /v2/users", "GET /v2/users"),
        ("job 6ba7b810-9dad-11d1-80b4-00c04fd430c8", "job *"),
        ("process order-20260101", "process *"),
    ],
)
def test_names_that_vary_are_one_operation(name: str, operation: str) -> None:
    assert [one[2] for one in calls(both("traces", traces(("web", [span(1, name=name)]))).records)] == [operation]


def test_what_is_wrong_with_spans_is_said_and_counted() -> None:
    spans = [
        span(1), span(2, ago=7200), span(3, ago=-1000), span(4, took=-1.0), {**span(5), "traceId": ""},
        {**span(6), "endTimeUnixNano": "0"},
    ]  # fmt: skip
    got = both("traces", traces(("web", spans)))
    partial = msgspec.json.decode(got.reply.body)["partialSuccess"]
    assert partial["rejectedSpans"] == "5"
    for said in ("older than 3600 s", "a clock is wrong", "end before they begin", "no trace or span id", "no time"):
        assert said in partial["errorMessage"]
    [table] = [one for one in got.records if isinstance(one, SamplesRecord)]
    assert table.values["otlp_rejected{reason=too_old,signal=traces}"] == [1.0]
    assert calls(got.records)["service/web", "", "op"].count == 1


def test_too_many_operations_are_counted_together() -> None:
    got = sent("traces", traces(("web", [span(one, name="n" * (one % 180) + "abcdefghij"[one % 10] + "x" * (one // 180))
                                         for one in range(1, 3001)])))  # fmt: skip
    found = [one for one in got.records if isinstance(one, CallRecord)]
    assert sum(one.count for one in found) == 3000
    assert len(found) <= 1001


Trees = st.lists(
    st.tuples(
        st.sampled_from(["web", "cart", "pay"]),
        st.integers(0, 20),
        st.sampled_from([0, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER]),
        st.sampled_from([{}, WEB, DB, {"peer.service": "pay"}, {"messaging.destination.name": "q"},
                         {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3}]),
        st.floats(0.0, 200.0), st.floats(0.0, 1.0), st.booleans(),
    ),
    max_size=20,
)  # fmt: skip


@given(Trees, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_spans_changes_nothing(tree: list[Any], random: Any) -> None:
    told = [
        (service, span(at + 1, parent, kind=kind, told=attributes, ago=ago, took=took, error=error, trace=1 + at % 2))
        for at, (service, parent, kind, attributes, ago, took, error) in enumerate(tree)
    ]
    shuffled = random.sample(told, len(told))
    one, other = (
        sent("traces", traces(*[(service, [each]) for service, each in spans]), kind, otlp())
        for spans, kind in ((told, JSON), (shuffled, PROTOBUF))
    )
    assert one.records == other.records
    counted = sum(each.count for each in one.records if isinstance(each, CallRecord))
    assert counted <= len(tree)


@given(st.binary(max_size=200), st.sampled_from(["traces", "metrics", "logs"]), st.sampled_from([JSON, PROTOBUF]))
@settings(max_examples=80, deadline=None)
def test_any_bytes_are_answered(body: bytes, signal: str, kind: str) -> None:
    got = sent(signal, body, kind)
    assert got.reply.status in {200, 400}
    assert got.reply.content_type == kind


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_requests_are_answered(data: st.DataObject) -> None:
    body = bytearray(protobuf("traces", traces(("web", [span(1, told=WEB), span(2, 1, kind=CLIENT, told=DB)]))))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    got = sent("traces", bytes(body), PROTOBUF)
    assert got.reply.status in {200, 400}
    msgspec.msgpack.encode(list(got.records))


def test_json_as_others_write_it() -> None:
    """Numbers that are no text, ids in capitals, names of enumerations, nulls, fields that nobody knows."""
    trace = {"traceId": "5B8EFFF798038103D269B633813FC60C", "startTimeUnixNano": ns(6), "endTimeUnixNano": ns()}
    values = [
        {"key": "peer.service", "value": {"stringValue": "pay"}}, {"key": "n", "value": {"intValue": 7}}, {},
        {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": True}, {}]}}},
    ]  # fmt: skip
    spans = [
        {**trace, "spanId": "EEE19B7EC3C1B174", "parentSpanId": None, "name": "a", "kind": "SPAN_KIND_SERVER",
         "flags": 257, "traceState": "x"},
        {**trace, "spanId": "EEE19B7EC3C1B175", "parentSpanId": "EEE19B7EC3C1B174", "name": "b", "kind": 3,
         "status": {"code": "STATUS_CODE_ERROR"}, "attributes": values, "links": [{}], "droppedEventsCount": 3,
         "events": [{"name": "exception", "timeUnixNano": ns()}]},
    ]  # fmt: skip
    request = traces(("web", spans))
    request["resourceSpans"][0]["schemaUrl"] = "https://opentelemetry.io/schemas/1.40.0"
    got = sent("traces", request)
    assert got.reply.body == b"{}"
    assert {key: one.errors for key, one in calls(got.records).items()} == {
        ("service/web", "", "a"): 0, ("service/pay", "service/web", "b"): 1,
    }  # fmt: skip
    [loose] = [one for one in got.records if isinstance(one, SpanRecord)]
    assert (loose.trace, loose.span) == ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b175")


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_attributes_and_values_are_answered(signal: str, data: st.DataObject) -> None:
    """Bytes within messages that are only read when somebody asks for them."""
    told = {"peer.service": "x", "http.request.method": "GET", "gen_ai.request.model": "m", "exception.type": "E"}
    requests = {
        "traces": traces(("web", [span(1, kind=CLIENT, told=told)])),
        "metrics": metrics("web", gauge("g", 1.5, told=told)),
        "logs": logs("web", {"timeUnixNano": str(ns()), "body": {"stringValue": "b"}, "attributes": attributes(told)}),
    }
    body = bytearray(protobuf(signal, requests[signal]))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    got = sent(signal, bytes(body), PROTOBUF)
    assert got.reply.status in {200, 400}
    msgspec.msgpack.encode(list(got.records))
    for record in got.records:
        to_wire(record)
