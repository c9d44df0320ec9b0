"""The shapes of rules files: what each kind of rule may hold."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from quell.config.fields import Clock, Duration, MatcherText, Shape, Span, Zone
from quell.model.playbook import Effect
from quell.model.rulebook import Weekday
from quell.model.times import parse_time

_DAYS: dict[str, Weekday] = {
    "mon": "monday", "tue": "tuesday", "wed": "wednesday", "thu": "thursday", "fri": "friday", "sat": "saturday",
    "sun": "sunday",
}  # fmt: skip


def _moment(value: object) -> float:
    try:
        moment = parse_time(value) if isinstance(value, str) else None
    except ValueError as error:
        if "zone" in str(error):
            raise
        moment = None
    if moment is None:
        raise ValueError(f'"{value}" is not a time; write one such as 2026-03-01T10:00:00Z')
    return moment


def _day(value: object) -> Weekday:
    word = value.lower() if isinstance(value, str) else ""
    day = _DAYS.get(word[:3])
    if day is None or word not in {day, day[:3]}:
        raise ValueError(f'"{value}" is not a day of the week; write monday … sunday')
    return day


def _entity(value: str) -> str:
    kind, slash, name = value.partition("/")
    if not kind or not slash or not name or any(sign.isspace() for sign in value):
        raise ValueError(f'"{value}" is not an entity; write kind/name, such as service/checkout')
    return value


def _probability(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f'"{value:g}" is not a probability; write one from 0 to 1')
    return value


EntityName = Annotated[str, AfterValidator(_entity)]
Moment = Annotated[float, PlainValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Day = Annotated[Weekday, PlainValidator(_day), WithJsonSchema({"enum": list(_DAYS.values())})]
Probability = Annotated[float, AfterValidator(_probability)]
RuleName = Annotated[str, Field(min_length=1, max_length=200)]


class MapShape(Shape):
    """Alerts that match speak of an entity."""

    name: RuleName = ""
    """Its name; "map 1", … if left out."""
    match: list[MatcherText] = Field(default=[])
    """Matchers; none match every alert."""
    entity: str = ""
    """The entity, such as queue/${labels.topic}; the rule applies when all these labels are there."""
    set_: dict[str, str] = Field(default={}, alias="set")
    """Labels to add or replace first."""


class MuteShape(Shape):
    """Alerts that match are muted for as long as the rule stands here."""

    name: RuleName
    match: list[MatcherText]
    reason: Annotated[str, Field(min_length=1)]
    """Why; shown to whoever asks why an alert did not page."""
    everything: bool = False
    """Says that muting every alert is meant."""


class InhibitShape(Shape):
    """While an alert matching source fires, alerts matching target are muted."""

    name: RuleName
    source: list[MatcherText]
    target: list[MatcherText]
    equal: list[str] = Field(default=[])
    """Labels that must be the same on both."""
    everything: bool = False
    """Says that a source or target that matches every alert is meant."""


class TimesShape(Shape):
    """From starts to ends, or on days from a time of day for a while."""

    reason: str = ""
    starts: Moment | None = None
    ends: Moment | None = None
    days: list[Day] = Field(default=[])
    """Days of the week on which it begins; every day if left out."""
    from_: Clock | None = Field(default=None, alias="from")
    """Time of day at which it begins, in its zone."""
    for_: Span | None = Field(default=None, alias="for")
    """How long it lasts."""
    zone: Zone = Field(default="UTC", validate_default=True)
    """IANA name of its time zone."""

    @model_validator(mode="after")
    def _once_or_again(self) -> TimesShape:
        what = self._what
        once = self.starts is not None or self.ends is not None
        again = self.from_ is not None or self.for_ is not None or bool(self.days)
        if once == again:
            raise ValueError(f"a {what} has either starts and ends, or from and for (with days and zone)")
        if once and (self.starts is None or self.ends is None):
            raise ValueError(f"a {what} that is held once needs both starts and ends")
        if again and (self.from_ is None or self.for_ is None):
            raise ValueError(f"a recurring {what} needs both from and for")
        if self.starts is not None and self.ends is not None and self.ends <= self.starts:
            raise ValueError(f"the {what} ends before it starts")
        if self.for_ is not None and self.for_ > 7 * 86400:
            raise ValueError(f"a recurring {what} lasts a week at most; use starts and ends")
        return self

    _what: ClassVar[str] = "window"


class WindowShape(TimesShape):
    """A maintenance window: from starts to ends, or on days from a time of day for a while."""

    name: RuleName
    match: list[MatcherText]
    everything: bool = False
    """Says that a window over every alert is meant."""


class FreezeShape(TimesShape):
    """A time in which playbooks change nothing: from starts to ends, or on days from a time of day for a while."""

    _what: ClassVar[str] = "freeze"

    name: RuleName
    playbooks: list[str] | None = None
    """Which playbooks it holds: all if left out, those that name it under "unless" if empty."""
    except_: list[str] = Field(default=[], alias="except")
    """Playbooks that it does not hold."""
    effects: Annotated[list[Effect], Field(min_length=1)] = Field(default=["change"])
    """It holds playbooks with a step of one of these effects."""


class VerdictShape(Shape):
    """A team's own word on alerts that match."""

    name: RuleName
    match: list[MatcherText]
    verdict: Literal["page", "hold", "digest"]
    hold: Duration = 0.0
    """How long to hold, with verdict hold."""
    reason: str = ""

    @model_validator(mode="after")
    def _holds_for_a_time(self) -> VerdictShape:
        if (self.verdict == "hold") != (self.hold > 0):
            raise ValueError('"hold" goes with verdict hold: write how long, such as hold: 10m')
        return self


class TriageShape(Shape):
    """How alerts are judged by behaviour."""

    rules: list[VerdictShape] = Field(default=[])
    """The team's own rules, asked first, in order."""
    flap_count: Annotated[int, Field(ge=1)] | None = None
    """Quick returns within flap_within that make a flapper."""
    flap_within: Span | None = None
    flap_gap: Span | None = None
    """An alert back within this time of its resolution is a quick return."""
    page_severities: list[str] | None = None
    digest_severities: list[str] | None = None
    lone_page_after: Duration | None = None
    """When an alert of a paging severity that joined no incident pages on its own."""
    lone_page_most: Duration | None = None
    """What is learned of such an alert, or doubts about it, may put that off to this time after its start (1h)."""
    learn: bool | None = None
    """Whether how alerts usually behave counts (true); false: only rules, severities and the times above."""
    remind_after: Duration | None = None
    """A page that nobody has acknowledged is told again after this time (30m), then after twice as long; 0s: never."""
    remind_times: Annotated[int, Field(ge=0, le=100)] | None = None
    """How often at most (8); no two reminders are more than 4h apart unless remind_after is longer."""
    slow_burn_after: Span | None = None
    """What still fires so long after it paged, and nobody acted, goes to the digest, mentioned once a day (6h)."""
    quiet_places: list[str] | None = None
    """Words in labels such as env, stage or namespace that speak of environments where nobody is woken."""
    model_only: Literal["page", "owners", "digest"] | None = None
    """Incidents of models and data alone, which neither users nor KPIs nor a burning budget show: page as any other;
    tell owners by early routes, where there are any (owners: so unless told otherwise); or are listed in the digest."""
    calm: Duration | None = None
    """An incident is over when none of its alerts fired for so long (2m)."""


class EdgeShape(Shape):
    """How trouble travels over dependencies of one type."""

    p: Probability
    """With what probability."""
    lag: Duration
    """After how long."""


class CorrelateShape(Shape):
    """Settings of correlation."""

    edges: dict[str, EdgeShape] = Field(default={})
    """Types of dependencies, beside or instead of the built-in ones."""
    least_alerts: Annotated[int, Field(ge=1)] | None = None
    """So many distinct alerts make an incident (3; then two critical ones at both ends of a known way do as well)."""
    solve_every: Span | None = None
    quiet: Span | None = None
    """So long without news closes a group."""
    clear_cause_bar: Probability | None = None
    """Below this confidence "no clear cause" is said."""


class EntityShape(Shape):
    """A service, host, queue, dataset, model or whatever else alerts speak of."""

    entity: EntityName
    labels: dict[str, str] = Field(default={})
    owner: str = ""
    tier: Annotated[int, Field(ge=0, le=100)] | None = None


class DependencyShape(Shape):
    """One entity depends on others."""

    from_: EntityName = Field(alias="from")
    to: Annotated[list[EntityName], Field(min_length=1)]
    """What it depends on: one entity or a list."""
    type: Annotated[str, Field(min_length=1)] = "depends_on"
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("to"), str):
            return {**value, "to": [value["to"]]}
        return value


class PromotionShape(Shape):
    """An alias was pointed to a version, or the version was put to use."""

    alias: str = ""
    """Such as champion; "" for a version that is simply in use."""
    at: Moment
    by: str = ""
    previous: str = ""
    """The version before."""


class VersionShape(Shape):
    """A version of a model, dataset, pipeline or prompt, where nothing else tells of it."""

    entity: EntityName
    version: Annotated[str, Field(min_length=1)]
    at: Moment
    """When it was made."""
    by: str = ""
    """The person or the pipeline that made it."""
    run: str = ""
    commit: str = ""
    inputs: dict[EntityName, str] = Field(default={})
    """Versions of what it was made of, by entity; empty where nobody knows the version."""
    labels: dict[str, str] = Field(default={})
    """Facts such as parameters and metrics."""
    url: str = ""
    promoted: list[PromotionShape] = Field(default=[])


class ForgetShape(Shape):
    """So long what was learned is remembered without being told again. What is described in files or posted stays."""

    spans: Span | None = None
    """Dependencies that calls were seen along; 1 day if left out."""
    telemetry: Span | None = None
    """Entities that OpenTelemetry resources speak of; 7 days if left out."""
    lineage: Span | None = None
    """Jobs, datasets, columns and what they are made of, as runs tell; 45 days if left out."""
    registry: Span | None = None
    """What a registry of models told of versions; 400 days if left out, as long as those are kept."""


class TopologyShape(Shape):
    """Entities, what depends on what, and versions."""

    entities: list[EntityShape] = Field(default=[])
    dependencies: list[DependencyShape] = Field(default=[])
    versions: list[VersionShape] = Field(default=[])
    forget: ForgetShape = ForgetShape()


class MeasureShape(Shape):
    """A named reading that the conditions of playbooks call, such as metrics.error_rate(app)."""

    params: list[str] = Field(default=[])
    """Names of its arguments, in order; "with" uses them as ${name}."""
    do: str
    """The action that reads."""
    with_: dict[str, Any] = Field(default={}, alias="with")
    """Parameters of the action."""
    value: str = "result.value"
    """A CEL expression on result, the answer of the action: what the call gives."""
    timeout: Span = 30.0
    """How long it may take."""
