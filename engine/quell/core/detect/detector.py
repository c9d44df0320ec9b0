"""Detectors: telemetry is sorted into windows as it comes, judged on a grid of time, and told as alerts.

Taking a point costs about what appending to a list does. All the rest waits until the windows of a rule are judged:
then the points since the last look are put in order, so that it does not matter how they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from quell.core.agenda import Agenda
from quell.core.detect.buckets import points_of
from quell.core.detect.readers import Kind, Reader, digest, labels_of
from quell.core.detect.telling import firing, over
from quell.model.decision import AnyDecision
from quell.model.detect import DetectRule
from quell.model.detecting import Pending, Watch
from quell.model.records import (
    AlertRecord,
    CallRecord,
    DistributionRecord,
    EntityRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
)
from quell.model.state import State
from quell.model.topology import Entity

MOST_SERIES = 10_000
"""Of one rule; what comes beyond that is not watched, and counted."""
MOST_PENDING = 1000
"""Points of one series that wait; when there are more they are added to their windows at once."""
MOST_ROUTES = 200_000
SHOWN_AGAIN_S = 900.0
"""So often an alert that fires is told again, with the numbers as they are then."""
HOLD_S = 3600.0
"""So long an alert fires on at least when nothing more is told of its series."""
IDLE_S = 21_600.0
"""So long a series is remembered at least of which nothing is told."""

Series = tuple[Kind, str, str]
"""What a series is of: its kind, its entity, its name."""
Told = tuple[Iterable[float], Iterable[float | None], Iterable[float]]
"""Times, values and weights; no weights where every point counts once."""
Emit = Callable[[AlertRecord, float, list[AnyDecision]], None]


class _Route(NamedTuple):
    """Where the points of one series go."""

    reader: Reader
    watch: Watch
    side: int


class Detector:
    """Works on ``state.detecting``."""

    def __init__(self, rules: Sequence[DetectRule], state: State, agenda: Agenda, emit: Emit) -> None:
        self._state = state
        self._known = state.detecting
        self._agenda = agenda
        self._emit = emit
        self._readers = {rule.name: Reader(rule) for rule in rules}
        self._read: dict[tuple[Kind, str], list[tuple[Reader, int]]] = {}
        self._routes: dict[str, dict[tuple[Kind, str], tuple[_Route, ...]]] = {}
        self._routed = 0
        self._planned: set[str] = set()

    @property
    def active(self) -> bool:
        """Whether there is anything to detect."""
        return bool(self._readers)

    # What is told

    def sample(self, record: SampleRecord, now: float) -> None:
        """Takes the points of one metric."""
        if record.points:
            times, values = zip(*record.points, strict=True)
            self._take(("metric", record.entity, record.metric), (times, values, ()), now)
        if record.value is not None:
            self._take(("metric", record.entity, record.metric), ((record.at,), (record.value,), ()), now)

    def samples(self, record: SamplesRecord, now: float) -> None:
        """Takes a table of metrics."""
        times = record.times
        for metric, values in record.values.items():
            if len(values) == len(times):
                self._take(("metric", record.entity, metric), (times, values, ()), now)

    def call(self, record: CallRecord, now: float) -> None:
        """Takes calls as the metrics calls.count, calls.errors, calls.error_share, calls.mean_s and calls.net_s."""
        if record.count <= 0:
            return
        count, at = float(record.count), (record.at,)
        for metric, value, weight in (
            ("calls.count", count, 1.0),
            ("calls.errors", float(record.errors), 1.0),
            ("calls.error_share", record.errors / count, count),
            ("calls.mean_s", record.mean_s, count),
            ("calls.net_s", record.net_s, count),
        ):
            if value is not None:
                self._take(("metric", record.entity, metric), (at, (value,), (weight,)), now)

    def span(self, record: SpanRecord, now: float) -> None:
        """Takes a span as one call."""
        if record.entity:
            told = CallRecord(
                at=record.at, entity=record.entity, count=1, errors=int(record.error), mean_s=record.duration_s
            )
            self.call(told, now)

    def log(self, record: LogRecord, statement: str, now: float) -> None:
        """Takes a counted line under its statement."""
        if record.count > 0:
            self._take(("log", record.entity, statement), ((record.at,), (float(record.count),), (1.0,)), now)

    def distribution(self, record: DistributionRecord, now: float) -> None:
        """Takes counted values of a field."""
        for reader, watch, _ in self._route("distribution", record.entity, record.field, now):
            oldest = reader.last(now) - reader.condition.keeps + 1
            folded = reader.condition.take_distribution(watch.memory, record, oldest)
            watch.told_at, watch.newest = now, max(watch.newest, record.at)
            watch.late += folded.late
            watch.touched = sorted({*watch.touched, *folded.slots})
            self._plan(reader, now)

    def entity(self, record: EntityRecord, now: float, out: list[AnyDecision]) -> None:
        """What is known of an entity is not what it was: rules may read others of its series now."""
        self._routed -= len(self._routes.pop(record.entity, ()))
        for name, reader in self._readers.items():
            watches = self._known.watches.get(name, {})
            for key in [key for key, watch in watches.items() if watch.entity == record.entity]:
                if record.removed or not reader.selects(labels_of(self._entity(record.entity), watches[key].metric)):
                    self._drop(name, key, now, out)

    # What is due

    def plan(self) -> None:
        """Puts on the agenda what is due of what is remembered."""
        now = self._state.now
        self._planned.clear()
        if not now:
            return
        for name, reader in self._readers.items():
            if name not in self._known.rules:
                self._known.rules[name], self._known.began[name] = digest(reader.rule), now
            if any(self._restless(reader, watch) for watch in self._known.watches.get(name, {}).values()):
                self._plan(reader, now)

    def judge(self, name: str, at: float, out: list[AnyDecision]) -> None:
        """Judges the windows of a rule that are over."""
        reader = self._readers.get(name)
        if reader is None:
            return
        self._planned.discard(name)
        restless = False
        watches = self._known.watches.get(name, {})
        for key in sorted(watches):
            watch = watches[key]
            if self._restless(reader, watch):
                self._look(reader, watch, at, out)
                restless = restless or self._restless(reader, watch)
        if restless:
            self._plan(reader, at)

    def reread(self, at: float, out: list[AnyDecision]) -> None:
        """After a reload: what rules watch that are gone or changed begins anew, the alerts of those gone are over."""
        for name in sorted(self._known.rules.keys() | self._known.watches.keys()):
            reader = self._readers.get(name)
            watches = self._known.watches.get(name, {})
            changed = reader is not None and self._known.rules.get(name) != digest(reader.rule)
            for key in sorted(watches):
                watch = watches[key]
                watch.shown_at = 0.0
                if reader is None or (changed and not self._still_reads(reader, watch)):
                    self._drop(name, key, at, out)
                elif changed:
                    watch.memory = reader.condition.new()
                    watch.pending, watch.slots, watch.touched = (Pending(), Pending()), {}, []
            if reader is None:
                for known in (self._known.rules, self._known.watches, self._known.refused, self._known.began):
                    known.pop(name, None)
            elif changed:
                self._known.rules[name], self._known.began[name] = digest(reader.rule), at
                self._known.refused.pop(name, None)
        self._routes.clear()
        self._routed = 0
        self.plan()

    def sweep(self, at: float, out: list[AnyDecision]) -> None:
        """Forgets series of which nothing was told for long."""
        for name, reader in self._readers.items():
            idle_s = max(IDLE_S, 2.0 * reader.condition.keeps * reader.rule.every_s)
            watches = self._known.watches.get(name, {})
            for key in [key for key, watch in watches.items() if watch.told_at + idle_s < at and watch.since is None]:
                if not reader.condition.ticks:
                    self._drop(name, key, at, out)

    # How

    def _take(self, series: Series, told: Told, now: float) -> None:
        """Puts points aside until the rule that reads them looks."""
        kind, entity, name = series
        if not self._readers_of(kind, name):
            return
        for reader, watch, side in self._route(kind, entity, name, now):
            pending = watch.pending[side]
            pending.times.extend(told[0])
            pending.values.extend(told[1])
            pending.weights.extend(told[2])
            watch.told_at = now
            if len(pending.times) >= MOST_PENDING:
                self._fold(reader, watch, now)
            if reader.rule.name not in self._planned:
                self._plan(reader, now)

    def _readers_of(self, kind: Kind, name: str) -> list[tuple[Reader, int]]:
        found = self._read.get((kind, name))
        if found is None:
            if len(self._read) >= MOST_ROUTES:
                self._read.clear()
            readers = self._readers.values()
            found = [(reader, side) for reader in readers for side in reader.sides(kind, name)]
            self._read[kind, name] = found
        return found

    def _route(self, kind: Kind, entity: str, name: str, now: float) -> tuple[_Route, ...]:
        routes = self._routes.get(entity)
        found = routes.get((kind, name)) if routes is not None else None
        if found is not None:
            return found
        if self._routed >= MOST_ROUTES:
            self._routes.clear()
            self._routed = 0
        known = self._entity(entity)
        made = []
        for reader, side in self._readers_of(kind, name):
            metric = reader.rule.metric if side else name
            if reader.selects(labels_of(known, metric)):
                watch = self._watch(reader, entity, metric, now)
                if watch is not None:
                    made.append(_Route(reader, watch, side))
        found = tuple(made)
        self._routes.setdefault(entity, {})[kind, name] = found
        self._routed += 1
        return found

    def _watch(self, reader: Reader, entity: str, metric: str, now: float) -> Watch | None:
        watches = self._known.watches.setdefault(reader.rule.name, {})
        key = f"{entity}\x00{metric}"
        watch = watches.get(key)
        if watch is None:
            if len(watches) >= MOST_SERIES:
                refused = self._known.refused
                refused[reader.rule.name] = refused.get(reader.rule.name, 0) + 1
                return None
            memory = reader.condition.new()
            watch = Watch(entity=entity, metric=metric, memory=memory, pending=(Pending(), Pending()), told_at=now)
            watches[key] = watch
        return watch

    def _fold(self, reader: Reader, watch: Watch, now: float) -> None:
        """Adds what waits to its windows."""
        oldest = reader.last(now) - reader.condition.keeps + 1
        for side, pending in enumerate(watch.pending):
            if pending.times:
                points = points_of(pending)
                watch.unread += points.unread
                if points.items:
                    watch.newest = max(watch.newest, points.items[-1][0])
                    folded = reader.condition.take(watch.memory, side, points, oldest)
                    watch.late += folded.late
                    watch.touched = sorted({*watch.touched, *folded.slots})

    def _look(self, reader: Reader, watch: Watch, at: float, out: list[AnyDecision]) -> None:
        """Judges the windows of one series; tells what came of it."""
        rule, condition = reader.rule, reader.condition
        last = reader.last(at)
        self._fold(reader, watch, at)
        slots = {slot for slot in watch.touched if last - rule.of < slot < last} if condition.alone else set()
        watch.touched = [slot for slot in watch.touched if slot > last]
        for slot in sorted({*slots, last}):
            found = condition.judge(watch.memory, slot, firing=watch.since is not None)
            if found is None:
                watch.slots.pop(slot, None)
            else:
                watch.slots[slot] = found.bad
                watch.finding = found
        condition.forget(watch.memory, last - condition.keeps + 1)
        watch.slots = {slot: bad for slot, bad in watch.slots.items() if slot > last - rule.of}
        self._conclude(reader, watch, at, out)

    def _conclude(self, reader: Reader, watch: Watch, at: float, out: list[AnyDecision]) -> None:
        rule = reader.rule
        bad = sum(watch.slots.values())
        if watch.since is None:
            if bad >= rule.need:
                began = min(slot for slot, is_bad in watch.slots.items() if is_bad) * rule.every_s
                watch.since = began if watch.ended is None or began > watch.ended else at
                self._show(reader, watch, at, out)
        elif len(watch.slots) - bad > rule.of - rule.need or self._silent(reader, watch, at):
            self._end(rule.name, watch, at, out)
        elif at - watch.shown_at >= SHOWN_AGAIN_S:
            self._show(reader, watch, at, out)

    def _show(self, reader: Reader, watch: Watch, at: float, out: list[AnyDecision]) -> None:
        watch.shown_at = at
        self._emit(firing(reader.rule, watch, self._entity(watch.entity), at), at, out)

    def _end(self, name: str, watch: Watch, at: float, out: list[AnyDecision]) -> None:
        watch.since, watch.ended = None, at
        self._emit(over(name, watch, at), at, out)

    def _drop(self, name: str, key: str, at: float, out: list[AnyDecision]) -> None:
        watch = self._known.watches[name].pop(key)
        routes = self._routes.pop(watch.entity, {})
        self._routed -= len(routes)
        if watch.since is not None:
            self._end(name, watch, at, out)

    def _restless(self, reader: Reader, watch: Watch) -> bool:
        """Whether a series must be looked at again although nothing more may be told of it."""
        if watch.since is not None or watch.touched or reader.condition.ticks:
            return True
        return any(pending.times for pending in watch.pending)

    def _still_reads(self, reader: Reader, watch: Watch) -> bool:
        named = 0 in reader.sides(reader.kind, watch.metric)
        return named and reader.selects(labels_of(self._entity(watch.entity), watch.metric))

    def _plan(self, reader: Reader, now: float) -> None:
        self._planned.add(reader.rule.name)
        self._agenda.put(reader.next_look(now), "detect", reader.rule.name)

    def _entity(self, name: str) -> Entity:
        found = self._state.entities.get(name) or self._state.declared.get(name)
        return found if found is not None else Entity(entity=name)

    @staticmethod
    def _silent(reader: Reader, watch: Watch, at: float) -> bool:
        """Whether nobody speaks of a series any more, so that its alert would never end."""
        hold_s = max(HOLD_S, 3.0 * reader.rule.of * reader.rule.every_s)
        return not watch.slots and not reader.condition.ticks and at - watch.told_at > hold_s
