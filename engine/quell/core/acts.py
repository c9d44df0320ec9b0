"""One act of a run (a step, an undo, a deed after failure): what the playbook wrote, and the intent to perform it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from quell.core.desk import Desk
from quell.core.readings import GRACE_S, ask
from quell.core.stand import DEED, current, with_current
from quell.core.undoing import kept, step_of
from quell.core.worded import params_of
from quell.model.decision import Perform
from quell.model.playbook import Deed, Effect, Playbook, Repeat, Retry, Step
from quell.model.run import Reading, Run, StepRun

DOUBTS = 3
"""How often an act is repeated because its answer never came, before a person is asked."""
DEED_TIMEOUT_S = 60.0
BEFORE = "before"


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be done where the run stands. ``step`` is the step it is, or takes back; None for a later deed."""

    do: str
    with_: Mapping[str, Any]
    effect: Effect
    repeat: Repeat
    timeout_s: float
    retry: Retry | None
    step: Step | None
    queries: tuple[str, ...] = ()

    @property
    def repeatable(self) -> bool:
        """Whether performing it again does no harm when nobody knows whether it was performed."""
        return self.repeat != "never" or self.effect == "read"


def deeds_of(playbook: Playbook) -> tuple[StepRun, ...]:
    """The acts that follow a failure."""
    return tuple(StepRun(id=f"{DEED}{n}", do=deed.do) for n, deed in enumerate(playbook.on_failure, 1))


def act_at(playbook: Playbook, run: Run) -> Act:
    """What the playbook wrote for the place where the run stands."""
    act = current(run)
    assert act is not None, "asked only where the run stands at something"
    if run.phase == "deeds":
        deed = playbook.on_failure[int(act.id.removeprefix(DEED)) - 1]
        again = Retry(times=2) if deed.effect != "change" else None
        return Act(deed.do, deed.with_, deed.effect, deed.repeat, DEED_TIMEOUT_S, again, None, deed.queries)
    if run.phase == "undo":
        step = next(step for step in playbook.steps if step.id == step_of(act))
        deed = step.undo or Deed(do=act.do)
        return Act(deed.do, deed.with_, deed.effect, deed.repeat, step.timeout_s, step.retry, step, deed.queries)
    step = playbook.steps[run.at_step]
    return Act(step.do, step.with_, step.effect, step.repeat, step.timeout_s, step.retry, step, step.queries)


def performed(desk: Desk, run: Run, at: float) -> Run:
    """The run with its act begun, and the intent decided. Raises ExpressionError before anything is done.

    Parameters that were approved are performed as approved. The parameters that would take the act back are resolved
    first, because afterwards they may mean something else; those that need its own answer wait for it.
    """
    playbook, state = desk.playbook(run), current(run)
    assert state is not None, "only what the run stands at is performed"
    act = act_at(playbook, run)
    context = desk.context(run, at)
    params = state.params or params_of(act.with_, act.queries, context)
    undo = state.undo
    if run.phase == "steps" and act.step is not None and act.step.undo is not None and not undo:
        undo = kept(act.step.undo, state, params, context)
    attempt = state.attempt + 1
    limit = max(act.timeout_s, 0.0)
    state = replace(
        state,
        state="acting",
        attempt=attempt,
        key=f"{run.id}/{state.id}/{attempt}",
        params=params,
        undo=undo,
        started_at=at,
        due_at=at + limit + GRACE_S,
        sentence=f"{act.do} is under way",
        error="",
    )
    desk.decide(
        Perform(
            at=at,
            key=state.key,
            token=f"{run.id}/{state.id}",
            action=act.do,
            params=params,
            effect=act.effect,
            repeat=act.repeat,
            timeout_s=act.timeout_s,
            dry_run=run.dry and act.effect != "read",
            run=run.id,
            incident=run.incident,
        )
    )
    return replace(with_current(run, state), state="running")


def asked_before(desk: Desk, run: Run, step: Step, at: float) -> Run:
    """The run with the state before its act asked for. Raises ExpressionError when the act cannot be worded.

    The act's parameters are settled by it: what was asked about is what will be done.
    """
    act = current(run)
    assert act is not None, "only an act changes something"
    params = act.params or params_of(step.with_, step.queries, desk.context(run, at))
    run = with_current(run, replace(act, params=params, readings=()))
    reading = Reading(
        name=BEFORE,
        purpose="before",
        do=step.before,
        params={name: value for name, value in params.items() if name in step.before_takes},
    )
    return ask(desk, run, reading, min(step.timeout_s, DEED_TIMEOUT_S), at)


def told_before(run: Run, at: float) -> Run | str:
    """The run after the answer on the state before: to act, or done if that is as wanted. A text says what failed."""
    act = current(run)
    assert act is not None, "only an act changes something"
    reading = next(one for one in act.readings if one.purpose == "before")
    if reading.state == "failed":
        return f"the state before it cannot be told: {reading.error}"
    before = {name: value for name, value in reading.output.items() if name != "already"}
    act = replace(act, before=before, readings=(), due_at=None)
    if reading.output.get("already") is not True:
        return with_current(run, replace(act, state="planned"))
    said = reading.sentence or f"{act.do} has nothing to do"
    left = "would be left as it is" if run.dry else "left as it is"
    sentence = f"already so: {said.rstrip('.')}; {left}"
    return with_current(run, replace(act, state="done", left=True, finished_at=at, sentence=sentence))
