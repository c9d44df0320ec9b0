"""A look at the firings of a large group: of which cause each is, where it stands, and where it is to stand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain

import numpy as np

from quell.core.conclude import Cause
from quell.core.continuity import Cluster, Member, most_of, place_of
from quell.core.looks import Moves, Story
from quell.core.said import Ints, OfColumns
from quell.core.slots import ASKED_TOGETHER, TAKEN_TOGETHER, Slots
from quell.core.steps import Steps, finished
from quell.model.state import State


class Roll(Slots):
    """What is asked of the slots at a look; a roll that is made anew says the same."""

    @property
    def before(self) -> Before:
        """Where each firing stands."""
        return Before(self._state, self)

    def clusters(self, causes: Sequence[Cause]) -> Steps[list[Cluster]]:
        """Those of these causes of which people may hear, each with its firings in order of onset."""
        at = self._unit_at
        at.update(zip(self._units[len(at) :], range(len(at), len(self._units)), strict=True))
        mine = np.full(len(at), -1, np.int64)
        for number, cause in enumerate(causes):
            mine[[at[unit_id] for unit_id in cause.units]] = number
        whose = mine[self._unit[self._order]]
        by_cause = np.argsort(whose, kind="stable")
        ends = np.searchsorted(whose[by_cause], np.arange(-1, len(causes)), "right")
        yield
        found: list[Cluster] = []
        read = 0
        for number, cause in enumerate(causes):
            slots = self._order[by_cause[ends[number] : ends[number + 1]]]
            read += len(slots)
            if read > TAKEN_TOGETHER:
                yield
                read = len(slots)
            if self.said.heard[slots].any():
                members = yield from self._members(slots)
                self._clusters[id(members)] = members, slots
                gist = partial(self.said.gist, slots)
                found.append(Cluster(cause, members, self.counted(self.where[slots]), gist))
        return found

    def _members(self, slots: Ints) -> Steps[tuple[Member, ...]]:
        """The firings of many slots."""
        found: list[Member] = []
        for start in range(0, len(slots), ASKED_TOGETHER):
            if start:
                yield
            found += map(self.members.__getitem__, slots[start : start + ASKED_TOGETHER].tolist())
        return tuple(found)

    def slots(self, members: Sequence[Member]) -> Ints:
        """The slots of these firings."""
        known = self._clusters.get(id(members))
        if known is not None:
            return known[1]
        slot_of = self.slot_of()
        return np.array([slot_of[member] for member in members], np.int64)

    def slot_of(self) -> Mapping[Member, int]:
        """The slot of each firing: made when it is asked for, which few looks do."""
        finished(self._tell_slots())
        return self._slot_of

    def placed(self, story: Story, apart: Mapping[str, Sequence[Member]]) -> Steps[PlacedMany]:
        """Where all stand once this is told."""
        target = np.zeros(len(self.members), np.int64)
        told = chain(((cluster.members, name) for cluster, name in story), ((apart[name], name) for name in apart))
        asked = 0
        for members, name in told:
            if id(members) not in self._clusters:
                yield from self._tell_slots()
                asked += len(members)
            target[self.slots(members)] = self.incidents[name]
            if asked >= TAKEN_TOGETHER:
                yield
                asked = 0
        return PlacedMany(self, target)

    def _tell_slots(self) -> Steps[None]:
        """Makes the slot of each firing known a little at a time."""
        slot_of, members = self._slot_of, self.members
        for start in range(len(slot_of), len(members), ASKED_TOGETHER):
            some = members[start : start + ASKED_TOGETHER]
            slot_of.update(zip(some, range(start, start + len(some)), strict=True))
            yield

    def listed(self, cluster: Cluster) -> Steps[OfColumns | None]:
        """What an incident says of the alerts of one of `clusters`; None for other firings."""
        known = self._clusters.get(id(cluster.members))
        if known is None:
            return None
        slots = known[1][self.said.present[known[1]]]
        marks: list[str] = []
        for start in range(0, len(slots), ASKED_TOGETHER):
            if start:
                yield
            marks += map(self.said.marks.__getitem__, slots[start : start + ASKED_TOGETHER].tolist())
        return OfColumns(self.said, slots, tuple(marks))

    def nowhere(self) -> Iterator[str]:
        """The alerts that were in no incident and have been moved to none since, in the order of units."""
        turn = self.in_turn()
        return map(self.said.marks.__getitem__, turn[self.outside[turn]].tolist())


class Before(Mapping[Member, "str | None"]):
    """Where each firing stands, asked of the state."""

    def __init__(self, state: State, roll: Roll) -> None:
        self._placed = state.placed
        self._roll = roll

    def __getitem__(self, member: Member) -> str | None:
        return self._placed.get(place_of(member))

    def __contains__(self, member: object) -> bool:
        return member in self._roll.slot_of()

    def __iter__(self) -> Iterator[Member]:
        return map(self._roll.members.__getitem__, self._roll.in_turn().tolist())

    def __len__(self) -> int:
        return len(self._roll.members)


class PlacedMany:
    """Where each firing of a roll is to stand, by the code of an incident."""

    def __init__(self, roll: Roll, target: Ints) -> None:
        self._roll = roll
        self._target = target
        self._after: dict[Member, str] | None = None
        self.told: set[str] = roll.named(target)

    @property
    def after(self) -> Mapping[Member, str]:
        """The same by firing: made when it is asked for, which few looks do."""
        if self._after is None:
            self._after = self._after_of(np.flatnonzero(self._target))
        return self._after

    def _after_of(self, slots: Ints) -> dict[Member, str]:
        names = map(self._roll.incidents.values_of.__getitem__, self._target[slots].tolist())
        return dict(zip(map(self._roll.members.__getitem__, slots.tolist()), names, strict=True))

    def left(self) -> Iterator[tuple[Member, str]]:
        """What stood somewhere and would stand nowhere."""
        return self._roll.told(np.flatnonzero((self._roll.where != 0) & (self._target == 0)))

    def heir(self, name: str) -> str | None:
        """Where most of what stood in an incident would stand."""
        went = self._roll.counted(self._target[self._roll.where == self._roll.incidents[name]])
        return most_of({other: count for other, count in went.items() if other is not None})

    def moves(self, over: Collection[str]) -> Steps[Moves]:
        """What moves, but out of what is ``over``."""
        roll = self._roll
        ended = np.isin(roll.where, [roll.incidents[name] for name in over])
        to = np.where((self._target == 0) & ended, roll.where, self._target)
        roll.moved = moved = roll.sorted(np.flatnonzero(to != roll.where))
        yield
        lost: dict[str, list[Member]] = {}
        after: dict[Member, str] = {}
        gone = roll.named(roll.where) - self.told
        if gone:
            slots = roll.sorted(np.flatnonzero(np.isin(roll.where, [roll.incidents[one] for one in gone])))
            for member, name in roll.told(slots):
                lost.setdefault(name, []).append(member)
            after = self._after_of(slots[self._target[slots] != 0])
            yield
        names, width = roll.incidents.values_of, len(roll.incidents.values_of)
        codes = to[moved]
        between = np.unique(roll.where[moved] * width + codes).tolist()
        present = roll.said.present[moved]
        fire = roll.said.firing[moved] & present
        roll.outside[moved] = (codes == 0) | ~present  # where an earlier firing goes says nothing of the present one
        yield
        members: list[Member] = []
        places: list[str] = []
        to_names: list[str | None] = []
        was_names: list[str | None] = []
        for start in range(0, len(moved), ASKED_TOGETHER):
            some = moved[start : start + ASKED_TOGETHER]
            members += map(roll.members.__getitem__, some.tolist())
            places += map(roll.places.__getitem__, some.tolist())
            to_names += map(names.__getitem__, to[some].tolist())
            was_names += map(names.__getitem__, roll.where[some].tolist())
            yield
        told = {(names[at // width], names[at % width]) for at in between}
        return Moves(members, places, to_names, was_names, told, roll.named(codes[fire]), lost, after)
