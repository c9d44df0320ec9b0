"""Detectors as rules files have them become those of the rulebook; what they cannot mean is a problem."""

from __future__ import annotations

from typing import Any

from quell.config.detect_shapes import DetectShape, ThresholdShape, WhenShape
from quell.config.fields import joined
from quell.config.nodes import Document, Path
from quell.config.references import Known, check_templates
from quell.errors import Problem
from quell.model.detect import Condition, DetectRule, Threshold

SHORTEST_S = 1.0
LONGEST_S = 7 * 86_400.0
MOST_WINDOWS = 1000
_SUMMARY = Known(roots=frozenset({"labels", "entity", "metric", "value", "threshold", "text"}))
_GLOB_SIGNS = frozenset("*?[")


def detector(document: Document, index: int, shape: DetectShape, problems: list[Problem]) -> DetectRule:
    """One detector; everything that is wrong with it is added to ``problems``."""
    path: Path = ("detect", index)
    check_templates(document, (*path, "summary"), shape.summary, _SUMMARY, problems)
    need, of = (int(part) for part in shape.for_.split("of"))
    if not 1 <= need <= of <= MOST_WINDOWS:
        message = f'"{shape.for_}" is not possible: write N of M with 1 ≤ N ≤ M ≤ {MOST_WINDOWS}'
        problems.append(document.problem((*path, "for"), message))
    if not SHORTEST_S <= shape.every <= LONGEST_S:
        problems.append(document.problem((*path, "every"), "a window lasts from 1s to 7d"))
    for kind, condition, message, hint in _misfits(shape):
        problems.append(document.problem((*path, *condition), message, hint, key=kind == "key"))
    return DetectRule(
        name=shape.name,
        metric=shape.metric or "",
        log=shape.log or "",
        distribution=shape.distribution or "",
        where=joined(shape.where),
        when=_condition(shape.when),
        need=need,
        of=of,
        every_s=shape.every,
        delay_s=shape.delay,
        severity=shape.severity,
        impact=shape.impact or "",
        labels=shape.labels,
        summary=shape.summary,
        runbook=shape.runbook,
        place=document.place(path),
    )


def _misfits(shape: DetectShape) -> list[tuple[str, Path, str, str]]:
    """Parts of a detector that do not go together."""
    found: list[tuple[str, Path, str, str]] = []
    threshold = shape.when.threshold
    if threshold is not None and threshold.by:
        path: Path = ("when", "threshold", "by")
        if shape.metric is None or _GLOB_SIGNS & {*shape.metric, *threshold.by}:
            found.append(("", path, '"by" needs one metric on both sides, by its name', "write it without * ? ["))
    if threshold is not None and shape.distribution is not None:
        found.append(("key", ("when", "threshold"), '"threshold" reads metrics and logs', ""))
    return found


def _condition(shape: WhenShape) -> Condition:
    """The condition that was written."""
    written: Any = next(found for name in type(shape).model_fields if (found := getattr(shape, name)) is not None)
    assert isinstance(written, ThresholdShape), "every shape of a condition is turned into one"
    return _threshold(written)


def _threshold(shape: ThresholdShape) -> Threshold:
    return Threshold(
        above=shape.above,
        below=shape.below,
        aggregate=shape.aggregate,
        until=shape.until,
        by=shape.by,
        volume=shape.volume,
    )
