"""The real OpenTelemetry SDK, with its own exporters, against a daemon."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from connectors.otlp_payloads import JSON, PROTOBUF, metrics, protobuf
from daemon.chatroom import in_a_loop
from daemon.parts import KINDS, TOKEN, Running, loaded, running, source
from quell.config import Loaded
from quell.core.engine import Engine
from quell.core.telemetry import floats
from quell.model.rulebook import Rulebook
from quell_connectors.otlp import Otlp

WORLD = {**KINDS, "otlp": Otlp}
CONFIG = Loaded(loaded(source("otel", "otlp", open=True)).settings, Rulebook())


def engine(book: Rulebook, data: bytes | None) -> Engine:
    return Engine.restored(book, data) if data else Engine(book)


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of whoever runs the tests configure the SDK; proxies must not be asked for loopback."""
    for name in list(os.environ):
        if name.startswith("OTEL_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def resource(name: str, **more: str) -> Resource:
    return Resource.create(
        {"service.name": name, "service.version": "1.4", "deployment.environment.name": "prod", **more}
    )


def tracer(url: str, name: str, path: str = "/v1/traces", headers: dict[str, str] | None = None) -> TracerProvider:
    provider = TracerProvider(resource=resource(name), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{url}{path}", compression=Compression.Gzip, timeout=20, headers=headers)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def shop(url: str) -> None:
    """A request through two processes: web calls cart, cart asks a database, which fails once in ten times."""
    web, cart = tracer(url, "web"), tracer(url, "cart")
    way = TraceContextTextMapPropagator()
    one, other = web.get_tracer("t"), cart.get_tracer("t")
    for number in range(40):
        with one.start_as_current_span(
            "GET", kind=SpanKind.SERVER, attributes={"http.route": "/", "http.request.method": "GET"}
        ):
            carrier: dict[str, str] = {}
            asking = {"http.request.method": "GET", "server.address": "10.0.0.9"}
            with one.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=asking):
                way.inject(carrier)
            with other.start_as_current_span("GET", context=way.extract(carrier), kind=SpanKind.SERVER):
                asked = {"db.system.name": "postgresql", "server.address": "pg-1"}
                with other.start_as_current_span("SELECT", kind=SpanKind.CLIENT, attributes=asked) as span:
                    if number % 10 == 0:
                        span.set_status(Status(StatusCode.ERROR, "deadlock"))
    for provider in (web, cart):
        assert provider.force_flush(20_000)
        provider.shutdown()


def edges(place: Running) -> set[tuple[str, str]]:
    return {(one.from_, one.to) for one in place.daemon.loop.decider.state.dependencies.values()}


@in_a_loop
async def test_spans_of_two_processes_become_calls_and_dependencies() -> None:
    async with running(CONFIG, kinds=WORLD, restore=engine) as place:
        await asyncio.to_thread(shop, place.url)
        await place.settled()
        assert edges(place) == {("service/web", "service/cart"), ("service/cart", "database/pg-1")}
        state: Any = place.daemon.loop.decider.state
        assert state.entities["service/web"].labels == {"environment": "prod", "version": "1.4"}
        [calls] = [
            told for name, told in state.signals["database/pg-1"].calls.items() if name.startswith("service/cart")
        ]
        assert (sum(one.count for one in calls), sum(one.errors for one in calls)) == (40, 4)
        assert sum(one.count for told in state.signals["service/web"].calls.values() for one in told) == 40


def measured(url: str, temporality: AggregationTemporality) -> None:
    preferred: dict[type, AggregationTemporality] = {Counter: temporality, Histogram: temporality}
    exporter = OTLPMetricExporter(f"{url}/v1/metrics", preferred_temporality=preferred, timeout=20)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    views = [View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())]
    told = resource("shop", **{"service.instance.id": "i-1"})
    provider = MeterProvider([reader], resource=told, views=views, shutdown_on_exit=False)
    meter = provider.get_meter("t")
    for number in range(1, 101):
        meter.create_counter("orders").add(1, {"http.route": f"/{number}"})
        meter.create_histogram("took").record(number / 10)
        meter.create_histogram("size").record(float(number))
    meter.create_up_down_counter("open").add(3)
    meter.create_gauge("stock").set(9.5, {"article": "tea"})
    assert provider.force_flush(20_000)
    provider.shutdown()


@pytest.mark.parametrize("temporality", [AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE])
@in_a_loop
async def test_metrics_become_samples(temporality: AggregationTemporality) -> None:
    async with running(CONFIG, kinds=WORLD, restore=engine) as place:
        await asyncio.to_thread(measured, place.url, temporality)
        await place.settled()
        state: Any = place.daemon.loop.decider.state
        first = {name: float(floats(one.values)[0]) for name, one in state.signals["service/shop"].series.items()}
        assert first["open"] == 3.0
        assert first["stock{article=tea}"] == 9.5
        # The process began just now: all that it counted is new, however it tells of it.
        assert first["orders"] == 100.0
        assert first["took_count"] == 100.0
        assert first["took_p50"] == pytest.approx(5.0, abs=2.5)
        assert first["size_count"] == 100.0
        if temporality is AggregationTemporality.DELTA:
            assert first["size_p95"] == pytest.approx(95.0, rel=0.05)


def logged(url: str) -> None:
    provider = LoggerProvider(resource=resource("shop"), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs", timeout=20)))
    logger = provider.get_logger("t")
    for number in range(30):
        logger.emit(
            body=f"order {number} of ana@example.org refused", severity_number=SeverityNumber.ERROR, timestamp=None
        )
    assert provider.force_flush(20_000)
    provider.shutdown()


@in_a_loop
async def test_lines_become_counted_statements() -> None:
    async with running(CONFIG, kinds=WORLD, restore=engine) as place:
        await asyncio.to_thread(logged, place.url)
        await place.settled()
        state: Any = place.daemon.loop.decider.state
        patterns = state.signals["service/shop"].patterns
        assert {name: (told.failing, sum(count for _, count in told.seen)) for name, told in patterns.items()} == {
            "order <*> of <*> refused": (True, 30)
        }


@in_a_loop
async def test_a_source_has_paths_of_its_own_and_wants_its_token() -> None:
    closed = Loaded(loaded(source("otel", "otlp"), open_on_loopback=False).settings, Rulebook())
    async with running(closed, kinds=WORLD, restore=engine) as place:
        body = protobuf("metrics", metrics("web"))
        assert (await place.post("/v1/metrics", data=body, content_type=PROTOBUF))[0] == 401

        def told() -> None:
            provider = tracer(place.url, "web", "/in/otel/v1/traces", {"Authorization": f"Bearer {TOKEN}"})
            with provider.get_tracer("t").start_as_current_span("job"):
                pass
            assert provider.force_flush(20_000)
            provider.shutdown()

        await asyncio.to_thread(told)
        await place.settled()
        state: Any = place.daemon.loop.decider.state
        assert set(state.signals) == {"service/web"}


@in_a_loop
async def test_who_finds_it_full_is_told_to_come_again_and_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.daemon.replies.RETRY_AFTER_S", 1)
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    async with running(CONFIG, kinds=WORLD, restore=engine) as place:
        inbox = place.daemon.inbox
        free, asked = inbox.full, []

        def full(*_args: Any, **_given: Any) -> str:
            asked.append(1)
            return "full" if len(asked) < 3 else free()

        monkeypatch.setattr(inbox, "full", full)
        async with place.http.post(f"{place.url}/v1/metrics", data=b"", headers={"content-type": PROTOBUF}) as answer:
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        await asyncio.to_thread(shop, place.url)
        await place.settled()
        assert ("service/cart", "database/pg-1") in edges(place)


@in_a_loop
async def test_bodies_beyond_the_limit_and_damaged_ones_are_refused() -> None:
    async with running(CONFIG, kinds=WORLD, restore=engine) as place:
        bomb = gzip.compress(b"\0" * (40 * 1024 * 1024))
        headers = {"content_type": JSON, "content_encoding": "gzip"}
        assert (await place.post("/v1/logs", data=bomb, **headers))[0] == 413
        assert (await place.post("/v1/logs", data=bomb[:50], **headers))[0] == 400
        status, told = await place.post("/v1/logs", data=b'{"resourceLogs":[{"scopeLogs":3}]}', content_type=JSON)
        assert (status, told["code"]) == (400, 3)
        assert "resourceLogs[0].scopeLogs" in told["message"]
        assert (await place.post("/v1/logs", {}, content_type=JSON)) == (200, {})


def test_finding_the_connector_loads_no_decoder() -> None:
    code = (
        "import sys; from quell.sdk.registry import find_connectors as f; assert 'otlp' in f().connectors; "
        "print([n for n in ('google.protobuf', 'quell_connectors.otlp.text') if n in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.strip() == "[]"
