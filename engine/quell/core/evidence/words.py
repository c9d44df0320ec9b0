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
    ("resource", ("cpu", "mem", "disk", "heap", "swap", "thread", "socket", "saturation", "utilization", "usage")),
    ("traffic", ("syscall", "byte", "packet", "read", "write", "network")),
    ("wait", ("latenc", "duration", "elapsed", "delay", "time")),
    ("load", ("request", "workload", "load", "throughput", "call", "hit", "invocation", "count")),
)
"""In order: the first kind one of whose words begins a word of the name."""
_WHOLE: dict[str, Kind] = {
    "err": "failure", "errs": "failure", "xx": "failure", "net": "traffic", "rx": "traffic", "tx": "traffic",
    "gc": "resource", "fd": "resource", "fds": "resource", "fs": "resource", "io": "resource", "iops": "resource",
    "rt": "wait", "rps": "load", "qps": "load", "tps": "load",
}  # fmt: skip
_OUTGOING = frozenset({"client", "outbound", "egress", "outgoing"})
_MEAN = frozenset({"average", "avg", "mean"})
_NEW = frozenset({"new", "canary", "candidate", "gray", "grey"})
_OLD = frozenset({"old", "stable", "baseline", "primary", "previous"})
NEWEST = 10**9
_VERSION = re.compile(r"\b(?:v(?:er|ersion)? (?P<number>\d{1,8})|" + "|".join(sorted(_NEW | _OLD)) + r")\b")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is measured. ``outgoing``: of calls to others. ``quantile``: 0 for a mean, else 50 to 99.

    ``version`` tells apart metrics of old and new code that runs side by side, by order; None where the name does not
    say. ``pair`` is the name without that word.
    """

    kind: Kind
    outgoing: bool = False
    quantile: int = 0
    version: int | None = None
    pair: str = ""


@lru_cache(maxsize=4096)
def meaning(metric: str) -> Meaning:
    """The meaning of a metric's name."""
    tokens = _TOKEN.findall(_CAMEL.sub("_", metric).lower())
    quantiles = [int(token) for token in tokens if token.isdigit() and 50 <= int(token) <= 99]
    words = set(tokens)
    version = NEWEST if words & _NEW else 0 if words & _OLD else _numbered(tokens)
    return Meaning(
        kind=_kind(tokens),
        outgoing=bool(words & _OUTGOING),
        quantile=0 if words & _MEAN or not quantiles else quantiles[-1],
        version=version,
        pair="" if version is None else " ".join(_VERSION.sub("", " ".join(tokens)).split()),
    )


def _numbered(tokens: list[str]) -> int | None:
    found = _VERSION.search(" ".join(tokens))
    return int(found["number"]) if found is not None and found["number"] else None


def _kind(tokens: list[str]) -> Kind:
    for kind, beginnings in _PREFIXES:
        for token in tokens:
            if _WHOLE.get(token) == kind or token.startswith(beginnings):
                return kind
    return "other"
