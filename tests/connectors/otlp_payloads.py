"""Requests of OTLP for tests, written both ways from one description: by the published classes, and as JSON."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from quell.sdk.connector import Context, Received, Request
from quell.sdk.testkit import NOW, FakeHttp
from quell_connectors.otlp import Otlp

PROTOBUF, JSON = "application/x-protobuf", "application/json"
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
_ROOTS = {
    "traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest, "logs": ExportLogsServiceRequest,
}  # fmt: skip
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})
_INTS = frozenset({"timeUnixNano", "startTimeUnixNano", "endTimeUnixNano", "observedTimeUnixNano", "count", "asInt",
                   "intValue", "zeroCount"})  # fmt: skip


def ns(seconds_ago: float = 5.0) -> int:
    """Nanoseconds since 1970 of a time before the tests' now."""
    return round((NOW - seconds_ago) * 1e9)


def attributes(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value_of(value)} for name, value in told.items()]


def value_of(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [value_of(each) for each in value]}}
        case dict():
            return {"kvlistValue": {"values": attributes(value)}}
    return {"stringValue": value}


def span(number: int, parent: int = 0, *, name: str = "op", kind: int = SERVER, trace: int = 1, ago: float = 5.0,
         took: float = 0.1, error: bool = False, **told: Any) -> dict[str, Any]:  # fmt: skip
    end = ns(ago)
    return {
        "traceId": f"{trace:032x}", "spanId": f"{number:016x}",
        **({"parentSpanId": f"{parent:016x}"} if parent else {}),
        "name": name, "kind": kind, "startTimeUnixNano": str(end - round(took * 1e9)),
        "endTimeUnixNano": str(end),
        "attributes": attributes(told.pop("told", {})), **({"status": {"code": 2, "message": "bad"}} if error else {}),
        **told,
    }  # fmt: skip


def traces(*services: tuple[str | dict[str, Any], list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "resourceSpans": [{"resource": resource(name), "scopeSpans": [{"spans": spans}]} for name, spans in services]
    }


def metrics(service: str | dict[str, Any], *listed: dict[str, Any]) -> dict[str, Any]:
    return {"resourceMetrics": [{"resource": resource(service), "scopeMetrics": [{"metrics": list(listed)}]}]}


def logs(service: str | dict[str, Any], *listed: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"resource": resource(service), "scopeLogs": [{"logRecords": list(listed)}]}]}


def resource(told: str | dict[str, Any]) -> dict[str, Any]:
    return {"attributes": attributes({"service.name": told} if isinstance(told, str) else told)}


def gauge(name: str, value: Any, *, ago: float = 5.0, **told: Any) -> dict[str, Any]:
    return {"name": name, "gauge": {"dataPoints": [point(value, ago=ago, **told)]}}


def point(value: Any, *, ago: float = 5.0, **told: Any) -> dict[str, Any]:
    number = {"asInt": str(value)} if isinstance(value, int) else {"asDouble": value}
    return {"timeUnixNano": str(ns(ago)), **number, "attributes": attributes(told.pop("told", {})), **told}


def protobuf(signal: str, request: dict[str, Any]) -> bytes:
    """The same request by the published classes."""
    message = _ROOTS[signal]()
    _fill(message, request)
    written: bytes = message.SerializeToString()
    return written


def _fill(message: Any, told: dict[str, Any]) -> None:
    for name, value in told.items():
        field = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        if isinstance(value, dict):
            getattr(message, field).SetInParent()
            _fill(getattr(message, field), value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for each in value:
                _fill(getattr(message, field).add(), each)
        elif isinstance(value, list):
            getattr(message, field).extend([int(each) if isinstance(each, str) else each for each in value])
        elif name in _IDS:
            setattr(message, field, bytes.fromhex(value))
        elif isinstance(value, str) and name == "asDouble":
            setattr(message, field, float(value))
        elif isinstance(value, str) and name in _INTS:
            setattr(message, field, int(value))
        else:
            setattr(message, field, value)


def otlp(**options: Any) -> Otlp:
    return Otlp(options, Context("otel", FakeHttp()))


def sent(signal: str, request: dict[str, Any] | bytes, kind: str = JSON, receiver: Otlp | None = None) -> Received:
    """What a receiver makes of a request; without the ids, which are made of the request's bytes."""
    got = as_sent(signal, request, kind, receiver)
    return replace(got, records=[msgspec.structs.replace(record, id="") for record in got.records])


def as_sent(signal: str, request: dict[str, Any] | bytes, kind: str = JSON, receiver: Otlp | None = None) -> Received:
    """What a receiver makes of a request."""
    if isinstance(request, bytes):
        body = request
    else:
        body = msgspec.json.encode(request) if kind == JSON else protobuf(signal, request)
    return (receiver or otlp()).receive(Request("POST", f"/v1/{signal}", body, {"content-type": kind}), NOW)


def both(signal: str, request: dict[str, Any], **options: Any) -> Received:
    """The same from both encodings."""
    text, binary = (sent(signal, request, kind, otlp(**options)) for kind in (JSON, PROTOBUF))
    assert text.records == binary.records
    assert (text.reply.status, binary.reply.status) == (200, 200)
    assert binary.reply.content_type == PROTOBUF
    return text
