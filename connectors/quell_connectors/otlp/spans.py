"""Spans of one delivery to counted calls, dependencies and what models used. One pass reads, a second joins.

A span is known by its kind, its name and the few attributes that tell one kind of call from another, taken as they
stand on the wire: spans that agree in all of that are one *sort*, and a sort is looked into once. What is summed up is
summed in whole nanoseconds, so the order of spans changes nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from quell_connectors.otlp.homes import Home, Homes
from quell_connectors.otlp.names import operation_of
from quell_connectors.otlp.peers import CLIENT, CONSUMER, PATHS, PRODUCER, SERVER, TRAITS, Peer, asked_model, peer_of
from quell_connectors.otlp.tally import Tally
from quell_connectors.otlp.wire import NANO, Encoding, text_of

UNKNOWN = "?"
"""The caller of a span whose parent is in another delivery."""
MINUTE = 60 * NANO
_KINDS = {
    "SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": SERVER, "SPAN_KIND_CLIENT": CLIENT, "SPAN_KIND_PRODUCER": PRODUCER,
    "SPAN_KIND_CONSUMER": CONSUMER,
}  # fmt: skip
_CALLED = frozenset({SERVER, CONSUMER})
_CALLING = frozenset({CLIENT, PRODUCER})


@dataclass(slots=True, eq=False)
class Sort:
    """Spans of one kind, name and meaning of one entity."""

    home: Home
    kind: int
    operation: str
    peer: Peer | None
    asks_paths: bool
    calling: bool
    """Whether it is the call of a peer, as the caller sees it."""
    cells: dict[tuple[str, int], Cell] = field(default_factory=dict)
    """By caller and minute; of a call that the caller tells of, the caller is the home."""


@dataclass(slots=True)
class Cell:
    """What is counted. Times are nanoseconds."""

    count: int = 0
    errors: int = 0
    total: int = 0
    first: int = 1 << 63
    last: int = 0
    ways: list[int] = field(default_factory=list)


Key = Hashable
Row = tuple[Any, Any, Sort, int, int, bool]
"""Trace and span id in one, that of the parent (empty: none), sort, end, duration, whether it failed."""


class Spans:
    """Reads the spans of one delivery."""

    def __init__(self, encoding: Encoding, homes: Homes, tally: Tally) -> None:
        self._encoding = encoding
        self._homes = homes
        self._tally = tally
        self._sorts: dict[Hashable, Sort] = {}
        self.rows: list[Row] = []
        self.metered: list[tuple[Sort, int, int, bool, Any]] = []
        """Spans that asked a model: sort, end, duration, whether it failed, and the span itself."""
        self.homes: list[Home] = []

    def read(self, request: Any) -> None:
        """Takes all spans of a request in. Raises `quell.errors.BadPayload`."""
        for resource in request.resource_spans:
            home = self._homes.of(self._encoding, resource.resource)
            self.homes.append(home)
            for scope in resource.scope_spans:
                self._take(home, scope.spans)

    def _take(self, home: Home, spans: Iterable[Any]) -> None:
        picked, failed, sorts = self._encoding.picked, self._encoding.failed, self._sorts
        oldest, newest, place = self._tally.oldest, self._tally.newest, id(home)
        for span in spans:
            traits = picked(span.attributes, TRAITS)
            key = (place, span.name, span.kind, traits)
            sort = sorts.get(key)
            if sort is None:
                sort = sorts[key] = self._sort(home, span, traits)
            if sort.asks_paths:
                sort = self._by_path(sort, span, key)
            start, end = span.start_time_unix_nano, span.end_time_unix_nano
            trace, number = span.trace_id, span.span_id
            if not (oldest <= end <= newest and 0 < start <= end and trace and number):
                self._reject(home, span)
                continue
            took = end - start
            parent = span.parent_span_id
            bad = failed(span.status)
            self.rows.append((trace + number, trace + parent if parent else None, sort, end, took, bad))
            if sort.peer is not None and sort.peer.model:
                self.metered.append((sort, end, took, bad, span))

    def _sort(self, home: Home, span: Any, traits: tuple[Hashable, ...]) -> Sort:
        told = dict(self._encoding.pairs(traits))
        kind = span.kind if isinstance(span.kind, int) else _KINDS.get(span.kind, 0)
        peer = peer_of(told, home, kind, self._homes)
        asks = kind == CLIENT and (peer is None or not peer.heard) and not told.keys().isdisjoint(_HTTP)
        calling = kind in _CALLING or (peer is not None and bool(peer.model))
        return Sort(home, kind, operation_of(span.name, told), peer, asks_paths=asks, calling=calling)

    def _by_path(self, sort: Sort, span: Any, key: Hashable) -> Sort:
        """The same sort, or that of the model which the span's address asks."""
        for raw in self._encoding.picked(span.attributes, PATHS):
            if isinstance(raw, bytes) and _MODELS not in raw:
                continue  # as nearly all
            for name, value in self._encoding.pairs((raw,)):
                model = asked_model(text_of(value)) if name.encode() in PATHS else None
                if model is not None:
                    found = self._sorts.get((key, model.entity))
                    if found is None:
                        found = Sort(sort.home, sort.kind, sort.operation, model, asks_paths=False, calling=True)
                        self._sorts[key, model.entity] = found
                    return found
        return sort

    def _reject(self, home: Home, span: Any) -> None:
        start, end, name = span.start_time_unix_nano, span.end_time_unix_nano, f'span "{span.name[:80]}"'
        if not span.trace_id or not span.span_id:
            self._tally.reject(home.entity, "no_id", name)
        elif self._tally.oldest <= end <= self._tally.newest and start > 0:
            self._tally.reject(home.entity, "backwards", name)
        else:
            self._tally.reject_time(home.entity, end if start > 0 else 0, name)


_MODELS = b"/models/"
_HTTP = frozenset({"http.request.method", "http.method"})


@dataclass(slots=True)
class Joined:
    """What a delivery's spans come to: sorts with their cells, edges between entities with when they were seen last.

    ``loose`` are spans whose other half is in another delivery: trace and span, trace and parent or None, entity, end.
    """

    sorts: list[Sort]
    edges: dict[tuple[str, str, str], int]
    loose: list[tuple[Any, Any, str, int]]


def joined(rows: list[Row]) -> Joined:
    """Joins spans with their parents and counts."""
    known = {row[0]: row for row in rows}
    edges: dict[tuple[str, str, str], int] = {}
    loose: list[tuple[Any, Any, str, int]] = []
    answered: set[Any] = set()
    sorts: dict[Sort, None] = {}
    calling: list[Row] = []
    for row in rows:
        key, parent, sort, end, took, _ = row
        entity, kind = sort.home.entity, sort.kind
        above = known.get(parent) if parent is not None else None
        caller, way = "" if parent is None else entity, -1
        if above is not None and above[2].home.entity != entity:
            caller = above[2].home.entity
            if above[2].calling:
                way = max(above[4] - took, 0)
                answered.add(parent)
            if kind != CONSUMER:
                edge = (caller, entity, "calls")
                edges[edge] = max(edges.get(edge, 0), end)
        elif above is None and parent is not None and kind in _CALLED:
            caller = UNKNOWN
            loose.append((key, parent, entity, end))
        if sort.calling:
            calling.append(row)
        else:
            sorts[sort] = None
            _count(row, caller, way)
        if sort.peer is not None and sort.peer.heard:
            edge = (entity, sort.peer.entity, sort.peer.type)
            edges[edge] = max(edges.get(edge, 0), end)
    for row in calling:
        key, _, sort, end, _, _ = row
        if key in answered:
            continue  # who was called told of it
        peer = sort.peer
        if peer is None or not peer.heard:
            loose.append((key, None, sort.home.entity, end))
        if peer is not None:
            sorts[sort] = None
            _count(row, sort.home.entity, -1)
            edge = (sort.home.entity, peer.entity, peer.type)
            edges[edge] = max(edges.get(edge, 0), end)
    return Joined(list(sorts), edges, loose)


def _count(row: Row, caller: str, way: int) -> None:
    _, _, sort, end, took, failed = row
    place = (caller, end // MINUTE)
    cell = sort.cells.get(place)
    if cell is None:
        cell = sort.cells[place] = Cell()
    cell.count += 1
    cell.errors += failed
    cell.total += took
    cell.first = min(cell.first, end)
    cell.last = max(cell.last, end)
    if way >= 0:
        cell.ways.append(way)


Route = tuple[str, str, str, int, bool]
"""Entity, caller, operation, minute, and whether only the caller tells of a callee that may tell itself."""


def cells_by_route(sorts: Iterable[Sort]) -> Iterator[tuple[Route, Cell]]:
    """Cells by route, those of sorts that mean the same added up; in order."""
    found: dict[Route, Cell] = {}
    for sort in sorts:
        asked = sort.peer if sort.calling else None
        called, hearsay = (sort.home.entity, False) if asked is None else (asked.entity, not asked.heard)
        for (caller, minute), cell in sort.cells.items():
            key = (called, caller, sort.operation, minute, hearsay)
            known = found.get(key)
            if known is None:
                found[key] = cell
            else:
                add(known, cell)
    return iter(sorted(found.items(), key=lambda pair: pair[0]))


def add(cell: Cell, more: Cell) -> None:
    """Adds what another cell counted."""
    cell.count += more.count
    cell.errors += more.errors
    cell.total += more.total
    cell.first = min(cell.first, more.first)
    cell.last = max(cell.last, more.last)
    cell.ways.extend(more.ways)
