"""A playbook file: its shape, and how it becomes a playbook."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from quell.config.actions import Actions
from quell.config.fields import Duration, Name, Shape, Span
from quell.config.nodes import Document
from quell.config.references import bare_expression
from quell.model.playbook import Deed, Guards, Mode, Place, Playbook, Retry, Step, Trigger

APPROVAL_TIMEOUT_S = 1800.0
"""How long an approval is waited for when its step does not say."""

_STEP_ID = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def _step_id(value: str) -> str:
    if not _STEP_ID.fullmatch(value):
        raise ValueError(f'"{value}" is not a step id; use small letters, digits and "_"')
    return value


class WhenShape(Shape):
    """When the playbook runs."""

    incident: Annotated[list[Trigger], Field(min_length=1)] = Field(default=["opened"])
    """What must happen to an incident."""
    if_: str = Field(default="", alias="if")
    """A CEL condition over incident, suspect, alerts, change and now."""
    settled_for: Duration = 0.0
    """How long the condition must hold first."""


class LimitShape(Shape):
    """So many runs in so long a time."""

    runs: Annotated[int, Field(ge=1)]
    per: Span


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


class RetryShape(Shape):
    """Whether a failed step is tried again."""

    times: Annotated[int, Field(ge=1, le=100)]
    """How often again."""
    wait: Duration = 10.0
    """How long in between."""
    on: list[Literal["unreachable", "timeout", "refused"]] = Field(default=["unreachable", "timeout"])
    """After which kinds of failure."""


class DeedShape(Shape):
    """An action with its parameters."""

    do: str
    with_: dict[str, Any] = Field(default={}, alias="with")

    def deed(self, actions: Actions) -> Deed:
        """As the model has it, with effect and repeat as the action declares them."""
        spec = actions.find(self.do)
        if spec is None:
            return Deed(do=self.do, with_=self.with_)
        return Deed(do=self.do, with_=self.with_, effect=spec.effect, repeat=spec.repeat)


class StepShape(DeedShape):
    """One step."""

    id: Annotated[str, AfterValidator(_step_id)]
    """Its name, by which later steps refer to its result as ${steps.<id>.…}."""
    if_: str = Field(default="", alias="if")
    """A CEL condition; when it is false the step is skipped, when it cannot be told the step fails."""
    check: str = ""
    """A CEL condition on result; when it is false, "otherwise" says what happens."""
    otherwise: Literal["finish", "stop", "escalate"] | None = None
    """finish (no longer needed), stop or escalate; an approval that is not given stops the run."""
    timeout: Span | None = None
    """How long it may take: 60s, an approval 30m if left out."""
    retry: RetryShape | None = None
    undo: DeedShape | None = None
    """What takes it back."""
    on_failure: Literal["stop", "continue", "undo"] = "stop"
    """What happens when it failed for good."""


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
    timeout: Span = 3600.0
    """How long a run may take."""
    vars: dict[str, Any] = Field(default={})
    """Names for values; later ones may use earlier ones."""
    steps: Annotated[list[StepShape], Field(min_length=1)]
    on_failure: list[DeedShape] = Field(default=[])
    """What is done when a run failed."""


def playbook_of(document: Document, shape: PlaybookShape, actions: Actions) -> Playbook:
    """The playbook, with effect and repeat of its steps as their actions declare them."""
    guards = shape.guards
    return Playbook(
        name=shape.playbook,
        place=Place(file=document.file, line=document.line(())),
        on=tuple(dict.fromkeys(shape.when.incident)),
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
        ),
        timeout_s=shape.timeout,
        vars=shape.vars,
        steps=tuple(_step(document, index, step, actions) for index, step in enumerate(shape.steps)),
        on_failure=tuple(deed.deed(actions) for deed in shape.on_failure),
    )


def _step(document: Document, index: int, shape: StepShape, actions: Actions) -> Step:
    spec = actions.find(shape.do)
    approval = shape.do == "approve"
    retry = shape.retry
    return Step(
        id=shape.id,
        do=shape.do,
        place=Place(file=document.file, line=document.line(("steps", index))),
        with_=shape.with_,
        if_=bare_expression(shape.if_),
        check=bare_expression(shape.check),
        otherwise=shape.otherwise or ("stop" if approval else "finish"),
        timeout_s=shape.timeout or (APPROVAL_TIMEOUT_S if approval else 60.0),
        retry=Retry(times=retry.times, wait_s=retry.wait, on=tuple(retry.on)) if retry else None,
        undo=shape.undo.deed(actions) if shape.undo else None,
        on_failure=shape.on_failure,
        effect=spec.effect if spec else "change",
        repeat=spec.repeat if spec else "never",
    )
