"""The symptoms of one cause in columns: each of its candidates is asked what it has to do with every one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from quell.core.reach import Claim
from quell.model.state import Unit


class Case:
    """Units as they are now; ``claims`` are theirs by their ids."""

    def __init__(self, units: Sequence[Unit], claims: Mapping[int, Mapping[int, Claim]]) -> None:
        self.units = units
        self.entities = [unit.entity for unit in units]
        self.onsets = [unit.onset for unit in units]
        self.first = min(self.onsets)
        self.alerts = [len(unit.alerts) for unit in units]
        self.in_order = sorted(units, key=lambda unit: (unit.entity, unit.family))
        self._claims = [claims[unit.id] for unit in units]
        self._at: dict[str, list[Unit]] = {}
        for unit in units:
            self._at.setdefault(unit.entity, []).append(unit)
        began = sorted((min(unit.onset for unit in own), entity) for entity, own in self._at.items())
        self._earliest = began[:2]

    def at(self, entity: str) -> Sequence[Unit]:
        """Those at an entity."""
        return self._at.get(entity, ())

    def first_besides(self, entity: str) -> float:
        """When the first began that is somewhere else; inf if there is none."""
        return next((onset for onset, where in self._earliest if where != entity), inf)

    def claims(self, cause: int) -> list[Claim | None]:
        """What each claims of a cause, if anything."""
        return [claims.get(cause) for claims in self._claims]
