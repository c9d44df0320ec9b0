"""The dependency graph on integers: adjacency for walks, built from entities and dependencies."""

from __future__ import annotations

from collections.abc import Iterable

from quell.core.edges import Travel, travel
from quell.core.families import Family
from quell.core.gaps import Gaps
from quell.core.kinds import HANDS_ON, MADE_OF_DATA, made, shown
from quell.core.placements import implied
from quell.model.rulebook import Correlate
from quell.model.topology import Dependency, Entity

LIKELY = 0.3
"""With this probability trouble is expected to show at a dependent,"""
LATE_S = 600.0
"""and shows late where that takes so many seconds at least."""
Arc = tuple[int, Travel, float]
"""The other node, how trouble travels over the edge, and the edge's weight times confidence."""


class Graph:
    """``out[i]`` are the arcs to what node i depends on, ``inn[i]`` those to what depends on it.

    Numbers decide ties, so they must be the same after a restart: known entities come first, by name, then
    ``strangers`` (entities of alerts that the graph does not know) in the order in which they were first asked for.
    New ones are added to that list.
    """

    def __init__(
        self,
        entities: Iterable[Entity],
        dependencies: Iterable[Dependency],
        settings: Correlate,
        strangers: list[str] | None = None,
    ) -> None:
        self.weights = settings.weights
        self.entities: list[Entity] = []
        self.number: dict[str, int] = {}
        self.out: list[list[Arc]] = []
        self.inn: list[list[Arc]] = []
        self._kinds: dict[int, str] = {}
        self._late: dict[int, bool] = {}
        known, told = sorted(entities, key=lambda entity: entity.entity), list(dependencies)
        for entity in known:
            self._add(entity)
        self._travel: dict[str, Travel] = {}
        for edge in sorted([*told, *implied(known, told)], key=lambda edge: (edge.from_, edge.to, edge.type)):
            self._connect(edge, settings)
        self.gaps = Gaps(known, told, self.kind)
        self.known = len(self.entities)
        """So many nodes, the first of all, are what people or senders told of: the others are strangers."""
        self._strangers = [] if strangers is None else strangers
        for stranger in self._strangers:
            self._add(Entity(entity=stranger))

    def _add(self, entity: Entity) -> int:
        found = self.number.get(entity.entity)
        if found is not None:
            return found
        self.number[entity.entity] = number = len(self.entities)
        self.entities.append(entity)
        self.out.append([])
        self.inn.append([])
        return number

    def _connect(self, edge: Dependency, settings: Correlate) -> None:
        source, target = self._add(Entity(entity=edge.from_)), self._add(Entity(entity=edge.to))
        if source == target:
            return
        how = self._travel.get(edge.type)
        if how is None:
            how = self._travel[edge.type] = travel(edge.type, settings)
        weight = max(0.02, min(1.0, edge.weight)) * max(0.05, min(1.0, edge.confidence))
        self.out[source].append((target, how, weight))
        self.inn[target].append((source, how, weight))

    def node(self, entity: str) -> int:
        """The number of an entity, added without edges when the graph does not know it."""
        found = self.number.get(entity)
        if found is None:
            self._strangers.append(entity)
            return self._add(Entity(entity=entity))
        return found

    def name(self, node: int) -> str:
        """The entity of a number."""
        return self.entities[node].entity

    def kind(self, node: int) -> str:
        """The kind of a node."""
        known = self._kinds.get(node)
        if known is None:
            known = self._kinds[node] = self.entities[node].kind
        return known

    def scope(self, node: int) -> str:
        """The namespace of a node, "" when it has none."""
        return self.entities[node].labels.get("namespace", "")

    def made(self, node: int) -> bool:
        """Whether a node is of a kind that others make, as a feature or a KPI: it does not fail by itself."""
        return made(self.kind(node))

    def made_of_data(self, node: int) -> bool:
        """Whether a node is data or is made of them, so that somebody may watch what they are worth there."""
        kind = self.kind(node)
        return kind in MADE_OF_DATA or made(kind)

    def shows_late(self, node: int) -> bool:
        """Whether what fails at a node is likely to show at others after some time only, as in data made by it."""
        known = self._late.get(node)
        if known is None:
            known = self._late[node] = any(
                how.p[Family.FAILING][Family.DATA] * weight >= LIKELY
                and how.lag_s[Family.FAILING][Family.DATA] >= LATE_S
                for _, how, weight in self.inn[node]
            )
        return known

    def hands_on(self, node: int) -> bool:
        """Whether a node only hands on what it is sent, as a queue: that nothing is sent is no trouble there."""
        return self.kind(node) in HANDS_ON

    def shown(self, node: int) -> bool:
        """Whether a node is of a kind that only shows what became of others, as a KPI."""
        return shown(self.kind(node))
