"""Samples, logs and spans as evidence: bounded series per entity, and how far each moved when trouble began."""

from __future__ import annotations

from statistics import median

from quell.model.incident import Evidence
from quell.model.records import LogRecord, SampleRecord, SpanRecord
from quell.model.state import Signals, State

KEEP_POINTS = 240
KEEP_METRICS = 64
MOST_COUNT = 10**12
MINUTE_S = 60.0
BEFORE_S = 3600.0
AFTER_S = 900.0
LEAST_POINTS = 4
SHIFT_BAR = 4.0
ERROR_SEVERITIES = frozenset({"error", "err", "critical", "crit", "fatal", "alert", "emerg", "emergency", "panic"})


def take_sample(state: State, record: SampleRecord) -> None:
    """Keeps the newest points of a metric, in order of time."""
    signals = state.signals.setdefault(record.entity, Signals())
    series = signals.samples.get(record.metric)
    if series is None:
        if len(signals.samples) >= KEEP_METRICS:
            return
        series = signals.samples[record.metric] = []
    points = list(record.points)
    if record.value is not None:
        points.append((record.at, record.value))
    merged = dict(series) | dict(points)
    signals.samples[record.metric] = sorted(merged.items())[-KEEP_POINTS:]


def take_log(state: State, record: LogRecord) -> None:
    """Counts error lines by the minute."""
    if record.severity.lower() in ERROR_SEVERITIES:
        signals = state.signals.setdefault(record.entity, Signals())
        signals.errors = _counted(signals.errors, record.at, record.count)


def take_span(state: State, record: SpanRecord) -> None:
    """Counts calls and failed calls by the minute."""
    if not record.entity:
        return
    signals = state.signals.setdefault(record.entity, Signals())
    signals.calls = _counted(signals.calls, record.at, 1)
    if record.error:
        signals.errors = _counted(signals.errors, record.at, 1)


def evidence(signals: Signals | None, began: float) -> list[Evidence]:
    """What the telemetry of a suspect says about the minutes after ``began`` against the hour before."""
    if signals is None:
        return []
    found = []
    for metric in sorted(signals.samples):
        shift = _shift(signals.samples[metric], began)
        if shift is not None and abs(shift[0]) >= SHIFT_BAR:
            score, before, after = shift
            text = f"{metric} went from {before:.4g} to {after:.4g}, {abs(score):.1f} robust deviations"
            found.append(Evidence(code="metric_shift", text=text, weight=min(1.0, abs(score) / 20.0)))
    before = sum(count for at, count in signals.errors if began - BEFORE_S <= at < began - MINUTE_S)
    after = sum(count for at, count in signals.errors if began - MINUTE_S <= at < began + AFTER_S)
    if after >= LEAST_POINTS and after * BEFORE_S > 3 * before * AFTER_S:
        text = f"{after} errors in the first {AFTER_S / 60:.0f} minutes, {before} in the hour before"
        found.append(Evidence(code="errors_rose", text=text, weight=0.8))
    return sorted(found, key=lambda one: (-one.weight, one.text))[:3]


def _shift(series: list[tuple[float, float]], began: float) -> tuple[float, float, float] | None:
    """Robust deviations between the medians after and before, and the two medians; None with too few points."""
    old = [value for at, value in series if began - BEFORE_S <= at < began - MINUTE_S]
    new = [value for at, value in series if began - MINUTE_S <= at < began + AFTER_S]
    if len(old) < LEAST_POINTS or len(new) < 2:
        return None
    before, after = median(old), median(new)
    spread = 1.4826 * median(abs(value - before) for value in old)
    # A flat series has no spread of its own: a twentieth of its level keeps the smallest wiggle from exploding.
    return (after - before) / max(spread, abs(before) / 20.0, 1e-9), before, after


def _counted(counts: list[tuple[float, int]], at: float, count: int) -> list[tuple[float, int]]:
    minute = at - at % MINUTE_S
    merged = dict(counts)
    merged[minute] = min(merged.get(minute, 0) + count, MOST_COUNT)
    return sorted(merged.items())[-KEEP_POINTS:]
