"""Correlation over time: alerts become units, units groups, and on a fixed grid of time groups become causes.

A group is solved at the next point of the grid after something joined it (large groups on a coarser grid), so what is
shown depends on times and not on how deliveries were batched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from math import floor, inf

from quell.core.conclude import Cause
from quell.core.costs import Costs
from quell.core.cover import Cover
from quell.core.families import COUNT, Family, family, of_itself
from quell.core.fellows import Fellows
from quell.core.graph import Graph
from quell.core.posing import ENDED_AFTER_S, Posing
from quell.core.reach import key
from quell.core.steps import Steps, finished
from quell.core.toward import Toward
from quell.core.web import TOGETHER_S, Web
from quell.core.weighed import Weighed
from quell.core.worth import MOST_ASKED, Worth
from quell.model.alert import Alert
from quell.model.rulebook import Correlate
from quell.model.state import Group, Root, State, Unit
from quell.model.topology import Change

MOST_LIVE = 10_000
"""From so many live units on the estate as a whole is in trouble: whatever else fires at an entity joins what fires
there, and no way to a new unit leads through others."""
CLOSE_DATA_S = 9000.0
"""A group closes so long after its last news where that is of data, or shows late in data."""
LARGE_GROUP = 250
"""In a group of more units only open causes are looked at again, and"""
FRESH_CAUSES = 24
"""so many of the cheapest of each unit that changed."""
NARROWED_TOGETHER = 250
"""Of so many units that changed it is told in one piece which causes are the cheapest."""
FEW = 32
"""Of so many units it is told at once whether any cause could be worth its price to all of them."""
ALERTS_LIKE_A_UNIT = 50
"""To conclude anew where so many alerts are takes as long as to weigh one more unit."""
REVIEWS_COARSER = 3
"""Points of the grid between two looks at what ended."""
COARSER = ((150, 1), (400, 2), (10**9, 3))
"""Up to so many units a group is solved at every point of the grid, or every second or third one."""


class Correlator:
    """Holds the live units; the state's ``units`` and ``groups`` are its memory."""

    def __init__(self, graph: Graph, settings: Correlate, state: State) -> None:
        self._web = Web(graph, state)
        self._changed: set[str] = set()
        """Where data were changed since the web was asked last."""
        self._graph = graph
        self._settings = settings
        self._state = state
        self._fresh = {unit for group in state.groups.values() for unit in group.fresh}
        self._posing = Posing(state, graph.weights.timing)
        self._fellows = Fellows(graph, state, self._web.full)
        self._weighed = Weighed()
        self._toward = Toward(self._web, state.units)
        self.costs = Costs(graph, state, self._web)
        self._worth = Worth(graph.weights, state)
        self._alerts: Counter[int] = Counter()
        for unit in state.units.values():
            self._alerts[unit.group] += len(unit.alerts)
        for unit in state.units.values():
            if not unit.weight:  # a snapshot of before weights were kept
                unit.weight = self._worth.of(unit)

    @property
    def web(self) -> Web:
        """The live units with their claims, as the changes of data that are known by now have them."""
        if self._changed:
            changed, self._changed = self._changed, set()
            self._web.follow(changed)
        return self._web

    def data_changed(self, entities: Iterable[str]) -> None:
        """Changes of data at these were told or forgotten: symptoms may come from there over any distance."""
        self._changed.update(entities)

    def weigh_changes(self, nats: float) -> None:
        """What a change at once before is worth from now on."""
        self.costs.weigh_changes(nats)

    def add(self, alert: Alert, now: float) -> Unit | None:
        """Puts a new episode of an alert where it belongs; returns its unit, None when no entity is known."""
        if alert.entity is None:
            return None
        kind, web = int(family(alert)), self.web
        onset = min(alert.starts_at, alert.onset_seen)
        unit = web.find(alert.entity, kind, onset)
        crowded = len(self._state.units) >= MOST_LIVE
        if unit is None and crowded:
            unit = web.find_any(alert.entity, onset)
        if unit is None:
            self._state.last_unit += 1
            unit = Unit(
                id=self._state.last_unit,
                entity=alert.entity,
                family=kind,
                first=onset,
                onset=onset,
                last=onset,
                group=0,
                plain=crowded,
                itself=kind == Family.FAILING and of_itself(alert),
            )
            if not crowded:
                web.kin.admit(unit, alert)
            web.vicinity.admit(unit)
            beside = self._fellows.beside(unit)
            group = self._join(unit, web.add(unit) | beside, now)
            self._fellows.add(unit)
        else:
            group = self._state.groups[unit.group]
            asked = not unit.itself and kind == unit.family == Family.FAILING and len(unit.alerts) < MOST_ASKED
            if asked and of_itself(alert):
                web.broke(unit)
        unit.alerts.append((alert.fingerprint, alert.episode))
        self._alerts[group.id] += 1
        unit.weight = self._worth.of(unit)
        if unit.id not in self._fresh:
            self._fresh.add(unit.id)
            group.fresh.append(unit.id)
        if not crowded or unit.onset - TOGETHER_S <= onset <= unit.last + TOGETHER_S:
            unit.last = max(unit.last, onset)
            if onset < unit.onset:
                unit.onset = onset
                self._web.began(unit)
        self._touch(group, now, late=kind == Family.DATA or self._graph.shows_late(self._graph.node(alert.entity)))
        return unit

    def add_alike(self, unit: Unit | None, members: Sequence[tuple[str, int]]) -> None:
        """What `add` does with others, if any, that are like the last that joined a unit.

        That is: in kind, place, onset and arrival.
        """
        if unit is None:
            return
        asked = MOST_ASKED - len(unit.alerts)
        if asked > 0 and not unit.itself and unit.family == Family.FAILING:
            known = [alert for mark, _ in members[:asked] if (alert := self._state.alerts.get(mark)) is not None]
            # All are of one kind, which is not that of the unit where the estate as a whole is in trouble.
            if known and family(known[0]) == unit.family and any(map(of_itself, known)):
                self.web.broke(unit)
        unit.alerts += members
        if self._worth.may_change(unit):
            unit.weight = self._worth.of(unit)
        self._alerts[unit.group] += len(members)

    def _join(self, unit: Unit, tied: Iterable[int], now: float) -> Group:
        """The group of a new unit: the union of the groups it ties together, under the lowest id."""
        ids = sorted({self._state.units[other].group for other in tied})
        if not ids:
            group = Group(id=unit.id, units=[], news_at=now, close_at=now)
            self._state.groups[group.id] = group
        else:
            group = self._united(ids)
        group.units.append(unit.id)
        group.full |= self.web.full(group.id)
        unit.group = group.id
        return group

    def _united(self, ids: Sequence[int]) -> Group:
        """One group of several, under the first of these ids."""
        group = self._state.groups[ids[0]]
        for other_id in ids[1:]:
            other = self._state.groups.pop(other_id)
            for member in other.units:
                self._state.units[member].group = group.id
            group.units.extend(other.units)
            group.fresh.extend(other.fresh)
            group.solution.extend(root for root in other.solution if root not in group.solution)
            group.parting |= other.parting
            group.newcomers |= other.newcomers
            group.sift_at = min(group.sift_at, other.sift_at)
            group.close_at = max(group.close_at, other.close_at)
            reviews = [at for at in (group.review_at, other.review_at) if at is not None]
            group.review_at = min(reviews, default=None)
            self._alerts[group.id] += self._alerts.pop(other_id, 0)
        return group

    def met(self, unit: Unit) -> Group:
        """The group of a unit of which something ended, with others in which trouble came and went with it."""
        group = self._state.groups[unit.group]
        own = len(group.units)
        if own >= LARGE_GROUP:
            return group
        found = [self._state.groups[other] for other in sorted(self._fellows.over_with(unit))]
        others = []
        size = own
        for one in found:
            if min(own, len(one.units)) <= FEW and size + len(one.units) <= LARGE_GROUP:
                others.append(one)
                size += len(one.units)
        if not others:
            return group
        due = [one.solve_at for one in (group, *others) if one.solve_at is not None]
        news_at = max(one.news_at for one in (group, *others))
        group = self._united(sorted([group.id, *(other.id for other in others)]))
        group.solve_at, group.news_at = min(due, default=None), news_at
        return group

    def _touch(self, group: Group, now: float, *, late: bool) -> None:
        settled = group.close_at >= now + (CLOSE_DATA_S if late else self._settings.quiet_s)
        if settled and group.news_at == now and group.solve_at is not None:
            return  # another of many that joined at once
        step = self._settings.solve_every_s
        large = max(len(group.units), self._alerts[group.id] // ALERTS_LIKE_A_UNIT)
        factor = next(factor for size, factor in COARSER if large <= size)
        group.news_at = now
        group.close_at = max(group.close_at, now + (CLOSE_DATA_S if late else self._settings.quiet_s))
        due = (floor(now / (step * factor)) + 1) * step * factor
        group.solve_at = due if group.solve_at is None else min(group.solve_at, due)

    def reconsider(self, group: Group, now: float) -> None:
        """Solves a group again at the next point of the grid, as something besides its alerts is known now."""
        step = self._settings.solve_every_s
        due = (floor(now / step) + 1) * step
        group.solve_at = due if group.solve_at is None else min(group.solve_at, due)

    def alerts_of(self, group: Group) -> int:
        """How many firings a group has."""
        return self._alerts[group.id]

    def close(self, group: Group) -> None:
        """Forgets a group that has been quiet long enough; what was concluded stays with the incidents."""
        self._fresh.difference_update(group.fresh)
        self._alerts.pop(group.id, None)
        self._leave(group.units)
        del self._state.groups[group.id]

    def rest(self, group: Group) -> Steps[None]:
        """Nothing goes on in a group: what is kept for looking at it again is given up."""
        yield from self.web.rest(group.units)
        self._toward.rest(group.units)

    def let_go(self, group: Group, gone: list[int]) -> None:
        """Takes out of a group that lives on what can neither gain nor lose anything any more."""
        self._alerts[group.id] -= sum(len(self._state.units[unit_id].alerts) for unit_id in gone)
        left = set(gone)
        group.units = [unit_id for unit_id in group.units if unit_id not in left]
        if left.intersection(group.fresh):
            group.fresh = [unit_id for unit_id in group.fresh if unit_id not in left]
            self._fresh -= left
        self._leave(gone)

    def _leave(self, gone: list[int]) -> None:
        self._worth.forget(gone)
        for unit_id in gone:
            self._posing.forget(unit_id)
            self._fellows.drop(self._state.units[unit_id])
        self.web.drop(gone)

    def solve(self, group: Group, changes: Callable[[str], Collection[Change]], now: float) -> list[Cause]:
        """The causes of a group as of now; ``units`` of a cause are unit ids."""
        return finished(self.solving(group, changes, now))

    def solving(
        self, group: Group, changes: Callable[[str], Collection[Change]], now: float, *, search: bool = True
    ) -> Steps[list[Cause]]:
        """The same, a little at a time; the group must not change meanwhile.

        Without ``search`` no cause is opened or closed: only what belongs to which is concluded anew.
        """
        if not group.solution and (not search or self._stays_noise(group, changes)):
            if search:
                self._searched(group)
            return []
        before = [
            (key(self._graph.node(root.entity), root.family), self._first(group) if root.began is None else root.began)
            for root in group.solution
        ]
        only = yield from self._narrowed(group, before)
        ids, symptoms = yield from self._posing.of(group, self.web, only, now)
        prices: dict[tuple[int, float], float] = {}

        def opening(cause: int, began: float) -> float:
            known = prices.get((cause, began))
            if known is None:
                changed = changes(self._graph.name(cause // COUNT))
                first = symptoms.first(cause, began) if changed else began
                known = prices[cause, began] = self.costs.opening(cause, began, changed, first, now)
            return known

        floors: dict[int, float] = {}

        def floor_price(cause: int) -> float:
            known = floors.get(cause)
            if known is None:
                known = floors[cause] = self.costs.least(cause, changes)
            return known

        cover = Cover(
            symptoms, opening, self._toward.of,
            floor=floor_price, before=before, now=now, prices=self.costs.prices, weighed=self._weighed,
            gaps=self._graph.gaps,
        )  # fmt: skip
        yield
        solved = yield from cover.steps() if search else cover.review()
        if search:  # else what changed is still to be searched for causes
            self._searched(group)
        parts = sorted(part for cause in solved for part in cause.parts)
        group.solution = [Root(self._graph.name(at // COUNT), at % COUNT, began) for at, began in parts]
        return [cause.of(tuple([ids[unit] for unit in cause.units])) for cause in solved]

    def _stays_noise(self, group: Group, changes: Callable[[str], Collection[Change]]) -> bool:
        """Whether no cause can be worth its price to a few units that are all there are, as with most groups."""
        if len(group.units) > FEW:
            return False
        most: dict[int, float] = {}
        for unit_id in group.units:
            weight = self._state.units[unit_id].weight
            for cause, (cost, _) in self.web.claims[unit_id].items():
                if cost < weight:
                    most[cause] = most.get(cause, 0.0) + weight - cost
        cheapest = self.costs.prices.cheapest
        return not any(worth > cheapest and worth > self.costs.least(cause, changes) for cause, worth in most.items())

    def _searched(self, group: Group) -> None:
        self._fresh.difference_update(group.fresh)
        group.fresh = []

    def _first(self, group: Group) -> float:
        return min(self._state.units[unit_id].onset for unit_id in group.units)

    def _narrowed(self, group: Group, before: list[tuple[int, float]]) -> Steps[set[int] | None]:
        """In a large group only the causes of the last solution and those of changed units are looked at again."""
        if len(group.units) <= LARGE_GROUP:
            return None
        causes = {cause for cause, _ in before}
        for number, unit_id in enumerate(group.fresh, start=1):
            claims = self.web.claims[unit_id]
            causes.update(sorted(sorted(claims), key=claims.__getitem__)[:FRESH_CAUSES])
            if not number % NARROWED_TOGETHER:
                yield
        return causes

    def end_told(self, unit: Unit) -> None:
        """Another end of something in a unit is known, or one is known no more."""
        self._posing.forget(unit.id)

    def ended(self, group: Group, now: float) -> None:
        """Plans to look again at a group in which something ended by now."""
        step = self._settings.solve_every_s * REVIEWS_COARSER
        due = (floor((now + ENDED_AFTER_S) / step) + 1) * step
        group.review_at = due if group.review_at is None or group.review_at < now else min(group.review_at, due)

    def not_believed(self, group: Group, now: float) -> float | None:
        """When the last of what ended in a group did, if that is too short ago to be believed; else None."""
        late = [end for unit_id in group.units for end in self._state.units[unit_id].ends.values()]
        last = max(late, default=-inf)
        return last if last > now - ENDED_AFTER_S else None

    def reweigh(self) -> None:
        """Weighs all live units anew, as other weights hold: what each could have come from is to be searched again."""
        for unit in self._state.units.values():
            unit.weight = self._worth.of(unit)
        for group in self._state.groups.values():
            group.fresh = list(group.units)
        self._fresh = set(self._state.units)
