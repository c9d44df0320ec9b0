"""The firings of a large group in columns, so that a look at it costs little for each alert that is as it was.

At every look the state is asked twice about each firing, for its alert and for where it stands, and all else is worked
out of what differs from the look before. Nothing here outlives a look but as a memory of it: a roll that is made anew
says the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, compress, repeat
from operator import is_not

import numpy as np

from quell.core.conclude import Cause
from quell.core.continuity import Cluster, Member, most_of, place_of
from quell.core.looks import Moves, Story
from quell.core.said import UNREAD, Codes, Ints, OfColumns, Said
from quell.core.steps import Steps, finished
from quell.model.alert import Alert
from quell.model.state import Group, State

TOGETHER = 2_000
"""So many alerts are read in one piece."""
TAKEN_TOGETHER = 5_000
"""So many that joined get a place in one piece."""
ASKED_TOGETHER = 10_000
"""Of so many it is asked in one piece whether they are as before."""


class Roll:
    """Slots are numbered as firings joined; ``renew`` brings all up to date, and the rest is asked until the next."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._units: list[int] = []
        self._unit_at: dict[int, int] = {}
        """The places of these, as far as somebody asked."""
        self._taken: list[int] = []
        """How many alerts of each of these units have a slot."""
        self.members: list[Member] = []
        self.places: list[str] = []
        self.said = Said()
        self._names: list[str | None] = []
        self._unit = np.empty(0, np.int64)
        self.where = np.empty(0, np.int64)
        self.incidents = Codes(None)
        self._number = np.empty(0, np.uint64)
        """The fingerprint, which is as many hexadecimal digits of all."""
        self._order = np.empty(0, np.int64)
        self._clusters: dict[int, tuple[tuple[Member, ...], Ints]] = {}
        self._slot_of: dict[Member, int] = {}
        self._disordered = False
        """Whether any is known to have begun at another time than when all were put in order."""
        self.moved = np.empty(0, np.int64)
        """What the last look moved."""
        self._stale = np.empty(0, np.int64)
        """What the look before moved, and was not read since."""
        self.outside = np.empty(0, np.bool_)
        """Whether an alert was in no incident, as far as the last look left its present firing there."""
        self.stood: set[str] = set()
        """The incidents in which firings stand."""

    def ahead(self, group: Group) -> Steps[bool]:
        """Takes note of what joined, and of what a look moved, before the next; False if it must be made anew.

        That is so if units left.
        """
        if group.units[: len(self._units)] != self._units:
            return False
        yield from self._take(group)
        said = self.said
        stale, self._stale = self._stale, self._stale[:0]
        for start in range(0, len(stale), TOGETHER):
            slots = stale[start : start + TOGETHER]
            members = [self.members[slot] for slot in slots.tolist()]
            alerts = [self._state.alerts.get(mark) for mark, _ in members]
            for slot, alert in zip(slots.tolist(), alerts, strict=True):
                said.alerts[slot] = alert
            self._disordered |= said.tell(slots, alerts, members)
            yield
        while len(said.alerts) < len(self.members):
            first, last = len(said.alerts), min(len(said.alerts) + TOGETHER, len(self.members))
            alerts = list(map(self._state.alerts.get, said.marks[first:last]))
            said.alerts += alerts
            said.tell(np.arange(first, last), alerts, self.members[first:last])
            yield
        return True

    def renew(self, group: Group) -> Steps[bool]:
        """Takes note of what is otherwise than at the last look; False if it must be made anew, as units left."""
        self._clusters.clear()
        if not (yield from self.ahead(group)):
            return False
        said = self.said
        alerts: list[Alert | None] = []
        changed: list[int] = []
        for first in range(0, len(said.marks), ASKED_TOGETHER):
            some = list(map(self._state.alerts.get, said.marks[first : first + ASKED_TOGETHER]))
            known = said.alerts[first : first + ASKED_TOGETHER]
            changed += compress(range(first, first + len(some)), map(is_not, known, some))
            alerts += some
            yield
        said.alerts = alerts
        disordered = self._disordered or len(self._order) != len(alerts)
        for start in range(0, len(changed), TOGETHER):
            slots = changed[start : start + TOGETHER]
            told = [alerts[slot] for slot in slots], [self.members[slot] for slot in slots]
            disordered |= said.tell(np.array(slots), *told)
            yield
        yield from self._place()
        self.stood = self.named(self.where)
        yield
        self.outside = said.loose.copy()
        if disordered:
            yield from self._put_in_order()
            self._disordered = False
        return True

    def _take(self, group: Group) -> Steps[None]:
        """Gives a slot to what joined."""
        units, taken = self._state.units, self._taken
        fresh = group.units[len(self._units) :]
        self._units += fresh
        taken += [0] * len(fresh)
        joined: list[Sequence[Member]] = []
        at: list[int] = []
        found = 0
        self._slot_of.clear()
        for place, unit_id in enumerate(self._units):
            alerts = units[unit_id].alerts
            while len(alerts) != taken[place]:
                some = alerts[taken[place] : taken[place] + TAKEN_TOGETHER - found]
                joined.append(some)
                at.append(place)
                taken[place] += len(some)
                found += len(some)
                if found == TAKEN_TOGETHER:
                    self._joined(joined, at)
                    joined, at, found = [], [], 0
                    yield
        self._joined(joined, at)
        yield

    def _joined(self, joined: Sequence[Sequence[Member]], at: Sequence[int]) -> None:
        """Gives a slot to these, each some of the unit in that place."""
        members = list(chain.from_iterable(joined))
        self.members += members
        marks = [mark for mark, _ in members]
        numbers = np.frombuffer(bytes.fromhex("".join(marks)), ">u8").astype(np.uint64)
        self._number = np.concatenate((self._number, numbers))
        self.said.marks += marks
        self.said.grow(len(members))
        self.places += [member[0] if member[1] == 1 else place_of(member) for member in members]
        self._unit = np.concatenate((self._unit, np.repeat(np.array(at, np.int64), list(map(len, joined)))))

    def _place(self) -> Steps[None]:
        """Where each firing stands."""
        self.where = np.concatenate((self.where, np.zeros(len(self.places) - len(self.where), np.int64)))
        for first in range(0, len(self.places), ASKED_TOGETHER):
            names = list(map(self._state.placed.get, self.places[first : first + ASKED_TOGETHER]))
            known = self._names[first : first + ASKED_TOGETHER]
            changed = list(compress(range(len(names)), map(is_not, chain(known, repeat(None)), names)))
            if changed:
                self.where[np.add(changed, first)] = [self.incidents[names[at]] for at in changed]
                self._names[first : first + ASKED_TOGETHER] = names
            else:
                self._names += names[len(known) :]
            yield

    def _put_in_order(self) -> Steps[None]:
        """All slots in order of onset, then of fingerprint and episode."""
        by_mark = np.argsort(self._number)
        yield
        numbers = self._number[by_mark]
        if (numbers[1:] == numbers[:-1]).any():
            by_mark = np.lexsort((np.array([episode for _, episode in self.members]), self._number))
            yield
        self._order = by_mark[np.argsort(self.said.onset[by_mark], kind="stable")]
        yield

    def rest(self) -> Steps[None]:
        """The look is over: what only that needed is given up, and what it replaced of the alerts that it moved."""
        self._clusters.clear()
        yield
        self._slot_of.clear()
        alerts = self.said.alerts
        for start in range(0, len(self.moved), ASKED_TOGETHER):
            for slot in self.moved[start : start + ASKED_TOGETHER].tolist():
                alerts[slot] = UNREAD
            yield
        self._stale, self.moved, self.outside = self.moved, self.moved[:0], self.outside[:0]

    # What is asked of it at a look

    @property
    def before(self) -> Before:
        """Where each firing stands."""
        return Before(self._state, self)

    def named(self, codes: Ints) -> set[str]:
        """The incidents of these codes."""
        return set(self.incidents.named([code for code in np.flatnonzero(np.bincount(codes)).tolist() if code]))

    def sorted(self, slots: Ints) -> Ints:
        """These slots in the order of units, and as they joined these."""
        return slots[np.argsort(self._unit[slots], kind="stable")]

    def told(self, slots: Ints) -> Iterator[tuple[Member, str]]:
        """These firings with where they stood, in the order of units."""
        slots = self.sorted(slots)
        names = map(self.incidents.values_of.__getitem__, self.where[slots].tolist())
        return zip(map(self.members.__getitem__, slots.tolist()), names, strict=True)

    def in_turn(self) -> Ints:
        """All slots in the order of units, and as they joined these."""
        return np.argsort(self._unit, kind="stable")

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

    def counted(self, where: Ints) -> dict[str | None, int]:
        """How often each incident is among these codes."""
        counts = np.bincount(where)
        codes = np.flatnonzero(counts)
        return dict(zip(self.incidents.named(codes.tolist()), counts[codes].tolist(), strict=True))

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

    def listed(self, cluster: Cluster) -> OfColumns | None:
        """What an incident says of the alerts of one of `clusters`; None for other firings."""
        known = self._clusters.get(id(cluster.members))
        return None if known is None else OfColumns(self.said, known[1])

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
