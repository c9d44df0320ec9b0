"""The chart of the estate: what is worked out from its topology and changes, drawn anew when more was learned."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from quell.core.churn import Churn
from quell.core.correlate import Correlator
from quell.core.graph import Graph
from quell.core.rank import Ranker
from quell.core.resolve import Resolver
from quell.core.trail import OF_DATA
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.topology import Change

LEAST_OPENING = 0.5
"""Nats that a cause costs whatever was changed there."""


class Chart:
    """Graph, resolver, correlator and ranker as they were last drawn, and the changes by entity."""

    graph: Graph
    resolver: Resolver
    correlator: Correlator
    ranker: Ranker

    def __init__(self, rulebook: Rulebook, state: State) -> None:
        self._rulebook = rulebook
        self._state = state
        self._stale = False
        self._changes_of: dict[str, list[Change]] = {}
        self._churn = Churn()
        self._draw()
        self.index_changes()

    def learned(self, changed: bool) -> None:
        """Remembers that the topology is not what was drawn, if it changed."""
        self._stale = self._stale or changed

    def renew(self) -> None:
        """Draws everything anew when more was learned since; before anything is concluded from it."""
        if self._stale:
            self._draw()

    def _draw(self) -> None:
        entities = {entity.entity: entity for entity in self._rulebook.entities} | self._state.entities
        dependencies = [*self._rulebook.dependencies, *self._state.dependencies.values()]
        settings = self._rulebook.correlate
        self.graph = Graph(entities.values(), dependencies, settings, self._state.strangers)
        self.resolver = Resolver(entities.values(), self._rulebook.map)
        self.correlator = Correlator(self.graph, settings, self._state)
        self.ranker = Ranker(self.graph, self.correlator, self._state)
        self._stale = False

    def weigh_changes(self, now: float) -> None:
        """Has what is concluded next take a change for what it says where things are changed as often as here."""
        prices = self._rulebook.correlate.weights.prices
        says = prices.changed and prices.changed + round(self._churn.more(len(self.graph.entities), now), 1)
        nats = min(max(0.0, says), max(prices.changed, prices.opening - LEAST_OPENING))
        self.correlator.weigh_changes(nats)
        self.ranker.weigh_changes(nats)

    def changes(self, entity: str) -> Collection[Change]:
        """The known changes at an entity."""
        return self._changes_of.get(entity, ())

    def note_change(self, change: Change, known: Change | None) -> None:
        """Takes up a change, in the place of ``known`` when more was told of that one."""
        if known is not None:
            self._changes_of[known.entity or ""].remove(known)
        self._changes_of.setdefault(change.entity or "", []).append(change)
        self._churn.tell(change.at, None if known is None else known.at)
        self.correlator.data_changed(
            one.entity for one in (change, known) if one is not None and one.type in OF_DATA and one.entity
        )

    def index_changes(self, of_data: Iterable[str] = ()) -> None:
        """Finds all changes of the state by entity anew, after some were forgotten; ``of_data`` at these entities."""
        self.correlator.data_changed(of_data)
        self._changes_of.clear()
        self._churn = Churn(change.at for change in self._state.changes.values())
        for change in self._state.changes.values():
            self._changes_of.setdefault(change.entity or "", []).append(change)
