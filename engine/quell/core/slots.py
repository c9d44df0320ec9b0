"""The firings of a large group in columns, so that a look at it costs little for each alert that is as it was.

At every look the state is asked twice about each firing, for its alert and for where it stands, and all else is worked
out of what differs from the look before. Nothing here outlives a look but as a memory of it: what is made anew says
the same. A hundred thousand firings take long: whatever is done for all of them is done in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, compress, repeat
from operator import is_not

import numpy as np

from quell.core.continuity import Member, place_of
from quell.core.said import UNREAD, Codes, Ints, Said
from quell.core.steps import Steps
from quell.model.alert import Alert
from quell.model.state import Group, State

TOGETHER = 2_000
"""So many alerts are read in one piece."""
TAKEN_TOGETHER = 5_000
"""So many that joined get a place in one piece."""
ASKED_TOGETHER = 10_000
"""Of so many it is asked in one piece whether they are as before."""


class Slots:
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

    def counted(self, where: Ints) -> dict[str | None, int]:
        """How often each incident is among these codes."""
        counts = np.bincount(where)
        codes = np.flatnonzero(counts)
        return dict(zip(self.incidents.named(codes.tolist()), counts[codes].tolist(), strict=True))
