"""The shapes of who is told: routes of pages, escalation chains and rotas."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from quell.config.fields import Clock, Duration, MatcherText, Name, Shape, Span, Zone
from quell.config.rule_shapes import Day, Moment, TimesShape

DAY_S = 86_400.0
WEEK_DAYS = 7


def _date(value: object) -> date:
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f'"{value}" is not a day; write one such as 2026-03-02') from None


Calendar = Annotated[date, PlainValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]


class HoursShape(TimesShape):
    """From starts to ends, or on days from a time of day for a while."""

    _what: ClassVar[str] = "time of a route"


class AsksShape(Shape):
    """What must hold for an incident to go there; what is left out asks for nothing."""

    match: list[MatcherText] = Field(default=[])
    """Matchers over the labels of the alert that pages, or stands for it."""
    team: list[str] = Field(default=[])
    """Owners of the first cause; where nobody is known to own it, of what it reaches, or the alert's label team."""
    affects: list[str] = Field(default=[])
    """Owners of anything that it reaches."""
    tier: list[Annotated[int, Field(ge=0, le=100)]] = Field(default=[])
    """Tiers, of the most important entity that it reaches."""
    severity: list[str] = Field(default=[])
    """Severities of the incident."""
    hours: list[HoursShape] = Field(default=[])
    """When it goes there; always if left out."""
    outside_hours: bool = False
    """Whether it goes there outside of hours instead."""
    early: bool = False
    """Whether early signs go there, and then nowhere else: nothing that pages by severity, or models only,
    and nothing at what users need."""

    @model_validator(mode="after")
    def _outside_of_what(self) -> Self:
        if self.outside_hours and not self.hours:
            raise ValueError('"outside_hours" needs hours')
        return self


class RoomShape(AsksShape):
    """A place where incidents are shown."""

    to: str
    """The source that shows them, by its id; for early signs also "digest", which shows no message of them."""
    channel: str = ""
    """The channel there, as its people call it."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.to == "digest" and (not self.early or self.channel):
            raise ValueError('"to: digest" is for early signs only and has no channel; write early: true')
        if self.to != "digest" and not self.channel:
            raise ValueError("a room needs a channel")
        return self


class _WayShape(Shape):
    """Where a page goes."""

    name: Name
    """Its own name, by which quell remembers what it told."""
    to: str = ""
    """The action, as id.verb; for early signs also "digest", which tells nobody and leaves them to the lists."""
    with_: dict[str, Any] = Field(default={}, alias="with")
    """Its parameters, with ${incident.…} references."""
    escalation: str = ""
    """Instead of an action: the escalation chain that the page goes along."""
    follow: bool = False
    """Whether what was paged there is acknowledged, resolved and opened again as the incident is, and the other way."""


class RouteShape(AsksShape, _WayShape):
    """Where pages go that match all of what stands here."""

    @model_validator(mode="after")
    def _one_way(self) -> RouteShape:
        if bool(self.to) == bool(self.escalation):
            raise ValueError('a route has either "to" or "escalation"')
        if self.escalation and self.with_:
            raise ValueError('"with" goes with "to"; the steps of a chain have parameters of their own')
        if self.follow and self.to in {"", "digest"}:
            raise ValueError('"follow" goes with an action; of a chain write it at its steps, or beside its "by"')
        if self.to == "digest" and not self.early:
            raise ValueError('"to: digest" is for early signs only; write early: true')
        return self


class StageShape(Shape):
    """One step of a chain."""

    to: str
    """Whom: rota/NAME, person/NAME or role/NAME, who are told by an action; or an action itself, as id.verb."""
    by: str = ""
    """The action that tells them; that of the chain if left out."""
    with_: dict[str, Any] = Field(default={}, alias="with")
    """Its parameters, with ${oncall.…} for what is known of whom it tells; beside those of the chain, unless it has
    an action of its own."""
    wait: Span = 600.0
    """How long to wait for an acknowledgement before the next step (10m)."""
    follow: bool | None = None
    """Whether what was paged there is acknowledged, resolved and opened again as the incident is, and the other way;
    that of the chain if left out, where its action tells them."""


class EscalationShape(Shape):
    """A chain of steps, told one after the other until somebody acknowledges."""

    name: Name
    by: str = ""
    """The action that tells people, as id.verb."""
    with_: dict[str, Any] = Field(default={}, alias="with")
    """Its parameters, with ${oncall.…} for what is known of whom it tells."""
    follow: bool = False
    """Whether what was paged by its action is acknowledged and resolved as the incident is, and the other way."""
    steps: Annotated[list[StageShape], Field(min_length=1, max_length=50)]
    repeat: Annotated[int, Field(ge=0, le=20)] = 0
    """How often it begins again from its first step."""
    ack_lasts: Duration = 0.0
    """An incident still open so long after it was acknowledged goes on along the chain; 0s: never."""

    @model_validator(mode="after")
    def _by_something(self) -> EscalationShape:
        if self.follow and not self.by:
            raise ValueError('"follow" of a chain goes with its "by"; else write it at the steps')
        return self


class HandoverShape(Shape):
    """When the next person takes over."""

    day: Day | None = None
    """Day of the week, where it is every week or some."""
    at: Clock = Field(default=0)
    """Time of day, in the zone of the rota."""
    every: Span = WEEK_DAYS * DAY_S
    """How long a turn is: whole days or weeks."""
    from_: Calendar | None = Field(default=None, alias="from")
    """The day on which the first of the people begins."""

    @model_validator(mode="after")
    def _whole_days(self) -> HandoverShape:
        if self.every % DAY_S:
            raise ValueError("a turn lasts whole days: write every: 1d or every: 1w")
        if self.day is not None and self.every % (WEEK_DAYS * DAY_S):
            raise ValueError('"day" goes with turns of whole weeks')
        if self.day is not None and self.from_ is not None and self.from_.strftime("%A").lower() != self.day:
            raise ValueError(f"{self.from_} is no {self.day}")
        return self


class OverrideShape(Shape):
    """Somebody stands in."""

    from_: Moment = Field(alias="from")
    to: Moment
    who: str

    @model_validator(mode="after")
    def _lasts(self) -> OverrideShape:
        if self.to <= self.from_:
            raise ValueError("the override ends before it begins")
        return self


class RotaShape(Shape):
    """People who take turns."""

    name: Name
    zone: Zone = Field(default="UTC", validate_default=True)
    """IANA name of its time zone."""
    people: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    """Who takes turns, in order: ids of people.yaml, or other names."""
    contacts: dict[str, dict[str, str]] = Field(default={})
    """What is known of those who are not in people.yaml, by name: ${oncall.…} gives it."""
    handover: HandoverShape = HandoverShape()
    overrides: list[OverrideShape] = Field(default=[])
    """Who stands in for whoever would be on call; of those at one time the last counts."""
