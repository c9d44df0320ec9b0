"""What expressions may look up about known entities: ``catalog.model(name).dag``, ``catalog.service(name).owner``."""

from __future__ import annotations

from typing import Any

from quell.model.state import State
from quell.model.topology import Entity

CATALOG = "catalog"


class Catalog:
    """Answers the dotted calls of an expression from the topology. ``unknown`` says what it could not answer, and why.

    Nothing is raised from within an expression: whoever evaluates it asks for ``unknown`` afterwards.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.unknown: list[str] = []

    def __call__(self, name: str, arguments: list[Any]) -> Any:
        """What ``name(arguments)`` is."""
        root, _, kind = name.partition(".")
        if root != CATALOG:
            return self._other(name, arguments)
        wanted = str(arguments[0]) if len(arguments) == 1 else ""
        entity = self._entity(kind, wanted)
        if entity is None:
            self.unknown.append(f'the catalog knows no {kind} "{wanted}"')
            return {}
        return known_of(entity)

    def _other(self, name: str, _arguments: list[Any]) -> Any:
        self.unknown.append(f"{name} is read in check, if and wait.until only")
        return None

    def _entity(self, kind: str, name: str) -> Entity | None:
        known = self._state.declared | self._state.entities
        entity = known.get(name if name.startswith(f"{kind}/") else f"{kind}/{name}")
        if entity is not None or not name:
            return entity
        named = (one for _, one in sorted(known.items()) if one.kind == kind)
        return next((one for one in named if one.name == name), None)


def known_of(entity: Entity) -> dict[str, Any]:
    """What is known of an entity: its labels, and its name, owner and tier as far as it has them."""
    known: dict[str, Any] = {**entity.labels, "entity": entity.entity, "kind": entity.kind, "name": entity.name}
    if entity.owner:
        known["owner"] = entity.owner
    if entity.tier is not None:
        known["tier"] = entity.tier
    return known
