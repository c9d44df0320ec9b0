"""Where the firings of a group stand: asked at every look, and mostly of the same firings as at the look before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf

from quell.core.continuity import place_of
from quell.core.looks import Few, Look
from quell.core.roll import Roll
from quell.core.rosters import Rosters
from quell.core.steps import Steps
from quell.model.state import Group, State

FEW = 256
"""Of so many firings it is as quick to ask anew as to remember."""
AHEAD = 1_000
"""So many that joined a group are read before anybody looks; of a larger one an eighth of what was read."""
LESS = 10_000
"""After so many alerts were forgotten it is counted anew how many come."""
MOST_KEPT = 32
"""The firings of so many groups are remembered: few are large at a time."""
IDLE_S = 40.0
"""Firings of a group that was not looked at for so long are remembered no longer: a large group in which something goes
on is looked at every half a minute."""


class Standing:
    """Remembers the firings of large groups from one look to the next."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rosters = Rosters(state)
        self._kept: dict[int, Roll] = {}
        self._until: dict[int, float] = {}
        self._known = len(state.alerts)
        """How many alerts there were when what joined groups was read."""

    def look(self, group: Group) -> Steps[Look]:
        """The firings of a group as they are now."""
        units = self._state.units
        if sum([len(units[unit_id].alerts) for unit_id in group.units]) > FEW:
            return (yield from self._roll(group))
        self._forget(group.id)
        members = [member for unit_id in group.units for member in units[unit_id].alerts]
        placed = self._state.placed.get
        return Few(
            self._rosters,
            {member: placed(member[0] if member[1] == 1 else place_of(member)) for member in members},
        )

    def _roll(self, group: Group) -> Steps[Roll]:
        roll = self._kept.pop(group.id, None)
        if roll is None or not (yield from roll.renew(group)):
            roll = self._made(group.id)
            yield from roll.renew(group)
        self._kept[group.id] = roll
        return roll

    def _made(self, group_id: int) -> Roll:
        """A new roll, in the place of those of groups that are gone, and of the oldest."""
        self._forget_gone()
        if len(self._kept) >= MOST_KEPT:
            self._forget(next(iter(self._kept)))
        roll = self._kept[group_id] = Roll(self._state)
        return roll

    @property
    def behind(self) -> bool:
        """Whether so many alerts were heard of for the first time that it is worth while to `read` what joined."""
        return not self._known - LESS < len(self._state.alerts) < self._known + AHEAD

    def read(self, alerts_of: Callable[[Group], int]) -> Steps[None]:
        """Reads what joins large groups as it comes, so that there is less to do when they are looked at."""
        self._known = len(self._state.alerts)
        for group in self._state.groups.values():
            roll = self._kept.get(group.id)
            read = 0 if roll is None else len(roll.members)
            if group.solve_at is None or alerts_of(group) < read + max(AHEAD, read // 8):
                continue
            whole = False
            try:
                whole = yield from (roll or self._made(group.id)).ahead(group)
            finally:
                if not whole:  # also where that failed half-way, or was given up
                    self._forget(group.id)

    def rest(self, group: Group, now: float) -> Steps[float | None]:
        """A look at a group is over; when to `give_up` what is remembered of it, if there is any."""
        self._forget_gone()  # a group that was taken into this one is never looked at again
        roll = self._kept.get(group.id)
        if roll is None:
            return None
        yield from roll.rest()
        until = self._until[group.id] = now + IDLE_S
        return until

    def give_up(self, group_id: int, now: float) -> bool:
        """Forgets the firings of a group, unless it was looked at since, or is going to be; whether it did."""
        group = self._state.groups.get(group_id)
        idle = self._until.get(group_id, inf) <= now and (group is None or group.solve_at is None)
        if idle:
            self._forget(group_id)
        return idle

    def _forget_gone(self) -> None:
        groups = self._state.groups  # of which there are thousands, and few are kept
        for gone in [one for one in self._kept if one not in groups]:
            self._forget(gone)

    def _forget(self, group_id: int) -> None:
        self._kept.pop(group_id, None)
        self._until.pop(group_id, None)

    def nowhere(self, group: Group) -> Iterator[str]:
        """The alerts of a group that may be in no incident after the look that was just made, in the order of units."""
        roll = self._kept.get(group.id)
        if roll is not None:
            return roll.nowhere()
        units = self._state.units
        return (mark for unit_id in group.units for mark, _ in units[unit_id].alerts)
