"""What a metric measures, read from the words of its name: waiting, failing, load, a resource that runs out.

Words decide, not the names of one monitoring system: ``latency_p90``, ``http_request_duration_seconds`` and
``ResponseTime`` all say that somebody waits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["wait", "failure", "success", "load", "resource", "traffic", "other"]

_TOKEN = re.compile(r"[a-z]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PREFIXES: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("failure", ("error", "fail", "fault", "exception", "timeout", "retrans", "drop", "unavailable")),
    ("success", ("availability", "available", "success")),
    (
        "resource",
        ("cpu", "mem", "disk", "heap", "swap", "thread", "socket", "saturation", "utilization", "utilisation", "usage"),
    ),
    ("traffic", ("syscall", "byte", "packet", "read", "write", "network")),
    ("wait", ("latenc", "duration", "elapsed", "delay", "time")),
    ("load", ("req", "workload", "load", "throughput", "call", "hit", "invocation", "transaction", "count")),
    ("resource", ("conn", "queue", "pending", "backlog", "inflight", "lag", "goroutine", "pool", "throttl", "blkio")),
)
"""In order: the first kind one of whose words begins a word of the name."""
_PARTS = frozenset({
    "mem", "disk", "heap", "swap", "thread", "socket", "network", "net", "packet", "transmit", "receive", "tcp", "fs",
    "blkio", "cpu",
})  # fmt: skip
"""What fails at one of these is the machine's trouble, not a request (faults of memory pages, packets dropped)."""
_WHOLE: dict[str, Kind] = {
    "err": "failure", "errs": "failure", "xx": "failure", "net": "traffic", "rx": "traffic", "tx": "traffic",
    "gc": "resource", "fd": "resource", "fds": "resource", "fs": "resource", "io": "resource", "iops": "resource",
    "rt": "wait", "mrt": "wait", "rps": "load", "qps": "load", "tps": "load", "sr": "success", "rss": "resource",
    "wss": "resource",
}  # fmt: skip
_OUTGOING = frozenset({"client", "outbound", "egress", "outgoing"})
_DISKS = frozenset({"fs", "io", "iops"})
_TOTAL = frozenset({"total", "totals", "sum", "count", "counter", "cumulative"})
_SECONDS = {
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "usec", "micros", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), 1e-9),
}
_MEAN = frozenset({"average", "avg", "mean"})
_NEW = frozenset({"new", "canary", "candidate", "gray", "grey"})
_OLD = frozenset({"old", "stable", "baseline", "primary", "previous"})
NEWEST = 10**9
_VERSION = re.compile(r"\b(?:v(?:er|ersion)? (?P<number>\d{1,8})|" + "|".join(sorted(_NEW | _OLD)) + r")\b")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is measured. ``outgoing``: of calls to others. ``quantile``: 0 for a mean, else 50 to 99.

    ``total``: the name says that it may be a running total. ``seconds`` is what one unit of waiting is, 1 where the
    name does not say. ``holds``: memory, which a process has as long as it runs. ``works``: processors and disks,
    which do not get busier from waiting for others. ``version`` tells apart metrics of old and new code that runs side
    by side, by order; None where the name does not say. ``pair`` is the name without that word.
    """

    kind: Kind
    outgoing: bool = False
    quantile: int = 0
    version: int | None = None
    pair: str = ""
    total: bool = False
    seconds: float = 1.0
    holds: bool = False
    works: bool = False


@lru_cache(maxsize=4096)
def meaning(metric: str) -> Meaning:
    """The meaning of a metric's name."""
    tokens = _TOKEN.findall(_CAMEL.sub("_", metric).lower())
    quantiles = [int(token[:2]) for token in tokens if token.isdigit() and int(token[:2]) >= 50 and len(token) < 5]
    words = set(tokens)
    version = NEWEST if words & _NEW else 0 if words & _OLD else _numbered(tokens)
    return Meaning(
        kind=_kind(tokens),
        outgoing=bool(words & _OUTGOING),
        quantile=0 if words & _MEAN or not quantiles else quantiles[-1],
        version=version,
        pair="" if version is None else " ".join(_VERSION.sub("", " ".join(tokens)).split()),
        total=bool(words & _TOTAL),
        works=any(token.startswith(("cpu", "disk", "blkio", "load", "throttl")) or token in _DISKS for token in tokens),
        holds=any(token.startswith(("mem", "heap", "rss", "wss")) for token in tokens),
        seconds=next((_SECONDS[token] for token in tokens if token in _SECONDS), 1.0),
    )


def _numbered(tokens: list[str]) -> int | None:
    found = _VERSION.search(" ".join(tokens))
    return int(found["number"]) if found is not None and found["number"] else None


def _kind(tokens: list[str]) -> Kind:
    if tokens[-1:] == ["bucket"]:
        return "other"
    if "xx" in tokens[1:] and tokens[tokens.index("xx") - 1] in {"2", "3"}:
        return "load"
    for kind, beginnings in _PREFIXES:
        for token in tokens:
            if _WHOLE.get(token) == kind or token.startswith(beginnings):
                return _of_machine(kind, tokens)
    return "other"


def _of_machine(kind: Kind, tokens: list[str]) -> Kind:
    """What a name means that says it of a part of a machine, or of a count of what is waited for."""
    if kind == "failure" and any(token in _PARTS or token.startswith(("mem", "packet")) for token in tokens):
        return "resource"
    if kind == "wait" and tokens[-1] == "count":
        return "load"
    if kind == "load" and tokens[-1] in {"1", "5", "15"} and "load" in tokens:
        return "resource"
    return kind
