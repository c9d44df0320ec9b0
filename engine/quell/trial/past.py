"""What has been decided in a scenario so far, and how it is told in one line each."""

from __future__ import annotations

from dataclasses import dataclass, field

from quell.model.decision import AnyDecision, Audit, IncidentChanged, Page, RunChanged
from quell.model.incident import Incident
from quell.model.run import Run


@dataclass(slots=True)
class Past:
    """What has been decided so far; deciding it again adds nothing."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    pages: dict[tuple[str, str, float, bool], Page] = field(default_factory=dict)

    def follow(self, decision: AnyDecision) -> str:
        """Keeps a decision; gives a sentence for who follows the scenario, "" when there is nothing to say."""
        match decision:
            case IncidentChanged(incident=incident):
                self.incidents[incident.id] = incident
                return "" if decision.event == "updated" else incident_line(incident, decision.event)
            case RunChanged(run=run):
                known, self.runs[run.id] = self.runs.get(run.id), run
                if known is None and run.state != "skipped":
                    return f"{run_line(run)}, because {run.why}"
                return run_line(run) if known is None or run_line(known) != run_line(run) else ""
            case Page():
                key = (decision.incident, decision.alert, decision.at, decision.reminder)
                known_page = self.pages.setdefault(key, decision)
                return f"page for {decision.incident}: {decision.reason}" if known_page is decision else ""
            case Audit(who=who, what=what, target=target, detail=detail):
                return f"audit: {who} {what} {target}{': ' * bool(detail)}{detail}"
            case _:
                return ""


def incident_line(incident: Incident, event: str) -> str:
    """An incident in one line, with its first suspect."""
    first = incident.suspects[0] if incident.suspects else None
    suspect = f"suspect {first.entity}, {first.kind}, confidence {first.confidence:.2f}" if first else "no suspect"
    clear = "; no clear cause" if incident.no_clear_cause else ""
    return f"incident {incident.id} {event}: {incident.severity} {incident.title} ({suspect}{clear})"


def run_line(run: Run) -> str:
    """A run in one line: its state, why, and how its steps are."""
    steps = ", ".join(f"{act.id} {act.state}" for act in (*run.steps, *run.deeds) if act.state != "planned")
    why = run.why if run.state == "skipped" else ""
    said = "; ".join(part for part in (why, run.error, steps) if part)
    return f"{'dry ' * run.dry}run {run.id} of {run.playbook} is {run.state}{f' ({said})' * bool(said)}"
