"""The life of a run: from step to step, through retries, doubt, failure and undo, to its end.

Functions take the run as it is and give it back as it becomes; `Desk` gathers what they decide on the way. The
caller keeps the run.
"""

from __future__ import annotations

from msgspec.structs import replace

from quell.core.acts import DOUBTS, GRACE_S, Act, act_at, deeds_of, performed, undo_of
from quell.core.approvals import ask_for_step, expired, stopped, without_rest
from quell.core.context import holds, plain
from quell.core.desk import Desk, asks, current, with_current
from quell.errors import ExpressionError
from quell.model.playbook import Step
from quell.model.records import StepFinished
from quell.model.run import Run, RunState, StepRun
from quell.model.times import format_duration


def advance(desk: Desk, run: Run, at: float) -> Run:
    """Goes on, from where nothing is in flight, up to the next thing to wait for or the end."""
    while not run.over:
        act = current(run)
        if act is None:
            run = _past_last(desk, run)
        elif act.state != "planned":
            run = replace(run, at_step=run.at_step + 1)
        elif desk.state.paused_by:
            act = replace(act, sentence=f"held back: {desk.state.paused_by} paused all playbooks")
            return replace(with_current(run, act), state="waiting")
        else:
            run = _begun(desk, run, act, at)
            act = current(run)
            if act is not None and act.state in {"acting", "waiting"}:
                return run
    return run


def _begun(desk: Desk, run: Run, act: StepRun, at: float) -> Run:
    step = desk.playbook(run).steps[run.at_step] if run.phase == "steps" else None
    try:
        if step is not None and step.if_ and act.attempt == 0:
            skipped = _skipped(desk, run, step, act, at)
            if skipped is not None:
                return skipped
        if step is not None and step.do == "approve":
            if not run.dry:
                return ask_for_step(desk, run, step, at)
            return with_current(run, replace(act, state="done", finished_at=at, sentence="would ask for approval"))
        return performed(desk, run, at)
    except ExpressionError as error:
        return _failed(desk, run, str(error), at)


def _skipped(desk: Desk, run: Run, step: Step, act: StepRun, at: float) -> Run | None:
    """The run past a step whose condition is false; None when it holds. Raises ExpressionError when nobody can tell."""
    try:
        if holds(step.if_, desk.context(run, at)):
            return None
    except ExpressionError as error:
        raise ExpressionError(f"its condition cannot be told: {error}") from error
    return with_current(run, replace(act, state="skipped", finished_at=at, sentence=f"not needed: {step.if_} is false"))


def _past_last(desk: Desk, run: Run) -> Run:
    if run.phase == "steps":
        return replace(run, state="done")
    if run.phase == "undo":
        return _with_deeds(desk, run)
    return replace(run, state=run.ends_as or "failed")


def _with_deeds(desk: Desk, run: Run) -> Run:
    """The run at the first of what the playbook does on failure, behind what was undone."""
    run = without_rest(run)
    done = run.deeds
    return replace(run, phase="deeds", state="running", deeds=(*done, *deeds_of(desk.playbook(run))), at_step=len(done))


def _ending(desk: Desk, run: Run, ends_as: RunState, error: str) -> Run:
    return _with_deeds(desk, replace(run, ends_as=ends_as, error=error))


def answered(desk: Desk, run: Run, result: StepFinished, at: float) -> Run:
    """The run after the answer to the act it stands at."""
    act = current(run)
    assert act is not None, "only an act that is awaited is answered"
    spec = act_at(desk.playbook(run), run)
    run = replace(run, state="running")
    if result.outcome == "pending":
        return _pending(desk, run, spec, result, at)
    if result.outcome == "done":
        output = plain(result.output)
        act = replace(act, state="done", output=output, sentence=result.sentence, finished_at=at, due_at=None)
        return _checked(desk, with_current(run, act), spec, at)
    unknown = result.failure == "timeout" and not spec.repeatable and spec.effect == "change" and not run.dry
    if result.outcome == "in_doubt" or unknown:
        return doubted(desk, run, result.error or "its answer never came", at)
    error = result.error or result.failure or "failed"
    retry = spec.retry
    if retry is not None and act.attempt <= retry.times and result.failure in retry.on:
        wait_s = max(retry.wait_s, 0.0)
        sentence = f"attempt {act.attempt} failed, trying again in {format_duration(wait_s)}"
        act = replace(act, state="waiting", due_at=at + wait_s, error=error, sentence=sentence)
        return with_current(run, act)
    return advance(desk, _failed(desk, run, error, at, result.sentence), at)


def _pending(desk: Desk, run: Run, spec: Act, result: StepFinished, at: float) -> Run:
    """Goes on waiting, up to the act's own time limit; the daemon asks again by itself."""
    act = current(run)
    assert act is not None, "only an act is waited for"
    limit = max(spec.timeout_s, 0.0)
    since = at if act.started_at is None else act.started_at
    if at >= since + limit > since:
        error = f"still not finished after {format_duration(limit)}"
        late = replace(result, outcome="failed", failure="timeout", error=error)
        return answered(desk, run, late, at)
    due = since + limit + GRACE_S + max(result.check_after_s or 0.0, 0.0)
    return with_current(run, replace(act, due_at=max(due, act.due_at or due), sentence=result.sentence))


def _checked(desk: Desk, run: Run, spec: Act, at: float) -> Run:
    """Goes on after a done act if its check holds. What a dry run only imagined is not checked."""
    act = current(run)
    assert act is not None, "the act was just done"
    if run.phase == "undo" and spec.step is not None:
        steps = tuple(replace(step, state="undone") if step.id == spec.step.id else step for step in run.steps)
        return advance(desk, replace(run, steps=steps), at)
    step = spec.step
    if step is None or not step.check or (run.dry and step.effect != "read"):
        return advance(desk, run, at)
    try:
        if holds(step.check, desk.context(run, at, act.output)):
            return advance(desk, run, at)
    except ExpressionError as untold:
        return advance(desk, _failed(desk, run, f"its check cannot be told: {untold}", at), at)
    if step.otherwise == "finish":
        run = with_current(run, replace(act, sentence=f"no longer needed: {step.check} is false"))
        return replace(without_rest(run), state="done")
    error = f"step {step.id}: {step.check} is false"
    if step.otherwise == "escalate":
        desk.page(run, at, f"{step.id}-check", f"Playbook {run.playbook} (run {run.id}) stopped: {error}")
    return stopped(run, at, error)


def _failed(desk: Desk, run: Run, error: str, at: float, sentence: str = "") -> Run:
    """The run after its act failed for good; `advance` goes on from there."""
    act = current(run)
    assert act is not None, "only an act fails"
    act = replace(act, state="failed", error=error, sentence=sentence, finished_at=at, due_at=None)
    run = with_current(run, act)
    if run.phase == "deeds":
        return run
    if run.phase == "undo":
        desk.audit(at, "quell", "undo failed", run.id, f"{act.id}: {error}")
        text = f"Playbook {run.playbook} (run {run.id}) is stuck: {act.id} failed, look at what it left behind. {error}"
        desk.page(run, at, "stuck", text)
        return _ending(desk, run, "stuck", f"{act.id}: {error}")
    step = desk.playbook(run).steps[run.at_step]
    if step.on_failure == "continue":
        return run
    return _unwound(desk, run, step, f"step {act.id}: {error}")


def _unwound(desk: Desk, run: Run, step: Step, error: str) -> Run:
    """The run after a step failed that matters: taken back if the step says so, then what follows a failure."""
    run = without_rest(run)
    written = {step.id: step.undo for step in desk.playbook(run).steps if step.undo}
    taken = [act for act in reversed(run.steps) if act.state == "done" and act.id in written]
    if step.on_failure != "undo" or run.dry or not taken:
        return _ending(desk, run, "failed", error)
    undos = tuple(undo_of(act, written[act.id]) for act in taken)
    return replace(run, state="running", phase="undo", ends_as="undone", error=error, deeds=undos, at_step=0)


def doubted(desk: Desk, run: Run, error: str, at: float) -> Run:
    """The run after nobody can tell whether its act took effect: repeated where that is safe, else people decide."""
    act = current(run)
    assert act is not None, "only an act is doubted"
    spec = act_at(desk.playbook(run), run)
    if (spec.repeatable or run.dry) and act.attempt < DOUBTS + (spec.retry.times if spec.retry else 0):
        return advance(desk, with_current(run, replace(act, state="planned", due_at=None, error=error)), at)
    if run.dry or spec.effect != "change":
        return advance(desk, _failed(desk, run, error, at), at)
    sentence = (
        f"nobody knows whether {act.do} took effect ({error}); look, then `quell approve {run.id}` if it did "
        f"and the run goes on, `quell reject {run.id}` if not and the step counts as failed"
    )
    desk.audit(at, "quell", "in doubt", run.id, f"{act.id}: {sentence}")
    desk.page(run, at, f"{act.id}-in-doubt".replace("/", "-"), f"Playbook {run.playbook}: {sentence}")
    act = replace(act, state="in_doubt", due_at=None, error=error, sentence=sentence)
    return replace(with_current(run, act), state="in_doubt")


def settled_doubt(desk: Desk, run: Run, took_effect: bool, by: str, at: float) -> Run:
    """The run after a person looked: its act counts as done, or as failed."""
    act = current(run)
    assert act is not None, "a run in doubt stands at an act"
    run = replace(run, state="running")
    if took_effect:
        act = replace(act, state="done", sentence=f"{by} says that it took effect", finished_at=at, error="")
        run = with_current(run, act)
        if run.phase == "undo":
            spec = act_at(desk.playbook(run), run)
            return _checked(desk, run, spec, at)
        return advance(desk, run, at)
    run = with_current(run, replace(act, state="acting"))
    return advance(desk, _failed(desk, run, f"{by} says that it did not take effect", at), at)


def due(run: Run) -> float | None:
    """When the run does something without news."""
    if asks(run) and run.approval is not None:
        times = [run.approval.expires_at]
    else:
        act = current(run)
        timed = act is not None and act.state in {"acting", "waiting"} and act.due_at is not None
        times = [act.due_at] if act is not None and timed and act.due_at is not None else []
    if run.deadline is not None and run.phase == "steps" and run.state in {"running", "waiting"}:
        times.append(run.deadline)
    return min(times, default=None)


def timed(desk: Desk, run: Run, at: float) -> Run:
    """The run after what was due at this time."""
    act = current(run)
    if asks(run) and run.approval is not None and run.approval.expires_at <= at:
        return expired(desk, run, at)
    if run.deadline is not None and run.phase == "steps" and run.deadline <= at:
        return _out_of_time(desk, run, at)
    if act is not None and act.state == "waiting":
        return advance(desk, with_current(run, replace(act, state="planned", due_at=None)), at)
    return doubted(desk, run, "its answer never came", at)


def _out_of_time(desk: Desk, run: Run, at: float) -> Run:
    playbook, act = desk.playbook(run), current(run)
    error = f"the run took longer than {format_duration(playbook.timeout_s)}"
    assert act is not None, "a run without a step left is over"
    step = playbook.steps[run.at_step]
    state = "in_doubt" if act.state == "acting" else "skipped"
    run = with_current(run, replace(act, state=state, due_at=None, finished_at=at, error=error))
    return advance(desk, _unwound(desk, replace(run, state="running"), step, error), at)
