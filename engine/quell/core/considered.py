"""Why each playbook ran for an incident or did not: its trigger, its condition, what it waits for, which guard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from quell.core.begin import firing
from quell.core.choose import Choice
from quell.core.desk import Desk
from quell.core.triggers import TRIGGERS
from quell.core.views import View
from quell.errors import ExpressionError
from quell.expressions.matchers import Matching
from quell.model.alert import Alert
from quell.model.decision import IncidentEvent
from quell.model.incident import Incident
from quell.model.playbook import Playbook, Trigger
from quell.model.run import Run, Settling
from quell.model.times import format_time

_AWAITED: dict[Trigger, str] = {
    "opened": "the incident opens",
    "suspects_changed": "there is another first suspect",
    "escalated": "the severity rises",
    "resolved": "the incident is resolved",
}
OFF = "is off"
"""What is said of a playbook whose mode is off."""


def considered(
    desk: Desk, choice: Choice, playbooks: Iterable[Playbook], incident: Incident, at: float
) -> list[tuple[str, str]]:
    """For every playbook, by name, what became of it for the incident, and if it did not run why not."""
    asking = _Asking(desk, choice, incident, at)
    return sorted((playbook.name, asking.said(playbook)) for playbook in playbooks)


class _Asking:
    def __init__(self, desk: Desk, choice: Choice, incident: Incident, at: float) -> None:
        self._state = desk.state
        self._shelf = desk.shelf
        self._choice = choice
        self._incident = incident
        self._at = at
        self._view = View(desk.state, incident, None, at)
        self._happened = {TRIGGERS.get(cast("IncidentEvent", entry.what)) for entry in incident.timeline}

    def said(self, playbook: Playbook) -> str:
        runs = [*self._shelf.of(playbook.name, self._incident.id)]
        if runs and not playbook.alert:
            return _of_run(runs[-1])
        if playbook.mode == "off":
            return OFF
        if playbook.by_hand:
            return "only a person begins it"
        if playbook.schedule is not None:
            return self._by_clock(playbook)
        return self._by_alert(playbook) if playbook.alert is not None else self._by_incident(playbook)

    def _by_clock(self, playbook: Playbook) -> str:
        due = self._choice.clockwork.next_of(playbook.name)
        when = f", next at {format_time(due)}" if due is not None else ""
        return f"the clock begins it{when}, not an incident"

    def _by_incident(self, playbook: Playbook) -> str:
        settling = self._choice.waiting.of(self._incident.id).get(playbook.name)
        if settling is not None and settling.due_at is not None:
            return _settles(settling)
        said = _condition(playbook, self._view)
        if not said.endswith("condition") and not said.startswith("its condition holds"):
            return said
        if self._happened.isdisjoint(playbook.on):
            return f"{said}, but it waits until {' or '.join(_AWAITED[trigger] for trigger in playbook.on)}"
        return said + (" now, but did not when it was asked" if playbook.if_ else "")

    def _by_alert(self, playbook: Playbook) -> str:
        """What became of it for the alert of the incident with which it came furthest."""
        matching = Matching(playbook.alert or ())
        alerts = [alert for mark in self._incident.alerts if (alert := self._state.alerts.get(mark)) is not None]
        matched = [alert for alert in alerts if matching.matches(alert.labels)]
        if not matched:
            return "no alert of the incident is one that it waits for"
        for alert in matched:
            runs = [*self._shelf.of(playbook.name, firing(alert))]
            if runs:
                return f"alert {alert.name or alert.fingerprint}: {_of_run(runs[-1])}"
        return f"alert {matched[0].name or matched[0].fingerprint}: {self._of_alert(playbook, matched[0])}"

    def _of_alert(self, playbook: Playbook, alert: Alert) -> str:
        settling = self._choice.waiting.of(f"alert:{alert.fingerprint}").get(playbook.name)
        if settling is not None and settling.due_at is not None:
            return _settles(settling)
        if alert.mutings:
            return f"it is muted by {alert.mutings[0].kind} {alert.mutings[0].by}"
        if not alert.firing:
            return f"it is {alert.status}"
        said = _condition(playbook, View(self._state, self._incident, alert, self._at))
        return f"{said}; it begins with the next news of the alert" if said == "has no condition" else said


def _of_run(run: Run) -> str:
    kind = "dry run" if run.dry else "run"
    if run.state == "skipped":
        return f"{run.error or run.why}"
    return f"{kind} {run.id} is {run.state}"


def _settles(settling: Settling) -> str:
    assert settling.due_at is not None, "only what is due settles"
    return f"its condition holds, and must hold until {format_time(settling.due_at)}"


def _condition(playbook: Playbook, view: View) -> str:
    try:
        if not view.holds(playbook.if_):
            return "its condition is false"
    except ExpressionError as error:
        return f"its condition cannot be told and counts as false: {error}"
    return "its condition holds" if playbook.if_ else "has no condition"
