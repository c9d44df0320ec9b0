"""How runs begin: what called for one is held against the runs before it and the guards, and kept either way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from quell.core.approvals import ask_for_run
from quell.core.blast import Estate, targets_of
from quell.core.caps import Trials
from quell.core.context import blank
from quell.core.desk import Desk
from quell.core.guards import Block, Guards
from quell.core.plan import planned, run_id
from quell.core.runs import advance
from quell.errors import ExpressionError
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.playbook import Playbook
from quell.model.run import Run, StepRun
from quell.model.times import format_duration, format_time


@dataclass(frozen=True, slots=True)
class Call:
    """What calls for a run: an event of an incident, an alert, the clock or a person (``command``).

    ``event`` tells calls apart that are about no incident, ``said`` tells people.
    """

    trigger: str
    said: str
    incident: Incident | None = None
    alert: Alert | None = None
    event: str = ""


def of_incident(incident: Incident, trigger: str) -> Call:
    """An event of an incident calls."""
    return Call(trigger=trigger, said=f"incident {incident.id} {trigger.replace('_', ' ')}", incident=incident)


def of_alert(alert: Alert, incident: Incident | None) -> Call:
    """The firing of an alert calls; ``incident`` is the one that it is part of by then, if any."""
    name = alert.name or alert.fingerprint
    said = f"alert {name} ({alert.fingerprint}) fires since {format_time(alert.starts_at)}"
    return Call(trigger="alert", said=said, incident=incident, alert=alert, event=firing(alert))


def firing(alert: Alert) -> str:
    """What tells one firing of an alert from its others."""
    return f"{alert.fingerprint}/{alert.episode}"


def of_clock(playbook: Playbook, time: float, at: float) -> Call:
    """The clock calls, maybe later than it should have."""
    schedule = playbook.schedule
    said = "by the clock"
    if schedule is not None:
        said = f"every {format_duration(schedule.every_s)}"
        if schedule.cron:
            said = f'schedule "{schedule.cron}" in {schedule.zone}'
    late = f", {format_duration(at - time)} late" if at - time >= 1.0 else ""
    return Call(trigger="schedule", said=f"{said}: {format_time(time)}{late}", event=format_time(time))


class Beginnings:
    """Makes runs and hands them to the desk."""

    def __init__(self, desk: Desk, guards: Guards, estate: Estate, trials: Trials) -> None:
        self._desk = desk
        self._guards = guards
        self._estate = estate
        self._trials = trials

    def answered(self, playbook: Playbook, call: Call) -> bool:
        """Whether a call was answered by a run, as far as that can be told before the run's identity is known."""
        if playbook.guards.each:
            return False
        event = call.event or (call.incident.id if call.incident is not None else "")
        ended, dry = call.trigger == "resolved", playbook.mode == "shadow"
        return any(
            one.state != "skipped" and one.dry == dry and (one.trigger == "resolved") == ended
            for one in self._desk.shelf.of(playbook.name, event)
        )

    def begin(self, playbook: Playbook, call: Call, at: float) -> None:
        """A run, or one that was skipped with the guard that kept it; none when one about the same was there before."""
        why = call.said
        if playbook.if_:
            why += f": {' '.join(playbook.if_.split())}"
        if playbook.settled_for_s > 0:
            why += f" held for {format_duration(playbook.settled_for_s)}"
        run, seen, error = self._prepared(playbook, self._new(playbook, call, why, at), call, at)
        prior = self._prior(run)
        if any(other.state != "skipped" for other in prior):
            return
        going = self._overlapping(run)
        block = Block(error) if error else going or self._guards.blocked(playbook, run, lambda: seen, at)
        if block is None:
            self._begin(playbook, self._numbered(run), at)
        elif not prior and not self._said(run, block):
            self._skip(self._numbered(run), block, at)

    def by_hand(self, playbook: Playbook, incident: Incident | None, by: str, dry: bool, at: float) -> Run | str:
        """The run a person asked for, or why there is none. Its condition is not asked; its guards are.

        A dry run changes nothing, so that it needs no more than that the playbooks are not paused.
        """
        why = f"{by} asked for it" + (" as a dry run" if dry else "")
        event = "" if incident is not None else format_time(at)
        call = Call(trigger="command", said=why, incident=incident, event=event)
        run, seen, error = self._prepared(playbook, self._new(playbook, call, why, at, by=by, dry=dry), call, at)
        if error:
            return error
        if dry and self._desk.state.paused_by:
            return f"{self._desk.state.paused_by} paused all playbooks"
        block = None if dry else self._guards.blocked(playbook, run, lambda: seen, at)
        if block is not None:
            return block.said
        going = next((other for other in self._prior(run) if not other.over), None) or self._going_dry(run)
        if going is not None:
            return f"run {going.id} is {going.state} for the same"
        run = self._numbered(run)
        self._begin(playbook, run, at)
        return self._desk.state.runs[run.id]

    def _going_dry(self, run: Run) -> Run | None:
        return next((other for other in self._desk.shelf.same(run) if not other.over), None) if run.dry else None

    def _new(self, playbook: Playbook, call: Call, why: str, at: float, **given: Any) -> Run:
        run = Run(
            id="",
            playbook=playbook.name,
            playbook_version=playbook.version,
            incident=call.incident.id if call.incident is not None else "",
            state="running",
            mode=playbook.mode,
            why=why,
            trigger=call.trigger,
            event=call.event,
            alert=call.alert.fingerprint if call.alert is not None else "",
            started_at=at,
            updated_at=at,
            place=playbook.place,
            steps=tuple(StepRun(id=step.id, do=step.do, place=step.place, group=step.group) for step in playbook.steps),
            **given,
        )
        if playbook.mode == "shadow":
            return replace(run, dry=True)
        left = self._trials.left(playbook)
        if not left or run.dry:
            return run
        why = f"{why}; it waits for a person, as commit {playbook.place.commit[:12]} changed it: {left} to go"
        return replace(run, mode="propose", why=why)

    def _prepared(self, playbook: Playbook, run: Run, call: Call, at: float) -> tuple[Run, Mapping[str, Any], str]:
        """The run with all that its playbook says of it resolved, what its expressions see, what could not be told."""
        state = self._desk.state
        try:
            run, seen = planned(state, playbook, run, call.incident or blank(at), at)
            targets = targets_of(playbook, run, seen, self._estate)
        except ExpressionError as error:
            return run, {}, str(error)
        return replace(run, targets=targets), seen, ""

    def _prior(self, run: Run) -> list[Run]:
        """Runs about the same, in the same life of the incident."""
        ended = run.trigger == "resolved"
        found = [other for other in self._desk.shelf.about(run) if (other.trigger == "resolved") == ended]
        alert = self._desk.state.alerts.get(run.alert)
        if alert is None:
            return found
        # One firing calls once, also when the alert became part of an incident, or of another one, in between.
        since = (other for other in self._desk.shelf.of(run.playbook, run.event) if other.started_at >= alert.starts_at)
        return found + [other for other in since if (other.each, other.dry) == (run.each, run.dry)]

    def _overlapping(self, run: Run) -> Block | None:
        """The clock begins no run beside the one before: so nothing piles up, whatever the time in between did."""
        if run.trigger != "schedule":
            return None
        open_runs = (one for one in self._desk.shelf.open(run.playbook) if one.dry == run.dry)
        going = next((one for one in open_runs if one.trigger == "schedule" and one.each == run.each), None)
        return Block(f"run {going.id} is not over yet") if going is not None else None

    def _said(self, run: Run, block: Block) -> bool:
        """Whether the newest run that the clock begins says the same already."""
        if run.trigger != "schedule":
            return False
        newest = self._desk.shelf.newest(run.playbook)
        return newest is not None and newest.state == "skipped" and newest.error == block.said

    def _numbered(self, run: Run) -> Run:
        number = 0
        event = f"{run.trigger}\x00{run.event}" if run.event else run.trigger
        if run.alert:  # its episodes are counted anew once it was forgotten, and the ledger remembers for longer
            event += f"\x00{run.started_at:.3f}"
        about = (run.playbook, run.incident, event, run.each)
        while (name := run_id(*about, number)) in self._desk.state.runs:
            number += 1
        return replace(run, id=name)

    def _skip(self, run: Run, block: Block, at: float) -> None:
        skipped = tuple(replace(act, state="skipped") for act in run.steps)
        why = f"{run.why}; not run: {block.said}"
        self._desk.keep(replace(run, state="skipped", steps=skipped, why=why, error=block.said), at)

    def _begin(self, playbook: Playbook, run: Run, at: float) -> None:
        self._desk.open(run, playbook)
        if run.mode == "propose" and not run.dry:
            run = ask_for_run(self._desk, run, at)
        else:
            run = advance(self._desk, replace(run, deadline=at + playbook.timeout_s), at)
        self._desk.keep(run, at)
