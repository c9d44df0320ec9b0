"""Samples, logs, calls and spans as they arrive: kept per entity, in order of time, in bounded memory."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from quell.core.fold import SKEW_S
from quell.core.intake import EARLIEST
from quell.model.records import CallRecord, LogRecord, SampleRecord, SamplesRecord, SpanRecord
from quell.model.state import Calls, Pattern, Series, Signals, State
from quell.model.statements import MOST_CHARACTERS, statement

KEEP_POINTS = 2000
GRIDS = (2, 4, 8, 16)
"""When there are more points than are kept, only the last of every so many seconds is, coarser as need be; at the
coarsest the oldest go. So a metric of every second reaches back nine hours, not half an hour. Each grid is part of the
next, so what is kept does not depend on how points were batched."""
KEEP_METRICS = 96
MOST_NAME = 2000
"""Characters of a metric's name; what is longer is not kept."""
KEEP_PATTERNS = 200
KEEP_OPERATIONS = 300
KEEP_MINUTES = 120
MOST_ENTITIES = 1000
MOST_BYTES = 160_000_000
"""Of all that is kept together, about; the entity that was told of longest ago goes first."""
MINUTE_BYTES = 120
"""What one minute of a statement or an operation takes, about."""
MOST_COUNT = 10**12
MOST_VALUE = 1e30
"""What is larger is no measurement, and products of such could not be computed with."""
MINUTE_S = 60.0
NOBODY = "?"
"""The caller of a span whose parent is not known."""
ERROR_SEVERITIES = frozenset(
    {"error", "err", "severe", "critical", "crit", "fatal", "alert", "emerg", "emergency", "panic"}
)
Floats = NDArray[np.float64]
_LAST = struct.Struct("<d")


def take_sample(state: State, record: SampleRecord, now: float) -> None:
    """Keeps the points of one metric."""
    points = list(record.points)
    if record.value is not None:
        points.append((record.at, record.value))
    if not points:
        return
    signals = _signals(state, record.entity, now)
    times = np.array([at for at, _ in points], dtype="<f8")
    values = np.array([value for _, value in points], dtype="<f8")
    _keep(state, signals, record.metric, times, np.clip(values, -MOST_VALUE, MOST_VALUE))
    _bound(state)


def take_samples(state: State, record: SamplesRecord, now: float) -> None:
    """Keeps a table of metrics. Rows without a time that a calendar holds, or of a time to come, are left out."""
    times = np.array(record.times, dtype="<f8")
    good = (times >= EARLIEST) & (times <= now + SKEW_S)
    if not good.any():
        return
    signals = _signals(state, record.entity, now)
    ordered = bool(good.all()) and bool((np.diff(times) > 0).all())
    metrics = sorted(metric for metric, told in record.values.items() if len(told) == len(times))
    rows = np.array([record.values[metric] for metric in metrics], dtype="<f8").reshape(len(metrics), len(times))
    if not ordered:
        times, rows = times[good], rows[:, good]
    for metric, values in zip(metrics, np.clip(rows, -MOST_VALUE, MOST_VALUE), strict=True):
        _keep(state, signals, metric, times, values)
    _bound(state)


def take_log(state: State, record: LogRecord, now: float) -> str:
    """Counts a line under its statement, by the minute; returns the statement."""
    signals = _signals(state, record.entity, now)
    name = record.template[:MOST_CHARACTERS] or statement(record.text[:MOST_CHARACTERS])
    pattern = signals.patterns.get(name)
    if pattern is None:
        if len(signals.patterns) >= KEEP_PATTERNS:
            oldest = min(signals.patterns, key=lambda one: (signals.patterns[one].seen[-1][0], one))
            state.telemetry_bytes -= MINUTE_BYTES * len(signals.patterns.pop(oldest).seen)
        pattern = signals.patterns[name] = Pattern(failing=record.severity.lower() in ERROR_SEVERITIES, seen=[])
    seen = dict(pattern.seen)
    minute = _minute(record.at)
    seen[minute] = min(seen.get(minute, 0) + record.count, MOST_COUNT)
    kept = sorted(seen.items())[-KEEP_MINUTES:]
    state.telemetry_bytes += MINUTE_BYTES * (len(kept) - len(pattern.seen))
    pattern.seen = kept
    _bound(state)
    return name


def take_call(state: State, record: CallRecord, now: float) -> None:
    """Keeps counted calls, by the minute."""
    if record.count <= 0 and record.errors <= 0:
        return
    told = Calls(
        _minute(record.at),
        min(max(record.count, 0), MOST_COUNT),
        min(max(record.errors, 0), MOST_COUNT),
        _number(record.mean_s),
        _number(record.net_s),
    )
    _count(state, record.entity, f"{record.caller}\x00{record.operation[:MOST_CHARACTERS]}", told, now)


def take_span(state: State, record: SpanRecord, now: float) -> None:
    """Counts a span as one call of its entity by that of its parent."""
    if not record.entity:
        return
    parent = state.spans.get(f"{record.trace}/{record.parent}") if record.parent else None
    caller = parent[0] if parent is not None else NOBODY if record.parent else ""
    told = Calls(_minute(record.at), 1, int(record.error), _number(record.duration_s))
    _count(state, record.entity, f"{caller}\x00{record.name[:MOST_CHARACTERS]}", told, now)


def floats(packed: bytes) -> Floats:
    """The numbers of a series; not to be written to."""
    return np.frombuffer(packed, dtype="<f8")


def forget(state: State, oldest: float) -> None:
    """Drops metrics that ended before ``oldest``, and logs and calls of entities of which nothing was told since."""
    for entity, signals in list(state.signals.items()):
        for metric, series in list(signals.series.items()):
            if floats(series.times[-8:])[-1] < oldest:
                state.telemetry_bytes -= _size(series)
                del signals.series[metric]
        # A statement or call that is not seen any more is evidence as long as others of the entity are.
        if max((pattern.seen[-1][0] for pattern in signals.patterns.values()), default=oldest) < oldest:
            state.telemetry_bytes -= MINUTE_BYTES * sum(len(pattern.seen) for pattern in signals.patterns.values())
            signals.patterns.clear()
        if max((calls[-1].minute for calls in signals.calls.values()), default=oldest) < oldest:
            state.telemetry_bytes -= MINUTE_BYTES * sum(len(calls) for calls in signals.calls.values())
            signals.calls.clear()
        if not (signals.series or signals.patterns or signals.calls):
            del state.signals[entity]
    for entity in [entity for entity in state.news if entity not in state.signals]:
        del state.news[entity]


def _signals(state: State, entity: str, now: float) -> Signals:
    """Those of an entity, put last."""
    signals = state.signals.pop(entity, None) or Signals()
    state.signals[entity] = signals
    signals.told_at = now
    state.news.setdefault(entity, now)
    return signals


def _keep(state: State, signals: Signals, metric: str, times: Floats, values: Floats) -> None:
    known = signals.series.get(metric)
    if not len(times) or (known is None and (len(signals.series) >= KEEP_METRICS or len(metric) > MOST_NAME)):
        return
    ordered = len(times) == 1 or bool((np.diff(times) > 0).all())
    known_times, known_values, grid = (known.times, known.values, known.grid) if known is not None else (b"", b"", 0)
    ordered = ordered and (not known_times or bool(_LAST.unpack_from(known_times, len(known_times) - 8)[0] < times[0]))
    packed_times, packed_values = known_times + times.tobytes(), known_values + values.tobytes()
    if not ordered:  # of two values for one time the one told later stands
        times, last = np.unique(floats(packed_times)[::-1], return_index=True)
        packed_times, packed_values = times.tobytes(), floats(packed_values)[::-1][last].tobytes()
    series = _thinned(Series(packed_times, packed_values, grid), len(times) if ordered else 0)
    state.telemetry_bytes += _size(series) - (_size(known) if known is not None else 0)
    signals.series[metric] = series


def _thinned(series: Series, added: int) -> Series:
    """At most `KEEP_POINTS`, of which the last ``added`` (0: any) may be nearer to each other than the grid."""
    grid = series.grid
    if grid and added == 1 and len(series.times) > 8:  # as points mostly come: one by one
        before, last = floats(series.times[-16:]).tolist()
        if before // grid == last // grid:
            series = Series(series.times[:-16] + series.times[-8:], series.values[:-16] + series.values[-8:], grid)
    elif grid:
        series = _gridded(series, grid)
    for coarser in GRIDS:
        if len(series.times) // 8 > KEEP_POINTS and coarser > series.grid:
            series = _gridded(series, coarser)
    return Series(series.times[-8 * KEEP_POINTS :], series.values[-8 * KEEP_POINTS :], series.grid)


def _gridded(series: Series, grid: int) -> Series:
    """The last point of every so many seconds."""
    times, values = floats(series.times), floats(series.values)
    last = np.append(np.diff(times // grid) > 0, [True])
    return Series(times[last].tobytes(), values[last].tobytes(), grid)


def _count(state: State, entity: str, name: str, told: Calls, now: float) -> None:
    signals = _signals(state, entity, now)
    calls = signals.calls.get(name)
    if calls is None:
        if len(signals.calls) >= KEEP_OPERATIONS:
            oldest = min(signals.calls, key=lambda one: (signals.calls[one][-1].minute, one))
            state.telemetry_bytes -= MINUTE_BYTES * len(signals.calls.pop(oldest))
        calls = signals.calls[name] = []
    at = len(calls)
    while at and calls[at - 1].minute > told.minute:
        at -= 1
    if at and calls[at - 1].minute == told.minute:
        calls[at - 1] = _merged(calls[at - 1], told)
    else:
        before = len(calls)
        calls.insert(at, told)
        del calls[:-KEEP_MINUTES]
        state.telemetry_bytes += MINUTE_BYTES * (len(calls) - before)
    _bound(state)


def _merged(known: Calls, told: Calls) -> Calls:
    return Calls(
        known.minute,
        min(known.count + told.count, MOST_COUNT),
        min(known.errors + told.errors, MOST_COUNT),
        _mean(((known.mean_s, known.count), (told.mean_s, told.count))),
        _mean(((known.net_s, known.count), (told.net_s, told.count))),
    )


def _mean(told: Iterable[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in told if value is not None and weight > 0]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _number(value: float | None) -> float | None:
    return min(max(value, -MOST_VALUE), MOST_VALUE) if value is not None and isfinite(value) else None


def _minute(at: float) -> float:
    return at - at % MINUTE_S


def _size(series: Series) -> int:
    return len(series.times) + len(series.values)


def weight(signals: Signals) -> int:
    """What the signals of an entity take, about."""
    minutes = sum(len(pattern.seen) for pattern in signals.patterns.values())
    minutes += sum(len(calls) for calls in signals.calls.values())
    return sum(_size(series) for series in signals.series.values()) + MINUTE_BYTES * minutes


def _bound(state: State) -> None:
    """Entities told of longest ago go when there is too much; the last one stays."""
    while len(state.signals) > MOST_ENTITIES or (state.telemetry_bytes > MOST_BYTES and len(state.signals) > 1):
        oldest = next(iter(state.signals))
        state.telemetry_bytes -= weight(state.signals.pop(oldest))
        state.news.pop(oldest, None)
