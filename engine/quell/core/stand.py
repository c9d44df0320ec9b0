"""Where a run stands: the step, the item of it or the deed that is next or under way, or several reads at once."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from quell.model.run import Run, StepRun, StepState

AWAITED: frozenset[StepState] = frozenset({"reading", "waiting", "acting", "verifying"})
"""States of an act in which news or time take it further."""
UNDO = "/undo"
DEED = "on_failure/"


def standing(run: Run) -> StepRun | None:
    """The step or deed at which the run stands, as a whole; None past the last."""
    acts = run.steps if run.phase == "steps" else run.deeds
    return acts[run.at_step] if run.at_step < len(acts) else None


def current(run: Run) -> StepRun | None:
    """What is next or under way: the step or deed at which the run stands, or the item of it."""
    act = standing(run)
    return act.items[act.at_item] if act is not None and act.at_item < len(act.items) else act


def with_current(run: Run, act: StepRun) -> Run:
    """The run with what `current` gives replaced."""
    acts = run.steps if run.phase == "steps" else run.deeds
    whole = acts[run.at_step]
    if whole.at_item < len(whole.items):
        items = (*whole.items[: whole.at_item], act, *whole.items[whole.at_item + 1 :])
        act = replace(whole, items=items)
    acts = (*acts[: run.at_step], act, *acts[run.at_step + 1 :])
    return replace(run, steps=acts) if run.phase == "steps" else replace(run, deeds=acts)


def unread(run: Run, act: StepRun) -> StepRun:
    """The act while something holds it back: what was read for it grows old, so it is read anew once it may begin.

    An act that was tried keeps what was true before that, and an undo what it was told.
    """
    return replace(act, before=None, readings=()) if run.phase == "steps" and not act.tries else act


def together(run: Run) -> range:
    """The indexes of the acts that are under way at once: the members of a group of reads, else the one."""
    here = run.at_step
    group = run.steps[here].group if run.phase == "steps" and here < len(run.steps) else ""
    if not group:
        return range(here, here + 1)
    first = last = here
    while first and run.steps[first - 1].group == group:
        first -= 1
    while last + 1 < len(run.steps) and run.steps[last + 1].group == group:
        last += 1
    return range(first, last + 1)


def each_under_way(run: Run) -> Iterator[Run]:
    """The run standing at each act that is awaited: several times only within a group of reads."""
    for index in together(run):
        there = replace(run, at_step=index)
        act = current(there)
        if act is not None and act.state in AWAITED | {"in_doubt"}:
            yield there


def awaiting(run: Run, key: str) -> Run | None:
    """The run standing at the act that awaits the answer with this ledger key; None when none does."""
    for there in each_under_way(run):
        act = current(there)
        assert act is not None, "only acts are under way"
        if act.key == key and act.state in {"acting", "in_doubt"}:
            return there
        if any(reading.key == key and reading.state == "asked" for reading in act.readings):
            return there
    return None


def acts_of(run: Run) -> Iterator[StepRun]:
    """Every act of the steps in order: a step, or each item of it."""
    for step in run.steps:
        yield from step.items or (step,)


def closed(step: StepRun, at: float) -> StepRun:
    """A step for several items, as it is once none of them goes on."""
    items = tuple(without(item) for item in step.items)
    states = [item.state for item in items]
    found: tuple[StepState, ...] = ("in_doubt", "failed", "done")
    state = next((one for one in found if one in states), "skipped")
    done = states.count("done")
    sentence = f"{done} of {len(items)} done"
    others = [
        f"{states.count(one)} {one.replace('_', ' ')}" for one in ("failed", "in_doubt", "skipped") if one in states
    ]
    output = {"items": [{"item": item.item, "state": item.state, "output": item.output} for item in items]}
    return replace(
        step,
        state=state,
        items=items,
        at_item=len(items),
        output=output,
        sentence=", ".join([sentence, *others]),
        finished_at=at,
        due_at=None,
    )


def cut_short(act: StepRun) -> StepState:
    """What an act counts as that is under way while its run ends: done if only its check was still to be read."""
    if act.state in {"acting", "in_doubt"}:
        return "in_doubt"
    if act.state == "reading" and any(reading.purpose == "check" for reading in act.readings):
        return "done"
    return "failed" if act.state == "waiting" and act.tries else "skipped"


def without(act: StepRun) -> StepRun:
    """The act skipped, if it was not begun."""
    return replace(act, state="skipped", due_at=None, sentence="never begun") if act.state == "planned" else act


def without_rest(run: Run, at: float) -> Run:
    """The run with what was not begun marked as skipped, and reads beside the one that ended it no longer awaited."""
    return replace(
        run, steps=tuple(_ended(act, at) for act in run.steps), deeds=tuple(without(act) for act in run.deeds)
    )


def _ended(act: StepRun, at: float) -> StepRun:
    if act.items and act.state == "acting":
        return closed(act, at)
    if act.group and act.state in AWAITED:
        return replace(act, state="skipped", due_at=None, finished_at=at, sentence="no longer needed")
    return without(act)
