"""How made-up failures are observed: names and units of metrics, sampling, what is told at all, and how wrongly.

A `Shape` is one way in which monitoring differs from estate to estate. The dialects follow the documented names of the
systems they stand for (cAdvisor and Istio as Prometheus scrapes them, CloudWatch, Micrometer, the columns of published
benchmarks of root causes); no value of any data set is in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["gauge", "counter"]


@dataclass(frozen=True)
class Told:
    """One metric: which quantity, under which name, times which factor, as a gauge or as a running total."""

    what: str
    name: str
    times: float = 1.0
    how: How = "gauge"


def _told(*rows: tuple[str, str] | tuple[str, str, float] | tuple[str, str, float, How]) -> tuple[Told, ...]:
    return tuple(Told(*row) for row in rows)


DIALECTS: dict[str, tuple[Told, ...]] = {
    "short": _told(
        ("cpu", "cpu", 100.0), ("memory", "mem"), ("p50", "latency-50"), ("p90", "latency-90"),
        ("errors", "error"), ("load", "workload"),
    ),
    "wider": _told(
        ("cpu", "cpu", 100.0), ("memory", "mem"), ("disk", "diskio"), ("sockets", "socket"), ("p50", "latency-50"),
        ("p90", "latency-90"), ("errors", "error"), ("load", "workload"),
    ),
    "one latency": _told(
        ("cpu", "cpu"), ("memory", "mem"), ("p90", "latency"), ("errors", "error"), ("load", "load"),
    ),
    "resources": _told(
        ("cpu", "cpu_usage", 100.0), ("memory", "memory_usage"), ("disk", "disk_io"), ("network", "net_rx"),
        ("network", "net_tx", 0.8), ("sockets", "sockets"),
    ),
    "two resources": _told(
        ("cpu", "cpu_usage_system", 60.0), ("cpu", "cpu_usage_total", 100.0), ("memory", "memory_working_set"),
        ("network", "rx_bytes"),
    ),
    "golden": _told(
        ("mean", "latency_avg", 1000.0), ("p90", "latency_p90", 1000.0), ("rate", "error_rate"), ("load", "rps"),
    ),
    "latency": _told(("mean", "response_time", 1000.0)),
    "no load": _told(
        ("cpu", "cpu"), ("memory", "memory"), ("p50", "latency_p50", 1000.0), ("p99", "latency_p99", 1000.0),
        ("rate", "error_rate"),
    ),
    "cadvisor": _told(
        ("cpu", "container-cpu-usage-seconds-total", 100.0), ("cpu", "container-cpu-user-seconds-total", 70.0),
        ("cpu", "container-cpu-system-seconds-total", 30.0), ("memory", "container-memory-working-set-bytes"),
        ("memory", "container-memory-usage-bytes", 1.1), ("memory", "container-memory-rss", 0.9),
        ("faults", "container-memory-failures-total"), ("cores", "container-spec-cpu-quota", 1e5),
        ("disk", "container-fs-writes-bytes-total"), ("sockets", "container-sockets"), ("threads", "container-threads"),
        ("network", "container-network-receive-bytes-total"), ("packets", "container-network-transmit-packets-total"),
        ("drops", "container-network-transmit-packets-dropped-total"), ("load", "istio-request-total"),
        ("errors", "istio-error-total"), ("p50", "istio-latency-50"), ("p90", "istio-latency-90"),
        ("p95", "istio-latency-95"), ("p99", "istio-latency-99"),
    ),
    "counters": _told(
        ("cpu", "container_cpu_usage_seconds_total", 1.0, "counter"), ("memory", "container_memory_working_set_bytes"),
        ("disk", "container_fs_writes_bytes_total", 1.0, "counter"), ("load", "http_requests_total", 1.0, "counter"),
        ("errors", "http_requests_failed_total", 1.0, "counter"),
        ("busy", "http_request_duration_seconds_sum", 1.0, "counter"),
        ("load", "http_request_duration_seconds_count", 1.0, "counter"),
        ("network", "container_network_receive_bytes_total", 1.0, "counter"), ("sockets", "process_open_fds"),
    ),
    "istio": _told(
        ("load", "istio_requests_total"), ("busy", "istio_request_duration_milliseconds_sum", 1000.0),
        ("load", "istio_request_duration_milliseconds_count"), ("errors", "istio_requests_total_5xx"),
        ("cpu", "container_cpu_usage"), ("memory", "container_memory_usage_bytes"),
    ),
    "challenge": _told(
        ("mean", "mrt", 1000.0), ("success", "sr", 100.0), ("answers", "rr", 100.0), ("load", "count"),
        ("cpu", "container_cpu_usage_seconds"), ("memory", "container_memory_usage_MB", 1e-6),
        ("disk", "container_fs_writes_MB", 1e-6), ("threads", "container_threads"),
    ),
    "cloud": _told(
        ("mean", "latency_Average"), ("p50", "latency_p50"), ("p90", "latency_p90"), ("p95", "latency_p95"),
        ("p99", "latency_p99"), ("success", "availability_Average", 100.0), ("sum", "requests_Sum"),
    ),
    "otel": _told(
        ("mean", "http.server.duration", 1000.0), ("rate", "http.server.error.ratio"),
        ("load", "http.server.request.rate"), ("cpu", "process.cpu.utilization"), ("memory", "process.memory.usage"),
        ("threads", "jvm.threads.count"), ("out", "http.client.duration", 1000.0),
    ),
    "odd": _told(
        ("mean", "ResponseTimeUs", 1e6), ("errors", "5xx"), ("load", "reqPerSec"), ("cpu", "cpuMillicores", 1000.0),
        ("memory", "rssKB", 1e-3), ("sockets", "openConnections"),
    ),
    "mute": _told(("cpu", "m17", 100.0), ("memory", "m18"), ("mean", "m3", 1000.0), ("load", "m4"), ("errors", "m5")),
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """One way of observing.

    ``step_s`` between samples, ``before`` and ``after`` the number of samples around the onset, ``apart`` whether the
    fault-free reference is of another day, ``window_s`` what rates and latencies are averaged over. ``graph``: "right",
    "none", "wrong" (a fifth of the edges missing, a tenth too many). ``late_s``: the start handed out is wrong by up
    to this. ``callers``: latencies are as callers see them. ``alert``: "entry", "near" or "nowhere".
    """

    name: str
    dialect: str = "short"
    step_s: float = 15.0
    before: int = 80
    after: int = 20
    apart: bool = False
    window_s: float = 0.0
    graph: Literal["right", "none", "wrong"] = "right"
    holes: float = 0.0
    still: float = 0.0
    late_s: float = 0.0
    callers: bool = True
    alert: Literal["entry", "near", "nowhere"] = "entry"
    speaks: bool = True
    traces: bool = False
    logs: bool = False
    changes: bool = False
    versions: bool = False
    pods: bool = False
    mixed_units: bool = False
    sizes: tuple[int, int] = (8, 60)
    faults: tuple[str, ...] = ("cpu", "mem", "disk", "delay", "loss", "error", "crash", "socket")


_SHOWN = ("cpu", "delay", "loss", "error", "crash")
_CALLED = ("cpu", "delay", "loss", "error", "code")
_BODIES = ("cpu", "mem", "disk", "socket", "crash")
SHAPES = (
    Shape("short 1s, no graph", step_s=1, before=600, after=600, window_s=30, graph="none", sizes=(8, 40)),
    Shape("short 1s", step_s=1, before=600, after=600, window_s=30, sizes=(8, 40)),
    Shape("wider 1s, no graph", "wider", step_s=1, before=600, after=300, window_s=60, graph="none", sizes=(8, 30)),
    Shape("one latency 1s", "one latency", step_s=1, before=1200, after=2400, window_s=30, graph="none", sizes=(8, 20)),
    Shape("cadvisor, no graph", "cadvisor", step_s=5, before=160, after=120, window_s=60, graph="none", sizes=(8, 30)),
    Shape("cadvisor", "cadvisor", step_s=5, before=160, after=120, window_s=60, sizes=(8, 30)),
    Shape("resources, no graph", "resources", graph="none", faults=_BODIES),
    Shape("resources", "resources", faults=_BODIES),
    Shape(
        "two resources", "two resources", step_s=1, before=300, after=120, traces=True, logs=True, sizes=(8, 28),
        faults=("cpu", "mem", "crash", "delay", "loss"),
    ),
    Shape("golden", "golden", step_s=60, before=60, after=10, faults=_SHOWN),
    Shape("golden, server side", "golden", step_s=60, before=60, after=10, faults=_SHOWN, callers=False),
    Shape("golden, no graph", "golden", step_s=60, before=60, after=10, graph="none", faults=_SHOWN),
    Shape("latency only", "latency", step_s=30, before=60, after=20, faults=("cpu", "disk", "delay", "loss")),
    Shape("no loads", "no load", step_s=30, before=60, after=20),
    Shape("no loads, no graph", "no load", step_s=30, before=60, after=20, graph="none"),
    Shape("counters", "counters", step_s=15, before=120, after=30),
    Shape("istio sums", "istio", step_s=15, before=120, after=30, callers=False),
    Shape("challenge", "challenge", step_s=60, before=90, after=10),
    Shape("cloud 5min", "cloud", step_s=300, before=580, after=3, apart=True, faults=_SHOWN),
    Shape("cloud 5min, long", "cloud", step_s=300, before=580, after=12, faults=_SHOWN),
    Shape("otel", "otel", step_s=60, before=60, after=8, callers=False),
    Shape("odd names", "odd", step_s=30, before=60, after=15),
    Shape("names that say nothing", "mute", step_s=15),
    Shape("mixed units", "short", mixed_units=True),
    Shape("wrong edges", "wider", graph="wrong"),
    Shape("holes", "wider", holes=0.3, still=0.2),
    Shape("short normal", "wider", before=12, after=12),
    Shape("onset 2min off", "wider", late_s=120),
    Shape("onset 2min off, 1s", "short", step_s=1, before=600, after=600, late_s=120, window_s=30, sizes=(8, 30)),
    Shape("alert near", "short", alert="near"),
    Shape("alert nowhere", "short", alert="nowhere"),
    Shape("alert says nothing", "short", speaks=False, graph="none"),
    Shape("traces and logs", "wider", step_s=60, before=30, after=4, traces=True, logs=True, faults=(*_SHOWN, "code")),
    Shape("traces only", "mute", step_s=60, before=30, after=4, traces=True, faults=_CALLED),
    Shape("logs", "two resources", step_s=60, before=30, after=5, logs=True, faults=("code", "error", "crash", "cpu")),
    Shape("changes", "golden", step_s=60, before=60, after=10, changes=True, faults=("error", "code", "cpu")),
    Shape(
        "two versions", "golden", step_s=60, before=60, after=10, changes=True, versions=True,
        faults=("error", "cpu", "code"),
    ),
    Shape("pods and hosts", "short", step_s=15, pods=True, faults=("cpu", "mem", "disk", "crash"), sizes=(8, 25)),
    Shape("large", "short", step_s=15, before=60, after=16, sizes=(100, 200)),
)  # fmt: skip
