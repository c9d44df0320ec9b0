"""Back along lineage from what shows to changes of data, however many steps lie between.

What correlation reaches is bounded, as trouble of services does not travel far in silence. A table whose column means
something else does: nothing fails on its way through pipelines, features and a model to a business number, and nobody
alerts. So where results are off, changes of schemas, data, models and prompts are looked for along the whole way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import log1p

from msgspec.structs import replace

from quell.core.blame import doubt
from quell.core.graph import Graph
from quell.model.incident import Evidence, Suspect
from quell.model.times import format_time
from quell.model.topology import Change

WORTH = 6.0
"""Nats that such a change is worth when trouble begins at once and next to it."""
FADES_S = 3600.0
WITHIN_S = 2 * 86400.0
STEP, OTHER_STEP = 0.12, 0.5
"""Nats that a dependency takes off, of lineage and of another kind."""
FURTHEST = 3.0
MOST_NODES = 4_000
MOST_FOUND = 3
OF_DATA = frozenset({"schema", "data", "model", "prompt"})
"""Deploys and settings are many, and their trouble shows near them: blamed from afar they are blamed wrongly."""
Changes = Callable[[str], Iterable[Change]]


@dataclass(frozen=True, slots=True)
class Led:
    """A change at an entity, its worth in nats, and the way from there to what shows."""

    entity: str
    change: Change
    nats: float
    path: tuple[str, ...]


class Trails:
    """What symptoms may have come from along lineage, for as long as neither graph nor changes of data differ."""

    def __init__(self, graph: Graph, changes: Iterable[Change]) -> None:
        self._graph = graph
        self._of: dict[str, list[Change]] = {}
        for change in changes:
            if change.type in OF_DATA and change.entity:
                self._of.setdefault(change.entity, []).append(change)

    def claims(self, entity: str, first: float) -> list[tuple[int, float, float]]:
        """Nodes where such a change was made, how unlikely the way from there is (nats), and how long it took (s)."""
        if not self._of:
            return []
        return [
            (self._graph.number[one.entity], (WORTH - one.nats) / 2.0, max(first - one.change.at, 0.0))
            for one in trail(self._graph, lambda name: self._of.get(name, ()), entity, first)
        ]


def trail(graph: Graph, changes: Changes, start: str, first: float) -> list[Led]:
    """Changes that may have led to trouble with data at ``start``, which ``first`` showed then; the likeliest first."""
    node = graph.number.get(start)
    if node is None:
        return []
    cost, came = _reached(graph, node)
    found: dict[str, Led] = {}
    for reached, price in cost.items():
        entity = graph.name(reached)
        for change in changes(entity):
            nats = _worth(change, first) - price
            known = found.get(entity)
            if nats > 0.0 and (known is None or (nats, change.id) > (known.nats, known.change.id)):
                found[entity] = Led(entity, change, nats, _path(graph, came, reached))
    return sorted(found.values(), key=lambda one: (-one.nats, one.entity))[:MOST_FOUND]


def follows(suspect: Suspect, led: Led) -> Suspect:
    """The suspect with its change and the way along lineage; what speaks for and against it otherwise stays."""
    steps = len(led.path) - 1
    far = f", {steps} steps of lineage away" if steps > 1 else ""
    said = f": {led.change.summary}" if led.change.summary else ""
    text = f"{led.change.type} change of {led.entity} at {format_time(led.change.at)}{far}{said}"
    found = [Evidence(code="change", text=text, weight=round(led.nats, 3))]
    if steps:
        made = f"{led.path[-1]} rests on {led.entity}: {' → '.join(led.path)}"
        found.append(Evidence(code="explains", text=made, weight=1.0))
    others = tuple(one for one in suspect.evidence if one.code not in {"change", "explains", "unexplained"})
    path = led.path if len(led.path) > len(suspect.path) else suspect.path
    return replace(suspect, change=led.change.id, kind=led.change.type, path=path, evidence=(*found, *others))


def _worth(change: Change, first: float) -> float:
    """A change fades with the time until the first symptom."""
    before = first - change.at
    if before > WITHIN_S or change.type not in OF_DATA:
        return 0.0
    return doubt(change, first) * (WORTH - log1p(abs(before) / FADES_S))


def _reached(graph: Graph, start: int) -> tuple[dict[int, float], dict[int, int]]:
    """What is needed by ``start``, at what price, and from where each was come to."""
    cost: dict[int, float] = {}
    came: dict[int, int] = {}
    heap: list[tuple[float, int, int]] = [(0.0, start, start)]
    while heap and len(cost) < MOST_NODES:
        price, node, before = heapq.heappop(heap)
        if node in cost:
            continue
        cost[node], came[node] = price, before
        for other, how, _ in graph.out[node]:
            onward = price + (STEP if how.lineage else OTHER_STEP)
            if onward <= FURTHEST and other not in cost:
                heapq.heappush(heap, (onward, other, node))
    return cost, came


def _path(graph: Graph, came: dict[int, int], node: int) -> tuple[str, ...]:
    names = [graph.name(node)]
    while came[node] != node:
        node = came[node]
        names.append(graph.name(node))
    return tuple(names)
