"""What a delivery's spans come to, as records: calls, dependencies, entities, and a few spans to join with others.

A client's span and the server's it caused mostly come in different deliveries, each from its own process. Who calls
whom is then told in two ways: by the attributes of the client's span, and by joining both ends in the core, which
remembers spans for a minute (`quell.core.learn.learn_span`). For the join a few traces are enough, the same ones at
both ends: those whose ids end on the smallest numbers. So no span becomes a record but these few, and the journal does
not grow with traffic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import nsmallest
from typing import Any

from quell.model.records import AnyRecord, CallRecord, DependencyRecord, EntityRecord, SpanRecord
from quell_connectors.otlp.homes import Home
from quell_connectors.otlp.spans import Cell, Joined, Route, Sort, add, cells_by_route
from quell_connectors.otlp.wire import NANO

EDGES_FROM = "spans"
"""The source of dependencies that spans tell of: the core lets those go again that no span tells of any more."""
MOST_ROUTES = 1000
"""Call records of one delivery; the rest is counted together, by who called whom."""
REST = "(others)"
MOST_EDGES = 1000
"""Dependencies of one delivery: who calls more different names than that calls addresses and no services."""
JOINED_TRACES = 16
JOINED_SPANS = 64
HOST_WEIGHT = 0.5
"""How much of a service rests on one host it was seen on: there may be others, which one delivery does not tell."""
_NINE_OF_TEN = 0.9


def trace_records(told: Joined, homes: Iterable[Home], source: str, now: float) -> list[AnyRecord]:
    """All records of spans, in an order that does not depend on that of the spans."""
    return [
        *entity_records(homes, source, now),
        *_peers(told.sorts, source, now),
        *_edges(told.edges, now),
        *_calls(told.sorts, source, now),
        *_to_join(told.loose, source, now),
    ]


def entity_records(homes: Iterable[Home], source: str, now: float) -> Iterator[AnyRecord]:
    """What resources are, and which hosts they run on."""
    known = {(home.entity, tuple(sorted(home.labels.items())), home.host): home for home in homes}
    labelled = {key[:2]: home for key, home in sorted(known.items())}
    for home in labelled.values():
        if home.labels:
            yield EntityRecord(
                at=now, seen=now, source=source, entity=home.entity, labels=dict(home.labels), learned="telemetry"
            )
    for entity, host in sorted({(home.entity, home.host) for home in known.values() if home.host}):
        yield DependencyRecord(
            at=now, seen=now, source=EDGES_FROM, from_=entity, to=host, type="runs_on", weight=HOST_WEIGHT
        )


def _peers(sorts: Iterable[Sort], source: str, now: float) -> Iterator[EntityRecord]:
    found = {sort.peer.entity: sort.peer.labels for sort in sorts if sort.peer is not None and sort.peer.labels}
    for entity, labels in sorted(found.items()):
        yield EntityRecord(at=now, seen=now, source=source, entity=entity, labels=dict(labels), learned="telemetry")


def _edges(edges: dict[tuple[str, str, str], int], now: float) -> Iterator[DependencyRecord]:
    for (from_, to, type_), last in sorted(edges.items())[:MOST_EDGES]:
        if from_ != to:
            yield DependencyRecord(at=last / NANO, seen=now, source=EDGES_FROM, from_=from_, to=to, type=type_)


def _calls(sorts: Iterable[Sort], source: str, now: float) -> Iterator[CallRecord]:
    routes = list(cells_by_route(sorts))
    if len(routes) > MOST_ROUTES:
        routes = _fewer(routes)
    for (entity, caller, operation, _, hearsay), cell in routes:
        yield CallRecord(
            at=cell.first / NANO,
            seen=now,
            source=source,
            entity=entity,
            caller=caller,
            operation=operation,
            count=cell.count,
            errors=cell.errors,
            over_s=(cell.last - cell.first) / NANO,
            mean_s=cell.total / cell.count / NANO,
            net_s=sorted(cell.ways)[int(len(cell.ways) * _NINE_OF_TEN)] / NANO if cell.ways else None,
            by_caller=hearsay,
        )


def _fewer(routes: list[tuple[Route, Cell]]) -> list[tuple[Route, Cell]]:
    """The most used routes; the others together, by entity, caller and minute."""
    routes = sorted(routes, key=lambda pair: (-pair[1].count, pair[0]))
    kept, rest = dict(routes[:MOST_ROUTES]), routes[MOST_ROUTES:]
    for (entity, caller, _, minute, hearsay), cell in rest:
        add(kept.setdefault((entity, caller, REST, minute, hearsay), Cell()), cell)
    return sorted(kept.items(), key=lambda pair: pair[0])


def _to_join(loose: list[tuple[Any, Any, str, int]], source: str, now: float) -> Iterator[SpanRecord]:
    """Spans of a few traces: both ends choose the same ones, as far as both have them."""
    chosen = set(nsmallest(JOINED_TRACES, {_trace(one[0]) for one in loose}, key=_chance))
    told = sorted(
        (_text(key), _text(parent) if parent is not None else "", entity, end)
        for key, parent, entity, end in loose
        if _trace(key) in chosen
    )
    for key, parent, entity, end in told[:JOINED_SPANS]:
        yield SpanRecord(
            at=end / NANO, seen=now, source=source, trace=key[:-_SPAN], span=key[-_SPAN:], parent=parent[-_SPAN:],
            entity=entity, counted=True,
        )  # fmt: skip


_SPAN = 16
"""Characters of a span's id; as bytes it is half as long."""
_Id = Any
"""Trace and span id in one: bytes, or hexadecimal text."""


def _trace(key: _Id) -> _Id:
    return key[: -_SPAN // 2] if isinstance(key, bytes) else key[:-_SPAN].lower()


def _chance(trace: _Id) -> tuple[_Id, _Id]:
    """The end of a trace's id is by chance, the beginning may be a time. Bytes and text come in the same order."""
    return (trace[-_SPAN // 2 :] if isinstance(trace, bytes) else trace[-_SPAN:]), trace


def _text(key: _Id) -> str:
    return key.hex() if isinstance(key, bytes) else str(key).lower()
