"""The steps of a playbook file: their shapes, and how they become the steps of a playbook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from quell.config.actions import Actions
from quell.config.fields import Duration, Shape, Span, duration
from quell.config.nodes import Document, Path
from quell.config.references import bare_expression
from quell.model.playbook import Deed, Each, Retry, Step, Wait
from quell.sdk.spec import ActionSpec

APPROVAL_TIMEOUT_S = 1800.0
"""How long an approval is waited for when its step does not say."""
STEP_TIMEOUT_S = 60.0
RUN_TIMEOUT_S = 3600.0
"""How long a run may take beside its waits and approvals, when the playbook does not say."""
LOOK_EVERY_S = 30.0
MOST_LOOKS_UNSAID = 1440
"""A wait that does not say how often it looks does so every 30 seconds, but not more often than this in all."""
OWN_UNDO = "undo"
"""What ``undo: true`` is read as: the action that the step's own action declares."""
APPROVAL = ".approval"
"""Ends the id of the approval that stands before an ``approve_then``."""
STEP, GROUP = "a step", "a group"
"""What the two kinds of entries under ``steps`` are called inside."""

_STEP_ID = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def _step_id(value: str) -> str:
    if not _STEP_ID.fullmatch(value):
        raise ValueError(f'"{value}" is not a step id; use small letters, digits and "_"')
    return value


def _own_undo(value: object) -> object:
    if value is False:
        return None
    return {"do": OWN_UNDO} if value is True else value


class RetryShape(Shape):
    """Whether a failed step is tried again."""

    times: Annotated[int, Field(ge=1, le=100)]
    """How often again."""
    wait: Duration = 10.0
    """How long before the first time."""
    backoff: Annotated[int | float, Field(ge=1, le=10)] = 1
    """How many times as long each further wait is: 2 doubles it."""
    most: Span = 3600.0
    """The longest wait."""
    on: list[Literal["unreachable", "timeout", "refused"]] = Field(default=["unreachable", "timeout"])
    """After which kinds of failure."""

    def retry(self) -> Retry:
        """As the model has it."""
        most = max(self.most, self.wait)
        return Retry(times=self.times, wait_s=self.wait, on=tuple(self.on), backoff=float(self.backoff), most_s=most)


class DeedShape(Shape):
    """An action with its parameters."""

    do: str
    with_: dict[str, Any] = Field(default={}, alias="with")

    def deed(self, actions: Actions) -> Deed:
        """As the model has it, with effect and repeat as the action declares them."""
        return deed_of(self.do, self.with_, actions)


class EachShape(Shape):
    """The items for which a step is done, one after the other."""

    in_: str | list[Any] = Field(alias="in")
    """A list, or an expression that gives one."""
    max: Annotated[int, Field(ge=1, le=100)]
    """Most items; when there are more, the step fails before it does anything."""


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
    undo: Annotated[DeedShape | None, BeforeValidator(_own_undo, json_schema_input_type=DeedShape | bool | None)] = None
    """What takes it back: an action, true for the one that the step's own action declares, false for nothing at all."""
    on_failure: Literal["stop", "continue", "undo"] = "stop"
    """What happens when it failed for good."""
    for_each: EachShape | None = None
    """Does the step for each item of a list, which is ${item} there."""


class GroupShape(Shape):
    """Reads that are done at once."""

    parallel: Annotated[list[StepShape], Field(min_length=1, max_length=20)]
    """Steps whose actions only read; the run goes on when all of them are done."""


def _kind(value: Any) -> str:
    return GROUP if isinstance(value, GroupShape) or (isinstance(value, dict) and "parallel" in value) else STEP


Entry = Annotated[Annotated[StepShape, Tag(STEP)] | Annotated[GroupShape, Tag(GROUP)], Discriminator(_kind)]
"""What may stand under ``steps``."""


def deed_of(do: str, with_: dict[str, Any], actions: Actions) -> Deed:
    """A deed, with effect and repeat as its action declares them; one that nobody knows changes something."""
    spec = actions.find(do)
    if spec is None:
        return Deed(do=do, with_=with_)
    return Deed(do=do, with_=with_, effect=spec.effect, repeat=spec.repeat, queries=_queries(spec))


def _queries(spec: ActionSpec | None) -> tuple[str, ...]:
    """The parameters of an action that are in a query language."""
    return tuple(option.name for option in spec.params if option.language) if spec is not None else ()


def steps_of(document: Document, entries: list[StepShape | GroupShape], actions: Actions) -> tuple[Step, ...]:
    """The steps in order. A group becomes steps next to each other, an ``approve_then`` an approval and an act."""
    return tuple(step for index, entry in enumerate(entries) for step in _steps(document, index, entry, actions))


def _steps(document: Document, index: int, entry: StepShape | GroupShape, actions: Actions) -> Iterator[Step]:
    path: Path = ("steps", index)
    if isinstance(entry, GroupShape):
        for number, member in enumerate(entry.parallel):
            inside = (*path, "parallel", number)
            yield _step(document, inside, member, actions, do=member.do, with_=member.with_, group=f"parallel-{index}")
    elif entry.do == "approve_then":
        asked = {name: value for name, value in entry.with_.items() if name not in {"do", "args"}}
        approval = entry.id + APPROVAL
        plain = StepShape.model_construct(
            id=approval, do="approve", with_=asked, if_=entry.if_, timeout=entry.timeout, otherwise=entry.otherwise,
            check="", retry=None, undo=None, on_failure="stop", for_each=None,
        )  # fmt: skip
        yield _step(document, path, plain, actions, do="approve", with_=asked)
        args = entry.with_.get("args")
        later = entry.model_copy(update={"if_": "", "timeout": None})
        do, with_ = str(entry.with_.get("do") or ""), args if isinstance(args, dict) else {}
        yield _step(document, path, later, actions, do=do, with_=with_, needs=approval)
    else:
        yield _step(document, path, entry, actions, do=entry.do, with_=entry.with_)


def _step(
    document: Document,
    path: Path,
    shape: StepShape,
    actions: Actions,
    *,
    do: str,
    with_: dict[str, Any],
    group: str = "",
    needs: str = "",
) -> Step:
    spec = actions.find(do)
    approval = do == "approve"
    before = _sibling(do, spec.before, actions) if spec is not None and spec.effect == "change" else None
    return Step(
        id=shape.id,
        do=do,
        place=document.place(path),
        with_=with_,
        if_=bare_expression(shape.if_),
        check=bare_expression(shape.check) or ("result.valid" if do == "quell.validate_drift" else ""),
        otherwise=shape.otherwise or ("stop" if approval else "finish"),
        timeout_s=shape.timeout or (APPROVAL_TIMEOUT_S if approval else STEP_TIMEOUT_S),
        retry=shape.retry.retry() if shape.retry else None,
        undo=_undo(do, shape.undo, spec, actions),
        on_failure=shape.on_failure,
        effect=spec.effect if spec else "change",
        repeat=spec.repeat if spec else "never",
        wait=wait_of(with_, actions) if do == "wait" else None,
        for_each=_each(shape.for_each),
        group=group,
        before=before[0] if before else "",
        before_takes=tuple(option.name for option in before[1].params) if before else (),
        needs=needs,
        queries=_queries(spec),
    )


def _sibling(do: str, verb: str, actions: Actions) -> tuple[str, ActionSpec] | None:
    """Another action of the same source, and its full name."""
    name = f"{do.rpartition('.')[0]}.{verb}"
    spec = actions.find(name) if verb else None
    return (name, spec) if spec is not None else None


def _undo(do: str, shape: DeedShape | None, spec: ActionSpec | None, actions: Actions) -> Deed | None:
    if shape is None or shape.do != OWN_UNDO:
        return shape.deed(actions) if shape is not None else None
    own = _sibling(do, spec.undo, actions) if spec is not None else None
    if own is None:
        return None
    name, declared = own
    takes = tuple(option.name for option in declared.params)
    return Deed(do=name, effect=declared.effect, repeat=declared.repeat, takes=takes)


def _each(shape: EachShape | None) -> Each | None:
    if shape is None:
        return None
    of = shape.in_
    return Each(of=f"${{{of}}}" if isinstance(of, str) and "${" not in of else of, most=shape.max)


def wait_of(with_: dict[str, Any], actions: Actions) -> Wait:
    """What a ``wait`` says. What does not fit counts as not said: it was complained of."""
    within_s, every_s, hold_s = (_seconds(with_.get(name)) for name in ("within", "every", "hold"))
    query = with_.get("query")
    within_s = within_s or 0.0
    return Wait(
        until=bare_expression(str(with_.get("until") or "false")),
        within_s=within_s,
        hold_s=hold_s or 0.0,
        every_s=every_s or max(LOOK_EVERY_S, within_s / MOST_LOOKS_UNSAID),
        says=" ".join(str(with_.get("says") or "").split()),
        query=deed_of(str(query.get("do")), query.get("with") or {}, actions) if isinstance(query, dict) else None,
    )


def _seconds(value: object) -> float | None:
    try:
        return duration(value)
    except ValueError:
        return None


def run_timeout(steps: tuple[Step, ...]) -> float:
    """How long a run of these steps may take, in seconds, when its playbook does not say."""
    waits = sum(step.wait.within_s for step in steps if step.wait is not None)
    return RUN_TIMEOUT_S + waits + sum(step.timeout_s for step in steps if step.do == "approve")
