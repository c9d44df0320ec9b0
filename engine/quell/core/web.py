"""Units of symptoms and the causes each could have, kept up to date alert by alert.

A unit's *claims* say, for every cause within reach, how unlikely the way from that cause to the unit is (nats) and how
long trouble takes. A claim goes over the static graph (silent entities cost extra) or through another unit that
alerts itself: then the way to that unit is paid in full and the rest of the way at a discount, because an alerting
entity on the path makes the path believable. Claims only ever fall while a group lives, so a worklist that starts
at the new unit keeps them exact; the cost of an alert follows the neighbourhood that it touches. What says only later
that it is broken itself closes ways through it (`quell.core.through`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from quell.core.columns import Claims, Column, Columns
from quell.core.families import COUNT, Family
from quell.core.graph import Graph
from quell.core.hubs import Hubs
from quell.core.itself import Itself
from quell.core.kin import Kin
from quell.core.kinds import MADE_OF_DATA
from quell.core.leads import Leads
from quell.core.legs import Legs
from quell.core.nearness import Nearness
from quell.core.reach import Claim, Reacher, Rows, key
from quell.core.steps import Steps
from quell.core.through import LEG_LIMIT, Through
from quell.core.vicinity import Vicinity
from quell.model.state import State, Unit

_DATA = int(Family.DATA)
TOGETHER_S = 900.0
"""Alerts of one kind at one entity that begin so soon after each other are one unit;"""
TOGETHER_DATA_S = 5400.0
"""so soon where data are off, which takes long to show."""
OVER_S = 60.0
"""What ended so long before is over: what fires then at the same place is another spell of trouble."""
SHARED_LIMIT = 2.2
"""Units share a cause that is no dearer to them than this, in nats."""
RESTS_TOGETHER = 500
"""What is kept of so many units is given up in one piece."""
NEWEST = 8
"""So many of those that share a cause are asked whether a new one began near them."""


class Web:
    """The live units with their claims, and which of them could share a cause (their group)."""

    def __init__(self, graph: Graph, state: State) -> None:
        self.graph = graph
        self.reacher = Reacher(graph)
        self._prices = graph.weights.prices
        self.hubs = Hubs(graph, self.reacher)
        self.kin = Kin(graph, state)
        self.itself = Itself(graph)
        self.vicinity = Vicinity(graph, state, self.reacher)
        self._leads = Leads(graph, state)
        self.claims: dict[int, dict[int, Claim]] = {}
        self._through = Through(graph, self.reacher, self.itself)
        self._rows: dict[int, NDArray[np.int64]] = {}
        self._alerting: Counter[int] = Counter()
        self._state = state
        self._at: defaultdict[int, list[int]] = defaultdict(list)
        self._shared_by: defaultdict[int, list[int]] = defaultdict(list)
        self._claimed_by: defaultdict[int, list[int]] = defaultdict(list)
        self._columns = Columns(self.claims, self._claimed_by)
        self._nearness = Nearness(state)
        self.full = self._nearness.full
        """Whether a group is too large to take in more."""
        self._legs = Legs(
            graph, state, self.reacher,
            at=self._at, claimed_by=self._claimed_by, leads=self._leads, kin=self.kin, nearness=self._nearness,
        )  # fmt: skip
        self.missing: dict[int, float] = {}
        """By cause how many of those at which it should show are quiet; forgotten when it may be otherwise."""
        self._plain = 0
        """How many units have no claims but those of the graph alone."""
        for unit_id in sorted(state.units):
            self._weave(state.units[unit_id])

    def follow(self, entities: Iterable[str]) -> None:
        """Changes of data at these entities were told or forgotten: weighs anew what may come from there."""
        for unit_id in self._leads.follow(entities):
            self._lead(self._state.units[unit_id])

    def began(self, unit: Unit) -> None:
        """A unit began earlier than was known: other changes may have led to it, or the same ones sooner."""
        if self._leads.weighed(unit.id):
            self._lead(unit)

    def _of_data(self, unit: Unit) -> bool:
        """Whether data, or what is made of them, are off."""
        return unit.family == Family.DATA or self.graph.kind(self.graph.node(unit.entity)) in MADE_OF_DATA

    def find_any(self, entity: str, onset: float) -> Unit | None:
        """The live unit at an entity, of any family, that began nearest to this."""
        node, units = self.graph.node(entity), self._state.units
        found = [units[unit] for kind in range(COUNT) for unit in self._at.get(key(node, kind), ())]
        return min(found, key=lambda unit: (abs(unit.onset - onset), unit.id), default=None)

    def find(self, entity: str, family: int, onset: float) -> Unit | None:
        """The live unit that an alert of this entity, family and onset belongs to."""
        together = TOGETHER_DATA_S if family == _DATA else TOGETHER_S
        best, units = None, self._state.units
        for unit_id in self._at.get(self.graph.node(entity) * COUNT + family, ()):
            unit = units[unit_id]
            near = unit.onset - together <= onset <= unit.last + together
            if near and (best is None or unit.id < best.id) and not _over(unit, onset):
                best = unit
        return best

    def add(self, unit: Unit) -> set[int]:
        """Weaves a new unit in; returns the ids of the units it is tied to by a leg or a shared cause."""
        self._state.units[unit.id] = unit
        return self._weave(unit)

    def drop(self, gone: Collection[int]) -> None:
        """Takes units out; what led through them leads through them no more, and costs what it does without."""
        asked = self._through.leave(gone, self._state.units, self._claims_by, self._lower)
        for unit_id in gone:
            self._drop(unit_id)
        self._ask_again(asked)

    def _drop(self, unit_id: int) -> None:
        unit = self._state.units.pop(unit_id)
        self._plain -= unit.plain
        self.kin.drop(unit)
        self.vicinity.drop(unit)
        here = key(self.graph.node(unit.entity), unit.family)
        self._at[here].remove(unit_id)
        if not self._at[here]:
            del self._at[here]
        self._alerting[here // COUNT] -= 1
        if not self._alerting[here // COUNT]:
            del self._alerting[here // COUNT]
            self._turned(here // COUNT, alerting=False)
        for cause in self.claims[unit_id]:
            sharers = self._shared_by.get(cause)
            if sharers is not None:
                _without(sharers, unit_id)
                if not sharers:
                    del self._shared_by[cause]
        self._disclaim(unit)
        self._leads.drop(unit_id)

    def _disclaim(self, unit: Unit) -> None:
        """Takes back all that a unit claims."""
        self._rows.pop(unit.id, None)
        for cause in self.claims.pop(unit.id):
            if not unit.plain:
                self._columns.forget(cause, None)
                claimants = self._claimed_by[cause]
                _without(claimants, unit.id)
                if not claimants:
                    del self._claimed_by[cause]

    def units_at(self, cause: int) -> list[int]:
        """Ids of live units whose own key is this cause."""
        return self._at.get(cause, [])

    def alerting(self, node: int) -> bool:
        """Whether any live unit sits at this node."""
        return node in self._alerting

    def packed(self, unit_id: int) -> NDArray[np.int64]:
        """The claims of a unit in order of causes: these, and as other kinds of numbers their costs and lags.

        The same object as long as they are the same.
        """
        known = self._rows.get(unit_id)
        if known is None:
            claims = self.claims[unit_id]
            # All in one array: of units there are tens of thousands, and arrays are large before anything is in them.
            known = self._rows[unit_id] = np.empty((3, len(claims)), dtype=np.int64)
            keys = np.fromiter(claims.keys(), np.int64, len(claims))
            order = keys.argsort()
            known[0] = keys[order]
            known[1:].view(np.float64)[:] = np.array(list(claims.values()), dtype=np.float64).reshape(-1, 2)[order].T
        return known

    def rows(self, unit_id: int) -> Rows:
        """The claims of a unit as arrays: causes in order (int64), costs and lags."""
        known = self.packed(unit_id)
        return known[0], known[1].view(np.float64), known[2].view(np.float64)

    def rest(self, units: Iterable[int]) -> Steps[None]:
        """Gives up what is kept of these units' claims in another form; whoever asks for it has it made anew."""
        causes: set[int] = set()
        for number, unit_id in enumerate(units, start=1):
            self._rows.pop(unit_id, None)
            causes.update(self.claims[unit_id])
            if not number % RESTS_TOGETHER:
                yield
        for cause in causes:
            self._columns.forget(cause, None)

    def claims_on(self, causes: Collection[int] | None, units: Sequence[int]) -> Steps[Claims | None]:
        """What these units claim of these causes, by cause; None for all causes.

        None also where a unit has its claims by the graph alone: nobody keeps who claims what then.
        """
        if causes is None or self._plain:
            return None
        return (yield from self._columns.on(causes, units))

    def column(self, cause: int) -> Column | None:
        """Who claims a cause, at what cost and lag; None if nobody does, or `claims_on` keeps none."""
        return None if self._plain else self._columns.of(cause)

    @property
    def knows_claimants(self) -> bool:
        """Whether it is kept of all units who claims what."""
        return not self._plain

    def _weave(self, unit: Unit) -> set[int]:
        node = self.graph.node(unit.entity)
        here = key(node, unit.family)
        static = self.reacher.reach(here)
        if unit.plain:
            self._plain += 1
            self.claims[unit.id] = {
                cause: claim for cause, claim in zip(static.keys, static.claims, strict=True) if claim[0] <= LEG_LIMIT
            }
            self._at[here].append(unit.id)
            self._sits_at(node)
            return self._share(unit)
        self.claims[unit.id] = {}
        self._through.begin(unit)
        tied = self._tie(unit)
        self._at[here].append(unit.id)
        self._sits_at(node)
        work: deque[tuple[int, int]] = deque()
        self._reach(unit, work)
        tied |= self._share(unit)
        self._lead_through(unit, work)
        self._through.spread(work, self._lower)
        return tied

    def _reach(self, unit: Unit, work: deque[tuple[int, int]]) -> None:
        """What a unit claims by the graph, and by changes along lineage."""
        static = self.reacher.reach(key(self.graph.node(unit.entity), unit.family))
        unit_id, claims, claimed_by = unit.id, self.claims[unit.id], self._claimed_by
        last, forget = self._columns.last, self._columns.forget
        for cause, claim in zip(static.keys, static.claims, strict=True):
            if claim[0] <= LEG_LIMIT:  # nothing is claimed yet
                claims[cause] = claim
                _with(claimed_by[cause], unit_id)
                if last(cause, -1) >= unit_id:
                    forget(cause, None)
        work += [(unit_id, cause) for cause in self._through.starts(unit_id, static)]
        if self._of_data(unit):
            self._lead(unit)
            self._leads.woven(unit.id, SHARED_LIMIT)

    def _lead_through(self, unit: Unit, work: deque[tuple[int, int]]) -> None:
        """What a unit claims because others are in trouble that lie on the way."""
        for other, (leg, leg_lag) in self._through.legs_from[unit.id].items():
            for cause, (cost, lag) in self._through.onward[other].items():
                self._lower(unit.id, cause, (leg + cost, leg_lag + lag))
                if self._through.lower(unit.id, cause, (self._prices.believed * leg + cost, leg_lag + lag)):
                    work.append((unit.id, cause))

    def _sits_at(self, node: int) -> None:
        self._alerting[node] += 1
        if self._alerting[node] == 1:
            self._turned(node, alerting=True)

    def _turned(self, node: int, *, alerting: bool) -> None:
        """Something at a node is in trouble now, or nothing is any more."""
        self.hubs.turned(node, alerting=alerting)
        for needed, _, _ in self.graph.out[node]:
            for family in range(COUNT):
                self.missing.pop(key(needed, family), None)

    def _lead(self, unit: Unit) -> None:
        """Puts what a unit may come from along lineage in the place of what was known of that."""
        claims, unit_id = self.claims[unit.id], unit.id
        for cause, best, shared in self._leads.lead(unit, claims, self._shared_by, SHARED_LIMIT):
            self._columns.forget(cause, None)
            if best is None:
                del claims[cause]
                _without(self._claimed_by[cause], unit_id)
            else:
                claims[cause] = best
                _with(self._claimed_by[cause], unit_id)
            sharers = self._shared_by[cause]
            if shared is not None and shared != (unit_id in sharers):
                insort(sharers, unit_id) if shared else sharers.remove(unit_id)
        self._rows.pop(unit_id, None)

    def _share(self, unit: Unit) -> set[int]:
        """The live units with which a new one plausibly shares a cause."""
        newest: set[int] = set()
        for cause, (cost, _) in self.claims[unit.id].items():
            if cost <= SHARED_LIMIT:
                # The newest claimants stand for all: older ones share their group, or are too long ago.
                sharers = self._shared_by[cause]
                newest.update(sharers[-NEWEST:])
                sharers.append(unit.id)
        return {other for other in newest if self._nearness.near(unit, self._state.units[other])}

    def _tie(self, unit: Unit) -> set[int]:
        """Legs between a new unit and the live ones; returns these, and what is in its vicinity."""
        tied: set[int] = set()
        for symptom, cause, claim in self._legs.of(unit):
            self._through.tie(symptom, cause, claim)
            tied.add(symptom if cause == unit.id else cause)
        near = (other for other, _ in self.vicinity.ties(unit))
        tied.update(other for other in near if not self._nearness.apart(unit, self._state.units[other]))
        return tied

    def _lower(self, unit_id: int, cause: int, claim: Claim) -> None:
        if claim[0] > LEG_LIMIT:
            return
        self._leads.lower(unit_id, cause, claim)
        claims = self.claims[unit_id]
        known = claims.get(cause)
        if known is None:
            _with(self._claimed_by[cause], unit_id)
        if known is None or claim < known:
            claims[cause] = self.reacher.one(claim)
            self._rows.pop(unit_id, None)
            if self._columns.last(cause, -1) >= unit_id:
                self._columns.forget(cause, None)

    def broke(self, unit: Unit) -> None:
        """A unit in the web says now that it is broken itself: what it asks leads to others through it no more."""
        unit.itself = True
        if unit.plain or not self.itself.concerns(unit):
            return
        self._ask_again(self._through.broke(unit, self._state.units, self._lower))

    def _claims_by(self, unit_id: int, cause: int, way: Claim) -> bool:
        """Whether a unit may claim a cause by a way: no other is as cheap, or a change hides what it would claim."""
        known = self.claims[unit_id].get(cause)
        return known is not None and (known == way or self._leads.leads(unit_id, cause))

    def _ask_again(self, pairs: Iterable[tuple[int, int]]) -> None:
        """What a unit claims of a cause is the best of all ways that there are now."""
        units = self._state.units
        for unit_id, cause in sorted(pairs):
            best = self._leads.anew(unit_id, cause, self._through.ways(units[unit_id], cause))
            claims = self.claims[unit_id]
            if best == claims.get(cause):
                continue
            if best is None:
                del claims[cause]
                _without(self._claimed_by[cause], unit_id)
                if not self._claimed_by[cause]:
                    del self._claimed_by[cause]
            else:
                claims[cause] = self.reacher.one(best)
                _with(self._claimed_by[cause], unit_id)
            self._rows.pop(unit_id, None)
            self._columns.forget(cause, None)


def _with(units: list[int], unit_id: int) -> None:
    """Puts a unit among others in order of their ids, once; these lists are many, and take a third of what sets do."""
    if not units or units[-1] < unit_id:
        units.append(unit_id)
        return
    at = bisect_left(units, unit_id)
    if units[at] != unit_id:
        units.insert(at, unit_id)


def _without(units: list[int], unit_id: int) -> None:
    at = bisect_left(units, unit_id)
    if at < len(units) and units[at] == unit_id:
        del units[at]


def _over(unit: Unit, onset: float) -> bool:
    """Whether all that fired had ended well before something else began."""
    return bool(unit.ends) and len(unit.ends) >= len(unit.alerts) and max(unit.ends.values()) + OVER_S < onset
