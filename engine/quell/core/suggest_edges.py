"""Dependencies that would explain trouble which nothing known explains, if it came again and again.

For an entity A every orphaned trouble names what was in trouble around then. A depends on B is believed more with each
of them that names B, by how few were in trouble at the time (log of .5 to the chance of being among them), less with
each trouble of B that A did not share, and to begin with as little as the known graph says: how often entities of these
two kinds, in one namespace or not, depend on each other. What one dependency explains speaks for no second one; of two
directions the better stays; and what known and suggested dependencies together explain is not suggested again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, log

from quell.core.chances import by_chance
from quell.core.graph import Graph
from quell.core.orphans import HOPS, reached
from quell.core.suggest_rules import writable
from quell.model.habits import Orphan, Suggestion, Tally, suggestion_id
from quell.model.times import format_duration
from quell.model.topology import Dependency, Entity

LEAST_SUPPORT = 2
LEAST_CONFIDENCE = 0.5
LEAST_SIGNIFICANT = 0.3
"""How likely at most chance alone brings this about for any of the candidates of one entity (Poisson, Bonferroni)."""
SHARED = 0.5
"""How likely A is in trouble when what it depends on is."""
UNKNOWN_SHARE = 0.15
"""How many of all dependencies a graph is taken not to know."""
LEAST_CROWD = 20
CAUTION = 0.35
"""What the log-odds are worth: troubles are not as independent of one another as the sum takes them to be."""
MOST_OF_ONE = 4
MOST_SUGGESTED = 100
EARLY_S = 60.0
EARLY_PRICE = 0.8
SHARING_PRICE = 1.0
"""What both are known to depend on may be what troubles both."""
DEFAULT_TYPE = "depends_on"


@dataclass(frozen=True, slots=True)
class _Found:
    """A depends on B, with its log-odds, how often seen, how often by chance, and the median lag in seconds."""

    a: str
    b: str
    odds: float
    support: int
    chance: float
    troubles: int
    lag_s: float


def edges(tally: Tally, graph: Graph, dependencies: Iterable[Dependency]) -> list[Suggestion]:
    """The suggested dependencies, surest first. ``dependencies`` are those of the graph, with their types."""
    prior = Prior(graph, dependencies)
    found = [one for entity in sorted(tally.orphans) for one in _of(entity, tally, prior)]
    best = {frozenset((one.a, one.b)): one for one in sorted(found, key=lambda one: (one.odds, one.a, one.b))}
    surest = sorted(
        (one for one in best.values() if _writable(one.a) and _writable(one.b)),
        key=lambda one: (-one.odds, one.a, one.b),
    )
    kept: list[_Found] = []
    known = _Reach(graph)
    for one in surest:
        if len(kept) < MOST_SUGGESTED and not known.leads(one.a, one.b):
            known.add(one.a, one.b)
            kept.append(one)
    return [_suggestion(one, prior) for one in kept]


def _of(entity: str, tally: Tally, prior: Prior) -> Iterator[_Found]:
    """The dependencies of one entity that explain most of its orphaned troubles."""
    left = list(tally.orphans[entity])
    candidates = {other for orphan in left for other, _ in orphan.near}
    known = max(len(tally.troubles), LEAST_CROWD)
    for _ in range(MOST_OF_ONE):
        among = len(candidates)
        scored = [
            _scored(entity, other, left, tally=tally, prior=prior, known=known, among=among)
            for other in sorted(candidates)
        ]
        held = sorted((one for one in scored if one is not None), key=lambda one: (-one.odds, one.b))
        if not held:
            return
        best = _against(held[0], held[1:])
        if _probability(best.odds) < LEAST_CONFIDENCE:
            return
        yield best
        candidates.discard(best.b)
        left = [orphan for orphan in left if all(other != best.b for other, _ in orphan.near)]


def _against(best: _Found, others: Sequence[_Found]) -> _Found:
    """The best candidate with what its rivals leave of its odds: only one of them need be the dependency."""
    rivals = sum(exp(other.odds) for other in others)
    return replace(best, odds=best.odds - log(1.0 + rivals))


def _probability(odds: float) -> float:
    return 1.0 / (1.0 + exp(-CAUTION * max(min(odds, 100.0), -100.0)))


def _scored(
    entity: str, other: str, orphans: Sequence[Orphan], *, tally: Tally, prior: Prior, known: int, among: int
) -> _Found | None:
    lags = []
    odds = prior.odds(entity, other) - (SHARING_PRICE if prior.sharing(entity, other) else 0.0)
    chance = 0.0
    part = tally.troubles.get(other, 0) / max(sum(tally.troubles.values()), known)
    for orphan in orphans:
        share = min(max(orphan.crowd / known, 1.0 - (1.0 - part) ** orphan.crowd), 0.45)
        chance += share
        lag = next((lag for name, lag in orphan.near if name == other), None)
        if lag is not None:
            lags.append(lag)
            odds += log(SHARED / share) - (EARLY_PRICE if lag < -EARLY_S else 0.0)
    if len(lags) < LEAST_SUPPORT or by_chance(len(lags), chance) * among > LEAST_SIGNIFICANT:
        return None
    alone = max(tally.troubles.get(other, 0) - len(lags), 0)
    odds += alone * log((1.0 - SHARED) / (1.0 - chance / len(orphans)))
    lag_s = sorted(lags)[len(lags) // 2]
    return _Found(entity, other, odds, len(lags), chance, len(lags) + alone, lag_s)


class Prior:
    """What the known graph says of entities of two kinds: how often one depends on the other, and by which type.

    Asked apart for pairs in one namespace and not, and in one cluster and not.
    """

    def __init__(self, graph: Graph, dependencies: Iterable[Dependency]) -> None:
        self._graph = graph
        self._edges: Counter[tuple[str, str, bool, bool]] = Counter()
        self._types: dict[tuple[str, str], Counter[str]] = {}
        self._held: dict[tuple[str | None, str | None], Counter[str]] = {}
        for node, entity in enumerate(graph.entities):
            space, cluster = _space(entity), _cluster(entity)
            for where in {(space, cluster), (space, None), (None, cluster), (None, None)}:
                self._held.setdefault(where, Counter())[entity.kind] += 1
            for other, _, _ in graph.out[node]:
                self._edges[self._sort(entity, graph.entities[other])] += 1
        for edge in dependencies:
            kinds = (self._entity(edge.from_).kind, self._entity(edge.to).kind)
            self._types.setdefault(kinds, Counter())[edge.type] += 1

    def odds(self, a: str, b: str) -> float:
        """The log-odds that A depends on B though the graph does not say so."""
        sort = self._sort(self._entity(a), self._entity(b))
        rate = (self._edges[sort] + 0.2) / (self._pairs(*sort) + 20.0)
        missing = min(rate * UNKNOWN_SHARE / (1.0 - UNKNOWN_SHARE), 0.3)
        return log(missing / (1.0 - missing))

    def _sort(self, one: Entity, two: Entity) -> tuple[str, str, bool, bool]:
        return (one.kind, two.kind, _space(one) == _space(two), _cluster(one) == _cluster(two))

    def _pairs(self, one: str, two: str, space: bool, cluster: bool) -> int:
        """How many pairs of these kinds there are, in one namespace or not, in one cluster or not."""
        among: Counter[tuple[bool, bool]] = Counter()
        for (named, located), held in self._held.items():
            among[named is not None, located is not None] += held[one] * held[two]
        spaces = among[True, False] if not cluster else among[True, True]
        whole = among[False, False] if not cluster else among[False, True]
        if cluster:
            return spaces if space else whole - spaces
        apart = spaces - among[True, True]
        return apart if space else whole - among[False, True] - apart

    def sharing(self, a: str, b: str) -> bool:
        """Whether both are known to depend directly on the same entity."""
        one, two = self._graph.number.get(a), self._graph.number.get(b)
        if one is None or two is None:
            return False
        return not {node for node, _, _ in self._graph.out[one]}.isdisjoint(node for node, _, _ in self._graph.out[two])

    def type(self, a: str, b: str) -> str:
        """The type that most dependencies between entities of these kinds have."""
        types = self._types.get((self._entity(a).kind, self._entity(b).kind), Counter())
        return min(types, key=lambda name: (-types[name], name), default=DEFAULT_TYPE)

    def _entity(self, name: str) -> Entity:
        number = self._graph.number.get(name)
        return Entity(entity=name) if number is None else self._graph.entities[number]


class _Reach:
    """Whether known and suggested dependencies lead from one entity to another."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._more: dict[str, set[str]] = {}

    def add(self, a: str, b: str) -> None:
        self._more.setdefault(a, set()).add(b)

    def leads(self, a: str, b: str) -> bool:
        number = self._graph.number
        rim, found = {a}, {a}
        for _ in range(HOPS):
            onward: set[str] = set()
            for name in rim:
                node = number.get(name)
                if node is not None:
                    onward.update(self._graph.name(other) for other in reached(self._graph.out, node, 1))
                onward.update(self._more.get(name, ()))
            if b in onward:
                return True
            rim = onward - found
            found |= rim
        return False


def _writable(entity: str) -> bool:
    """Whether a rules file takes this for an entity: alerts may name one with spaces, or without a kind."""
    kind, _, name = entity.partition("/")
    return bool(kind and name) and not any(sign.isspace() for sign in entity) and writable(entity)


def _space(entity: Entity) -> str:
    return entity.labels.get("namespace", "")


def _cluster(entity: Entity) -> str:
    return entity.labels.get("cluster", "")


def _suggestion(found: _Found, prior: Prior) -> Suggestion:
    when = f"{format_duration(abs(found.lag_s))} {'before' if found.lag_s >= 0 else 'after'} it"
    times = f"{found.support} of {found.troubles} troubles of {found.b} had {found.a} in trouble too"
    evidence = (
        f"{times}, which nothing known explains; by chance {found.chance:.1f} would have",
        f"{found.b} usually began {when}" if abs(found.lag_s) >= 1.0 else "both usually began at once",
    )
    return Suggestion(
        id=suggestion_id("dependency", found.a, found.b),
        kind="dependency",
        text=f"{found.a} depends on {found.b}",
        evidence=evidence,
        rule={"from": found.a, "to": [found.b], "type": prior.type(found.a, found.b)},
        support=found.support,
        chance=round(found.chance, 2),
        confidence=round(_probability(found.odds), 3),
    )
