"""What was learned of the dependency graph and not told again for long is forgotten; what is configuration stays.

A learned entity or dependency is noted under the point of time in which its age comes, and looked at again only then.
Points of time are hours for what is remembered for two days at most, else midnights (UTC): all that is worked out from
the graph is worked out anew when something goes. Whatever is spoken of still stays, and is looked at again at the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from heapq import nsmallest
from typing import NamedTuple

from quell.core.learn import learned_from
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.topology import Forgetting, Learned

HOUR_S, DAY_S = 3600.0, 86_400.0
HOURLY_S = 2 * DAY_S
"""What is remembered for no longer than this is forgotten within an hour of its time, the rest within a day."""

MOST_LEARNED = 100_000
"""So many learned entities, and so many dependencies, are kept: of more those told longest ago go at the next hour."""


class Notes:
    """Names under the first point of a grid of time that comes after theirs."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._names: dict[int, dict[str, None]] = {}

    def put(self, due: float, name: str) -> None:
        """Remembers a name until the first point after ``due``."""
        self._names.setdefault(int(due // self._step_s) + 1, {})[name] = None

    def take(self, now: float) -> list[str]:
        """The names whose time has come, in an order that tells nothing of the past; they are forgotten here."""
        points = [point for point in self._names if point * self._step_s <= now]
        return sorted({name for point in points for name in self._names.pop(point)})


class Forgetful:
    """Works on ``state.dependencies``, ``state.entities`` and ``state.gathered``; ``gone`` went last."""

    def __init__(self, rulebook: Rulebook, state: State) -> None:
        self.gone: list[str] = []
        self._state = state
        self._rulebook = rulebook
        self._named = set(named_by(rulebook))
        self._age_s = ages(rulebook.forget)
        self._edges, self._entities = _Due(state), _Due(state)
        for key in state.dependencies:
            self.edge(key)
        for name in state.gathered:
            self.entity(name)

    def edge(self, key: str) -> None:
        """A dependency was told of that may be a new one."""
        if key not in self._edges and (due := self._edge_due(key)) is not None:
            self._edges.put(due, key)

    def entity(self, name: str) -> None:
        """The same of an entity."""
        if name not in self._entities and (due := self._entity_due(name)) is not None:
            self._entities.put(due, name)

    def removed(self, name: str) -> None:
        """A dependency (by key) or an entity was taken out: told of anew it is noted anew."""
        self._edges.drop(name)
        self._entities.drop(name)

    def forget(self, now: float) -> bool:
        """Forgets what is to be forgotten by now; whether the graph differs. ``gone`` are entities then."""
        self.gone = []
        edges, entities = self._edges.take(now), self._entities.take(now)
        surplus = self._surplus_edges(edges), self._surplus_entities()
        if not (edges or entities or any(surplus)):
            return False
        spoken = self._named | spoken_of(self._state)
        old = [key for key in edges if self._edge_goes(key, spoken, now)]
        for key in old:
            del self._state.dependencies[key]
        for key in surplus[0]:
            edge = self._state.dependencies.get(key)
            if edge is not None and not (edge.from_ in spoken and edge.to in spoken):
                del self._state.dependencies[key]
                old.append(key)
        self._forget_entities(entities, surplus[1], spoken, now)
        return bool(old or self.gone)

    def _surplus_edges(self, due: list[str]) -> set[str]:
        """Learned dependencies beyond `MOST_LEARNED`, those told longest ago; all that are learned are noted or due."""
        known = self._state.dependencies
        over = len(known) - MOST_LEARNED
        if over <= 0:
            return set()
        noted = ((edge, key) for key in (self._edges.names | set(due)) if (edge := known.get(key)) is not None)
        return {key for _, key in nsmallest(over, ((edge.told_at, key) for edge, key in noted if learned_from(edge)))}

    def _surplus_entities(self) -> set[str]:
        over = len(self._state.gathered) - MOST_LEARNED
        if over <= 0:
            return set()
        told = ((one.told_at, name) for name, one in self._state.gathered.items())
        return {name for _, name in nsmallest(over, told)}

    def _edge_goes(self, key: str, spoken: set[str], now: float) -> bool:
        """Whether its time is over; if not it is noted anew. What leads from one thing spoken of to another stays."""
        due = self._edge_due(key)
        if due is None:
            return False
        edge = self._state.dependencies[key]
        if due.at < now and not (edge.from_ in spoken and edge.to in spoken):
            return True
        self._edges.put(due, key)
        return False

    def _forget_entities(self, names: list[str], surplus: set[str], spoken: set[str], now: float) -> None:
        if not names and not surplus:
            return
        ends = spoken
        for edge in (*self._state.dependencies.values(), *self._rulebook.dependencies):
            ends.add(edge.from_)
            ends.add(edge.to)
        for name in sorted(surplus.union(names)):
            due = self._entity_due(name)
            if due is None:
                continue
            if (due.at < now or name in surplus) and name not in ends:
                del self._state.gathered[name]
                self._state.entities.pop(name, None)
                self.gone.append(name)
            else:
                self._entities.put(due, name)

    def _edge_due(self, key: str) -> _Age | None:
        edge = self._state.dependencies.get(key)
        learned = learned_from(edge) if edge is not None else ""
        if edge is None or not learned:
            return None
        age_s = self._age_s[learned]
        return _Age((edge.told_at or edge.last_seen or self._state.now) + age_s, age_s)

    def _entity_due(self, name: str) -> _Age | None:
        known = self._state.gathered.get(name)
        if known is None:
            return None
        age_s = self._age_s[known.learned]
        return _Age(known.told_at + age_s, age_s)


class _Age(NamedTuple):
    """When something is to be forgotten, and how long it was remembered then."""

    at: float
    age_s: float


class _Due:
    """Names with their age, each noted once: when its time comes it is seen whether it was told again."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._noted: set[str] = set()
        self._hours, self._days = Notes(HOUR_S), Notes(DAY_S)

    def __contains__(self, name: str) -> bool:
        return name in self._noted

    @property
    def names(self) -> AbstractSet[str]:
        """All that are noted."""
        return self._noted

    def put(self, due: _Age, name: str) -> None:
        """Never for a point that has passed: a restart must not forget sooner than who went on."""
        notes = self._hours if due.age_s <= HOURLY_S else self._days
        notes.put(max(due.at, self._state.now), name)
        self._noted.add(name)

    def drop(self, name: str) -> None:
        """Nothing is to be remembered of a name; a note that is left says nothing."""
        self._noted.discard(name)

    def take(self, now: float) -> list[str]:
        """Those whose time has come, by name."""
        found = sorted([*self._hours.take(now), *self._days.take(now)])
        self._noted.difference_update(found)
        return found


def ages(settings: Forgetting) -> dict[Learned, float]:
    """How long, in seconds, what was learned from each is remembered."""
    return {
        "spans": settings.spans_s,
        "telemetry": settings.telemetry_s,
        "lineage": settings.lineage_s,
        "registry": settings.registry_s,
    }


def named_by(rulebook: Rulebook) -> Iterator[str]:
    """Entities of which rules want to hear: with a profile, or expected or named by a detector or a service level."""
    yield from (profile.entity for profile in rulebook.profiles)
    for rule in rulebook.detect:
        yield from getattr(rule.when, "expected", ())
        yield from (one.value for one in rule.where if one.name == "entity" and one.is_equal and not one.is_regex)


def spoken_of(state: State) -> set[str]:
    """Entities that something live speaks of: alerts, open incidents, open runs, recent changes, detectors."""
    found: set[str] = {unit.entity for unit in state.units.values()}
    found.update(alert.entity for alert in state.alerts.values() if alert.entity is not None)
    found.update(root.entity for group in state.groups.values() for root in group.solution)
    found.update(change.entity for change in state.changes.values() if change.entity)
    found.update(watch.entity for watches in state.detecting.watches.values() for watch in watches.values())
    for incident in state.incidents.values():
        if incident.is_open:
            found.update(incident.entities, incident.impact)
            for suspect in incident.suspects:
                found.update((suspect.entity, *suspect.path))
    for run in state.runs.values():
        if not run.over:
            found.update(run.targets)
            if run.suspect is not None:
                found.update((run.suspect.entity, *run.suspect.path))
    return found
