"""Which playbooks an incident's news calls for: triggers, conditions, settling, guards; and how a run begins."""

from __future__ import annotations

from typing import Any, cast

from msgspec.structs import replace

from quell.core.approvals import ask_for_run
from quell.core.context import holds, incident_context, reads_alerts, top_suspect
from quell.core.desk import Desk
from quell.core.guards import blocked
from quell.core.plan import prepared, run_id
from quell.core.runs import advance
from quell.errors import ExpressionError
from quell.model.decision import IncidentEvent
from quell.model.incident import Incident
from quell.model.playbook import Playbook, Trigger
from quell.model.rulebook import Rulebook
from quell.model.run import Run, Settling, StepRun
from quell.model.times import format_duration, format_time

_TRIGGERS: dict[IncidentEvent, Trigger] = {
    "opened": "opened",
    "reopened": "opened",
    "suspects_changed": "suspects_changed",
    "escalated": "escalated",
    "resolved": "resolved",
}

_AWAITED: dict[Trigger, str] = {
    "opened": "the incident opens",
    "suspects_changed": "there is another first suspect",
    "escalated": "the severity rises",
    "resolved": "the incident is resolved",
}


class Choice:
    """Decides what begins. What waits for its condition to settle is in the state, keyed ``incident/playbook``."""

    def __init__(self, rulebook: Rulebook, desk: Desk) -> None:
        self._desk = desk
        self._state = desk.state
        self._playbooks = {playbook.name: playbook for playbook in rulebook.playbooks if playbook.mode != "off"}
        self._named = {playbook.name: playbook for playbook in rulebook.playbooks}

    def playbook(self, name: str) -> Playbook | None:
        """The playbook of that name, also one that is off."""
        return self._named.get(name)

    def on_event(self, incident: Incident, event: IncidentEvent, at: float) -> None:
        """Begins or settles the playbooks that listen to the event, and looks again at those that settle."""
        trigger = _TRIGGERS.get(event)
        fitting = trigger if (trigger == "resolved") != incident.is_open else None
        self._forget_settling(incident)
        for name, playbook in self._playbooks.items():
            settling = self._state.settling.get(f"{incident.id}/{name}")
            if settling is not None:
                self._settle(playbook, incident, settling, at)
            elif fitting is not None and fitting in playbook.on:
                self._triggered(playbook, incident, fitting, at)

    def _forget_settling(self, incident: Incident) -> None:
        """What settled for an open incident is off once it is not, and the other way round."""
        for key, settling in list(self._state.settling.items()):
            if settling.incident == incident.id and (settling.trigger == "resolved") == incident.is_open:
                del self._state.settling[key]

    def next_due(self) -> float | None:
        """When a condition will have held for long enough."""
        return min((one.due_at for one in self._state.settling.values() if one.due_at is not None), default=None)

    def on_time(self, due_at: float, at: float) -> None:
        """Begins the playbooks whose conditions have held up to ``due_at``."""
        for key, settling in sorted(self._state.settling.items()):
            if settling.due_at is None or settling.due_at > due_at:
                continue
            playbook, incident = self._playbooks.get(settling.playbook), self._state.incidents.get(settling.incident)
            if playbook is None or incident is None:
                del self._state.settling[key]  # switched off by a reload, or forgotten
            elif self._holds(playbook, incident, at):
                del self._state.settling[key]
                self._begin_for(playbook, incident, settling.trigger, at)
            else:
                self._state.settling[key] = replace(settling, since=None, due_at=None)

    def considered(self, incident: Incident, at: float) -> list[tuple[str, str]]:
        """For every playbook what its condition says now, and if that is yes what it waits for."""
        context = incident_context(self._state, incident, top_suspect(incident), at)
        return [
            (name, self._settling_said(incident, name) or _said(playbook, incident, context))
            for name, playbook in sorted(self._named.items())
        ]

    def _settling_said(self, incident: Incident, name: str) -> str:
        settling = self._state.settling.get(f"{incident.id}/{name}")
        if settling is None or settling.due_at is None:
            return ""
        return f"its condition holds, and must hold until {format_time(settling.due_at)}"

    def _triggered(self, playbook: Playbook, incident: Incident, trigger: str, at: float) -> None:
        if playbook.settled_for_s > 0:
            waiting = Settling(playbook=playbook.name, incident=incident.id, trigger=trigger)
            self._settle(playbook, incident, waiting, at)
        elif self._holds(playbook, incident, at):
            self._begin_for(playbook, incident, trigger, at)

    def _settle(self, playbook: Playbook, incident: Incident, settling: Settling, at: float) -> None:
        if not self._holds(playbook, incident, at):
            settling = replace(settling, since=None, due_at=None)
        elif settling.since is None:
            settling = replace(settling, since=at, due_at=at + playbook.settled_for_s)
        self._state.settling[f"{incident.id}/{playbook.name}"] = settling

    def _holds(self, playbook: Playbook, incident: Incident, at: float) -> bool:
        """A condition that cannot be told is false; `considered` says why."""
        if not playbook.if_:
            return True
        try:
            suspect, with_alerts = top_suspect(incident), reads_alerts(playbook.if_)
            context = incident_context(self._state, incident, suspect, at, with_alerts=with_alerts)
            return holds(playbook.if_, context)
        except ExpressionError:
            return False

    def _begin_for(self, playbook: Playbook, incident: Incident, trigger: str, at: float) -> None:
        why = f"incident {incident.id} {trigger.replace('_', ' ')}"
        if playbook.if_:
            why += f": {' '.join(playbook.if_.split())}"
        if playbook.settled_for_s > 0:
            why += f" held for {format_duration(playbook.settled_for_s)}"
        run = self._new(playbook, incident, trigger, why, at)
        begun, error = self._prepared(playbook, run, incident, at)
        prior = self._prior(begun)
        if any(other.state != "skipped" for other in prior):
            return
        guard = error or blocked(playbook, begun, self._state.runs.values(), self._state.paused_by, at)
        if guard and prior:
            return  # said already, and nothing changed
        self._begin(playbook, self._numbered(begun), guard, at)

    def _prior(self, run: Run) -> list[Run]:
        """Runs of the same playbook for the same thing in the same life of the incident."""
        return [
            other
            for other in self._state.runs.values()
            if (other.playbook, other.incident, other.each, other.dry)
            == (run.playbook, run.incident, run.each, run.dry)
            and (other.trigger == "resolved") == (run.trigger == "resolved")
        ]

    def begin_by_hand(self, playbook: Playbook, incident: Incident, by: str, dry: bool, at: float) -> Run | str:
        """The run a person asked for, or why there is none. Its condition is not asked; its guards are."""
        why = f"{by} asked for it" + (" as a dry run" if dry else "")
        run = self._new(playbook, incident, "command", why, at, by=by, dry=dry)
        begun, error = self._prepared(playbook, run, incident, at)
        guard = error or blocked(playbook, begun, self._state.runs.values(), self._state.paused_by, at)
        if guard:
            return guard
        going = next((other for other in self._prior(begun) if not other.over), None)
        if going is not None:
            return f"run {going.id} is {going.state} for the same"
        begun = self._numbered(begun)
        self._begin(playbook, begun, "", at)
        return self._state.runs[begun.id]

    def _new(self, playbook: Playbook, incident: Incident, trigger: str, why: str, at: float, **given: Any) -> Run:
        run = Run(
            id="",
            playbook=playbook.name,
            playbook_version=playbook.version,
            incident=incident.id,
            state="running",
            mode=playbook.mode,
            why=why,
            trigger=trigger,
            started_at=at,
            updated_at=at,
            steps=tuple(StepRun(id=step.id, do=step.do) for step in playbook.steps),
            **given,
        )
        return replace(run, dry=True) if playbook.mode == "shadow" else run

    def _prepared(self, playbook: Playbook, run: Run, incident: Incident, at: float) -> tuple[Run, str]:
        try:
            return prepared(self._state, playbook, run, incident, at), ""
        except ExpressionError as error:
            return run, str(error)

    def _numbered(self, run: Run) -> Run:
        number = 0
        while (name := run_id(run.playbook, run.incident, run.trigger, run.each, number)) in self._state.runs:
            number += 1
        return replace(run, id=name)

    def _begin(self, playbook: Playbook, run: Run, guard: str, at: float) -> None:
        if guard:
            skipped = tuple(replace(act, state="skipped") for act in run.steps)
            run = replace(run, state="skipped", steps=skipped, why=f"{run.why}; not run: {guard}")
            self._desk.keep(run, at)
            return
        self._desk.open(run, playbook)
        if run.mode == "propose" and not run.dry:
            run = ask_for_run(self._desk, run, at)
        else:
            run = advance(self._desk, replace(run, deadline=at + playbook.timeout_s), at)
        self._desk.keep(run, at)


def _said(playbook: Playbook, incident: Incident, context: dict[str, Any]) -> str:
    if playbook.mode == "off":
        return "is off"
    try:
        if playbook.if_ and not holds(playbook.if_, context):
            return "its condition is false"
    except ExpressionError as error:
        return f"its condition cannot be told and counts as false: {error}"
    said = "its condition holds" if playbook.if_ else "has no condition"
    happened = {_TRIGGERS.get(cast("IncidentEvent", entry.what)) for entry in incident.timeline}
    if happened.isdisjoint(playbook.on):
        return f"{said}, but it waits until {' or '.join(_AWAITED[trigger] for trigger in playbook.on)}"
    return said + (" now, but did not when it was asked" if playbook.if_ else "")
