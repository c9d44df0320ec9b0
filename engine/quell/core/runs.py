"""The life of a run: from step to step, through retries, doubt, failure and undo, to its end.

Functions take the run as it is and give it back as it becomes; `Desk` gathers what they decide on the way. The
caller keeps the run.
"""

from __future__ import annotations

from msgspec.structs import replace

from quell.core.acts import DOUBTS, act_at, asked_before, performed
from quell.core.answers import NOT_BEGUN, done_sentence, failed_try, put_off
from quell.core.approvals import ask_for_step, would_ask
from quell.core.builtin import BUILT_IN
from quell.core.context import plain, rendered
from quell.core.desk import Desk
from quell.core.items import begun_items, next_item
from quell.core.readings import asked, told
from quell.core.sequel import checked, failed, with_deeds
from quell.core.stand import AWAITED, current, standing, together, unread, with_current
from quell.core.undoing import taken_back
from quell.core.waits import look
from quell.errors import ExpressionError
from quell.model.playbook import Step
from quell.model.records import StepFinished
from quell.model.run import Run, StepRun


def advance(desk: Desk, run: Run, at: float) -> Run:
    """Goes on, from where nothing is in flight, up to the next thing to wait for or the end."""
    while not run.over:
        act, whole = current(run), standing(run)
        if act is None or whole is None:
            run = _past_last(desk, run, at)
        elif act.state in AWAITED and not whole.group:
            return run
        elif run.phase == "steps" and whole.group:
            run, waits = _at_once(desk, run, at)
            if waits:
                return run
        elif act.state != "planned":
            run = next_item(run, at) if whole.items else replace(run, at_step=run.at_step + 1)
        else:
            run = _next(desk, run, act, at)
            if run.state == "waiting":
                return run
    return run


def _next(desk: Desk, run: Run, act: StepRun, at: float) -> Run:
    """The run with what it stands at begun, or held back by a guard, or while everything is paused."""
    if desk.state.paused_by:
        act = replace(unread(run, act), sentence=f"held back: {desk.state.paused_by} paused all playbooks")
        return replace(with_current(run, act), state="waiting")
    held = desk.gate(run, act, at)
    return held if held is not None else _begun(desk, replace(run, state="running"), act, at)


def _at_once(desk: Desk, run: Run, at: float) -> tuple[Run, bool]:
    """The run with every read of the group begun, and whether it waits for one of them."""
    members = together(run)
    for index in members:
        run = replace(run, at_step=index)
        act = current(run)
        if act is not None and act.state == "planned":
            run = _next(desk, run, act, at)
            if run.state == "waiting":
                return run, True
            if run.over or run.phase != "steps":
                return run, False
    under_way = [index for index in members if run.steps[index].state in AWAITED]
    if under_way:
        return replace(run, at_step=under_way[0]), True
    return replace(run, at_step=members[-1] + 1), False


def _begun(desk: Desk, run: Run, act: StepRun, at: float) -> Run:
    step = desk.playbook(run).steps[run.at_step] if run.phase == "steps" else None
    try:
        if step is not None and act.tries == 0 and act.before is None:
            stays = _stays(desk, run, step, act, at)
            if stays is not None:
                return stays
        if act.do in BUILT_IN:
            return _by_itself(desk, run, act, at)
        return performed(desk, run, at)
    except ExpressionError as error:
        return failed(desk, run, str(error), at)


def _stays(desk: Desk, run: Run, step: Step, act: StepRun, at: float) -> Run | None:
    """The run where its act is not to be performed now: not needed, not yet, or not by a connector. None: perform it.

    Raises ExpressionError when it cannot be told.
    """
    if step.needs and next(one.state for one in run.steps if one.id == step.needs) != "done":
        return with_current(run, replace(act, state="skipped", finished_at=at, sentence="not needed"))
    if step.for_each is not None and "/" not in act.id:
        return begun_items(desk, run, step, at)
    if step.if_:
        unneeded = _unneeded(desk, run, step, act, at)
        if unneeded is not None:
            return unneeded
    if step.do == "approve":
        if not run.dry:
            return ask_for_step(desk, run, step, at)
        return with_current(run, replace(act, state="done", finished_at=at, sentence=would_ask(desk, run, step, at)))
    if step.wait is not None:
        seen = look(desk, with_current(run, replace(act, readings=())), step, at)
        return seen if isinstance(seen, Run) else failed(desk, run, seen, at)
    return asked_before(desk, run, step, at) if step.before else None


def _unneeded(desk: Desk, run: Run, step: Step, act: StepRun, at: float) -> Run | None:
    """The run past a step whose condition is false, or reading what that needs; None when it holds."""
    try:
        found = told(desk, run, step.if_, "if", at)
        if found is True:
            return None
        if found is not False:
            return asked(desk, run, found, "if", at)
    except ExpressionError as error:
        raise ExpressionError(f"its condition cannot be told: {error}") from error
    sentence = f"not needed: {step.if_} is false"
    return with_current(run, replace(act, state="skipped", finished_at=at, sentence=sentence))


def _by_itself(desk: Desk, run: Run, act: StepRun, at: float) -> Run:
    """The run after an act that needs no connector. Raises ExpressionError when it cannot be done."""
    params = act.params or rendered(dict(act_at(desk.playbook(run), run).with_), desk.context(run, at))
    output, sentence = BUILT_IN[act.do](desk, run, params, act.id.replace("/", "-"), at)
    act = replace(act, state="done", attempt=1, params=params, output=plain(output), sentence=sentence, readings=())
    run = with_current(run, replace(act, started_at=at, finished_at=at))
    return checked(desk, run, at)


def _past_last(desk: Desk, run: Run, at: float) -> Run:
    if run.phase == "steps":
        return replace(run, state="done")
    if run.phase == "undo":
        return with_deeds(desk, run, at)
    return replace(run, state=run.ends_as or "failed")


def answered(desk: Desk, run: Run, result: StepFinished, at: float) -> Run:
    """The run after the answer to the act it stands at."""
    act = current(run)
    assert act is not None, "only an act that is awaited is answered"
    spec = act_at(desk.playbook(run), run)
    run = replace(run, state="running")
    if result.outcome == "pending":
        waiting = put_off(run, spec, result, at)
        return waiting if isinstance(waiting, Run) else answered(desk, run, waiting, at)
    if result.outcome == "done":
        sentence = done_sentence(run, act, result)
        act = replace(act, state="done", output=plain(result.output), sentence=sentence, finished_at=at, due_at=None)
        return advance(desk, checked(desk, with_current(run, replace(act, readings=())), at), at)
    if result.failure == NOT_BEGUN:
        act = replace(act, state="planned", held=act.held + 1, due_at=None)
        return advance(desk, with_current(run, act), at)
    unknown = result.failure == "timeout" and not spec.repeatable and spec.effect == "change" and not run.dry
    if result.outcome == "in_doubt" or unknown:
        return doubted(desk, run, result.error or "its answer never came", at)
    if spec.effect == "change" and not run.dry and (result.unknown or result.failure == "timeout"):
        run = with_current(run, replace(act, unknown=True))
    again = failed_try(run, spec, result, at)
    if again is not None:
        return again
    error = result.error or result.failure or "failed"
    return advance(desk, failed(desk, run, error, at, result.sentence), at)


def doubted(desk: Desk, run: Run, error: str, at: float) -> Run:
    """The run after nobody can tell whether its act took effect: repeated where that is safe, else people decide."""
    act = current(run)
    assert act is not None, "only an act is doubted"
    spec = act_at(desk.playbook(run), run)
    if (spec.repeatable or run.dry) and act.tries < DOUBTS + (spec.retry.times if spec.retry else 0):
        return advance(desk, with_current(run, replace(act, state="planned", due_at=None, error=error)), at)
    if run.dry or spec.effect != "change":
        return advance(desk, failed(desk, run, error, at), at)
    sentence = (
        f"nobody knows whether {act.do} took effect ({error}); look, then `quell approve {run.id} --took-effect` if it "
        f"did and the run goes on, `quell reject {run.id} --no-effect` if not and the step counts as failed"
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
        return advance(desk, taken_back(run, act) if run.phase == "undo" else run, at)
    run = with_current(run, replace(act, state="acting", unknown=False))
    return advance(desk, failed(desk, run, f"{by} says that it did not take effect", at), at)
