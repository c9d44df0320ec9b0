"""What the answer to an act makes of it, as far as that takes only the act: waiting on, another try, a sentence."""

from __future__ import annotations

from msgspec.structs import replace

from quell.core.acts import Act
from quell.core.readings import GRACE_S, pause_s
from quell.core.stand import current, with_current
from quell.model.records import StepFinished
from quell.model.run import Run, StepRun
from quell.model.times import format_duration

NOT_BEGUN = "held"
"""The failure of an act that was not begun because everything was paused: it is begun when that is over."""


def put_off(run: Run, spec: Act, result: StepFinished, at: float) -> Run | StepFinished:
    """Goes on waiting, up to the act's own time limit; the daemon asks again by itself. Past that, the late answer."""
    act = current(run)
    assert act is not None, "only an act is waited for"
    limit = max(spec.timeout_s, 0.0)
    since = at if act.started_at is None else act.started_at
    if at >= since + limit > since:
        error = f"still not finished after {format_duration(limit)}"
        return replace(result, outcome="failed", failure="timeout", error=error)
    due = since + limit + GRACE_S + max(result.check_after_s or 0.0, 0.0)
    return with_current(run, replace(act, due_at=max(due, act.due_at or due), sentence=result.sentence))


def failed_try(run: Run, spec: Act, result: StepFinished, at: float) -> Run | None:
    """The run waiting for its next try; None when there is none."""
    act, retry = current(run), spec.retry
    assert act is not None, "only an act fails"
    if retry is None or act.tries > retry.times or result.failure not in retry.on:
        return None
    wait_s = pause_s(retry, act.tries, result.retry_after_s)
    error = result.error or result.failure or "failed"
    sentence = f"attempt {act.tries} failed, trying again in {format_duration(wait_s)}"
    return with_current(run, replace(act, state="waiting", due_at=at + wait_s, error=error, sentence=sentence))


def done_sentence(run: Run, act: StepRun, result: StepFinished) -> str:
    """What is true now, or would be after a dry run."""
    return result.sentence or (f"{act.do} would be done" if run.dry else f"{act.do} was done")
