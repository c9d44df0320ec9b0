"""Groups of firings: puts each firing where its company is, once, and plans when a group is solved and closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import floor

from quell.core.agenda import Agenda
from quell.core.chart import Chart
from quell.core.continuity import place_of
from quell.core.families import family
from quell.core.newcomers import WAIT_S
from quell.core.partings import APART_S
from quell.core.steps import Steps
from quell.model.alert import Alert
from quell.model.state import Group, State, Unit

SMALL = 100
"""A group of so few units is looked at as a whole for as long as it lives; from a larger one goes what is over."""
OVER_S = 3600.0
"""What nothing joined for so long is over: it can neither gain nor lose anything by what comes."""
SIFT_EVERY_S = 1800.0
SIFTED_TOGETHER = 5_000
"""Of units with so many alerts it is asked in one piece whether they are over."""
MOST_AT_ONCE = 64
"""So many units leave at one look at a group, and what shares an incident with them."""


class Groups:
    """Works on ``state.groups`` and ``state.units`` through the chart's correlator."""

    def __init__(self, state: State, agenda: Agenda, chart: Chart) -> None:
        self._state = state
        self._agenda = agenda
        self._chart = chart
        self._unit_of = {place_of(member): unit.id for unit in state.units.values() for member in unit.alerts}
        self._planned: dict[int, tuple[float | None, float, float | None]] = {}
        self._units_at: dict[str, list[int]] = {}
        for unit in state.units.values():
            self._units_at.setdefault(unit.entity, []).append(unit.id)

    def add(self, alert: Alert, now: float) -> None:
        """Puts a firing where its group is, once."""
        place = alert.fingerprint if alert.episode == 1 else place_of((alert.fingerprint, alert.episode))
        if place in self._unit_of:
            return
        unit = self._chart.correlator.add(alert, now)
        if unit is not None:
            self._unit_of[place] = unit.id
            if len(unit.alerts) == 1:
                self._units_at.setdefault(unit.entity, []).append(unit.id)
            group = self._state.groups[unit.group]
            if self._planned.get(group.id) != (group.solve_at, group.close_at, group.review_at):
                self.plan(group)

    def add_all(self, alerts: Sequence[Alert], now: float) -> None:
        """The same for first firings that come together: many of one symptom at one place mostly begin at once."""
        unit_of, units, join = self._unit_of, self._state.units, self._chart.correlator.add_alike
        joined: dict[str | None, tuple[int, float, Unit]] = {}
        unit, members = None, list[tuple[str, int]]()  # those in a row that are alike join their unit in one go
        for alert in alerts:
            mark, entity = alert.fingerprint, alert.entity
            if mark in unit_of:
                continue
            kind, onset = family(alert), min(alert.starts_at, alert.onset_seen)
            last = joined.get(entity)
            if last is not None and last[0] == kind and last[1] == onset:
                if last[2] is not unit:
                    join(unit, members)
                    unit, members = last[2], []
                members.append((mark, alert.episode))
                unit_of[mark] = last[2].id
                continue
            join(unit, members)
            unit, members = None, []
            self.add(alert, now)
            if entity is not None:  # only what is added at an entity changes where the next is added that is there
                joined[entity] = kind, onset, units[unit_of[mark]]
        join(unit, members)

    def plan(self, group: Group) -> None:
        """Puts on the agenda when a group is solved and closed."""
        self._planned[group.id] = (group.solve_at, group.close_at, group.review_at)
        self._agenda.put(group.solve_at, "solve", str(group.id))
        self._agenda.put(group.close_at, "close", str(group.id))
        self._agenda.put(group.review_at, "review", str(group.id))

    def ended(self, alert: Alert, now: float) -> None:
        """Takes note that a firing is over, or goes on after all."""
        place = alert.fingerprint if alert.episode == 1 else place_of((alert.fingerprint, alert.episode))
        unit = self._state.units.get(self._unit_of.get(place, 0))
        if unit is None:
            return
        if alert.status == "firing":
            if unit.ends and unit.ends.pop(place, None) is not None:
                self._chart.correlator.end_told(unit)
        elif alert.status == "resolved" and alert.ends_at is not None and unit.ends.get(place) != alert.ends_at:
            unit.ends[place] = alert.ends_at
            self._chart.correlator.end_told(unit)
            group = self._chart.correlator.met(unit)
            if self._planned.get(group.id, (None, 0.0, None))[:2] != (group.solve_at, group.close_at):
                self.plan(group)
            self._chart.correlator.ended(group, now)
            self._agenda.put(group.review_at, "review", str(group.id))

    def part(self, group: Group, now: float) -> None:
        """Plans to look again when what parts from an incident, or begins beside one, has stood for long enough."""
        due = [since + APART_S for since in {*group.parting.values()}]
        due += [since + WAIT_S for since in {*group.newcomers.values()}]  # of thousands, at a few times
        due = [at for at in due if at > now]
        if due and (group.review_at is None or group.review_at > min(due)):
            group.review_at = min(due)
            self._agenda.put(group.review_at, "review", str(group.id))

    def review(self, group_id: int, at: float) -> Group | None:
        """The group that is to be looked at again because something in it ended; None when it is solved anyway."""
        group = self._state.groups.get(group_id)
        if group is None or group.review_at is None or group.review_at > at:
            return None
        group.review_at = None
        last = self._chart.correlator.not_believed(group, at)
        if last is not None:  # what ended while this was awaited is looked at in its own time
            self._chart.correlator.ended(group, last)
            self._agenda.put(group.review_at, "review", str(group.id))
        return group if group.solve_at is None or group.solve_at > at else None

    def of(self, alert: Alert) -> Group | None:
        """The group of an alert's present firing; None while it has none."""
        unit = self._state.units.get(self._unit_of.get(place_of((alert.fingerprint, alert.episode)), 0))
        return None if unit is None else self._state.groups[unit.group]

    def rest(self, group_id: int) -> Steps[None]:
        """Nothing goes on in a group: what was kept for looking at it again is given up."""
        group = self._state.groups.get(group_id)
        if group is not None:
            yield from self._chart.correlator.rest(group)

    def reconsider(self, alert: Alert, now: float) -> None:
        """What is concluded about the group of an alert is to be concluded anew."""
        group = self.of(alert)
        if group is not None:
            self._chart.correlator.reconsider(group, now)
            self.plan(group)

    def reconsider_all(self, now: float) -> None:
        """What is concluded about every group is to be concluded anew."""
        for group in self._state.groups.values():
            self._chart.correlator.reconsider(group, now)
            self.plan(group)

    def reconsider_at(self, entity: str, now: float) -> None:
        """The same for every group with something at an entity."""
        for group_id in {self._state.units[unit].group for unit in self._units_at.get(entity, ())}:
            group = self._state.groups[group_id]
            self._chart.correlator.reconsider(group, now)
            self._agenda.put(group.solve_at, "solve", str(group.id))

    def close(self, group_id: int, at: float) -> None:
        """Forgets a group whose time has come; one that is still to be solved waits for that."""
        group = self._state.groups.get(group_id)
        if group is not None and group.solve_at is not None:
            self._agenda.put(group.solve_at, "close", str(group_id))  # some may wait for what is concluded then
        elif group is not None and group.close_at <= at:
            self._forget(group)

    def sift(self, group: Group, now: float) -> Steps[None]:
        """Lets what was over long ago leave a group that lives on; its alerts stay in the incidents they are in.

        So what it costs to look at the group follows what is alive in it, and not how long it has been.
        """
        if len(group.units) <= SMALL or now < group.sift_at:
            return
        gone, more = yield from self._over(group, now)
        group.sift_at = now if more else (floor(now / SIFT_EVERY_S) + 1) * SIFT_EVERY_S
        if gone and len(gone) < len(group.units):  # else all of it closes in its own time
            yield
            self._leave(gone)
            yield
            self._chart.correlator.let_go(group, gone)
            yield

    def _over(self, group: Group, now: float) -> Steps[tuple[list[int], bool]]:
        """Some of the units that nothing joined for long, and whether there may be more.

        Those that share an incident go together, or stay while one of them is not over: an incident is looked at whole.
        """
        placed, units = self._state.placed, self._state.units
        lately: set[str] = set()
        old: dict[int, set[str]] = {}
        read = 0
        for unit_id in group.units:
            unit = units[unit_id]
            read += 1 + len(unit.alerts)
            if read >= SIFTED_TOGETHER:
                yield
                read = 0
            names = {name for member in unit.alerts if (name := placed.get(place_of(member))) is not None}
            if unit.last < now - OVER_S:
                old[unit_id] = names
            else:
                lately |= names
        found: list[int] = []
        yield
        for together in _sharing(old):
            if len(found) >= MOST_AT_ONCE:
                return found, True
            if all(lately.isdisjoint(old[unit_id]) for unit_id in together):
                found += together
        return found, False

    def _forget(self, group: Group) -> None:
        self._chart.renew()
        self._planned.pop(group.id, None)
        self._leave(group.units)
        self._chart.correlator.close(group)

    def _leave(self, gone: Iterable[int]) -> None:
        for unit_id in gone:
            if unit_id not in self._state.groups:  # a group is called by a unit, and those that it took in were
                self._planned.pop(unit_id, None)
            unit = self._state.units[unit_id]
            at_home = self._units_at[unit.entity]
            at_home.remove(unit_id)
            if not at_home:
                del self._units_at[unit.entity]
            for member in unit.alerts:
                self._state.placed.pop(place_of(member), None)
                self._unit_of.pop(place_of(member), None)


def _sharing(names: dict[int, set[str]]) -> Iterator[list[int]]:
    """The units of which these are the incidents, those together that share one."""
    of: dict[str, list[int]] = {}
    for unit_id, own in names.items():
        for name in own:
            of.setdefault(name, []).append(unit_id)
    done: set[int] = set()
    for first in names:
        if first in done:
            continue
        together = [first]
        done.add(first)
        for unit_id in together:
            for name in sorted(names[unit_id]):
                more = [other for other in of.pop(name, ()) if other not in done]
                together += more
                done.update(more)
        yield together
