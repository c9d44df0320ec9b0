"""The shapes of detectors in rules files: what is read, and when it is an alert."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from quell.config.behaviour_shape import BehaviourShape
from quell.config.compare_shape import CompareShape
from quell.config.days import Days
from quell.config.fields import Duration, MatcherText, Name, Shape, Span, Zone, plain
from quell.config.profiled_shapes import DriftShape, SchemaShape
from quell.config.rule_shapes import EntityName
from quell.model.detect import Aggregate, Direction
from quell.model.impact import Impact

NotNegative = Annotated[float, Field(ge=0)]
MoreThanOne = Annotated[float, Field(gt=1, le=1e6)]
HOUR_S = 3600.0
DAY_S = 86_400.0
MOST_WINDOWS = 1500
"""So many windows of a series at most are remembered."""
_WINDOWS = re.compile(r"\s*(\d{1,6})\s+of\s+(\d{1,6})\s*")


def _windows(value: object) -> tuple[int, int]:
    found = _WINDOWS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'"{plain(value)}" is not so many of so many windows; write such as 3 of 5')
    need, of = int(found[1]), int(found[2])
    if not 1 <= need <= of <= MOST_WINDOWS:
        raise ValueError(f'"{value}" is not possible: write N of M with N from 1 to M and M up to {MOST_WINDOWS}')
    return need, of


Windows = Annotated[
    tuple[int, int],
    PlainValidator(_windows),
    WithJsonSchema({"type": "string", "pattern": r"^\d+ of \d+$", "examples": ["3 of 5"]}),
]
"""In how many of how many windows."""


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
        _one_limit("threshold", self.above, self.below)
        if self.until is not None and self.above is not None and self.until > self.above:
            raise ValueError('"until" lies above "above": it would be over before it begins')
        if self.until is not None and self.below is not None and self.until < self.below:
            raise ValueError('"until" lies below "below": it would be over before it begins')
        return self


class ForecastShape(Shape):
    """A limit is reached soon if it goes on as it did."""

    above: float | None = None
    below: float | None = None
    within: Span
    """How soon."""
    over: Span
    """From how long a past the trend is told."""
    aggregate: Aggregate = "mean"
    confidence: Annotated[float, Field(ge=0.5, le=0.999)] = 0.9
    """How sure the trend must be."""

    @model_validator(mode="after")
    def _one_side(self) -> ForecastShape:
        _one_limit("forecast", self.above, self.below)
        return self


class AbsenceShape(Shape):
    """Nothing is told of what was heard before, or of what is expected."""

    after: Span
    """How long nothing is told; of what is expected also before it ever came."""
    expect: list[EntityName] = Field(default=[])
    """Entities of which something must be told, also if it never was."""
    give_up: Span = DAY_S
    """An entity that is not expected is taken for gone after so long."""

    @model_validator(mode="after")
    def _before_it_gives_up(self) -> AbsenceShape:
        if self.give_up <= self.after:
            raise ValueError('"give_up" comes before "after": it would never fire')
        return self


class AnomalyShape(Shape):
    """A window is far from what is usual for its hour, on working days or at weekends."""

    direction: Direction = "both"
    aggregate: Aggregate = "mean"
    deviations: Annotated[float, Field(gt=0, le=1000)] = 5.0
    """How far is far: so many robust standard deviations from the median."""
    effect: NotNegative = 0.0
    """And by at least so much."""
    share: NotNegative = 0.2
    """And by at least this part of the median."""
    history: Span = 3 * DAY_S
    """How long it is only learned what is usual."""
    adapt: Annotated[Span, Field(le=7 * DAY_S)] = 12 * HOUR_S
    """What is apart for so long is the new level."""
    volume: NotNegative = 0.0
    """Windows with fewer points or calls say nothing."""
    zone: Zone = Field(default="UTC", validate_default=True)
    """IANA name of the time zone of hours and weekends."""
    holidays: Annotated[list[Days], Field(max_length=400)] = Field(default=[])
    """Days that are like weekends: 2026-04-06, 12-25 for every year, 2026-12-24..2026-12-31."""
    leave_out: Annotated[list[Days], Field(max_length=400)] = Field(default=[])
    """Days of which nothing is said and nothing learned, such as a sale or a known outage."""


class NewShape(Shape):
    """Log statements that their entity did not make for long, or never."""

    unseen: Annotated[Span, Field(le=30 * DAY_S)] = 7 * DAY_S
    """How long not."""
    learn: Span = DAY_S
    """How long it is only learned which statements there are."""
    quiet: Span = 900.0
    """It is over when the statement was not made for so long."""
    volume: Annotated[float, Field(ge=1)] = 1.0
    """How often it must be made."""


class ShiftShape(Shape):
    """A window counts many times as much as windows did lately."""

    factor: MoreThanOne = 3.0
    against: Span = DAY_S
    """How far back windows are compared with."""
    volume: Annotated[float, Field(ge=1)] = 20.0
    """By how much at least it differs."""
    direction: Direction = "up"


class WhenShape(Shape):
    """One condition."""

    threshold: ThresholdShape | None = None
    """A window comes to more or less than a limit."""
    forecast: ForecastShape | None = None
    """A limit is reached soon if it goes on as it did."""
    absence: AbsenceShape | None = None
    """Nothing is told any more."""
    anomaly: AnomalyShape | None = None
    """A window is far from what is usual at that time."""
    new: NewShape | None = None
    """Log statements that were not made before."""
    shift: ShiftShape | None = None
    """A log statement, or a metric that counts, is told many times as often."""
    drift: DriftShape | None = None
    """Fields are distributed otherwise than in the profile of their entity."""
    schema_: SchemaShape | None = Field(default=None, alias="schema")
    """What comes is otherwise than the profile of the entity describes."""
    compare: CompareShape | None = None
    """A canary is worse than its baseline, by more than chance."""
    behaviour: BehaviourShape | None = None
    """What a model does, from prediction logs: confidence, calibration, fairness, cost and others."""

    @model_validator(mode="after")
    def _one(self) -> WhenShape:
        named = [field for field in type(self).model_fields if getattr(self, field) is not None]
        if len(named) != 1:
            known = ", ".join(field.alias or name for name, field in type(self).model_fields.items())
            raise ValueError(f"one condition is needed here, found {len(named)}; known are {known}")
        return self


class DetectShape(Shape):
    """A detector: what telemetry is read, and when it is an alert."""

    name: Name
    """Its name, which is the alertname of its alerts."""
    mode: Literal["on", "off"] = "on"
    """off: it is checked, and tests may name it, but it detects nothing."""
    metric: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """Metrics that it reads, as a glob such as http.*: one of metric, log and distribution. Calls are the metrics
    calls.count, calls.errors, calls.error_share, calls.mean_s and calls.net_s."""
    log: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """Log statements that it counts, as a glob over their templates."""
    distribution: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """Fields of which it reads the distribution, as a glob; "behaviour" knows its own."""
    where: list[MatcherText] = Field(default=[])
    """Matchers over entity, kind, name, metric and the labels of the entity; none match every series."""
    errors: bool | None = None
    """Of log statements only those that tell of errors; "new" does so unless told otherwise."""
    per: Literal["series", "entity"] | None = None
    """Whether each metric or statement is judged by itself, or all that is read of an entity together; "absence",
    "new", "drift", "schema" and "behaviour" look at entities."""
    when: WhenShape
    """The condition."""
    for_: Windows = Field(default=(1, 1), alias="for")
    """In how many of the last windows the condition must hold."""
    every: Span = 60.0
    """How long a window is, and how often it is judged (1m)."""
    delay: Duration = 0.0
    """How long after its end a window is judged, where telemetry comes late."""
    blind: Span | None = None
    """Says with an alert of its own (DetectorReadsNothing) that it has read nothing for so long."""
    series: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """How many series it watches at most; beyond that those silent longest go, and DetectorHasNoRoom says so."""
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
        read = sum(one is not None for one in (self.metric, self.log, self.distribution))
        if read != 1 and (read or self.when.behaviour is None):
            raise ValueError('a detector reads one of "metric", "log" and "distribution"')
        if self.delay > self.every * 10:
            raise ValueError('"delay" is more than ten windows; judge longer windows instead')
        return self


def _one_limit(what: str, above: float | None, below: float | None) -> None:
    if (above is None) == (below is None):
        raise ValueError(f'a {what} has either "above" or "below"')
