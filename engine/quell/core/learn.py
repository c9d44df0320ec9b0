"""What records say about the dependency graph and about changes, put into the state."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from sys import intern

from quell.core.resolve import Resolver
from quell.model.records import ChangeRecord, DependencyRecord, EntityRecord, SpanRecord
from quell.model.state import State
from quell.model.topology import Change, Dependency, Entity, Gathered, Learned

SPAN_SOURCE = "spans"
LASTING: Mapping[Learned, int] = {"spans": 1, "telemetry": 2, "lineage": 3, "registry": 4}
"""What was learned from several is remembered as what comes last here would have it."""
KEEP_SPANS = 20_000
SPAN_JOIN_S = 60.0


def learn_entity(state: State, record: EntityRecord) -> bool:
    """Adds, merges or removes an entity; returns whether the graph differs now."""
    known = state.entities.get(record.entity)
    if record.removed:
        state.gathered.pop(record.entity, None)
        return state.entities.pop(record.entity, None) is not None
    _gathered(state, record, known)
    entity = Entity(
        entity=record.entity,
        labels={**(known.labels if known else {}), **record.labels},
        owner=record.owner or (known.owner if known else ""),
        tier=record.tier if record.tier is not None else known.tier if known else None,
        sources=_with(known.sources if known else (), record.source),
    )
    state.entities[record.entity] = entity
    return entity != known


def learn_dependency(state: State, record: DependencyRecord) -> bool:
    """Adds, confirms or removes a dependency; returns whether the graph differs now."""
    key = edge_key(record.from_, record.to, record.type)
    known = state.dependencies.get(key)
    if record.removed:
        return state.dependencies.pop(key, None) is not None
    learned = _learned(record, known)
    state.dependencies[key] = Dependency(
        from_=_one(state, record.from_),
        to=_one(state, record.to),
        type=intern(record.type),
        weight=record.weight,
        confidence=record.confidence,
        sources=_sources(known.sources if known else (), record.source),
        first_seen=known.first_seen if known else record.at,
        last_seen=max(record.at, known.last_seen or record.at) if known else record.at,
        learned=learned,
        told_at=max(record.arrived, known.told_at if known else 0.0) if learned else 0.0,
    )
    return known is None or (known.weight, known.confidence) != (record.weight, record.confidence)


def _gathered(state: State, record: EntityRecord, known: Entity | None) -> None:
    """Remembers when a learned entity arrived last. What somebody else told as configuration stays that."""
    if not record.learned:
        state.gathered.pop(record.entity, None)
        return
    before = state.gathered.get(record.entity)
    if before is not None:
        learned = max(before.learned, record.learned, key=lambda one: LASTING.get(one, 0))
        state.gathered[record.entity] = Gathered(learned, max(before.told_at, record.arrived))
    elif known is None or not set(known.sources) - {record.source}:
        state.gathered[record.entity] = Gathered(record.learned, record.arrived)


def _learned(record: DependencyRecord, known: Dependency | None) -> Learned:
    """From what a dependency counts as learned, after it was told of once more; "": it was told as configuration."""
    told: Learned = "spans" if record.source == SPAN_SOURCE else record.learned
    if not told or known is None:
        return told
    before = learned_from(known)
    if not before:
        return told if not set(known.sources) - {record.source} else ""
    return max(before, told, key=lambda one: LASTING.get(one, 0))


def learned_from(edge: Dependency) -> Learned:
    """From what a dependency was learned; states of before this was kept tell by who says so."""
    return edge.learned or ("spans" if edge.sources == (SPAN_SOURCE,) else "")


def edge_key(from_: str, to: str, kind: str) -> str:
    """What a dependency is known by in a state."""
    return f"{from_}\x00{to}\x00{kind}"


def learn_span(state: State, record: SpanRecord, now: float) -> tuple[str, ...]:
    """Joins a span with its parent; a call between two entities is a dependency. Parents may arrive last.

    Returns the keys of dependencies that were not known like this.
    """
    if not record.entity:
        return ()
    here, parent_key = f"{record.trace}/{record.span}", f"{record.trace}/{record.parent}"
    state.spans.pop(here, None)  # told again, it is remembered from now on: the oldest come first
    state.spans[here] = (record.entity, now, parent_key)
    found = [(record.entity, child) for child in state.orphans.pop(here, ())]
    if record.parent:
        parent = state.spans.get(parent_key)
        waiting = state.orphans.get(parent_key, ())
        if parent is not None:
            found.append((parent[0], record.entity))
        elif record.entity not in waiting:
            state.orphans[parent_key] = (*waiting, record.entity)
    _forget_spans(state, now)
    changed = []
    for caller, callee in found:
        if caller != callee:
            edge = DependencyRecord(
                at=record.at, seen=record.seen, source=SPAN_SOURCE, from_=caller, to=callee, type="calls"
            )
            if learn_dependency(state, edge):
                changed.append(edge_key(caller, callee, "calls"))
    return tuple(changed)


def _forget_spans(state: State, now: float) -> None:
    """Traces are joined over a minute; memory is bounded whatever the traffic."""
    while state.spans:
        key = next(iter(state.spans))
        _, seen, parent_key = state.spans[key]
        if len(state.spans) <= KEEP_SPANS and seen + SPAN_JOIN_S >= now:
            return
        del state.spans[key]
        state.orphans.pop(parent_key, None)


def learn_change(state: State, record: ChangeRecord, resolver: Resolver) -> tuple[Change, Change | None]:
    """Keeps a change under its id, at the entity its labels speak of; returns it and what was known under that id."""
    identity = record.id or f"{record.type}/{record.entity}/{record.at:.3f}"
    change = Change(
        id=identity,
        at=record.at,
        type=record.type,
        entity=resolver.resolve(record.labels, record.entity),
        revision=record.revision,
        previous=record.previous,
        commit=record.commit,
        author=record.author,
        summary=record.summary,
        url=record.url,
        source=record.source,
    )
    known = state.changes.get(identity)
    state.changes[identity] = change
    return change, known


def _one(state: State, name: str) -> str:
    """The text by which an entity is known, if it is: dependencies are many, and name the same few."""
    known = state.entities.get(name)
    return name if known is None else known.entity


@lru_cache(maxsize=256)
def _sources(sources: tuple[str, ...], source: str) -> tuple[str, ...]:
    return _with(sources, source)


def _with(sources: tuple[str, ...], source: str) -> tuple[str, ...]:
    return sources if not source or source in sources else (*sources, source)
