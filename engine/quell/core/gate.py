"""The last question before a run changes something: whether a guard came up while it waited, and whether there is room.

A step that is held back waits and asks again when the guard is over, or every minute where nobody can tell; the run's
own time limit ends that. Taking something back is never held back.
"""

from __future__ import annotations

from math import isfinite

from msgspec.structs import replace

from quell.core.caps import Budget
from quell.core.chronicle import HELD
from quell.core.desk import Desk
from quell.core.guards import Block, Guards
from quell.core.stand import acts_of, unread, with_current
from quell.model.run import Run, StepRun

ASK_AGAIN_S = 60.0


class Gate:
    """Asked of every step that is about to begin."""

    def __init__(self, desk: Desk, guards: Guards, budget: Budget) -> None:
        self._desk = desk
        self._guards = guards
        self._budget = budget

    def __call__(self, run: Run, act: StepRun, at: float) -> Run | None:
        """The run waiting where its step may not begin now; None when it may."""
        if run.dry or run.phase != "steps":
            return None
        playbook = self._desk.playbook(run)
        if playbook.steps[run.at_step].effect != "change":
            return None
        block = self._came_up(run, at) or self._budget.spent(at)
        if block is None:
            return None
        sentence = f"held back: {block.said}"
        if sentence != act.sentence:
            self._desk.note(run, HELD, f"step {act.id} of run {run.id} is {sentence}", at)
        due_at = block.until if block.until is not None and isfinite(block.until) else at + ASK_AGAIN_S
        act = replace(unread(run, act), state="waiting", sentence=sentence, due_at=due_at)
        return replace(with_current(run, act), state="waiting")

    def _came_up(self, run: Run, at: float) -> Block | None:
        """Guards are asked again before the first change of a run that did not begin at this moment."""
        playbook = self._desk.playbook(run)
        effects = {step.id: step.effect for step in playbook.steps}
        changed = any(one.tries and effects.get(one.id.partition("/")[0]) == "change" for one in acts_of(run))
        if changed or at <= run.started_at:
            return None
        return self._guards.again(playbook, run, lambda: self._desk.context(run, at), at)
