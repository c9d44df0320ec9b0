"""Waiting until something is true and stays so: looks, one after the other, each through the ledger.

A condition that cannot be told is false, and the reason is kept. What a look found is kept in the run, so that a
restart in between loses nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from quell.core.desk import Desk
from quell.core.readings import ask, asked, told
from quell.core.stand import current, with_current
from quell.core.wait_words import wanted, words_of
from quell.core.worded import params_of
from quell.errors import ExpressionError
from quell.model.playbook import Step, Wait
from quell.model.run import Reading, Run, StepRun
from quell.model.times import format_duration

QUERY = "query"
QUERY_TIMEOUT_S = 30.0
LEAST_EVERY_S = 1.0


def wait_of(step: Step) -> Wait:
    """What a step waits for; without more (as only tests write it) for nothing, at once."""
    return step.wait or Wait(until="true", within_s=0.0)


def look(desk: Desk, run: Run, step: Step, at: float) -> Run | str:
    """The run at its next look: reading, waiting for the look after it, or done. A text says why it failed."""
    act, wait = current(run), wait_of(step)
    assert act is not None, "only a step waits"
    begun = at if act.started_at is None else act.started_at
    run = with_current(run, replace(act, looks=act.looks + 1, started_at=begun, readings=(), attempt=1))
    if wait.query is None:
        return judged(desk, run, step, at)
    try:
        params = params_of(wait.query.with_, wait.query.queries, desk.context(run, at))
    except ExpressionError as error:
        return _concluded(run, wait, false_because(error), at)
    reading = Reading(name=QUERY, purpose="look", do=wait.query.do, params=params)
    return ask(desk, run, reading, QUERY_TIMEOUT_S, at)


def judged(desk: Desk, run: Run, step: Step, at: float) -> Run | str:
    """The run after the readings of a look are there."""
    act, wait = current(run), wait_of(step)
    assert act is not None, "only a step waits"
    query = next((one for one in act.readings if one.name == QUERY), None)
    if query is not None and query.state == "failed":
        return _concluded(run, wait, f"it cannot be told: {query.do}: {query.error}", at)
    try:
        found = told(desk, run, wait.until, "look", at, result=query.output if query is not None else None)
        if not isinstance(found, bool):
            return asked(desk, run, found, "look", at)
    except ExpressionError as error:
        return _concluded(run, wait, false_because(error), at)
    return _concluded(run, wait, "" if found else f"{wait.until} is false", at)


def false_because(error: ExpressionError) -> str:
    """What is kept of a look that told nothing."""
    return f"it cannot be told: {error}"


def _concluded(run: Run, wait: Wait, why_not: str, at: float) -> Run | str:
    """What a look leads to; ``why_not`` is "" when the condition is true."""
    act = current(run)
    assert act is not None, "only a step waits"
    assert act.started_at is not None, "a look was begun"
    seen = {one.name: one.value for one in act.readings if one.value is not None}
    begun = act.started_at
    act = replace(act, output={"true": not why_not, **({"values": seen} if seen else {})}, due_at=None)
    if run.dry:
        now = f"not true now ({why_not})" if why_not else "true now"
        return with_current(run, replace(act, state="done", finished_at=at, sentence=f"{_wanted(wait)}; it is {now}"))
    deadline = begun + max(wait.within_s, 0.0)
    if why_not:
        act = replace(act, since=None, error=why_not)
        if at >= deadline:
            words = words_of(wait)
            missed = f"{words}: it did not come to that within" if words else "it did not come true within"
            return f"{missed} {format_duration(wait.within_s)}: {why_not}"
        due = min(at + _every(wait), deadline)
        return _again(run, replace(act, due_at=due, sentence=f"waits until {words_of(wait) or wait.until}; {why_not}"))
    since = at if act.since is None else act.since
    act = replace(act, since=since, error="")
    if at >= since + max(wait.hold_s, 0.0):
        held = f" for {format_duration(at - since)}" if wait.hold_s > 0 else ""
        words = words_of(wait)
        done = f"{words}{held} ({wait.until})" if words else f"{wait.until} was true{held}"
        return with_current(run, replace(act, state="done", finished_at=at, sentence=done))
    if at >= deadline:
        held = f"{format_duration(at - since)} of {format_duration(wait.hold_s)}"
        return f"it was true for {held} only when {format_duration(wait.within_s)} were over"
    due = min(at + _every(wait), since + wait.hold_s, deadline)
    held = f"true since {format_duration(at - since)}" if at > since else "true"
    return _again(
        run,
        replace(act, due_at=due, sentence=f"{wanted(wait)} is {held}, must hold for {format_duration(wait.hold_s)}"),
    )


def _again(run: Run, act: StepRun) -> Run:
    return replace(with_current(run, replace(act, state="verifying")), state="running")


def _every(wait: Wait) -> float:
    return max(wait.every_s, LEAST_EVERY_S)


def _wanted(wait: Wait) -> str:
    hold = f" for {format_duration(wait.hold_s)}" if wait.hold_s > 0 else ""
    return f"would wait until {wanted(wait)}{hold}, {format_duration(wait.within_s)} at most"
