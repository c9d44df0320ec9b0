"""Schedules: when the clock begins playbooks next. The next time is in the state, so that a replay is exact.

What was missed while the daemon was down is not made up for one by one: `resumed` lets the latest missed time happen
once, late, if that is at most an hour ago, and drops the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import floor

from quell.expressions.cron import Cron
from quell.model.playbook import Playbook, Schedule
from quell.model.run import Scheduled
from quell.model.state import State

LATEST_S = 3600.0
"""How late a run may begin whose time came while the daemon was down."""
_MOST_MISSED = 100_000
"""So many missed times are gone through to find the latest: those of a line for every minute, over two months."""


class Clockwork:
    """Works on ``state.scheduled`` and nothing else."""

    def __init__(self, playbooks: Iterable[Playbook], state: State) -> None:
        self._state = state
        self._schedules = {
            one.name: one.schedule for one in playbooks if one.schedule is not None and one.mode != "off"
        }
        self._planned = False

    @property
    def any(self) -> bool:
        """Whether the clock begins anything, or did by the rules of before."""
        return bool(self._schedules or self._state.scheduled)

    def next_due(self) -> float | None:
        """When the clock begins something next; None before time is known."""
        self._plan()
        return min((one.due_at for one in self._state.scheduled.values()), default=None)

    def due(self, at: float) -> list[tuple[str, float]]:
        """Playbooks whose time has come by ``at``, by name, with that time; each then waits for its next one."""
        self._plan()
        found = []
        for name, one in sorted(self._state.scheduled.items()):
            if one.due_at <= at:
                found.append((name, one.missed_at or one.due_at))
                self._wait(name, one.schedule, one.due_at)
        return found

    def resumed(self, now: float) -> list[tuple[str, float, float | None]]:
        """After the daemon was down: playbooks that missed a time, the latest of those, and when it comes, if it does.

        To be asked before time passes up to ``now``.
        """
        self._plan()
        missed: list[tuple[str, float, float | None]] = []
        for name, one in sorted(self._state.scheduled.items()):
            if one.due_at > now:
                continue
            first = one.missed_at or one.due_at
            latest = _latest(one.schedule, first, now)
            if latest == now:
                self._state.scheduled[name] = Scheduled(schedule=one.schedule, due_at=now)
                if first == now:
                    continue
                missed.append((name, first, now))
            elif now - latest <= LATEST_S:
                self._state.scheduled[name] = Scheduled(schedule=one.schedule, due_at=now, missed_at=latest)
                missed.append((name, latest, now))
            else:
                self._wait(name, one.schedule, now)
                missed.append((name, latest, None))
        return missed

    def next_of(self, name: str) -> float | None:
        """When the clock begins a playbook next."""
        self._plan()
        one = self._state.scheduled.get(name)
        return None if one is None else one.due_at

    def _plan(self) -> None:
        """Works out what is not known yet, from the time as it is; a schedule that was changed begins anew."""
        now = self._state.now
        if self._planned or not now:
            return
        self._planned = True
        for name in [name for name in self._state.scheduled if name not in self._schedules]:
            del self._state.scheduled[name]
        for name, schedule in sorted(self._schedules.items()):
            known = self._state.scheduled.get(name)
            if known is None or known.schedule != schedule:
                self._wait(name, schedule, now)

    def _wait(self, name: str, schedule: Schedule, after: float) -> None:
        due = next_time(schedule, after)
        if due is None:
            self._state.scheduled.pop(name, None)
        else:
            self._state.scheduled[name] = Scheduled(schedule=schedule, due_at=due)


def next_time(schedule: Schedule, after: float) -> float | None:
    """The first time of a schedule after a moment; None when there is none any more."""
    if schedule.every_s > 0:
        return (floor(after / schedule.every_s) + 1) * schedule.every_s
    return _cron(schedule.cron, schedule.zone).next_after(after)


def _latest(schedule: Schedule, due: float, now: float) -> float:
    """The last time of a schedule up to now, from one that is due on."""
    if schedule.every_s > 0:
        return max(due, floor(now / schedule.every_s) * schedule.every_s)
    near = next_time(schedule, max(due, now - LATEST_S) - 1.0)
    latest = due if near is None or near > now else near
    for _ in range(_MOST_MISSED):
        again = next_time(schedule, latest)
        if again is None or again > now:
            break
        latest = again
    return latest


@lru_cache(maxsize=1024)
def _cron(text: str, zone: str) -> Cron:
    return Cron(text, zone)
