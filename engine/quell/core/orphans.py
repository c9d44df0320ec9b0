"""Trouble that no known dependency explains, with what was in trouble around then: what edges are suggested from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quell.core.continuity import place_of
from quell.core.graph import Graph
from quell.model.habits import Began, Orphan, Tally
from quell.model.incident import Incident
from quell.model.state import State

BEFORE_S = 600.0
AFTER_S = 120.0
"""Rules hold an alert back for minutes, so what fails first may be told last."""
AGAIN_S = 900.0
"""Within this time of the last beginning at an entity it is the same trouble."""
HOPS = 4
CLOSE_HOPS = 2
MOST_REACHED = 400
MOST_NEAR = 24
MOST_CROWD = 150
"""With more entities in trouble at once nothing can be told apart."""
MOST_EACH = 16
MOST_A_SWEEP = 400
"""So many troubles are looked at closely in one turn; a storm is no time to learn from."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One entity in trouble from a time on; ``root`` is where its incident is believed to come from, "" if in none."""

    at: float
    entity: str
    incident: str
    root: str


def count_troubles(state: State, graph: Graph, tally: Tally, until: float) -> None:
    """Counts troubles, and notes orphans, among the fresh beginnings (sorted) up to ``until``."""
    troubles = _troubles(state)
    times = [trouble.at for trouble in troubles]
    first = bisect_right(times, state.habits.counted_until)
    looked_at = 0
    for trouble in troubles[first : bisect_right(times, until)]:
        tally.troubles[trouble.entity] = tally.troubles.get(trouble.entity, 0) + 1
        begin, end = bisect_left(times, trouble.at - BEFORE_S), bisect_right(times, trouble.at + AFTER_S)
        if looked_at >= MOST_A_SWEEP or not 2 <= end - begin <= MOST_CROWD:
            continue
        looked_at += 1
        orphan = _orphan(graph, trouble, troubles[begin:end])
        if orphan is not None:
            known = tally.orphans.setdefault(trouble.entity, [])
            known.append(orphan)
            del known[:-MOST_EACH]


def reached(arcs: Sequence[Sequence[tuple[int, object, float]]], start: int, hops: int) -> set[int]:
    """The nodes within so many arcs of one, without itself; bounded."""
    found, rim = {start}, [start]
    for _ in range(hops):
        rim = [other for node in rim for other, _, _ in arcs[node] if other not in found]
        found.update(rim)
        if len(found) > MOST_REACHED:
            break
    found.discard(start)
    return found


def _troubles(state: State) -> list[Trouble]:
    last: dict[str, float] = {}
    found = []
    for began in state.habits.fresh:
        if not began.entity:
            continue
        before = last.get(began.entity)
        last[began.entity] = began.at
        if before is None or began.at - before > AGAIN_S:
            incident = _standing(state.incidents, _home(state, began))
            root = incident.suspects[0].entity if incident is not None and incident.suspects else ""
            found.append(Trouble(began.at, began.entity, incident.id if incident is not None else "", root))
    return found


def _home(state: State, began: Began) -> str | None:
    placed = state.placed.get(place_of((began.mark, began.episode)))
    if placed is not None:
        return placed
    alert = state.alerts.get(began.mark)
    return alert.incident if alert is not None and alert.episode == began.episode else None


def _standing(incidents: Mapping[str, Incident], name: str | None) -> Incident | None:
    """What an incident was merged into, by and by."""
    incident = incidents.get(name or "")
    for _ in range(20):
        if incident is None or incident.merged_into is None:
            break
        incident = incidents.get(incident.merged_into)
    return incident


def _orphan(graph: Graph, trouble: Trouble, around: Sequence[Trouble]) -> Orphan | None:
    """The trouble with what it may depend on, None when what is known explains it or nothing else is near."""
    node = graph.number.get(trouble.entity)
    below = reached(graph.out, node, HOPS) if node is not None else set()
    crowd = {other.entity for other in around}
    if len(crowd) < 2 or (trouble.root and graph.number.get(trouble.root) in below):
        return None
    if node is not None and not trouble.incident:
        close = reached(graph.out, node, CLOSE_HOPS)
        if any(graph.number.get(other.entity) in close for other in around):
            return None
    related = below | reached(graph.inn, node, HOPS) if node is not None else set()
    near: dict[str, float] = {}
    for other in around:
        for entity in (other.entity, other.root):
            number = graph.number.get(entity)
            if not entity or entity == trouble.entity or (number is not None and number in related):
                continue
            lag = trouble.at - other.at
            if entity not in near or abs(lag) < abs(near[entity]):
                near[entity] = lag
    if not near:
        return None
    kept = sorted(near.items(), key=lambda item: (abs(item[1]), item[0]))[:MOST_NEAR]
    return Orphan(trouble.at, len(crowd), tuple(kept))
