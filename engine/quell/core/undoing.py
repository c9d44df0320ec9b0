"""Taking back what was done: from the last act to the first, with what was known before each acted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from quell.core.stand import UNDO, acts_of
from quell.core.worded import params_of
from quell.errors import ExpressionError
from quell.model.playbook import Deed, Step
from quell.model.run import Run, StepRun


def kept(deed: Deed, act: StepRun, params: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that will take an act back, told before it acts; none when they need its own answer.

    An undo that the action itself declares takes the act's own parameters, those that were read before it first.
    """
    before = act.before or {}
    taken = {name: before.get(name, params.get(name)) for name in deed.takes if name in before or name in params}
    try:
        return {**taken, **params_of(deed.with_, deed.queries, context)}
    except ExpressionError:
        return {}


def undos(run: Run, steps: Iterable[Step]) -> tuple[StepRun, ...]:
    """The acts that take back what the run did, the last first; what was found as wanted is left as it was.

    One that failed and may have taken effect all the same counts as done.
    """
    written = {step.id: step.undo for step in steps if step.undo}
    return tuple(
        StepRun(
            id=act.id + UNDO, do=written[step_of(act)].do, params=act.undo, item=act.item, before=act.before,
            place=act.place,
        )
        for act in reversed(list(acts_of(run)))
        if (act.state == "done" or (act.state == "failed" and act.unknown))
        and not act.left and step_of(act) in written
    )  # fmt: skip


def step_of(act: StepRun) -> str:
    """The id of the step that an act, or the undo of one, belongs to."""
    return act.id.removesuffix(UNDO).partition("/")[0]


def taken_back(run: Run, undo: StepRun) -> Run:
    """The run with the act that this undo took back marked so."""
    name = undo.id.removesuffix(UNDO)
    return replace(run, steps=tuple(_undone(step, name) for step in run.steps))


def _undone(step: StepRun, name: str) -> StepRun:
    if step.id == name:
        return replace(step, state="undone")
    if not step.items:
        return step
    items = tuple(replace(item, state="undone") if item.id == name else item for item in step.items)
    over = items != step.items and not any(item.state == "done" and not item.left for item in items)
    return replace(step, items=items, state="undone" if over else step.state)
