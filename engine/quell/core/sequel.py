"""What follows an act that was done or failed: its check, the undo of what was done before, the deeds after failure."""

from __future__ import annotations

from msgspec.structs import replace

from quell.core.acts import act_at, deeds_of
from quell.core.approvals import stopped
from quell.core.builtin import BUILT_IN
from quell.core.desk import Desk
from quell.core.readings import asked, told
from quell.core.stand import current, with_current, without_rest
from quell.core.undoing import taken_back, undos
from quell.errors import ExpressionError
from quell.model.playbook import Step
from quell.model.run import Run, RunState, StepRun


def checked(desk: Desk, run: Run, at: float) -> Run:
    """The run after a done act, if its check holds. What a dry run only imagined is not checked."""
    act = current(run)
    assert act is not None, "the act was just done"
    spec = act_at(desk.playbook(run), run)
    if run.phase == "undo" and spec.step is not None:
        return taken_back(run, act)
    step = spec.step
    if step is None or not step.check or (run.dry and step.effect != "read"):
        return run
    try:
        found = told(desk, run, step.check, "check", at, result=act.output)
        if not isinstance(found, bool):
            return asked(desk, run, found, "check", at)
    except ExpressionError as untold:
        return _unchecked(desk, run, step, f"its check cannot be told: {untold}", at)
    return run if found else _refuted(desk, run, step, act, at)


def _unchecked(desk: Desk, run: Run, step: Step, error: str, at: float) -> Run:
    """The run after a check that cannot be told: it failed, but what acted was done, so that is taken back too."""
    act = current(run)
    assert act is not None, "the act was just done"
    if step.effect == "read":
        return failed(desk, run, error, at)
    run = with_current(run, replace(act, state="done", error=error, due_at=None))
    return run if step.on_failure == "continue" else unwound(desk, run, step, f"step {act.id}: {error}", at)


def _refuted(desk: Desk, run: Run, step: Step, act: StepRun, at: float) -> Run:
    """The run after a check that is false."""
    said = act.sentence if act.do in BUILT_IN else f"{step.check} is false"
    if step.otherwise == "finish":
        run = with_current(run, replace(act, sentence=f"no longer needed: {said}"))
        return replace(without_rest(run, at), state="done")
    error = f"step {act.id}: {said}"
    if step.otherwise == "escalate":
        reason = f"{act.id}-check".replace("/", "-")
        desk.page(run, at, reason, f"Playbook {run.playbook} (run {run.id}) stopped: {error}")
    return stopped(run, at, error)


def failed(desk: Desk, run: Run, error: str, at: float, sentence: str = "") -> Run:
    """The run after its act failed for good; `quell.core.runs.advance` goes on from there."""
    act = current(run)
    assert act is not None, "only an act fails"
    act = replace(act, state="failed", error=error, sentence=sentence, finished_at=at, due_at=None)
    run = with_current(run, act)
    if run.phase == "deeds":
        return run
    if run.phase == "undo":
        return _stuck(desk, run, f"{act.id}: {error}", at)
    step = desk.playbook(run).steps[run.at_step]
    if step.on_failure == "continue":
        return run
    return unwound(desk, run, step, f"step {act.id}: {error}", at)


def _stuck(desk: Desk, run: Run, error: str, at: float) -> Run:
    """The run that could not take back what it did: people are told, and its target stays locked until one looks."""
    target = f" {run.suspect.entity} stays locked until the run is released." if run.suspect is not None else ""
    desk.audit(at, "quell", "undo failed", run.id, error)
    said = f"{error.partition(':')[0]} failed, look at what it left behind. {error.partition(': ')[2]}"
    desk.page(run, at, "stuck", f"Playbook {run.playbook} (run {run.id}) is stuck: {said}{target}")
    if run.target:
        run = replace(run, locks=tuple(dict.fromkeys([*run.locks, run.target])))
    return _ending(desk, run, "stuck", error, at)


def unwound(desk: Desk, run: Run, step: Step, error: str, at: float) -> Run:
    """The run after a step failed that matters: taken back if the step says so, then what follows a failure."""
    run = without_rest(run, at)
    taken = undos(run, desk.playbook(run).steps)
    if step.on_failure != "undo" or run.dry or not taken:
        return _ending(desk, run, "failed", error, at)
    return replace(run, state="running", phase="undo", ends_as="undone", error=error, deeds=taken, at_step=0)


def _ending(desk: Desk, run: Run, ends_as: RunState, error: str, at: float) -> Run:
    return with_deeds(desk, replace(run, ends_as=ends_as, error=error), at)


def with_deeds(desk: Desk, run: Run, at: float) -> Run:
    """The run at the first of what the playbook does on failure, behind what was undone."""
    run = without_rest(run, at)
    done = run.deeds
    return replace(run, phase="deeds", state="running", deeds=(*done, *deeds_of(desk.playbook(run))), at_step=len(done))
