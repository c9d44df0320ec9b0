"""The shapes of detectors in rules files: what is read, and when it is an alert."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from quell.config.fields import Duration, MatcherText, Name, Shape, Span
from quell.model.detect import Aggregate, Impact

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class ThresholdShape(Shape):
    """What a window comes to lies above or below a limit."""

    above: float | None = None
    below: float | None = None
    aggregate: Aggregate = "mean"
    """How the points of a window become one number; "rate" is of a counter, per second."""
    until: float | None = None
    """Once it fires it is over on the other side of this; of the limit itself if left out."""
    by: str = ""
    """Another metric of the same entity, by which the first is divided."""
    volume: NotNegative = 0.0
    """Windows say nothing in which "by" comes to less in all; without "by", in which there are fewer points."""

    @model_validator(mode="after")
    def _one_side(self) -> ThresholdShape:
        if (self.above is None) == (self.below is None):
            raise ValueError('a threshold has either "above" or "below"')
        if self.until is not None and self.above is not None and self.until > self.above:
            raise ValueError('"until" lies above "above": it would be over before it begins')
        if self.until is not None and self.below is not None and self.until < self.below:
            raise ValueError('"until" lies below "below": it would be over before it begins')
        return self


class WhenShape(Shape):
    """One condition."""

    threshold: ThresholdShape | None = None
    """A window comes to more or less than a limit."""

    @model_validator(mode="after")
    def _one(self) -> WhenShape:
        named = [field for field in type(self).model_fields if getattr(self, field) is not None]
        if len(named) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"one condition is needed here, found {len(named)}; known are {known}")
        return self


class DetectShape(Shape):
    """A detector: what telemetry is read, and when it is an alert."""

    name: Name
    """Its name, which is the alertname of its alerts."""
    metric: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """Metrics that it reads, as a glob such as http.*: one of metric, log and distribution. Calls are the metrics
    calls.count, calls.errors, calls.error_share, calls.mean_s and calls.net_s."""
    log: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """Log statements that it counts, as a glob over their templates."""
    distribution: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """Fields of which it reads the distribution, as a glob."""
    where: list[MatcherText] = Field(default=[])
    """Matchers over entity, kind, name, metric and the labels of the entity; none match every series."""
    when: WhenShape
    """The condition."""
    for_: str = Field(default="1 of 1", alias="for", pattern=r"^\s*\d+\s+of\s+\d+\s*$", examples=["3 of 5"])
    """In how many of the last windows the condition must hold."""
    every: Span = 60.0
    """How long a window is, and how often it is judged (1m)."""
    delay: Duration = 0.0
    """How long after its end a window is judged, where telemetry comes late."""
    severity: Annotated[str, Field(min_length=1)] = "warning"
    impact: Impact | None = None
    """What it harms; told by the kind of the entity if left out."""
    labels: dict[str, str] = Field(default={})
    """Labels of its alerts, beside those of the entity."""
    summary: str = ""
    """What its alerts say, with ${labels.…}, ${entity}, ${metric}, ${value}, ${threshold} and ${text}."""
    runbook: str = ""
    """A link for whoever gets the alert."""

    @model_validator(mode="after")
    def _reads_one(self) -> DetectShape:
        if sum(one is not None for one in (self.metric, self.log, self.distribution)) != 1:
            raise ValueError('a detector reads one of "metric", "log" and "distribution"')
        if self.delay > self.every * 10:
            raise ValueError('"delay" is more than ten windows; judge longer windows instead')
        return self
