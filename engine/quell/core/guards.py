"""Guards: what keeps a playbook from running again, too often, or beside another."""

from __future__ import annotations

from collections.abc import Iterable

from quell.model.playbook import Playbook
from quell.model.run import Run
from quell.model.times import format_duration, format_time

_END_OF_CALENDAR = 253_402_300_799.0


def blocked(playbook: Playbook, run: Run, others: Iterable[Run], paused_by: str, at: float) -> str:
    """Why the run may not begin now, naming the guard and until when it holds; "" when it may.

    Dry runs are held against dry runs only: trying something out uses up nobody's turn.
    """
    if paused_by:
        return f"{paused_by} paused all playbooks"
    begun = [other for other in others if other.dry == run.dry and other.state != "skipped" and other.id != run.id]
    same = [other for other in begun if other.playbook == run.playbook and other.each == run.each and not _idle(other)]
    return _cooling(playbook, same, at) or _limited(playbook, same, at) or _locked(run, begun)


def _idle(run: Run) -> bool:
    """Whether a run ended before it did anything, such as one that a person rejected: it uses up no guard."""
    acted = {"done", "failed", "undone", "in_doubt"}
    return run.over and not any(step.do != "approve" and step.state in acted for step in run.steps)


def _cooling(playbook: Playbook, same: list[Run], at: float) -> str:
    cooldown_s = playbook.guards.cooldown_s
    if cooldown_s <= 0 or not same:
        return ""
    going = next((other for other in same if not other.over), None)
    if going is not None:
        return f"cooldown: run {going.id} is not over yet"
    last = max(same, key=lambda other: (other.updated_at, other.id))
    until = last.updated_at + cooldown_s
    if until <= at:
        return ""
    return f"cooldown of {format_duration(cooldown_s)} after run {last.id} holds {_told(until)}"


def _limited(playbook: Playbook, same: list[Run], at: float) -> str:
    """The window slides: a run stops counting ``limit_per_s`` after it began; no window means for as long as known."""
    runs, per_s = playbook.guards.limit_runs, playbook.guards.limit_per_s
    if runs <= 0:
        return ""
    counted = sorted(other.started_at for other in same if per_s <= 0 or other.started_at + per_s > at)
    if len(counted) < runs:
        return ""
    if per_s <= 0:
        return f"limit of {runs} runs is reached"
    until = _told(counted[len(counted) - runs] + per_s)
    return f"limit of {runs} runs in {format_duration(per_s)} is reached {until}"


def _locked(run: Run, begun: list[Run]) -> str:
    for other in sorted(begun, key=lambda one: one.id):
        shared = set(run.locks).intersection(other.locks) if not other.over else set()
        if shared:
            return f'lock "{min(shared)}" is held by run {other.id} of {other.playbook} until it is over'
    return ""


def _told(until: float) -> str:
    """A time as text; one that no calendar holds any more is said to be for good."""
    return f"until {format_time(until)}" if until < _END_OF_CALENDAR else "for good"
