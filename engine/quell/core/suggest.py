"""Suggestions from what was noticed: dependencies and rules for people to read, never put in force by quell itself."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quell.core.graph import Graph
from quell.core.habits import Observer
from quell.core.suggest_edges import edges
from quell.core.suggest_rules import digests, holds, inhibitions, namings
from quell.model.habits import Habits, Suggestion, Tally
from quell.model.rulebook import Rulebook
from quell.model.state import State


class Suggested(msgspec.Struct, frozen=True, kw_only=True):
    """``from_time`` is when the counting began (None: not yet); ``declined`` suggestions were turned down by people."""

    from_time: float | None
    suggestions: tuple[Suggestion, ...]
    declined: int = 0


def suggested(state: State, rulebook: Rulebook, *, to_the_end: bool = False) -> Suggested:
    """What is suggested now, surest first within each kind. Changes nothing.

    ``to_the_end`` counts also what is not settled yet: for records that end, when nothing more is coming.
    """
    graph = _graph(state, rulebook)
    if to_the_end:
        state = _counted(state, graph)
    tally = both(state.habits)
    found = [
        *edges(tally, graph, [*rulebook.dependencies, *state.dependencies.values()]),
        *holds(tally, rulebook),
        *digests(tally, rulebook),
        *inhibitions(tally, rulebook),
        *namings(tally, rulebook),
    ]
    kept = tuple(one for one in found if one.id not in state.habits.declined)
    return Suggested(
        from_time=(tally.since or None) if state.now else None, suggestions=kept, declined=len(state.habits.declined)
    )


def both(habits: Habits) -> Tally:
    """The counts of both halves together."""
    older, newer = habits.older, habits.newer
    whole: Tally = msgspec.msgpack.decode(msgspec.msgpack.encode(older), type=Tally)
    whole.since = older.since or newer.since
    for name, rule in newer.rules.items():
        known = whole.rules.get(name)
        if known is None:
            whole.rules[name] = rule
            continue
        for counted in ("firings", "ended", "lapsed", "alone", "paged", "acted", "useless"):
            setattr(known, counted, getattr(known, counted) + getattr(rule, counted))
        known.lasted = [one + other for one, other in zip(known.lasted, rule.lasted, strict=True)]
        known.severity, known.example = rule.severity or known.severity, rule.example
    for key, company in newer.company.items():
        before = whole.company.setdefault(key, msgspec.structs.replace(company, together=0, after=0))
        before.together += company.together
        before.after += company.after
        before.equal = [label for label in before.equal if label in company.equal]
    for entity, count in newer.troubles.items():
        whole.troubles[entity] = whole.troubles.get(entity, 0) + count
    for entity, orphans in newer.orphans.items():
        whole.orphans[entity] = [*whole.orphans.get(entity, ()), *orphans]
    for label, naming in newer.namings.items():
        known_naming = whole.namings.setdefault(label, msgspec.structs.replace(naming, asked=0, named={}))
        known_naming.asked += naming.asked
        for kind, count in naming.named.items():
            known_naming.named[kind] = known_naming.named.get(kind, 0) + count
    return whole


def _graph(state: State, rulebook: Rulebook) -> Graph:
    """The dependency graph as it is known; the state's strangers stay as they are."""
    entities = {entity.entity: entity for entity in rulebook.entities} | state.entities
    dependencies = [*rulebook.dependencies, *state.dependencies.values()]
    return Graph(entities.values(), dependencies, rulebook.correlate, list(state.strangers))


def _counted(state: State, graph: Graph) -> State:
    """A copy of the state in which everything is counted."""
    copy = msgspec.structs.replace(state, habits=_copied(state.habits))
    copy.habits.newer.since = copy.habits.newer.since or min(_begins(state.habits), default=0.0)
    ends = max(_begins(state.habits), default=state.now)
    Observer(copy).sweep(graph, max(state.now, ends) + 2 * 3600.0)
    return copy


def _begins(habits: Habits) -> Iterable[float]:
    return (began.at for began in habits.fresh)


def _copied(habits: Habits) -> Habits:
    copy: Habits = msgspec.msgpack.decode(msgspec.msgpack.encode(habits), type=Habits)
    return copy
