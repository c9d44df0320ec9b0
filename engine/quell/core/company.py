"""Which rules fire together at one entity, and what labels name where no entity was found."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping

from quell.core.graph import Graph
from quell.model.habits import Began, Company, Naming, Tally
from quell.model.state import State

TOGETHER_S = 300.0
MOST_TOGETHER = 12
"""At an entity where more fires at once, nothing is told about pairs."""
MOST_NEAR = 64
_NEVER_EQUAL = frozenset({"alertname", "severity", "priority", "level"})
_NOT_ASKED = frozenset({"alertname", "severity", "priority", "level", "team", "owner", "cluster", "namespace"})


def count_company(state: State, tally: Tally, until: float) -> None:
    """For every beginning up to ``until`` the other rules that began at its entity at about the same time."""
    at_entity: dict[str, list[Began]] = {}
    for began in state.habits.fresh:
        if began.entity:
            at_entity.setdefault(began.entity, []).append(began)
    for same_place in at_entity.values():
        times = [began.at for began in same_place]
        for began in same_place[bisect_right(times, state.habits.counted_until) : bisect_right(times, until)]:
            near = same_place[bisect_left(times, began.at - TOGETHER_S) : bisect_right(times, began.at + TOGETHER_S)]
            if len(near) > MOST_NEAR:
                continue
            others = {other.rule: other for other in reversed(near) if other.rule not in {"", began.rule}}
            if began.rule and len(others) <= MOST_TOGETHER:
                for rule in sorted(others):
                    _count(state, tally, began, others[rule])


def _count(state: State, tally: Tally, began: Began, other: Began) -> None:
    key = f"{began.rule}\x00{other.rule}"
    known = tally.company.get(key)
    one, two = state.alerts.get(began.mark), state.alerts.get(other.mark)
    if one is None or two is None:
        return
    equal = _equal(one.labels, two.labels)
    if known is None:
        known = tally.company[key] = Company(equal=equal)
    known.together += 1
    known.after += began.at > other.at
    known.equal = [label for label in known.equal if label in equal]


def _equal(one: Mapping[str, str], two: Mapping[str, str]) -> list[str]:
    return sorted(label for label, value in one.items() if label not in _NEVER_EQUAL and two.get(label) == value)


def count_namings(state: State, graph: Graph, tally: Tally, until: float) -> None:
    """For alerts up to ``until`` that speak of nothing known: which of their labels name something that is known."""
    asked = [
        began
        for began in state.habits.fresh
        if state.habits.counted_until < began.at <= until and not _known(graph, graph.number.get(began.entity))
    ]
    if not asked:
        return
    kinds: dict[str, set[str]] = {}
    for node, entity in enumerate(graph.entities):
        if _known(graph, node):
            kinds.setdefault(entity.name, set()).add(entity.kind)
    for began in asked:
        alert = state.alerts.get(began.mark)
        for label, value in sorted(alert.labels.items()) if alert is not None else ():
            if label in _NOT_ASKED:
                continue
            naming = tally.namings.setdefault(label, Naming())
            naming.asked += 1
            for kind in sorted(kinds.get(value, ())):
                naming.named[kind] = naming.named.get(kind, 0) + 1


def _known(graph: Graph, node: int | None) -> bool:
    """Whether the graph knows more of a node than that alerts speak of it."""
    if node is None:
        return False
    entity = graph.entities[node]
    return bool(entity.labels or entity.sources or graph.out[node] or graph.inn[node])
