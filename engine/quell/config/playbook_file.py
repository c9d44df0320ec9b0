"""A playbook file: its shape, and how it becomes a playbook."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from quell.config.actions import Actions
from quell.config.fields import Duration, MatcherText, Name, Shape, Span, Zone
from quell.config.measures import called_by
from quell.config.nodes import Document
from quell.config.references import bare_expression
from quell.config.step_file import DeedShape, Entry, run_timeout, steps_of
from quell.model.playbook import BlastRadius, Guards, Measure, Mode, Playbook, Schedule, Trigger

NO_MEASURES: Mapping[str, Measure] = {}

_WINDOW_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")
_SHORTEST_PERIOD_S = 60.0


def _period(value: float) -> float:
    if value < _SHORTEST_PERIOD_S:
        raise ValueError("a minute is the shortest time between two runs")
    return value


class WhenShape(Shape):
    """When the playbook runs: one of incident (opened if nothing is written), alert, schedule, every and by_hand."""

    incident: Annotated[list[Trigger], Field(min_length=1)] | None = None
    """What must happen to an incident."""
    alert: MatcherText | None = None
    """An alert that matches fires; once for each of its firings."""
    schedule: str | None = None
    """A cron line of five fields, such as "0 9 * * mon-fri"."""
    zone: Zone = Field(default="UTC", validate_default=True)
    """IANA name of the time zone of the schedule."""
    every: Annotated[Span, AfterValidator(_period)] | None = None
    """At whole multiples of this time since 1970 in UTC: 1h is on the hour."""
    by_hand: bool = False
    """Only a person starts it, with "quell run"."""
    if_: str = Field(default="", alias="if")
    """A CEL condition over incident, suspect, alerts, change and now, and over alert when one begins it."""
    settled_for: Duration = 0.0
    """How long the condition must hold first."""

    @model_validator(mode="after")
    def _one_trigger(self) -> WhenShape:
        given = [
            name
            for name in ("incident", "alert", "schedule", "every", "by_hand")
            if getattr(self, name) not in (None, False)
        ]
        if len(given) > 1:
            raise ValueError(f"a playbook begins in one way, this one names {' and '.join(given)}; write two playbooks")
        if self.settled_for and given and given[0] not in {"incident", "alert"}:
            raise ValueError('"settled_for" goes with incident or alert: nothing else lasts')
        if "zone" in self.model_fields_set and self.schedule is None:
            raise ValueError('"zone" is that of a schedule, and there is none')
        return self

    def scheduled(self) -> Schedule | None:
        """What the clock begins."""
        if self.schedule is not None:
            return Schedule(cron=" ".join(self.schedule.split()), zone=self.zone)
        return Schedule(every_s=self.every) if self.every is not None else None

    def events(self) -> tuple[Trigger, ...]:
        """What must happen to an incident; nothing does where something else begins it."""
        if self.incident is not None:
            return tuple(dict.fromkeys(self.incident))
        other = self.alert is not None or self.by_hand or self.scheduled() is not None
        return () if other else ("opened",)


class LimitShape(Shape):
    """So many runs in so long a time."""

    runs: Annotated[int, Field(ge=1)]
    per: Span


def _share(value: object) -> float:
    """A share of a whole from 0 to 1, written 25% or 0.25. Raises ValueError."""
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    share = float(found[1]) / 100 if found else value
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise ValueError(f'"{value}" is not a share; write one from 0% to 100%')
    return float(share)


_SHARE_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?%$"}, {"type": "number", "minimum": 0, "maximum": 1}]}
)
Share = Annotated[float, PlainValidator(_share), _SHARE_SCHEMA]
Many = Annotated[int, Field(ge=0, le=1_000_000)]


class BlastShape(Shape):
    """How much a run may touch; what is not known counts against it."""

    targets: list[str] = Field(default=[])
    """Expressions for the entities it touches; what each names and the suspect if left out."""
    services: Many | None = None
    """Most entities it touches."""
    dependents: Many | None = None
    """Most entities that need one of those, directly or through others."""
    replicas: Many | None = None
    """Most copies of what it touches, by their label "replicas"."""
    share_of_fleet: Share | None = None
    """Most of the copies of everything with the same label "fleet", or else of the same kind."""
    tier_at_least: Annotated[int, Field(ge=0, le=100)] | None = None
    """Every entity it touches is of this tier or a less important one; 0 matters most."""

    @model_validator(mode="after")
    def _limits_something(self) -> BlastShape:
        if not self.model_fields_set - {"targets"}:
            raise ValueError("a blast radius limits services, dependents, replicas, share_of_fleet or tier_at_least")
        return self


class GuardsShape(Shape):
    """Limits on the playbook."""

    each: list[str] = Field(default=[])
    """Expressions whose values tell runs apart: the limits hold for each of them."""
    cooldown: Duration = 0.0
    """Least time between two runs."""
    limit: LimitShape | None = None
    """Most runs in a time."""
    one_at_a_time: list[str] = Field(default=[])
    """Locks, shared by all playbooks."""
    unless: list[str] = Field(default=[])
    """Freezes and maintenance windows by name, and CEL conditions such as open_run("restore"); none may hold."""
    blast_radius: BlastShape | None = None
    """How much it may touch."""


class PlaybookShape(Shape):
    """A playbook: when it runs, under which guards, which steps."""

    playbook: Name
    """Its name."""
    version: Annotated[int, Field(ge=1)] = 1
    summary: str = ""
    """What it does, in one sentence."""
    owner: str = ""
    """Whose it is."""
    when: WhenShape = WhenShape()
    mode: Mode = "propose"
    """off, shadow (dry runs only), propose (a person approves each run) or enforce."""
    guards: GuardsShape = GuardsShape()
    timeout: Span | None = None
    """How long a run may take: 1h, and as long as its waits and approvals may, if left out."""
    vars: dict[str, Any] = Field(default={})
    """Names for values; later ones may use earlier ones."""
    steps: Annotated[list[Entry], Field(min_length=1)]
    """What is done, in order."""
    on_failure: list[DeedShape] = Field(default=[])
    """What is done when a run failed."""


def playbook_of(
    document: Document,
    shape: PlaybookShape,
    actions: Actions,
    held_by: Collection[str] = (),
    measures: Mapping[str, Measure] = NO_MEASURES,
) -> Playbook:
    """The playbook, with effect and repeat of its steps as their actions declare them.

    ``held_by`` are the names of freezes and maintenance windows, which tell them from conditions in ``unless``.
    ``measures`` are all that the rules describe; the playbook keeps those that it calls.
    """
    guards = shape.guards
    steps = steps_of(document, shape.steps, actions)
    return Playbook(
        name=shape.playbook,
        place=document.place(()),
        on=shape.when.events(),
        alert=shape.when.alert,
        schedule=shape.when.scheduled(),
        by_hand=shape.when.by_hand,
        if_=bare_expression(shape.when.if_),
        settled_for_s=shape.when.settled_for,
        version=shape.version,
        summary=shape.summary,
        owner=shape.owner,
        mode=shape.mode,
        guards=Guards(
            each=tuple(bare_expression(text) for text in guards.each),
            cooldown_s=guards.cooldown,
            limit_runs=guards.limit.runs if guards.limit else 0,
            limit_per_s=guards.limit.per if guards.limit else 0.0,
            one_at_a_time=tuple(guards.one_at_a_time),
            unless_open=tuple(text for text in guards.unless if is_name(text, held_by)),
            unless=tuple(bare_expression(text) for text in guards.unless if not is_name(text, held_by)),
            blast_radius=_blast_radius(guards.blast_radius),
        ),
        timeout_s=shape.timeout or run_timeout(steps),
        vars=shape.vars,
        steps=steps,
        on_failure=tuple(deed.deed(actions) for deed in shape.on_failure),
        measures=called_by(steps, measures),
    )


def is_name(text: str, held_by: Collection[str]) -> bool:
    """Whether an entry of ``unless`` names a freeze or window, known or not, rather than being a condition."""
    return text in held_by or _WINDOW_NAME.fullmatch(text) is not None


def _blast_radius(shape: BlastShape | None) -> BlastRadius | None:
    if shape is None:
        return None
    return BlastRadius(
        targets=tuple(bare_expression(text) for text in shape.targets),
        services=shape.services,
        dependents=shape.dependents,
        replicas=shape.replicas,
        share_of_fleet=shape.share_of_fleet,
        tier_at_least=shape.tier_at_least,
    )
