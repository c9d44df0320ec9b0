"""Playbooks: what the incidents' news, answers, people and time make of runs."""

from __future__ import annotations

from quell.model.alert import Alert
from quell.model.decision import AnyDecision, IncidentEvent, Perform
from quell.model.incident import Incident
from quell.model.records import CommandRecord, StepFinished
from quell.model.rulebook import Rulebook
from quell.model.state import State


class Automation:
    """Chooses and advances runs. All that it remembers is in ``state``: a new one on the same state goes on alike.

    No method raises for what a playbook, an answer or a person got wrong: that becomes a run's state or an audit.
    """

    def __init__(self, rulebook: Rulebook, state: State) -> None:
        self.rulebook = rulebook
        self.state = state

    def on_incident(self, incident: Incident, event: IncidentEvent, now: float) -> list[AnyDecision]:
        """What an incident's news begins, settles or makes unneeded. ``incident`` is as it is after the event."""
        del incident, event, now
        return []

    def on_step_finished(self, result: StepFinished, now: float) -> list[AnyDecision]:
        """What follows from an answer; one that is not awaited (repeated, late, unknown) changes nothing."""
        del result, now
        return []

    def on_command(self, command: CommandRecord, now: float) -> list[AnyDecision]:
        """Carries out approve, reject, run, stop, pause and unpause; a refusal is an audit. Other verbs: nothing."""
        del command, now
        return []

    def on_time(self, now: float) -> list[AnyDecision]:
        """Everything due at or before ``now``, in order, each at its own time."""
        del now
        return []

    def next_due(self) -> float | None:
        """When `on_time` would do something next; None: not without news."""
        return None

    def pages(
        self, incident: Incident | None, alert: Alert | None, now: float, text: str, reason: str = ""
    ) -> list[Perform]:
        """One deed per route that matches; ``reason`` makes the ledger key (default: the incident's version)."""
        del incident, alert, now, text, reason
        return []
