"""What KServe, Knative, MLServer and Seldon tell of themselves, over a real Prometheus, to samples and an alert.

The servers are told by their own names, types and labels, as in the code of kserve 0.21, mlserver 1.7.1 with its Alibi
Detect runtime, Knative before and since 1.19, and Seldon Core 1 and 2; the official client exposes them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, start_http_server

from connectors.deliveries import built
from connectors.real_prometheus import real_prometheus
from ports import free_port
from quell.core.engine import Engine
from quell.model.detect import DetectRule, Threshold
from quell.model.records import SampleRecord
from quell.model.rulebook import Rulebook
from quell.sdk.http_client import GuardedHttp
from quell.sdk.testkit import run
from quell_connectors.prometheus import Prometheus

KNATIVE_BEFORE = ["configuration_name", "response_code_class"]
KNATIVE_NOW = ["kn_configuration_name", "http_response_status_code"]
SELDON_2 = ["server", "server_replica", "model", "model_internal", "method_type", "code"]


class Servers:
    """Their metrics; ``busy`` is one round of requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, labels: list[str]) -> Counter:
            return Counter(name, "told", labels, registry=registry)

        def histogram(name: str, labels: list[str]) -> Histogram:
            return Histogram(name, "told", labels, registry=registry)

        self.predict = histogram("request_predict_seconds", ["model_name"])
        # Go's clients end no counter on "_total" by themselves; Python's does, but for gauges.
        self.revision = Gauge("revision_request_count", "told", KNATIVE_BEFORE, registry=registry)
        self.latencies = histogram("revision_request_latencies", KNATIVE_BEFORE)
        self.invocations = histogram("kn_serving_invocation_duration_seconds", [*KNATIVE_NOW, "service"])
        self.well = counter("model_infer_request_success", ["model", "version"])
        self.failed = counter("model_infer_request_failure", ["model", "version"])
        self.took = Summary("model_infer_request_duration", "told", ["model", "version"], registry=registry)
        self.drift = histogram("seldon_model_drift", ["model_name", "model_version"])
        self.infer = counter("seldon_model_infer", SELDON_2)
        self.infer_seconds = counter("seldon_model_infer_seconds", SELDON_2)
        self.pipeline = counter("seldon_pipeline_infer", ["server", "pipeline", "method_type", "code"])
        self.executor = histogram("seldon_api_executor_server_requests_seconds", ["deployment_name", "code"])

    def busy(self) -> None:
        self.predict.labels("fraud").observe(0.2)
        for code in ("2xx", "2xx", "2xx", "5xx"):
            self.revision.labels("fraud-predictor", code).inc()
            self.latencies.labels("fraud-predictor", code).observe(4)
        for code in ("200", "500"):
            self.invocations.labels("churn-predictor", code, "").observe(0.3)
        self.invocations.labels("", "200", "score-predictor-00002-private").observe(0.3)
        self.well.labels("iris", "1").inc()
        self.took.labels("iris", "1").observe(0.5)
        self.drift.labels("iris", "1").observe(1)
        for code in ("OK", "200", "200", "Unavailable"):
            labels = ("mlserver", "0", "income", "income_1", "grpc", code)
            self.infer.labels(*labels).inc()
            self.infer_seconds.labels(*labels).inc(0.25)
        self.pipeline.labels("pipelinegateway", "chain", "rest", "200").inc()
        for code in ("200", "503"):
            self.executor.labels("old", code).observe(0.1)


@contextmanager
def busy_servers() -> Iterator[str]:
    """Their address, while they are asked all the time."""
    registry = CollectorRegistry()
    servers, port, over = Servers(registry), free_port(), threading.Event()
    server, thread = start_http_server(port, "127.0.0.1", registry)

    def work() -> None:
        while not over.wait(0.05):
            servers.busy()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        over.set()
        worker.join(10)
        server.shutdown()
        server.server_close()
        thread.join(10)


def near(value: float) -> Callable[[float], bool]:
    return lambda told: told == pytest.approx(value, abs=0.06)


EXPECTED: dict[tuple[str, str], Callable[[float], bool]] = {
    ("model/fraud", "predict_requests_per_s"): lambda told: told > 0,
    ("model/fraud", "predict_p95_s"): lambda told: 0.1 < told <= 0.25,
    ("endpoint/fraud-predictor", "error_share"): near(0.25),
    ("endpoint/fraud-predictor", "request_p95_s"): lambda told: 0.001 < told <= 0.005,
    ("endpoint/churn-predictor", "error_share"): near(0.5),
    ("endpoint/churn-predictor", "request_p95_s"): lambda told: 0.25 < told <= 0.5,
    ("endpoint/score-predictor", "error_share"): near(0.0),
    ("endpoint/score-predictor", "request_p95_s"): lambda told: 0.25 < told <= 0.5,
    ("model/iris", "infer_requests_per_s"): lambda told: told > 0,
    ("model/iris", "infer_error_share"): near(0.0),
    ("model/iris", "infer_mean_s"): near(0.5),
    ("model/iris", "drift"): near(1.0),
    ("model/income", "infer_requests_per_s"): lambda told: told > 0,
    ("model/income", "infer_error_share"): near(0.25),
    ("model/income", "infer_mean_s"): near(0.25),
    ("endpoint/chain", "pipeline_requests_per_s"): lambda told: told > 0,
    ("endpoint/chain", "pipeline_error_share"): near(0.0),
    ("endpoint/old", "executor_requests_per_s"): lambda told: told > 0,
    ("endpoint/old", "executor_error_share"): near(0.5),
}


@pytest.mark.long
@pytest.mark.needs("prometheus")
def test_model_servers_are_pulled_by_their_own_names(tmp_path: Path) -> None:
    async def pulled(url: str) -> list[SampleRecord]:
        http = GuardedHttp(["loopback"])
        try:
            source = built(Prometheus, http, url=url, presets=["kserve", "seldon"], alerts=False)
            records = (await source.pull(None, time.time())).records
        finally:
            await http.close()
        assert all(isinstance(one, SampleRecord) for one in records), records
        return [one for one in records if isinstance(one, SampleRecord)]

    with busy_servers() as address, real_prometheus(tmp_path, {"servers": address}) as real:
        until, found = time.monotonic() + 60, {}
        while time.monotonic() < until:
            records = run(pulled(real.url))
            found = {(one.entity, one.metric): one.value for one in records}
            if found.keys() == EXPECTED.keys() and all(right(found[key] or 0.0) for key, right in EXPECTED.items()):
                break
            time.sleep(0.5)
        assert found.keys() == EXPECTED.keys()
        assert {key: found[key] for key, right in EXPECTED.items() if not right(found[key] or 0.0)} == {}
    rules = (
        DetectRule(name="ModelFails", metric="*error_share", when=Threshold(above=0.2)),
        DetectRule(name="Drifts", metric="drift", when=Threshold(above=0.5)),
    )
    engine, now = Engine(Rulebook(detect=rules)), max(one.at for one in records)
    engine.decide(records, now)
    engine.decide([], now + 61)
    assert {(one.labels["alertname"], one.entity) for one in engine.state.alerts.values()} == {
        ("ModelFails", "endpoint/fraud-predictor"), ("ModelFails", "endpoint/churn-predictor"),
        ("ModelFails", "model/income"), ("ModelFails", "endpoint/old"), ("Drifts", "model/iris"),
    }  # fmt: skip
