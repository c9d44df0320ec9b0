"""What takes a run further: the answers it awaits, and time."""

from __future__ import annotations

from msgspec.structs import replace

from quell.core.acts import DEED_TIMEOUT_S, act_at, told_before
from quell.core.approvals import expired
from quell.core.desk import Desk, asks
from quell.core.readings import READ_AGAIN, all_told, ask, heard, late, measured
from quell.core.runs import advance, answered, doubted
from quell.core.sequel import checked, failed, unwound
from quell.core.stand import AWAITED, awaiting, current, cut_short, each_under_way, with_current
from quell.core.waits import judged, look
from quell.model.playbook import Retry
from quell.model.records import StepFinished
from quell.model.run import Reading, Run
from quell.model.times import format_duration


def answer(desk: Desk, run: Run, result: StepFinished, at: float) -> Run | None:
    """The run after an answer; None for one that nothing awaits (repeated, late, unknown) or that is no news."""
    there = awaiting(run, result.key)
    act = current(there) if there is not None else None
    if there is None or act is None:
        return None
    if act.state == "reading":
        there = heard(there, result, _again(desk, there), lambda one: measured(desk.playbook(run).measures, one), at)
        return _read(desk, there, at)
    if act.state == "in_doubt" and (result.outcome in {"pending", "in_doubt"} or result.failure == "timeout"):
        return None  # no news for the people who look
    return answered(desk, there, result, at)


def _again(desk: Desk, run: Run) -> Retry | None:
    """How the readings of the act where the run stands are asked again."""
    act = current(run)
    assert act is not None, "only an act has readings"
    if any(reading.purpose == "look" for reading in act.readings):
        return None
    return act_at(desk.playbook(run), run).retry or READ_AGAIN


def _read(desk: Desk, run: Run, at: float) -> Run:
    """The run further, once all readings of the act where it stands were answered."""
    act = current(run)
    assert act is not None, "only an act has readings"
    return resumed(desk, run, at) if all_told(act) else run


def resumed(desk: Desk, run: Run, at: float) -> Run:
    """The run after all readings of the act where it stands were answered."""
    act = current(run)
    assert act is not None, "only an act has readings"
    purpose = act.readings[0].purpose
    if purpose == "before":
        ready = told_before(run, at)
        return advance(desk, ready if isinstance(ready, Run) else failed(desk, run, ready, at), at)
    if purpose == "look":
        seen = judged(desk, run, desk.playbook(run).steps[run.at_step], at)
        return advance(desk, seen if isinstance(seen, Run) else failed(desk, run, seen, at), at)
    if purpose == "check":
        run = with_current(run, replace(act, state="done", due_at=None))
        return advance(desk, checked(desk, run, at), at)
    return advance(desk, with_current(run, replace(act, state="planned", due_at=None)), at)


def due(run: Run) -> float | None:
    """When the run does something without news."""
    if asks(run) and run.approval is not None:
        times = [run.approval.expires_at]
    else:
        acts = [current(there) for there in each_under_way(run)]
        times = [act.due_at for act in acts if act is not None and act.state in AWAITED and act.due_at is not None]
    if run.deadline is not None and run.phase == "steps" and run.state in {"running", "waiting"}:
        times.append(run.deadline)
    return min(times, default=None)


def timed(desk: Desk, run: Run, at: float) -> Run:
    """The run after what was due at this time."""
    if asks(run) and run.approval is not None and run.approval.expires_at <= at:
        return expired(desk, run, at)
    if run.deadline is not None and run.phase == "steps" and run.deadline <= at:
        return _out_of_time(desk, run, at)
    for there in each_under_way(run):
        act = current(there)
        assert act is not None, "only acts are under way"
        if act.due_at is not None and act.due_at <= at and act.state in AWAITED:
            return _time_of(desk, there, at)
    return run


def _time_of(desk: Desk, run: Run, at: float) -> Run:
    """The run after the time of the act where it stands has come."""
    act = current(run)
    assert act is not None, "only acts have their time"
    if act.state == "waiting":
        return advance(desk, with_current(run, replace(act, state="planned", due_at=None)), at)
    if act.state == "verifying":
        seen = look(desk, run, desk.playbook(run).steps[run.at_step], at)
        return advance(desk, seen if isinstance(seen, Run) else failed(desk, run, seen, at), at)
    if act.state == "reading":
        run, once_more = late(run, _again(desk, run), at)
        for reading in once_more:
            run = ask(desk, run, reading, _timeout_s(desk, run, reading), at)
        return _read(desk, run, at)
    return doubted(desk, run, "its answer never came", at)


def _timeout_s(desk: Desk, run: Run, reading: Reading) -> float:
    name = reading.name.partition("(")[0]
    known = {measure.name: measure.timeout_s for measure in desk.playbook(run).measures}
    return known.get(name, DEED_TIMEOUT_S)


def _out_of_time(desk: Desk, run: Run, at: float) -> Run:
    playbook, act = desk.playbook(run), current(run)
    error = f"the run took longer than {format_duration(playbook.timeout_s)}"
    assert act is not None, "a run without a step left is over"
    step = playbook.steps[run.at_step]
    run = with_current(run, replace(act, state=cut_short(act), due_at=None, finished_at=at, error=error))
    if act.state == "acting" and step.effect == "change" and not run.dry:
        unknown = f"{error}, and nobody knows whether {act.do} took effect: it had not answered by then; look"
        desk.audit(at, "quell", "in doubt", run.id, f"{act.id}: {unknown}")
        desk.page(run, at, f"{act.id}-in-doubt".replace("/", "-"), f"Playbook {run.playbook} (run {run.id}): {unknown}")
    return advance(desk, unwound(desk, replace(run, state="running"), step, error, at), at)
