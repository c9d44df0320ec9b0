"""What a thing is made from and what needs it, who said so, and where a version of it came from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from quell.core.kinds import MADE_OF_DATA
from quell.model.provenance import Promotion, Provenance, Version
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.times import format_time
from quell.model.topology import Change, Dependency, Entity

MOST_NODES = 200
FURTHEST = 24
DEEPEST = 6
"""So many versions behind one another are told, and at most `MOST_FED` of each."""
MOST_FED = 30
MOST_CHANGES = 5
_USERS = frozenset({"endpoint", "service", "frontend", "kpi", "queue"})
"""What needs a model or data beside what is made of them."""
_FACTS = 8


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entity; ``step`` is below 0 for what the one asked for is made from, above 0 for what needs it.

    ``version`` is the newest that is known, ``aliases`` what points where now, ``changes`` the latest, newest first.
    """

    entity: str
    step: int
    owner: str = ""
    version: str = ""
    aliases: dict[str, str] = {}
    changes: tuple[Change, ...] = ()


class Fed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version of something that a version was made of; ``at`` None: nobody told of that version.

    ``guessed``: its version was not told, and this is the newest one that was there by then.
    """

    entity: str
    version: str = ""
    at: float | None = None
    by: str = ""
    run: str = ""
    commit: str = ""
    guessed: bool = False
    inputs: tuple[Fed, ...] = ()


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a version came from: ``made`` tells when, by what and with which code; who pointed which alias to it."""

    made: Version
    data: tuple[Fed, ...] = ()
    promotions: tuple[Promotion, ...] = ()


class Lineage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``nodes`` by step, ``links`` from what needs to what is needed; ``more`` counts entities that are left out."""

    entity: str
    nodes: tuple[Node, ...]
    links: tuple[Dependency, ...]
    more: int = 0
    versions: tuple[str, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    origin: Origin | None = None
    text: str = ""


def lineage(state: State, rulebook: Rulebook, entity: str, version: str = "") -> Lineage | None:
    """The lineage of an entity, and the origin of one of its versions (a version, or an alias); None if unknown.

    Without ``version`` a model's origin is that of what its aliases point to, or of its newest version.
    """
    declared = {one.entity for one in rulebook.versions}
    known_of = {name: _known(state, rulebook, name) for name in declared} | {
        name: one for name, one in state.provenance.items() if name not in declared
    }
    entities = {one.entity: one for one in rulebook.entities} | state.entities
    edges = [*rulebook.dependencies, *state.dependencies.values()]
    known = known_of.get(entity)
    if entity not in entities and known is None and not any(entity in {edge.from_, edge.to} for edge in edges):
        return None
    columns = entity.startswith("column/")
    edges = [edge for edge in edges if columns or not _of_column(edge)]
    steps = _steps(entity, edges)
    links = [edge for edge in edges if edge.from_ in steps and edge.to in steps and edge.from_ != edge.to]
    kept = sorted(steps, key=lambda name: (abs(steps[name]), name))[:MOST_NODES]
    inside = set(kept)
    origin = _origin(known_of, entity, version)
    told = Lineage(
        entity=entity,
        nodes=tuple(
            _node(state, known_of.get(name), entities.get(name), name, steps[name])
            for name in sorted(kept, key=lambda one: (steps[one], one))
        ),
        links=tuple(
            sorted(
                (edge for edge in links if edge.from_ in inside and edge.to in inside),
                key=lambda edge: (steps[edge.to], edge.to, edge.from_, edge.type),
            )
        ),
        more=len(steps) - len(kept),
        versions=tuple(one.version for one in known.versions) if known is not None else (),
        promotions=tuple(known.promotions) if known is not None else (),
        origin=origin,
    )
    return msgspec.structs.replace(told, text="\n".join(_lines(told, version)))


def pointed(known: Provenance | None) -> dict[str, str]:
    """Where aliases point now."""
    found: dict[str, str] = {}
    for one in known.promotions if known is not None else ():
        found[one.alias] = one.version
    return {alias: version for alias, version in found.items() if alias and version}


def _of_column(edge: Dependency) -> bool:
    return edge.from_.startswith("column/") or edge.to.startswith("column/")


def _kind(entity: str) -> str:
    return entity.partition("/")[0]


def _steps(entity: str, edges: Sequence[Dependency]) -> dict[str, int]:
    """How far everything in the lineage is away, by the longest way; downwards what it is made from."""
    made: dict[str, list[str]] = {}
    needs: dict[str, list[str]] = {}
    for edge in edges:
        made.setdefault(edge.from_, []).append(edge.to)
        needs.setdefault(edge.to, []).append(edge.from_)
    below = _longest(entity, made, MADE_OF_DATA)
    above = _longest(entity, needs, MADE_OF_DATA | _USERS)
    if _kind(entity) in _USERS:  # what a number measures leads to models, then to data
        below = _longest(entity, made, MADE_OF_DATA | _USERS)
    steps = {name: step for name, step in above.items() if name not in below}
    return {**steps, **{name: -step for name, step in below.items()}, entity: 0}


def _longest(entity: str, links: Mapping[str, list[str]], kinds: frozenset[str]) -> dict[str, int]:
    """The longest ways from an entity, over kinds of entities that lineage leads through; circles are cut."""
    reached = {entity}
    queue = deque([entity])
    while queue and len(reached) < 5 * MOST_NODES:
        for other in links.get(queue.popleft(), ()):
            if other not in reached and _kind(other) in kinds:
                reached.add(other)
                queue.append(other)
    steps = {entity: 0}
    work = deque([(entity, frozenset({entity}))])
    budget = 50 * len(reached)
    while work and budget:
        budget -= 1
        here, way = work.popleft()
        for other in sorted(links.get(here, ())):
            if other in reached and other not in way and len(way) <= FURTHEST and steps.get(other, -1) < len(way):
                steps[other] = len(way)
                work.append((other, way | {other}))
    return steps


def _known(state: State, rulebook: Rulebook, entity: str) -> Provenance:
    """What was told of an entity's versions, and beside it what the rules say of others."""
    told = state.provenance.get(entity) or Provenance()
    names = {one.version for one in told.versions}
    more = [one for one in rulebook.versions if one.entity == entity]
    moves = {(one.alias, one.version) for one in told.promotions}
    promotions = [move for one in more for move in one.promotions if (move.alias, move.version) not in moves]
    return Provenance(
        told_at=told.told_at,
        versions=sorted([*told.versions, *(one.version for one in more if one.version.version not in names)], key=_at),
        promotions=sorted([*told.promotions, *promotions], key=_at),
    )


def _at(one: Version | Promotion) -> float:
    return one.at


def _node(state: State, known: Provenance | None, entity: Entity | None, name: str, step: int) -> Node:
    changes = sorted((one for one in state.changes.values() if one.entity == name), key=lambda one: -one.at)
    return Node(
        entity=name,
        step=step,
        owner=entity.owner if entity is not None else "",
        version=known.versions[-1].version if known is not None and known.versions else "",
        aliases=pointed(known),
        changes=tuple(changes[:MOST_CHANGES]),
    )


# Origins


_Known = Mapping[str, Provenance]


def _origin(known_of: _Known, entity: str, version: str) -> Origin | None:
    known = known_of.get(entity)
    if known is None or not known.versions:
        return None
    wanted = version.removeprefix("@") or next(iter(pointed(known).values()), "") or known.versions[-1].version
    by_name = {one.version: one for one in known.versions}
    made = by_name.get(wanted) or by_name.get(pointed(known).get(wanted, ""))
    if made is None:
        return None
    promotions = tuple(one for one in known.promotions if made.version in {one.version, one.previous})
    return Origin(made=made, data=_fed(known_of, made, frozenset({entity})), promotions=promotions)


def _fed(known_of: _Known, made: Version, way: frozenset[str]) -> tuple[Fed, ...]:
    if len(way) > DEEPEST:
        return ()
    return tuple(_input(known_of, made, name, way) for name in sorted(made.inputs)[:MOST_FED] if name not in way)


def _input(known_of: _Known, made: Version, name: str, way: frozenset[str]) -> Fed:
    known, wanted = known_of.get(name), made.inputs[name]
    versions = known.versions if known is not None else []
    found = next((one for one in versions if one.version == wanted), None)
    guessed = False
    if found is None and not wanted:
        found = next((one for one in reversed(versions) if one.at <= made.at), None)
        guessed = found is not None
    if found is None:
        return Fed(entity=name, version=wanted)
    return Fed(
        entity=name,
        version=found.version,
        at=found.at,
        by=found.by,
        run=found.run,
        commit=found.commit,
        guessed=guessed,
        inputs=_fed(known_of, found, way | {name}),
    )


# Words


def _lines(told: Lineage, asked: str) -> Iterable[str]:
    """The answer to "which data and code fed this version, who promoted it, when"."""
    origin = told.origin
    if origin is None:
        if asked:
            known = ", ".join(told.versions[-10:]) or "none"
            yield f'nothing is known of version "{asked}" of {told.entity}; known are: {known}'
        return
    made = origin.made
    yield f"{told.entity} version {made.version}"
    yield f"  made      {format_time(made.at)}{_by(made.by, made.run)}"
    yield f"  code      {made.commit or 'not told'}{_also(made.labels.get('code', ''))}"
    if not origin.data:
        yield "  data      not told"
    for at, fed in enumerate(origin.data):
        yield f"  {'data' if not at else '':<9} {_fed_line(fed)}"
        yield from _deeper(fed, 6)
    for at, one in enumerate(origin.promotions):
        yield f"  {'promoted' if not at else '':<9} {promotion_line(one, made.version)}"
    if not origin.promotions:
        yield "  promoted  never, as far as is known"
    facts = [f"{name} {value}" for name, value in sorted(made.labels.items()) if name != "code"]
    if facts:
        more = f", and {len(facts) - _FACTS} more" if len(facts) > _FACTS else ""
        yield f"  facts     {', '.join(facts[:_FACTS])}{more}"


def _deeper(fed: Fed, indent: int) -> Iterable[str]:
    for one in fed.inputs:
        yield f"  {'':<{indent + 4}}from {_fed_line(one)}"
        yield from _deeper(one, indent + 2)


def _fed_line(fed: Fed) -> str:
    version = f" version {fed.version}" if fed.version else ", version not told"
    if fed.at is None:
        return f"{fed.entity}{version}"
    sure = ", the newest by then" if fed.guessed else ""
    code = f", code {fed.commit}" if fed.commit else ""
    return f"{fed.entity}{version}{sure} of {format_time(fed.at)}{_by(fed.by, fed.run)}{code}"


def promotion_line(one: Promotion, version: str) -> str:
    """Which alias came to a version or left it, when, and by whom."""
    by = f" by {one.by}" if one.by else ", nobody told by whom"
    alias = one.alias or "in use"
    if one.version != version:
        gone = f"went on to version {one.version}" if one.version else "was removed"
        return f"{alias} {gone} at {format_time(one.at)}{by}"
    if one.found:
        return f"{alias} since {format_time(one.at)} or before{f' by {one.by}' if one.by else ''}"
    before = f", in the place of version {one.previous}" if one.previous else ""
    return f"{alias} at {format_time(one.at)}{by}{before}"


def _by(by: str, run: str) -> str:
    return (f" by {by}" if by else "") + (f", run {run}" if run else "")


def _also(text: str) -> str:
    return f" ({text})" if text else ""
