"""What expressions may look up: entities (``catalog.model(name).dag``) and budgets (``slo.budget(name).left``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from quell.core.slos import budget
from quell.model.state import State
from quell.model.topology import Entity

CATALOG = "catalog"
BUDGET = "slo.budget"


class Catalog:
    """Answers the dotted calls of an expression from the topology. ``unknown`` says what it could not answer, and why.

    Nothing is raised from within an expression: whoever evaluates it asks for ``unknown`` afterwards.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.unknown: list[str] = []

    def __call__(self, name: str, arguments: list[Any]) -> Any:
        """What ``name(arguments)`` is."""
        if name == BUDGET:
            return self._budget(*map(str, arguments[:2]))
        root, _, kind = name.partition(".")
        if root != CATALOG:
            return self._other(name, arguments)
        wanted = str(arguments[0]) if len(arguments) == 1 else ""
        entity = self._entity(kind, wanted)
        if entity is None:
            self.unknown.append(f'the catalog knows no {kind} "{wanted}"')
            return {}
        return known_of(entity)

    def _budget(self, name: str = "", entity: str = "") -> Any:
        found = budget(self._state, name, entity)
        if isinstance(found, str):
            self.unknown.append(found)
            return {}
        return found

    def _other(self, name: str, _arguments: list[Any]) -> Any:
        self.unknown.append(f"{name} is read in check, if and wait.until only")
        return None

    def _entity(self, kind: str, name: str) -> Entity | None:
        whole = name if name.startswith(f"{kind}/") else f"{kind}/{name}"
        entity = entity_of(self._state, whole)
        return entity if entity is not None or not name else next(named(self._state, name, kind), None)


def entity_of(state: State, key: str) -> Entity | None:
    """What is known of an entity: what it was told of, and beside that what the rules say."""
    told, declared = state.entities.get(key), state.declared.get(key)
    if told is None or declared is None:
        return told or declared
    tier = told.tier if told.tier is not None else declared.tier
    labels = {**declared.labels, **told.labels}
    return replace(told, labels=labels, owner=told.owner or declared.owner, tier=tier)


def named(state: State, name: str, kind: str = "") -> Iterator[Entity]:
    """The entities of that name, of one kind if it is given, in order of their keys."""
    for key in sorted(state.entities.keys() | state.declared.keys()):
        entity = entity_of(state, key)
        if entity is not None and entity.name == name and kind in {"", entity.kind}:
            yield entity


def known_of(entity: Entity) -> dict[str, Any]:
    """What is known of an entity: its labels, and its name, owner and tier as far as it has them."""
    known: dict[str, Any] = {**entity.labels, "entity": entity.entity, "kind": entity.kind, "name": entity.name}
    if entity.owner:
        known["owner"] = entity.owner
    if entity.tier is not None:
        known["tier"] = entity.tier
    return known
