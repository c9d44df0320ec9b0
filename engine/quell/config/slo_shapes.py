"""The shape of service levels in rules files: what is good, how much is to be, and how fast its budget may go."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from quell.config.fields import Duration, MatcherText, Name, Shape, Span, plain
from quell.model.detect import Aggregate
from quell.model.impact import Impact

DAY_S = 86_400.0
INDICATORS = ("bad", "good", "metric", "distribution")
Text = Annotated[str, Field(min_length=1, max_length=300)]


def _share(value: object) -> float:
    found = value
    if isinstance(value, str) and value.strip().endswith("%"):
        with suppress(ValueError):
            found = round(float(value.strip()[:-1]) / 100.0, 12)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0.0 < found < 1.0:
        raise ValueError(f'"{plain(value)}" is not a share between 0 and 1; write such as 99.5%')
    return float(found)


Share = Annotated[float, BeforeValidator(_share), WithJsonSchema({"examples": ["99.5%", 0.995]})]


class RateShape(Shape):
    """One rate at which a budget is spent too fast."""

    rate: Annotated[float, Field(gt=0, le=1e6)]
    """How many times as fast as it may be."""
    over: Span
    """Over how long."""
    confirm: Span
    """And over how long until now, so that it is over soon after the trouble is."""
    severity: Annotated[str, Field(min_length=1)] = "critical"
    page: bool = True
    """Whether that pages whatever else is known; its alert has the label page: burn."""


class SloShape(Shape):
    """A service level: of all that is counted, how much is to be good over how long."""

    name: Name
    """Its name, which is the alertname of its alerts."""
    mode: Literal["on", "off"] = "on"
    """off: it is checked, and tests may name it, but nothing is counted."""
    objective: Share | None = None
    """Which share is to be good, such as 99.5%. Not of what is spent."""
    over: Annotated[Span, Field(ge=3600.0, le=92 * DAY_S)] = 30 * DAY_S
    """Over how long."""
    bad: Text | None = None
    """A metric that counts what went wrong, of what "total" counts: one of bad, good, metric and distribution."""
    good: Text | None = None
    """A metric that counts what went well."""
    total: Text | None = None
    """A metric that counts all. Calls are calls.errors of calls.count."""
    counter: bool = False
    """Whether the metrics only ever grow (of Prometheus), rather than tell how many there were since the last point."""
    metric: Text | None = None
    """A metric that is good within at_most and at_least."""
    distribution: Text | None = None
    """A field whose values are good within at_most and at_least, or among texts."""
    at_most: float | None = None
    at_least: float | None = None
    among: list[str] = Field(default=[])
    """Texts that are good; of gaps, whose share is compared."""
    aggregate: Aggregate | None = None
    """How the points of a window become the one number that is good or bad (mean)."""
    each: Literal["window", "point"] = "window"
    """What of a metric is good or bad."""
    gap: Annotated[float, Field(gt=0, lt=1)] | None = None
    """By how much segments of a field may differ in the share of values from share_above on, or among texts."""
    share_above: float | None = None
    across: Annotated[str, Field(min_length=1)] | None = None
    """Of gaps, only segments that differ by this, such as region; each kind by itself if left out."""
    age: Span | None = None
    """How old the latest point of the metric or field may be."""
    spend: Annotated[float, Field(gt=0)] | None = None
    """How much of the metric may be spent."""
    per: Span = DAY_S
    """In how long."""
    volume: Annotated[float, Field(ge=0)] = 0.0
    """Spans in which fewer are counted say nothing; of windows and gaps, windows and segments with fewer points."""
    burn: list[RateShape] | None = None
    """Rates at which the budget is spent too fast; those of the Site Reliability Workbook if left out."""
    where: list[MatcherText] = Field(default=[])
    """Matchers over entity, kind, name, metric and the labels of the entity. Each entity has a budget of its own."""
    every: Annotated[Span, Field(ge=1, le=3600)] = 60.0
    """How long a window is, and how often it is judged (1m)."""
    delay: Duration = 0.0
    """How long after its end a window is judged, where telemetry comes late."""
    blind: Span | None = None
    """Says with an alert of its own (DetectorReadsNothing) that it has read nothing for so long."""
    series: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """How many series it watches at most; beyond that those silent longest go, and DetectorHasNoRoom says so."""
    impact: Impact | None = None
    """What it harms when it is not met; told by the kind of the entity if left out."""
    labels: dict[str, str] = Field(default={})
    """Labels of its alerts, beside those of the entity."""
    summary: str = ""
    """What its alerts say, with ${labels.…}, ${entity}, ${metric}, ${value}, ${threshold} and ${text}."""
    runbook: str = ""
    """A link for whoever gets the alert."""

    @model_validator(mode="after")
    def _reads_one(self) -> SloShape:
        if sum(getattr(self, name) is not None for name in INDICATORS) != 1:
            raise ValueError('a service level reads one of "bad", "good", "metric" and "distribution"')
        return self
