"""Which units are near enough in time to be of one trouble, and which a group that is full keeps apart."""

from __future__ import annotations

from quell.core.families import Family
from quell.model.state import State, Unit

LEG_WITHIN_S = 1500.0
LEG_WITHIN_DATA_S = 9000.0
MOST_TOGETHER = 8_000
"""A group of so many units takes in no more, whatever leaves it: what comes then is a group of its own, as nobody
could weigh them all."""


def window(family: int) -> float:
    """How long, in seconds, an onset at one entity may lie from another and still belong to the same trouble."""
    return LEG_WITHIN_DATA_S if family == Family.DATA else LEG_WITHIN_S


class Nearness:
    """Asked for pairs of live units."""

    def __init__(self, state: State) -> None:
        self._state = state

    def near(self, a: Unit, b: Unit) -> bool:
        """Whether two units may share a cause by when they began."""
        return abs(a.first - b.first) <= max(window(a.family), window(b.family)) and not self.apart(a, b)

    def may_lead(self, a: Unit, b: Unit) -> bool:
        """Whether a way to one unit may lead through the other."""
        return not (a.plain or b.plain) and self.near(a, b)

    def apart(self, a: Unit, b: Unit) -> bool:
        """Whether a group that is full keeps two units apart."""
        return a.group != b.group and (self.full(a.group) or self.full(b.group))

    def full(self, group_id: int) -> bool:
        """Whether a group is too large to take in more."""
        group = self._state.groups.get(group_id)
        return group is not None and (group.full or len(group.units) >= MOST_TOGETHER)
