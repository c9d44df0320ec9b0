"""How fast OpenTelemetry's spans, points and lines are taken in: read and translated alone, and through the daemon.

    python benchmarks/otlp.py                 five minutes
    python benchmarks/otlp.py --quick         one minute
    python benchmarks/otlp.py --only alone

*Alone* is from the body of a request to records, in one process: processor time of the best of its rounds, and of the
others. *Published classes* is reading the same fields with opentelemetry-proto's own classes and translating nothing.
*Daemon* is `quell serve` on what `quell init` writes, with its detectors and one more that reads everything, a full
fsync before every 2xx; requests come over four connections, as fast as they are answered. A second is one of the
daemon's processor, over all its threads, until everything is decided over: so the figures are *per core*. The spans of
one trace stand in one request, as behind a collector (8,192 spans), or each service sends its own (512 spans).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from load.process import machine_busy_s
from load.servers import NotThere, Server, quell_made
from quell.sdk.connector import Context, Request
from quell.sdk.fakes import FakeHttp
from quell_connectors.otlp import Otlp

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
GOAL = {"spans": 50_000, "points": 100_000}
CONNECTIONS = 4
NANO = 1_000_000_000
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of one kind. ``items`` is how many spans, points or lines each has."""

    name: str
    unit: str
    path: str
    bodies: list[bytes]
    items: int
    encoding: str = PROTOBUF


# What is sent


def attribute(to: Any, **told: str | int) -> None:
    for name, value in told.items():
        pair = to.add(key=name.replace("__", "."))
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value


def resource(to: Any, service: int) -> None:
    attribute(
        to.resource.attributes, service__name=f"svc-{service}", service__namespace="shop", service__version="1.2.3",
        service__instance__id=f"svc-{service}-7f9", telemetry__sdk__name="opentelemetry",
        telemetry__sdk__language="python", telemetry__sdk__version="1.45.2", deployment__environment__name="prod",
        k8s__pod__name=f"svc-{service}-7f9-x2", k8s__node__name=f"node-{service % 3}",
    )  # fmt: skip


def traces(spans: int, services: Sequence[int], at: int, dice: random.Random) -> bytes:
    """Traces through eight services in a row, a database at the end; of those services that are sent."""
    request = ExportTraceServiceRequest()
    scopes: dict[int, Any] = {}
    for service in services:
        told = request.resource_spans.add()
        resource(told, service)
        scopes[service] = told.scope_spans.add().spans
    left = spans
    while left > 0:
        trace, ids = dice.randbytes(16), [dice.randbytes(8) for _ in range(17)]
        for depth in range(16):
            service = depth // 2
            if service not in scopes or left <= 0:
                continue
            left -= 1
            end = at + dice.randrange(NANO)
            span = scopes[service].add(
                trace_id=trace, span_id=ids[depth + 1], parent_span_id=ids[depth] if depth else b"",
                start_time_unix_nano=end - dice.randrange(10**8), end_time_unix_nano=end,
            )  # fmt: skip
            route = f"/api/r{dice.randrange(5)}"
            if depth == 15:
                span.kind, span.name = 3, "SELECT orders"
                attribute(
                    span.attributes, db__system__name="postgresql", db__namespace="shop", db__operation__name="SELECT",
                    db__query__text="SELECT * FROM orders WHERE id = ?", server__address="pg.shop.svc",
                )  # fmt: skip
            elif depth % 2:
                span.kind, span.name = 3, "GET"
                attribute(
                    span.attributes, http__request__method="GET", server__address=f"svc-{service + 1}", server__port=80,
                    url__full=f"http://svc-{service + 1}{route}/{dice.randrange(10**6)}",
                )  # fmt: skip
            else:
                span.kind, span.name = 2, f"GET {route}"
                attribute(
                    span.attributes, http__request__method="GET", http__route=route, url__scheme="http",
                    url__path=f"{route}/{dice.randrange(10**6)}", http__response__status_code=200,
                    user_agent__original="python-requests/2", client__address="10.0.0.7",
                )  # fmt: skip
            if dice.random() < 0.01:
                span.status.code, span.status.message = 2, "timed out"
    return bytes(request.SerializeToString())


def points(services: Sequence[int], at: int, dice: random.Random, totals: int = 0) -> tuple[bytes, int]:
    """What processes tell of themselves: what they counted since they told last, or ``totals`` since they began."""
    request = ExportMetricsServiceRequest()
    count = sum(_of_one(request.resource_metrics.add(), service, at, dice, totals) for service in services)
    return bytes(request.SerializeToString()), count


def as_json(body: bytes) -> bytes:
    """The same points in JSON."""
    return json.dumps(MessageToDict(ExportMetricsServiceRequest.FromString(body)), separators=(",", ":")).encode()


def _of_one(told: Any, service: int, at: int, dice: random.Random, totals: int) -> int:
    """Gauges, and counters and histograms by route."""
    resource(told, service)
    metrics = told.scope_metrics.add().metrics
    count = 0

    def by_route(data: Any) -> Iterator[Any]:
        data.aggregation_temporality = 2 if totals else 1
        for number in range(20):
            point = data.data_points.add(time_unix_nano=at, start_time_unix_nano=totals or at - 10 * NANO)
            attribute(
                point.attributes,
                http__route=f"/r{number}",
                http__request__method="GET",
                http__response__status_code=200,
            )
            yield point

    for number in range(20):
        metrics.add(name=f"app.gauge.{number}", unit="1").gauge.data_points.add(
            time_unix_nano=at, as_double=dice.random()
        )
        count += 1
    for number in range(10):
        metric = metrics.add(name=f"app.requests.{number}", unit="{request}")
        metric.sum.is_monotonic = True
        for point in by_route(metric.sum):
            point.as_int = dice.randrange(1000)
            count += 1
    for number in range(3):
        for point in by_route(metrics.add(name=f"app.duration.{number}", unit="s").histogram):
            counts = [dice.randrange(20) for _ in range(len(_BOUNDS) + 1)]
            point.explicit_bounds.extend(_BOUNDS)
            point.bucket_counts.extend(counts)
            point.count, point.sum = sum(counts), sum(counts) * 0.1
            count += 1
    return count


def lines(count: int, at: int, dice: random.Random) -> bytes:
    """Lines of thirty statements, each with numbers that differ."""
    request = ExportLogsServiceRequest()
    told = request.resource_logs.add()
    resource(told, 1)
    records = told.scope_logs.add().log_records
    words = ("order", "user", "payment", "cart", "retry", "cache")
    for _ in range(count):
        record = records.add(time_unix_nano=at + dice.randrange(NANO), severity_number=dice.choice((9, 9, 9, 13, 17)))
        record.body.string_value = (
            f"{dice.choice(words)} {dice.randrange(10**6)} took {dice.random():.3f} ms at 10.0.0.{dice.randrange(250)}"
        )
    return bytes(request.SerializeToString())


def loads(requests: int, begin: float, dice: random.Random) -> list[Load]:
    """All of them; later requests tell of later times, as they do."""
    times = [int((begin - 1800 + 1700 * number / requests) * NANO) for number in range(requests)]
    measured = [points((number % 8,), at, dice) for number, at in enumerate(times)]
    running = [points((number % 8,), at, dice, times[0] - NANO) for number, at in enumerate(times)]
    gathered = [points(range(8), at, dice) for at in times]
    few = max(requests // 8, 1)
    return [
        Load("spans by a collector", "spans", "/v1/traces",
             [traces(8192, range(8), at, dice) for at in times[:: max(requests // few, 1)]], 8192),
        Load("spans by SDKs", "spans", "/v1/traces",
             [traces(512, (number % 8,), at, dice) for number, at in enumerate(times)], 512),
        Load("points by a collector", "points", "/v1/metrics", [body for body, _ in gathered], gathered[0][1]),
        Load("points by SDKs", "points", "/v1/metrics", [body for body, _ in measured], measured[0][1]),
        Load("totals by SDKs", "points", "/v1/metrics", [body for body, _ in running], running[0][1]),
        Load("points by SDKs, JSON", "points", "/v1/metrics", [as_json(body) for body, _ in measured], measured[0][1],
             JSON),
        Load("lines", "lines", "/v1/logs", [lines(512, at, dice) for at in times], 512),
    ]  # fmt: skip


# Alone


def published(body: bytes) -> int:
    """Reads the fields of spans that are needed with the published classes."""
    seen = 0
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource_spans.scope_spans:
            for span in scope.spans:
                told = {pair.key: pair.value.string_value for pair in span.attributes}
                _ = (span.trace_id, span.span_id, span.parent_span_id, span.name, span.kind, span.status.code, told)
                _ = (span.start_time_unix_nano, span.end_time_unix_nano)
                seen += 1
    return seen


def alone(load: Load, now: float, rounds: int) -> list[float]:
    """Items a second of processor time, by round."""
    receiver = Otlp({}, Context("otel", FakeHttp()))
    requests = [Request("POST", load.path, body, {"content-type": load.encoding}) for body in load.bodies[:40]]

    def all_of_them() -> None:
        for request in requests:
            assert receiver.receive(request, now).reply.status == 200

    return paced(all_of_them, load.items * len(requests), rounds)


def paced(work: Callable[[], None], items: int, rounds: int) -> list[float]:
    found = []
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        work()
        found.append(items / (time.process_time() - began))
    return found


# Through the daemon

_SOURCES = "\nsources:\n  otel: {use: otlp}\n"
_DETECT = """\
detect:
  - name: EverythingIsRead
    metric: "*"
    when: {threshold: {above: 1e12}}
"""


def through(load: Load, say: Callable[[str], None]) -> tuple[float, float, float]:
    """Items for a second of the daemon's processor, items for a second of the clock, MiB at its peak."""
    with quell_made(1) as made:
        config = made.folder / "quell.yaml"
        config.write_text(config.read_text().replace("\nsources:\n", _SOURCES, 1))
        (made.folder / "rules" / "everything.yaml").write_text(_DETECT)
        with made.running() as server:
            before, began = server.used(), time.monotonic()
            posted(server, load)
            while server.metric(server.waiting):
                time.sleep(0.02)
            after, ended = server.used(), time.monotonic()
    items = load.items * len(load.bodies)
    say(f"  {load.name}: {items:,} in {ended - began:.1f} s, {after.cpu_s - before.cpu_s:.1f} s of processor")
    return items / (after.cpu_s - before.cpu_s), items / (ended - began), after.peak_mib


def posted(server: Server, load: Load) -> None:
    """Sends everything, in order on each connection; what is refused for being too much is sent again."""

    def line(bodies: list[bytes]) -> None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
        for body in bodies:
            while True:
                connection.request("POST", load.path, body, {"content-type": load.encoding, **server.headers})
                answer = connection.getresponse()
                told = answer.read()
                if answer.status == 200 and told in {b"", b"{}"}:
                    break
                if answer.status != 503:
                    raise NotThere(f"answered {answer.status}: {told[:300]!r}")
                time.sleep(0.01)
        connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(line, load.bodies[number::CONNECTIONS]) for number in range(CONNECTIONS)]:
            done.result()


def shown(values: Sequence[float]) -> str:
    return f"{median(values):>9,.0f} [{min(values):,.0f}-{max(values):,.0f}]"


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":")[1].strip()
            break
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} processors ({model}), {system}"


def main() -> None:
    """Prints tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer requests and rounds")
    parser.add_argument("--only", choices=("alone", "daemon"))
    parser.add_argument("--load", default="", help="only loads with this in their name")
    given = parser.parse_args()
    requests, rounds = (96, 3) if given.quick else (320, 5)
    now = time.time()
    made = [load for load in loads(requests, now, random.Random(7)) if given.load in load.name]
    print(machine(), flush=True)
    busy, clock = machine_busy_s(), time.monotonic()
    if given.only != "daemon":
        print("\nalone: items for a second of processor, median [least-most]")
        for load in made:
            print(f"  {load.name:24s} {shown(alone(load, now, rounds))}", flush=True)
            if load.path == "/v1/traces":
                bodies = load.bodies[:10]
                read = paced(
                    lambda bodies=bodies: [published(body) for body in bodies], load.items * len(bodies), rounds
                )
                print(f"  {'  published classes':24s} {shown(read)}", flush=True)
    if given.only != "alone":
        print("\ndaemon: items per core, items for a second of the clock, MiB at the peak")
        for load in made:
            told = [through(load, lambda text: print(text, file=sys.stderr)) for _ in range(rounds)]
            per_core, clocked, peak = zip(*told, strict=True)
            goal = GOAL.get(load.unit)
            met = "" if goal is None else "  goal met" if median(per_core) >= goal else f"  below the goal of {goal:,}"
            print(f"  {load.name:24s} {shown(per_core)}  {shown(clocked)}  {max(peak):6.0f}{met}", flush=True)
    others = (machine_busy_s() - busy) / (time.monotonic() - clock)
    print(f"\n{others:.1f} processors were busy on average, these measurements included", flush=True)


if __name__ == "__main__":
    main()
