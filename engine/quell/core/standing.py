"""Where the firings of a group stand: asked at every look, and mostly of the same firings as at the look before."""

from __future__ import annotations

from dataclasses import dataclass

from quell.core.continuity import Member, place_of
from quell.model.state import Group, State

SMALL = 8
"""Of so few units it is quicker to ask anew than to remember."""
MOST_KEPT = 64
"""The firings of so many groups are remembered: few are large at a time."""


@dataclass(frozen=True, slots=True)
class Firings:
    """Firings in the order of a group's units, and under which key the state has where each stands."""

    units: tuple[int, ...]
    members: list[Member]
    places: list[str]
    marks: list[str]


class Standing:
    """Remembers firings for as long as a group has the units and alerts that it had: what joins a unit stays."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._kept: dict[int, Firings] = {}

    def firings(self, group: Group) -> Firings:
        """All firings of a group."""
        units = self._state.units
        ids = tuple(group.units)
        if len(ids) <= SMALL:
            return _firings(ids, [member for unit_id in ids for member in units[unit_id].alerts])
        known = self._kept.get(group.id)
        if known is not None and known.units == ids:
            count = 0
            for unit_id in ids:
                count += len(units[unit_id].alerts)
            if count == len(known.members):
                return known
        found = _firings(ids, [member for unit_id in ids for member in units[unit_id].alerts])
        self._kept.pop(group.id, None)
        if len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[group.id] = found
        return found

    def before(self, group: Group) -> dict[Member, str | None]:
        """The incident that each firing of a group stands in now, if any."""
        firings = self.firings(group)
        return dict(zip(firings.members, map(self._state.placed.get, firings.places), strict=True))


def _firings(units: tuple[int, ...], members: list[Member]) -> Firings:
    places = [member[0] if member[1] == 1 else place_of(member) for member in members]
    return Firings(units, members, places, [mark for mark, _ in members])
