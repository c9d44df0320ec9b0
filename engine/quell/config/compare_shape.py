"""The shape of the condition "compare", and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from quell.config.fields import MatcherText, Shape, Span, joined
from quell.model.detect import Aggregate, Compare, Compared

LEAST_WINDOWS, LEAST_COUNT = 5.0, 100.0
_OF_VALUES = frozenset({"version", "segment", "entity"})
"""By what sides of distributions are told apart."""
_VALUES_ONLY = frozenset({"p50", "p75", "p90", "p95", "p99"})


class CompareShape(Shape):
    """A canary is worse than its baseline, by more than chance."""

    canary: Annotated[list[MatcherText], Field(min_length=1)]
    """Matchers over the entity and its labels (of metrics), or over version and segment (of distributions)."""
    baseline: Annotated[list[MatcherText], Field(min_length=1)]
    """The same of what it is compared with."""
    same: list[str] = Field(default=[])
    """Labels that must be equal on both sides, where a rule compares many services (of metrics)."""
    of: Compared = "mean"
    """What is compared: the mean, a share, or of distributions a quantile."""
    by: str = ""
    """Of a share of a metric: the metric that counts all."""
    counter: bool = False
    """Whether the metrics of a share only ever grow."""
    above: float | None = None
    """Of a share of values: those from here on."""
    among: list[str] = Field(default=[])
    """Of a share of values: these texts."""
    aggregate: Aggregate = "mean"
    """How the points of a window of a metric become the one number whose mean is compared."""
    worse: Literal["up", "down"] = "up"
    """In which direction it is worse."""
    margin: Annotated[float, Field(ge=0)] = 0.0
    """It is an alert when it is surely worse by more than this."""
    over: Span = 3600.0
    """Over how long."""
    volume: Annotated[float, Field(ge=0)] | None = None
    """So much must be known of each side: counted, or values (100); of a mean of a metric, windows (5)."""
    sure: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.95
    """How sure."""

    @model_validator(mode="after")
    def _fits(self) -> CompareShape:
        if self.of != "share" and (self.by or self.counter or self.above is not None or self.among):
            raise ValueError('"by", "counter", "above" and "among" go with "of: share"')
        if self.of == "share" and [bool(self.by), self.above is not None, bool(self.among)].count(True) != 1:
            raise ValueError('"of: share" needs one of "by", "above" and "among"')
        if self.counter and not self.by:
            raise ValueError('"counter" goes with "by"')
        return self


def compare(shape: CompareShape, metric: str | None) -> Compare:
    """The condition."""
    enough = LEAST_WINDOWS if metric is not None and shape.of == "mean" else LEAST_COUNT
    return Compare(
        canary=joined(shape.canary),
        baseline=joined(shape.baseline),
        same=tuple(shape.same),
        of=shape.of,
        by=shape.by,
        counter=shape.counter,
        above=shape.above,
        among=tuple(shape.among),
        aggregate=shape.aggregate,
        worse=shape.worse,
        margin=shape.margin,
        over_s=shape.over,
        volume=enough if shape.volume is None else shape.volume,
        sure=shape.sure,
    )


def compare_misfits(
    shape: CompareShape, metric: str | None, every_s: float, most_windows: int
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Parts of the rule that do not go together, and where they stand."""
    at = ("when", "compare")
    if metric is None and (shape.by or shape.same):
        yield (*at, "by" if shape.by else "same"), "this goes with metrics", "write above or among"
    if metric is not None and (shape.above is not None or shape.among):
        yield (*at, "among" if shape.among else "above"), "this goes with distributions", "write by"
    if metric is not None and shape.of in _VALUES_ONLY:
        yield (*at, "of"), "a quantile is of distributions", f"write aggregate: {shape.of}"
    if shape.by and frozenset("*?[") & {*str(metric), *shape.by}:
        yield (*at, "by"), '"by" needs one metric on both sides, by its name', "write it without *"
    if not 1.0 <= shape.over / every_s <= most_windows:
        yield (*at, "over"), f"this is not 1 to {most_windows} windows", "write another every, or over"
    elif metric is not None and shape.of == "mean" and (few := _too_few(shape, every_s)):
        yield (*at, "over"), f"these are {shape.over / every_s:g} windows, and {few:g} are needed: it never fires", ""
    if shape.of == "share" and shape.margin >= 1.0:
        yield (*at, "margin"), "a share is 1 at most, so nothing is worse by as much", "write such as 0.02 for 2 points"
    if shape.canary == shape.baseline:
        yield (*at, "baseline"), "the baseline is the canary: nothing is worse than itself", "write other matchers"
    if metric is None:
        yield from _unknown_of_values(shape)


def _too_few(shape: CompareShape, every_s: float) -> float:
    """How many windows are needed, if there are fewer; else 0."""
    needed = max(LEAST_WINDOWS, shape.volume or 0.0)
    return needed if shape.over / every_s < needed else 0.0


def _unknown_of_values(shape: CompareShape) -> Iterator[tuple[tuple[str, ...], str, str]]:
    for side, matchers in (("canary", shape.canary), ("baseline", shape.baseline)):
        for matcher in joined(matchers):
            if matcher.name not in _OF_VALUES:
                message = f'counted values have no "{matcher.name}", so nothing is compared'
                yield ("when", "compare", side), message, f"write matchers over {', '.join(sorted(_OF_VALUES))}"
