"""Alerts made up for measuring: always the same for the same numbers, about 0.6 kB of JSON each.

Alert ``i`` has one of 50 names, 10 clusters and 20 services and an instance of its own, so that it is unlike every
other. A tenth is critical, three tenths are warnings, the rest informs. A repeat differs in ``endsAt`` alone, as when
Prometheus says again that an alert still fires.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

SEVERITIES = ("critical", *("warning",) * 3, *("info",) * 6)
MARKER = "marker-"
"""Begins the service of an alert that is looked for among the incidents."""
_HOSTS, _SERVICES, _SYSTEM, _SHARED = 1_000, 9_000, 30, 100
_SPREAD_S = 6 * 3600


@dataclass(frozen=True, slots=True)
class Batch:
    """One request's body, and how many alerts it holds."""

    body: bytes
    alerts: int


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def labels(number: int) -> dict[str, str]:
    """Of the alert with that number."""
    return {
        "alertname": f"Alert{number % 50:02d}",
        "cluster": f"cluster-{number // 50 % 10}",
        "service": f"svc-{number // 7 % 20}",
        "severity": SEVERITIES[number // 3 % 10],
        "instance": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:9100",
        "node": f"node-{number // 100}",
        "job": "node-exporter",
        "run": "load",
    }


def estate_labels(number: int) -> dict[str, str]:
    """Of an alert about one of the 10,000 nodes of `estate`."""
    place = number % (_HOSTS + _SERVICES)
    about = {"node": f"host-{place}"} if place < _HOSTS else {"service": f"app-{place - _HOSTS}"}
    return {
        "alertname": f"Alert{number // (_HOSTS + _SERVICES) % 50:02d}",
        "cluster": f"cluster-{place % 10}",
        **about,
        "severity": SEVERITIES[number // 3 % 10],
        "instance": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:9100",
        "job": "node-exporter",
    }


def _alert(number: int, named: dict[str, str], starts: str) -> dict[str, Any]:
    return {
        "labels": named,
        "annotations": {
            "summary": f"High latency on instance {number}",
            "description": f"The p99 latency of instance {number} has been above 500 ms for 5 minutes (now 812 ms).",
        },
        "startsAt": starts,
        "generatorURL": f"http://prom.example/graph?g0.expr=up&i={number}",
    }


def _as_webhook(alert: dict[str, Any]) -> dict[str, Any]:
    """As Alertmanager's webhook sends it; Alerta refuses a severity that it does not know."""
    severity = alert["labels"]["severity"]
    named = {**alert["labels"], "severity": "informational" if severity == "info" else severity}
    return {"status": "firing", **alert, "labels": named}


def _open(alert: dict[str, Any]) -> bytes:
    """Its JSON up to the end of it, which is still to come."""
    return msgspec.json.encode(alert)[:-1] + b',"endsAt":"'


def batches(
    count: int,
    different: int,
    size: int,
    *,
    offset: int = 0,
    estate: bool = False,
    wrap: bool = False,
    shuffled: bool = False,
) -> list[Batch]:
    """``count`` alerts over ``different`` ones, ``size`` to a request, for POST /api/v2/alerts.

    ``estate``: about the nodes of `estate`, begun at any time within the last hours. ``wrap``: as
    Alertmanager's webhook sends them. ``shuffled``: in another order in each request, as Prometheus tells a rule's.
    """
    now = datetime.now(UTC)
    made = estate_labels if estate else labels
    begun = []
    for number in range(offset, offset + different):
        before_s = (number * 7919) % _SPREAD_S if estate else 0
        alert = _alert(number, made(number), _time(now - timedelta(seconds=before_s)))
        begun.append(_open(_as_webhook(alert) if wrap else alert))
    filled = _filled(begun, count, size, now, Random(1) if shuffled else None)
    return [Batch(b'{"version":"4","alerts":%b}' % one.body, one.alerts) if wrap else one for one in filled]


def _filled(begun: list[bytes], count: int, size: int, now: datetime, order: Random | None) -> Iterator[Batch]:
    """Bodies of ``size`` alerts; each round over all of them ends a second later than the round before."""
    different = len(begun)
    until, ends = -1, b""
    for start in range(0, count, size):
        parts = []
        for at in range(start, min(start + size, count)):
            if at // different != until:
                until = at // different
                ends = _time(now + timedelta(hours=6, seconds=until)).encode() + b'"}'
            parts.append(begun[at % different] + ends)
        if order is not None:
            order.shuffle(parts)
        yield Batch(b"[" + b",".join(parts) + b"]", len(parts))


def marker(number: int, round_name: str) -> Batch:
    """An alert that a rule pages at once, so that it opens an incident of its own."""
    now = datetime.now(UTC)
    name = f"{MARKER}{round_name}-{number}."
    named = {"alertname": f"Marker{number}", "service": name, "severity": "critical", "marker": "yes"}
    alert = _alert(number, named, _time(now))
    return Batch(b"[" + _open(alert) + _time(now + timedelta(hours=6)).encode() + b'"}]', 1)


def estate() -> bytes:
    """A topology document of 10,000 nodes: 1,000 hosts, and services in systems of thirty.

    A service calls one or two that stand before it in its system, one in ten calls one of a hundred that all share, and
    each runs on a host.
    """
    nodes = [{"id": f"host/host-{at}", "kind": "host", "name": f"host-{at}"} for at in range(_HOSTS)]
    nodes += [{"id": f"service/app-{at}", "kind": "service", "name": f"app-{at}"} for at in range(_SERVICES)]
    edges = [
        {"src": f"service/app-{at}", "dst": f"host/host-{at % _HOSTS}", "type": "runs_on"} for at in range(_SERVICES)
    ]
    for at in range(_SERVICES):
        first, place = at - at % _SYSTEM, at % _SYSTEM
        called = {first + place // 2, first + place * 5 // 7} if place else set()
        if at % 10 == 7 and at >= _SHARED:
            called.add(at * 37 % _SHARED)
        edges += [{"src": f"service/app-{at}", "dst": f"service/app-{to}", "type": "calls"} for to in sorted(called)]
    return msgspec.json.encode({"nodes": nodes, "edges": edges})
