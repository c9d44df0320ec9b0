"""Detectors: telemetry is sorted into windows as it comes, judged on a grid of time, and told as alerts.

Taking a point costs about what appending to a list does. All the rest waits until the windows of a rule are judged:
then the points since the last look are put in order, so that it does not matter how they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from quell.core.agenda import Agenda
from quell.core.detect.blindness import Blindness
from quell.core.detect.crowding import Crowding
from quell.core.detect.elders import Elders
from quell.core.detect.judging import Emit, Judging
from quell.core.detect.readers import Kind, Reader, labels_of
from quell.core.detect.series import AllSeries
from quell.core.detect.unfit import Unfitness
from quell.model.decision import AnyDecision
from quell.model.detecting import Pending, Watch
from quell.model.records import (
    CallRecord,
    DistributionRecord,
    EntityRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
)
from quell.model.rulebook import Rulebook
from quell.model.state import State

MOST_PENDING = 1000
"""Points of one series that wait; when there are more they are added to their windows at once."""

PIECE = 10_000
"""So much is judged without a pause, in points: a few milliseconds."""
A_LOOK = 50
"""To look at a plain series costs as much as to add so many points to its windows."""

Told = tuple[Iterable[float], Iterable[float | None], Iterable[float]]
"""Times, values and weights; no weights where every point counts once."""


class Detector:
    """Works on ``state.detecting``."""

    def __init__(self, rulebook: Rulebook, state: State, agenda: Agenda, emit: Emit) -> None:
        self._state = state
        self._known = state.detecting
        self._agenda = agenda
        self._readers = {rule.name: Reader(rule, rulebook) for rule in rulebook.detect if rule.on}
        self._series = AllSeries(self._readers, state, self._plan)
        self._judging = Judging(self._known, self._series.entity, emit)
        self._blindness = Blindness(self._known, emit)
        self._crowding = Crowding(self._known, emit)
        self._unfitness = Unfitness(self._known, emit)
        self._elders = Elders(self._readers, self._known, self._series, emit)
        self._planned: set[str] = set()
        self._resumed = 0.0

    @property
    def active(self) -> bool:
        """Whether there is anything to detect."""
        return bool(self._readers)

    # What is told

    def sample(self, record: SampleRecord, now: float) -> None:
        """Takes the points of one metric."""
        if record.points:
            times, values = zip(*record.points, strict=True)
            self._take("metric", record.entity, record.metric, (times, values, ()), now)
        if record.value is not None or not record.points:  # nothing but what is no number is counted as that
            self._take("metric", record.entity, record.metric, ((record.at,), (record.value,), ()), now)

    def samples(self, record: SamplesRecord, now: float) -> None:
        """Takes a table of metrics."""
        times = record.times
        for metric, values in record.values.items():
            if len(values) == len(times):
                self._take("metric", record.entity, metric, (times, values, ()), now)

    def call(self, record: CallRecord, now: float) -> None:
        """Takes calls as the metrics calls.count, calls.errors, calls.error_share, calls.mean_s and calls.net_s."""
        if record.count <= 0:
            return
        count, at = float(record.count), (record.at,)
        errors = float(min(max(record.errors, 0), record.count))
        for metric, value, weight in (
            ("calls.count", count, 1.0),
            ("calls.errors", errors, 1.0),
            ("calls.error_share", errors / count, count),
            ("calls.mean_s", record.mean_s, count),
            ("calls.net_s", record.net_s, count),
        ):
            if value is not None:
                self._take("metric", record.entity, metric, (at, (value,), (weight,)), now)

    def span(self, record: SpanRecord, now: float) -> None:
        """Takes a span as one call."""
        if record.entity:
            self.call(
                CallRecord(at=record.at, entity=record.entity, errors=int(record.error), mean_s=record.duration_s), now
            )

    def log(self, record: LogRecord, statement: str, now: float, *, failing: bool) -> None:
        """Takes a counted line under its statement; ``failing``: it tells of an error."""
        if record.count > 0:
            told = ((record.at,), (float(record.count),), (1.0,))
            self._take("error" if failing else "log", record.entity, statement, told, now)

    def distribution(self, record: DistributionRecord, now: float) -> None:
        """Takes counted values of a field."""
        for reader, watch, _ in self._series.route("distribution", record.entity, record.field, now):
            oldest = reader.last(now) - reader.condition.keeps + 1
            folded = reader.condition.take_distribution(watch.memory, record, oldest)
            watch.told_at, watch.newest = now, max(watch.newest, record.at)
            watch.late += folded.late
            watch.unread += folded.unread
            used = bool(folded.slots)  # a load of yesterday's rows counts in the window that is open
            unread, late = (record.bad, 0) if used else (folded.unread, record.count * bool(folded.late))
            self._known.told(reader.rule.name, record.count, unread=unread, late=late)
            if folded.slots:
                watch.touched = sorted({*watch.touched, *folded.slots})
                self._known.read_at[reader.rule.name] = now
            self._plan(reader, now)

    def entity(self, record: EntityRecord, now: float, out: list[AnyDecision]) -> None:
        """What is known of an entity is not what it was: rules may read others of its series now."""
        self._series.forget_entity(record.entity)
        for name, key in self._series.of_entity(record.entity):
            reader = self._readers.get(name)
            labels = labels_of(self._series.entity(record.entity), self._series.of(name)[key].metric)
            if record.removed or reader is None or not reader.selects(labels):
                self._drop(name, key, now, out)

    def forgotten(self, entities: Iterable[str]) -> None:
        """What was known of entities is not known any more; none of their series are watched."""
        for name in entities:
            self._series.forget_entity(name)

    # What is due

    def plan(self) -> None:
        """Puts on the agenda what is due of what is remembered."""
        now = self._state.now
        self._planned.clear()
        if not now:
            return
        for name, reader in self._readers.items():
            if name not in self._known.rules:
                self._begin(name, reader, now)
            watches, last = self._series.of(name).values(), reader.last(now)
            asked = reader.rule.blind_s or name in self._known.refused
            if asked or any(self._judging.restless(reader, watch, last) for watch in watches):
                self._plan(reader, now)

    def judge(self, name: str, at: float, out: list[AnyDecision]) -> Iterator[None]:
        """Judges the windows of a rule that are over; pauses after every `PIECE` of it."""
        reader = self._readers.get(name)
        if reader is None:
            return
        self._planned.discard(name)
        restless, owing = bool(reader.rule.blind_s), False
        watches, last = self._series.of(name), reader.last(at)
        ordered = [watches[key] for key in sorted(watches)]
        if reader.condition.together:
            for piece in _pieces(ordered, reader.condition.effort):
                for watch in piece:
                    self._judging.fold(reader, watch, last)
                yield
            reader.condition.meet(watches, lambda watch: labels_of(self._series.entity(watch.entity), watch.metric))
        look, is_restless = self._judging.look, self._judging.restless
        for piece in _pieces(ordered, reader.condition.effort):
            for watch in piece:
                if is_restless(reader, watch, last):
                    look(reader, watch, last, at, out)
                    self._elders.look(reader, watch, last, at, out)
                    restless = restless or is_restless(reader, watch, last)
                    owing = owing or bool(watch.touched)
            yield
        if reader.rule.blind_s:
            self._blindness.look(reader.rule, watches.values(), at, out)
        self._unfitness.look(reader.rule, at, out)
        if name in self._known.refused:
            restless = self._make_room(reader, at, out) or restless
        if restless:  # while nobody listened there is nothing to judge but what was told before
            self._plan(reader, at if owing else max(at, self._resumed))

    def reread(self, at: float, out: list[AnyDecision]) -> None:
        """After a reload: what rules watch that are gone or changed begins anew, the alerts of those gone are over."""
        for name in sorted(self._known.rules.keys() | self._known.watches.keys()):
            reader = self._readers.get(name)
            changed = reader is not None and self._known.rules.get(name) != reader.digest
            watches = self._series.of(name)
            for key in sorted(watches):
                watch = watches[key]
                watch.shown_at = 0.0
                labels = labels_of(self._series.entity(watch.entity), watch.metric)
                if reader is None or not reader.still_reads(watch.metric, labels):
                    self._drop(name, key, at, out)
                elif changed:
                    watch.memory = reader.condition.new()
                    watch.pending, watch.slots, watch.touched = (Pending(), Pending()), {}, []
            if reader is None or not reader.rule.blind_s:
                self._blindness.end(name, at, out)
            if reader is None:
                self._crowding.end(name, at, out)
                self._unfitness.end(name, at, out)
                known = self._known
                for each in (known.rules, known.watches, known.refused, known.failed, known.began, known.read_at):
                    each.pop(name, None)
            elif changed:
                self._begin(name, reader, at)
        self._series.forget_routes()
        self.plan()

    def resumed(self, now: float) -> None:
        """Quell is there again after it was down: that nothing was told meanwhile says nothing.

        Neither does it end what fired before: that is still so for all anybody knows.
        """
        left, self._resumed = self._state.now, now
        for name in self._known.rules:
            self._known.began[name] = now
            reader = self._readers.get(name)
            for watch in self._series.of(name).values():
                if watch.since is not None:
                    watch.judged_at = now
                if reader is not None:
                    reader.condition.unheard(watch, left, now)

    def sweep(self, at: float, out: list[AnyDecision]) -> None:
        """Forgets series of which nothing was told for long."""
        for name, reader in self._readers.items():
            idle_s = max(reader.condition.remembers_s, 2.0 * reader.condition.keeps * reader.rule.every_s)
            watches = self._series.of(name)
            for key in [key for key, watch in watches.items() if watch.told_at + idle_s < at]:
                if not self._judging.restless(reader, watches[key], reader.last(at)):
                    self._drop(name, key, at, out)
            if self._known.refused.pop(name, None):
                self._series.forget_routes()
        self._crowding.sweep(at, out)
        self._unfitness.sweep(at, out)
        self._elders.sweep(at)

    # How

    def _take(self, kind: Kind, entity: str, name: str, told: Told, now: float) -> None:
        """Puts points aside until the rule that reads them looks."""
        for reader, watch, side in self._series.route(kind, entity, name, now):
            times, values, weights = told
            watch.told_at = now
            if reader.rule.pooled:
                self._take_named(reader, watch, name, told)
            pending = watch.pending[side]
            if weights or pending.weights:
                _weigh(pending, times, weights)
            pending.times.extend(times)
            pending.values.extend(values)
            if len(pending.times) >= MOST_PENDING:
                self._judging.fold(reader, watch, reader.last(now))
            if reader.rule.name not in self._planned:
                self._plan(reader, now)

    @staticmethod
    def _take_named(reader: Reader, watch: Watch, name: str, told: Told) -> None:
        for at, value in zip(told[0], told[1], strict=False):
            if value is not None:
                reader.condition.take_named(watch.memory, name, at, value)

    def _begin(self, name: str, reader: Reader, now: float) -> None:
        """A rule is there, or is another one, from now on."""
        self._known.rules[name], self._known.began[name] = reader.digest, now
        self._known.refused.pop(name, None)
        self._known.failed.pop(name, None)
        for entity in getattr(reader.rule.when, "expected", ()):
            self._series.watch(reader, entity, reader.named, now)

    def _make_room(self, reader: Reader, at: float, out: list[AnyDecision]) -> bool:
        """Drops what was silent for long where there was no room for more; whether that is still to be looked after."""
        name = reader.rule.name
        dropped = self._crowding.silent(reader, self._series.of(name), at)
        self._crowding.look(reader, len(dropped), at, out)
        for key in dropped:
            self._drop(name, key, at, out)
        if dropped:
            self._series.forget_routes()
        return name in self._known.refused

    def _drop(self, name: str, key: str, at: float, out: list[AnyDecision]) -> None:
        watch = self._series.drop(name, key)
        if watch.since is not None:
            self._judging.end(name, watch, at, out)

    def _plan(self, reader: Reader, now: float) -> None:
        self._planned.add(reader.rule.name)
        self._agenda.put(reader.next_look(now), "detect", reader.rule.name)


def _pieces(watches: Sequence[Watch], effort: int) -> Iterator[Sequence[Watch]]:
    """Series in pieces of about as much work, by how many they are and how much was told of them."""
    begin, work = 0, 0
    for at, watch in enumerate(watches):
        work += A_LOOK * effort + len(watch.pending[0].times) + len(watch.pending[1].times)
        if work >= PIECE:
            yield watches[begin : at + 1]
            begin, work = at + 1, 0
    if begin < len(watches):
        yield watches[begin:]


def _weigh(pending: Pending, times: Iterable[float], weights: Iterable[float]) -> None:
    """Weights of points that are about to be added: a series may be told by calls, and by samples, which count once."""
    pending.weights.extend([1.0] * (len(pending.times) - len(pending.weights)))
    pending.weights.extend(weights or (1.0 for _ in times))
