"""Which series are watched by which rules: found once for each series, bounded, forgotten when nothing is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from quell.core.detect.readers import Kind, Reader, labels_of
from quell.model.detecting import Pending, Watch
from quell.model.state import State
from quell.model.topology import Entity

NO_ROOM, TOO_LONG = 1, 2
"""Why a rule does not watch a series."""
MOST_NAME = 4000
"""Characters of an entity and its metric together."""
MOST_ROUTES = 200_000


class Route(NamedTuple):
    """Where the points of one series go."""

    reader: Reader
    watch: Watch
    side: int


class AllSeries:
    """Works on ``state.detecting.watches``; ``crowded`` is told of a rule that does not watch all it is told of."""

    def __init__(self, readers: Mapping[str, Reader], state: State, crowded: Callable[[Reader, float], None]) -> None:
        self._readers = readers
        self._crowded = crowded
        self._state = state
        self._known = state.detecting
        self._read: dict[tuple[Kind, str], list[tuple[Reader, int]]] = {}
        self._routes: dict[str, dict[tuple[Kind, str], tuple[Route, ...]]] = {}
        self._routed = 0
        self._keys: dict[str, dict[tuple[str, str], None]] = {}
        for rule, watches in self._known.watches.items():
            for key, watch in watches.items():
                self._keys.setdefault(watch.entity, {})[rule, key] = None

    def route(self, kind: Kind, entity: str, name: str, now: float) -> tuple[Route, ...]:
        """Who reads a series."""
        routes = self._routes.get(entity)
        found = routes.get((kind, name)) if routes is not None else None
        if found is not None:
            return found
        readers = self._readers_of(kind, name)
        if not readers:
            return ()
        if self._routed >= MOST_ROUTES:
            self.forget_routes()
        made = []
        for reader, side in readers:
            metric = reader.metric(side, name)
            if reader.selects(labels_of(self.entity(entity), metric)):
                watch = self.watch(reader, entity, metric, now)
                if watch is not None:
                    made.append(Route(reader, watch, side))
        found = tuple(made)
        self._routes.setdefault(entity, {})[kind, name] = found
        self._routed += 1
        return found

    def watch(self, reader: Reader, entity: str, metric: str, now: float) -> Watch | None:
        """What is remembered of a series; None when its rule has no room for more."""
        watches = self.of(reader.rule.name)
        key = f"{entity}\x00{metric}"
        watch = watches.get(key)
        if watch is None:
            if len(watches) >= reader.rule.series:
                self._known.refused[reader.rule.name] = NO_ROOM  # no count: it would differ after a restart
                self._crowded(reader, now)
                return None
            if len(key) > MOST_NAME:
                self._known.refused.setdefault(reader.rule.name, TOO_LONG)
                self._crowded(reader, now)
                return None
            memory = reader.condition.new()
            watch = Watch(entity=entity, metric=metric, memory=memory, pending=(Pending(), Pending()), told_at=now)
            watches[key] = watch
            self._keys.setdefault(entity, {})[reader.rule.name, key] = None
        return watch

    def of_entity(self, name: str) -> list[tuple[str, str]]:
        """The rules that watch an entity, each with the key of a series, in an order that follows from their names."""
        return sorted(self._keys.get(name, ()))

    def of(self, rule: str) -> dict[str, Watch]:
        """The series of a rule."""
        return self._known.watches.setdefault(rule, {})

    def drop(self, rule: str, key: str) -> Watch:
        """Forgets a series, which was watched until now."""
        watch = self._known.watches[rule].pop(key)
        keys = self._keys[watch.entity]
        del keys[rule, key]
        if not keys:
            del self._keys[watch.entity]
        self.forget_entity(watch.entity)
        if rule in self._known.refused:  # there is room again
            self.forget_routes()
        return watch

    def forget_entity(self, name: str) -> None:
        """What is known of an entity is not what it was: others may read its series now."""
        self._routed -= len(self._routes.pop(name, ()))

    def forget_routes(self) -> None:
        """Finds out anew who reads what."""
        self._routes.clear()
        self._routed = 0

    def entity(self, name: str) -> Entity:
        """What is known of an entity."""
        found = self._state.entities.get(name) or self._state.declared.get(name)
        return found if found is not None else Entity(entity=name)

    def _readers_of(self, kind: Kind, name: str) -> list[tuple[Reader, int]]:
        found = self._read.get((kind, name))
        if found is None:
            if len(self._read) >= MOST_ROUTES:
                self._read.clear()
            readers = self._readers.values()
            found = [(reader, side) for reader in readers for side in reader.sides(kind, name)]
            self._read[kind, name] = found
        return found
