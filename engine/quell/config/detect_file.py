"""Detectors as rules files have them become those of the rulebook; what they cannot mean is a problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from quell.config.behaviour_shape import BehaviourShape, behaviour, behaviour_misfits, fields_of
from quell.config.compare_shape import CompareShape, compare, compare_misfits
from quell.config.days import days_of
from quell.config.detect_shapes import (
    MOST_WINDOWS,
    AbsenceShape,
    AnomalyShape,
    DetectShape,
    ForecastShape,
    NewShape,
    ShiftShape,
    ThresholdShape,
    WhenShape,
)
from quell.config.fields import joined
from quell.config.nodes import Document, Path
from quell.config.profiled_shapes import DriftShape, SchemaShape, drift, schema
from quell.config.references import Known, check_templates
from quell.errors import Problem
from quell.model.detect import Absence, Anomaly, Condition, DetectRule, Forecast, New, Shift, Threshold

SHORTEST_S = 1.0
LONGEST_S = 7 * 86_400.0
SUMMARY = Known(roots=frozenset({"labels", "entity", "metric", "value", "threshold", "text"}))
GLOB_SIGNS = frozenset("*?[")
_POOLED = frozenset({"absence", "new", "drift", "schema", "behaviour"})
_READ = {
    "threshold": ("metric", "log"),
    "forecast": ("metric",),
    "absence": ("metric", "log"),
    "anomaly": ("metric", "log"),
    "new": ("log",),
    "shift": ("metric", "log"),
    "drift": ("distribution",),
    "schema": ("distribution",),
    "behaviour": ("distribution",),
    "compare": ("metric", "distribution"),
}
"""What conditions read."""
_BACK = {"forecast": "over", "shift": "against"}
"""What of a condition says how far back it looks at every window."""
_OWN_LABELS = {"drift": {"kind": "drift"}}
"""By which playbooks know what an alert speaks of."""


def detector(document: Document, index: int, shape: DetectShape, problems: list[Problem]) -> DetectRule:
    """One detector; everything that is wrong with it is added to ``problems``."""
    path: Path = ("detect", index)
    check_templates(document, (*path, "summary"), shape.summary, SUMMARY, problems)
    kind, written = _written(shape.when)
    for at, message, hint in _misfits(shape, kind, written):
        problems.append(document.problem((*path, *at), message, hint))
    return DetectRule(
        name=shape.name,
        on=shape.mode == "on",
        metric=shape.metric or "",
        log=shape.log or "",
        distribution=shape.distribution or (fields_of(written) if isinstance(written, BehaviourShape) else ""),
        where=joined(shape.where),
        errors=kind == "new" if shape.errors is None else shape.errors,
        pooled=kind in _POOLED if shape.per is None else shape.per == "entity",
        when=_condition(written, shape),
        need=shape.for_[0],
        of=shape.for_[1],
        every_s=shape.every,
        delay_s=shape.delay,
        blind_s=shape.blind or 0.0,
        series=shape.series,
        severity=shape.severity,
        impact=shape.impact or ("fairness" if getattr(written, "of", "") == "fairness" else ""),
        labels=_OWN_LABELS.get(kind, {}) | shape.labels,
        summary=shape.summary,
        runbook=shape.runbook,
        place=document.place(path),
    )


def _written(shape: WhenShape) -> tuple[str, Any]:
    """The condition that was written, by its name."""
    fields = type(shape).model_fields.items()
    return next((field.alias or name, found) for name, field in fields if (found := getattr(shape, name)) is not None)


def _condition(written: Any, shape: DetectShape) -> Condition:
    fields = shape.distribution or "*"
    if isinstance(written, DriftShape):
        return drift(written, fields)
    if isinstance(written, CompareShape):
        return compare(written, shape.metric)
    return schema(written, fields) if isinstance(written, SchemaShape) else _CONDITIONS[type(written)](written)


def _misfits(shape: DetectShape, kind: str, written: Any) -> Iterator[tuple[Path, str, str]]:
    """Parts of a detector that do not go together, and where they stand."""
    named = (name for name in ("metric", "log", "distribution") if getattr(shape, name) is not None)
    reads = next(named, "distribution")
    if reads not in _READ.get(kind, (reads,)):
        yield (reads,), f'"{kind}" reads no {reads}', f"write {' or '.join(_READ[kind])}"
    if not SHORTEST_S <= shape.every <= LONGEST_S:
        yield ("every",), "a window lasts from 1s to 7d", ""
    if shape.errors is not None and reads != "log":
        yield ("errors",), '"errors" goes with "log"', ""
    if shape.per == "series" and kind in _POOLED:
        yield ("per",), f'"{kind}" looks at entities', "write per: entity, or leave it out"
    if shape.blind is not None and shape.blind < shape.every:
        yield ("blind",), '"blind" is shorter than a window', ""
    if kind == "threshold" and written.by:
        if reads != "metric" or GLOB_SIGNS & {*str(shape.metric), *written.by}:
            yield ("when", "threshold", "by"), '"by" needs one metric on both sides, by its name', "write it without *"
        elif shape.per == "entity":
            yield ("per",), '"by" divides one metric by another; per: entity would join them', "leave it out"
    back = _BACK.get(kind)
    if back is not None:
        yield from _looks_back(shape, ("when", kind, back), getattr(written, back))
    if isinstance(written, BehaviourShape):
        yield from behaviour_misfits(written, shape.distribution, shape.every)
    if isinstance(written, CompareShape):
        yield from compare_misfits(written, shape.metric, shape.every, MOST_WINDOWS)
    if kind == "absence" and written.after < shape.every:
        yield ("when", kind, "after"), '"after" is shorter than a window', f"write every: {written.after:g}s"


def _looks_back(shape: DetectShape, at: Path, span_s: float) -> Iterator[tuple[Path, str, str]]:
    windows = span_s / shape.every
    if windows > MOST_WINDOWS:
        message = f"these are {windows:.0f} windows, and {MOST_WINDOWS} are remembered"
        yield at, message, f"write every: {span_s / MOST_WINDOWS / 60 + 1:.0f}m, or look less far back"
    elif windows < 8:
        yield at, f"these are {windows:.1f} windows, too few to tell anything from", "look further back"


def _threshold(shape: ThresholdShape) -> Threshold:
    return Threshold(
        above=shape.above,
        below=shape.below,
        aggregate=shape.aggregate,
        until=shape.until,
        by=shape.by,
        volume=shape.volume,
    )


def _forecast(shape: ForecastShape) -> Forecast:
    return Forecast(
        above=shape.above,
        below=shape.below,
        within_s=shape.within,
        over_s=shape.over,
        aggregate=shape.aggregate,
        confidence=shape.confidence,
    )


def _absence(shape: AbsenceShape) -> Absence:
    return Absence(after_s=shape.after, expected=tuple(shape.expect), give_up_s=shape.give_up)


def _anomaly(shape: AnomalyShape) -> Anomaly:
    return Anomaly(
        direction=shape.direction,
        aggregate=shape.aggregate,
        deviations=shape.deviations,
        effect=shape.effect,
        share=shape.share,
        history_s=shape.history,
        adapt_s=shape.adapt,
        volume=shape.volume,
        zone=shape.zone,
        holidays=days_of(shape.holidays),
        left_out=days_of(shape.leave_out),
    )


def _new(shape: NewShape) -> New:
    return New(unseen_s=shape.unseen, learn_s=shape.learn, quiet_s=shape.quiet, volume=shape.volume)


def _shift(shape: ShiftShape) -> Shift:
    return Shift(factor=shape.factor, against_s=shape.against, volume=shape.volume, direction=shape.direction)


_CONDITIONS: Mapping[type, Callable[[Any], Condition]] = {
    ThresholdShape: _threshold,
    ForecastShape: _forecast,
    AbsenceShape: _absence,
    AnomalyShape: _anomaly,
    NewShape: _new,
    ShiftShape: _shift,
    BehaviourShape: behaviour,
}
