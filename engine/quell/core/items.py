"""A step done for each item of a list, one after the other: every item is an act of its own, with its own undo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from quell.core.context import rendered
from quell.core.desk import Desk
from quell.core.stand import closed, standing, with_current
from quell.errors import ExpressionError
from quell.model.playbook import Each, Step
from quell.model.run import Run, StepRun

ITEMS = "for_each"
"""The parameter under which the list is kept that the step goes over, such as for those who approve it."""

EACH = "each"
"""The same for what is done for each item of it, in order: what was approved is done so."""


def items_of(each: Each, context: Mapping[str, Any]) -> list[Any]:
    """The list. Raises ExpressionError when it is none, too long or holds nothing somewhere."""
    found = rendered(each.of, context)
    if not isinstance(found, list):
        raise ExpressionError(f"for_each: {type(found).__name__} is not a list")
    if len(found) > each.most:
        raise ExpressionError(f"for_each: {len(found)} items, {each.most} are allowed; nothing was done")
    if None in found:
        raise ExpressionError(f"for_each: item {found.index(None) + 1} is null")
    return found


def begun_items(desk: Desk, run: Run, step: Step, at: float) -> Run:
    """The run at the first item of the step; past it when there is none. Raises ExpressionError."""
    whole = standing(run)
    assert whole is not None, "only a step has items"
    assert step.for_each is not None, "only asked for a step with for_each"
    kept = whole.params.get(ITEMS)
    found = kept if isinstance(kept, list) else items_of(step.for_each, desk.context(run, at))
    if not found:
        done = replace(whole, state="done", started_at=at, finished_at=at, sentence="nothing to do: the list is empty")
        return with_current(run, done)
    worded = whole.params.get(EACH)
    params = worded if isinstance(worded, list) and len(worded) == len(found) else [{}] * len(found)
    items = tuple(
        StepRun(id=f"{whole.id}/{number}", do=whole.do, item=item, place=whole.place, params=given)
        for number, (item, given) in enumerate(zip(found, params, strict=True), 1)
    )
    return with_current(
        run, replace(whole, state="acting", params={ITEMS: found}, items=items, at_item=0, started_at=at)
    )


def next_item(run: Run, at: float) -> Run:
    """The run past the item at which it stands; past the last, past the step."""
    whole = standing(run)
    assert whole is not None, "only a step has items"
    if whole.state != "acting":
        return replace(run, at_step=run.at_step + 1)
    whole = replace(whole, at_item=whole.at_item + 1)
    if whole.at_item >= len(whole.items):
        whole = closed(whole, at)
    acts = run.steps
    return replace(run, steps=(*acts[: run.at_step], whole, *acts[run.at_step + 1 :]))
