"""The story of an incident as a small graph: who is part of it, what depends on what there, and how trouble travelled.

Built from what is known when somebody asks. The way to each symptom is the most believable one over known
dependencies, in the direction in which trouble travels; where none leads there, one against the arrows is tried, as a
caller that fails sends less work. What neither reaches is told as it is: no known way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from math import log
from typing import TYPE_CHECKING

import msgspec

from quell.core.graph import Graph
from quell.model.alert import Alert
from quell.model.incident import Incident, Suspect
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.topology import Change, Dependency

if TYPE_CHECKING:
    import networkx as nx

HOPS = 4
"""As far as the search for causes goes."""
MOST_NODES = 4000
"""Of the neighbourhood that is looked at; beyond it a way may not be found."""
SILENT_PRICE = 1.3
SUSPECT_HOPS = 3
"""A rival that is further from the story than this is told of in words only."""


class Showing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert at an entity; ``at`` is when it began."""

    name: str
    at: float
    severity: str = ""
    firing: bool = False


class Happening(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change that is a suspect's; ``at`` is when it was made."""

    id: str
    what: str
    at: float


class Actor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entity of the story; ``step`` counts dependencies from the cause (None: no known way leads there).

    ``role`` is "cause", "symptom" (it alerts), "silent" (trouble passed through it) or "rival" (suspected, and lost).
    ``suspect`` is its place among the suspects, from 1. ``onset`` is when its first alert began.
    """

    entity: str
    kind: str
    name: str
    role: str
    scope: str = ""
    step: int | None = None
    suspect: int = 0
    confidence: float = 0.0
    onset: float | None = None
    alerts: tuple[Showing, ...] = ()
    changes: tuple[Happening, ...] = ()


class Link(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Trouble went ``from_`` one entity ``to`` another; ``type`` is the dependency's, ``main`` marks the path told.

    ``against``: the first depends on the second, so trouble went against the arrows. ``skips`` counts entities in
    between that are not shown. ``rival``: a way that the story did not take.
    """

    from_: str = msgspec.field(name="from")
    to: str
    type: str
    main: bool = False
    against: bool = False
    rival: bool = False
    skips: int = 0


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """``started_at`` is when the first alert began. Actors stand in order of step and onset."""

    started_at: float | None
    actors: tuple[Actor, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class _Way:
    """How trouble came to an entity: from where, after how many steps; ``against`` the arrows or along them."""

    came: str
    step: int
    against: bool = False


def story(state: State, rulebook: Rulebook, incident: Incident, alerts: Sequence[Alert], graph: Graph) -> Story:
    """The story of an incident as of now; ``alerts`` are those of its alerts that are still known."""
    showing: dict[str, list[Alert]] = {}
    for alert in sorted(alerts, key=lambda one: (one.starts_at, one.name, one.fingerprint)):
        if alert.entity is not None:
            showing.setdefault(alert.entity, []).append(alert)
    suspects = incident.suspects
    around = neighbourhood(graph, [*showing, *(step for one in suspects for step in (one.entity, *one.path))])
    ways = _ways(around, suspects[0], showing) if suspects else {}
    rivals = _rivals(around, suspects[1:], ways)
    links = _typed([*_links(ways, suspects[0].path if suspects else (), showing), *rivals], state, rulebook)
    told = (
        {end for link in links for end in (link.from_, link.to)} | set(showing) | {one.entity for one in suspects[:1]}
    )
    actors = [_actor(name, (graph, state), suspects, showing.get(name, []), ways.get(name)) for name in sorted(told)]
    actors.sort(key=lambda one: (one.step if one.step is not None else HOPS * 4, one.onset or 0.0, one.entity))
    onsets = [one.onset for one in actors if one.onset is not None]
    return Story(started_at=min(onsets) if onsets else None, actors=tuple(actors), links=tuple(links))


def neighbourhood(graph: Graph, names: Iterable[str]) -> nx.DiGraph[str]:
    """What the named entities depend on within `HOPS`; an arc runs as trouble does, to the one that depends.

    The cost of an arc is that of the likeliest trouble over it, in nats.
    """
    import networkx as nx  # noqa: PLC0415 - an eighth of a second, for those who ask why

    around: nx.DiGraph[str] = nx.DiGraph()
    ring = [graph.number[name] for name in dict.fromkeys(names) if name in graph.number]
    seen = set(ring)
    for node in ring:
        around.add_node(graph.name(node))
    likeliest: dict[int, float] = {}
    """By kind of edge, one object for all of a kind."""
    for _ in range(HOPS):
        reached = []
        for node in ring:
            after = graph.name(node)
            for other, how, weight in graph.out[node]:
                if other not in seen and len(seen) >= MOST_NODES:
                    continue
                most = likeliest.get(id(how))
                if most is None:
                    most = likeliest[id(how)] = max(max(row) for row in how.p)
                p = most * weight
                cost = -log(p) if p > 0 else 10.0
                before = graph.name(other)
                old = around.get_edge_data(before, after)
                if old is None or cost < old["cost"]:
                    around.add_edge(before, after, cost=max(0.0, cost))
                if other not in seen:
                    seen.add(other)
                    reached.append(other)
        ring = reached
    return around


def _ways(around: nx.DiGraph[str], cause: Suspect, showing: Mapping[str, object]) -> dict[str, _Way]:
    """How trouble came from the cause to the symptoms and to what lies between; the cause itself first."""
    import networkx as nx  # noqa: PLC0415 - an eighth of a second, for those who ask why

    ways = {cause.entity: _Way("", 0)}
    for before, after in pairwise(cause.path):
        if before in ways and after not in ways:
            ways[after] = _Way(before, ways[before].step + 1, against=not around.has_edge(before, after))
    if cause.entity in around:

        def price(before: str, after: str, arc: Mapping[str, float]) -> float:
            quiet = 0.0 if before in showing or before == cause.entity else SILENT_PRICE
            return arc["cost"] + quiet + (1e-6 * len(after))

        paths = nx.single_source_dijkstra_path(around, cause.entity, weight=price)
        for name in sorted(set(showing) & set(paths), key=lambda one: (len(paths[one]), one)):
            _walk(ways, paths[name])
    _against(around, ways, showing)
    return ways


def _walk(ways: dict[str, _Way], path: Sequence[str]) -> None:
    for before, after in pairwise(path):
        if after not in ways:
            ways[after] = _Way(before, ways[before].step + 1)


def _against(around: nx.DiGraph[str], ways: dict[str, _Way], showing: Mapping[str, object]) -> None:
    """Symptoms not reached yet that something in the story depends on, or that depend on what was reached this way."""
    left = [name for name in showing if name not in ways and name in around]
    found = True
    while left and found:
        found = False
        for name in list(left):
            over = sorted(set(around.successors(name)) & set(ways), key=lambda one: (ways[one].step, one))
            along = sorted(set(around.predecessors(name)) & set(ways), key=lambda one: (ways[one].step, one))
            if over or along:
                came = (along or over)[0]
                ways[name] = _Way(came, ways[came].step + 1, against=not along)
                left.remove(name)
                found = True


def _rivals(around: nx.DiGraph[str], rivals: Sequence[Suspect], ways: Mapping[str, _Way]) -> list[Link]:
    """The way from each rival outside the story to the nearest entity in it."""
    import networkx as nx  # noqa: PLC0415 - an eighth of a second, for those who ask why

    links = []
    for rival in rivals:
        if rival.entity in ways or rival.entity not in around:
            continue
        steps = nx.single_source_shortest_path(around, rival.entity, cutoff=SUSPECT_HOPS)
        met = sorted((name for name in steps if name in ways), key=lambda one: (len(steps[one]), ways[one].step, one))
        if met:
            links.append(Link(from_=rival.entity, to=met[0], type="", rival=True, skips=len(steps[met[0]]) - 2))
    return links


def _links(ways: Mapping[str, _Way], path: Sequence[str], showing: Mapping[str, object]) -> list[Link]:
    """One link for each entity that trouble came to and that alerts, or that leads to one that does."""
    needed: set[str] = set()
    for name in [*showing, *path]:
        at = name
        while at in ways and at not in needed:
            needed.add(at)
            at = ways[at].came
    main = set(pairwise(path))
    links = []
    for name in sorted(needed, key=lambda one: (ways[one].step, one)):
        way = ways[name]
        if way.came:
            links.append(Link(from_=way.came, to=name, type="", main=(way.came, name) in main, against=way.against))
    return links


def _typed(links: Sequence[Link], state: State, rulebook: Rulebook) -> list[Link]:
    """The links with the types of the dependencies that trouble went over, where there is one."""
    wanted = {(one.from_, one.to) if one.against else (one.to, one.from_) for one in links}
    types: dict[tuple[str, str], str] = {}
    begins = {first for first, _ in wanted}
    edges: Iterable[Iterable[Dependency]] = (rulebook.dependencies, state.dependencies.values())
    for edge in chain.from_iterable(edges):
        if edge.from_ in begins and (edge.from_, edge.to) in wanted:
            types.setdefault((edge.from_, edge.to), edge.type)
    return [
        msgspec.structs.replace(
            one, type=types.get((one.from_, one.to) if one.against else (one.to, one.from_), one.type)
        )
        for one in links
    ]


def _actor(
    name: str, known: tuple[Graph, State], suspects: Sequence[Suspect], alerts: Sequence[Alert], way: _Way | None
) -> Actor:
    graph, state = known
    number = graph.number.get(name)
    place = next((at for at, one in enumerate(suspects, start=1) if one.entity == name), 0)
    suspect = suspects[place - 1] if place else None
    kind, _, rest = name.partition("/")
    if number is not None:
        kind, rest = graph.entities[number].kind, graph.entities[number].name
    change = state.changes.get(suspect.change) if suspect is not None and suspect.change else None
    role = "cause" if place == 1 else "symptom" if alerts else "rival" if place and way is None else "silent"
    return Actor(
        entity=name,
        kind=kind,
        name=rest or name,
        role=role,
        scope="" if number is None else graph.scope(number),
        step=way.step if way is not None else None,
        suspect=place,
        confidence=suspect.confidence if suspect is not None else 0.0,
        onset=alerts[0].starts_at if alerts else None,
        alerts=tuple(
            Showing(name=one.name or one.fingerprint, at=one.starts_at, severity=one.severity, firing=one.firing)
            for one in alerts
        ),
        changes=(happening(change),) if change is not None else (),
    )


def happening(change: Change) -> Happening:
    """A change in a few words."""
    return Happening(id=change.id, what=" ".join(filter(None, (change.type, change.revision))), at=change.at)
