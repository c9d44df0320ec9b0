"""The endpoint ``fraud-api``: scores transactions with the version of the model that ``champion`` names.

``POST /score`` takes transactions (a JSON list) and answers for each whether it is approved; ``GET /version`` says
which version serves. It asks MLflow once a second where the alias points, and loads what it finds there.
OpenTelemetry's SDK tells quell of each request (spans), of what it decided (metrics), and of the features it saw
(exponential histograms, which are distributions).

Run by the demo in the Python that has MLflow: ``python endpoint.py PORT MLFLOW QUELL``.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import mlflow
import pandas as pd
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from rows import FEATURES

MODEL, ALIAS = "fraud", "champion"
TOO_RISKY = 0.12
LOOK_EVERY_S = 1.0
EXPORT_EVERY_MS = 2000


class Served:
    """The model that is loaded, and its version."""

    def __init__(self, mlflow_url: str) -> None:
        mlflow.set_tracking_uri(mlflow_url)
        self._client = mlflow.MlflowClient()
        self.loaded: tuple[str, Any] = ("", None)
        while not self.loaded[0]:  # until the model is registered
            self._try_to_look()
            time.sleep(0.2)

    def look(self) -> None:
        """Loads what the alias points to, when that is another version than before."""
        version = str(self._client.get_model_version_by_alias(MODEL, ALIAS).version)
        if version != self.loaded[0]:
            self.loaded = version, mlflow.sklearn.load_model(f"models:/{MODEL}/{version}")
            print(f"serves version {version}", flush=True)

    def follow(self) -> None:
        """Looks again and again; what serves goes on serving while MLflow cannot be asked."""
        while True:
            time.sleep(LOOK_EVERY_S)
            self._try_to_look()

    def _try_to_look(self) -> None:
        try:
            self.look()
        except (mlflow.exceptions.MlflowException, OSError) as error:
            print(f"version {self.loaded[0] or 'none'} stays: {error}", flush=True)


class Telemetry:
    """What goes to quell by OTLP."""

    def __init__(self, quell: str) -> None:
        of_endpoint = Resource.create({"service.name": "fraud-api", "service.version": "1.0.0"})
        spans = TracerProvider(resource=of_endpoint)
        exporter = OTLPSpanExporter(endpoint=f"{quell}/v1/traces")
        spans.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self.tracer = spans.get_tracer("fraud-api")
        own = _meter(of_endpoint, f"{quell}/v1/metrics")
        self.scores = own.create_counter("scores", description="transactions that were judged")
        of_features = _meter(Resource.create({"service.name": "payments"}), f"{quell}/in/features/v1/metrics")
        self.features = {name: of_features.create_histogram(name) for name in FEATURES}


def _meter(resource: Resource, endpoint: str) -> Any:
    exporter = OTLPMetricExporter(
        endpoint=endpoint,
        preferred_temporality={Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA},
        preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()},
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=EXPORT_EVERY_MS)
    return MeterProvider(metric_readers=[reader], resource=resource).get_meter("fraud-api")


class Endpoint(ThreadingHTTPServer):
    """Answers on loopback."""

    daemon_threads = True

    def __init__(self, port: int, served: Served, telemetry: Telemetry) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.served = served
        self.telemetry = telemetry

    def score(self, asked: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Judges transactions, and tells of it."""
        version, model = self.served.loaded
        with self.telemetry.tracer.start_as_current_span("POST /score", kind=SpanKind.SERVER) as span:
            span.set_attributes({"http.request.method": "POST", "http.route": "/score", "model.version": version})
            risks = model.predict_proba(pd.DataFrame(asked, columns=list(FEATURES)))[:, 1]
        for row, risk in zip(asked, risks, strict=True):
            self.telemetry.scores.add(1, {"outcome": "declined" if risk >= TOO_RISKY else "approved"})
            for name, histogram in self.telemetry.features.items():
                histogram.record(float(row[name]))
        return [{"approved": bool(risk < TOO_RISKY), "version": version} for risk in risks]


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/version":
            self._answer(200, {"model": MODEL, "alias": ALIAS, "version": self.server.served.loaded[0]})
        else:
            self._answer(404, {"error": f"no such place: {self.path}"})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/score":
            self._answer(404, {"error": f"no such place: {self.path}"})
            return
        try:
            answer = self.server.score(json.loads(raw))
        except (ValueError, KeyError, TypeError) as error:
            self._answer(400, {"error": str(error)})
            return
        self._answer(200, answer)

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name
        """Says nothing of single requests."""


def main() -> None:
    """Serves until it is ended."""
    port, mlflow_url, quell = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    served = Served(mlflow_url)
    threading.Thread(target=served.follow, daemon=True).start()
    with Endpoint(port, served, Telemetry(quell)) as endpoint:
        endpoint.serve_forever(0.1)


if __name__ == "__main__":
    main()
