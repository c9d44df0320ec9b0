"""Explanations: an incident's cause, the way to the symptoms, who else was suspected, what was held back and why."""

from __future__ import annotations

from collections import Counter

import msgspec

from quell.core.automation import Automation
from quell.core.considered import OFF
from quell.core.detect.telling import SOURCE
from quell.core.graph import Graph
from quell.core.story import Story, story
from quell.core.titles import listed
from quell.core.trial import Candidate, candidates
from quell.model.alert import Alert, Handling, Reason
from quell.model.incident import Incident, Suspect
from quell.model.run import Run
from quell.model.shares import percent
from quell.model.state import State
from quell.model.times import format_time
from quell.model.topology import Change

MOST_LINES = 6
MOST_POINTS = 3
"""For and against each suspect that lost; ``--json`` has all."""
_DONE: dict[Handling, str] = {"page": "Paged", "hold": "Held back", "digest": "To the digest", "muted": "Muted"}


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts were not paged for one reason."""

    handling: Handling
    code: str
    text: str
    count: int


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why an incident is what it is; ``text`` says it for people; ``playbooks`` are (name, why it did not run).

    ``candidates`` are the cause and the runners-up with what speaks for and against each; ``story`` is what a picture
    is drawn from.
    """

    incident: str
    title: str
    no_clear_cause: bool
    cause: Suspect | None
    runners_up: tuple[Suspect, ...]
    change: Change | None
    impact: tuple[str, ...]
    held: tuple[Held, ...]
    runs: tuple[Run, ...]
    playbooks: tuple[tuple[str, str], ...]
    text: str
    status: str = ""
    severity: str = ""
    harm: str = ""
    candidates: tuple[Candidate, ...] = ()
    story: Story = Story(started_at=None, actors=(), links=())


def explain(state: State, incident: Incident, automation: Automation, graph: Graph) -> Explanation:
    """The explanation of an incident as of now."""
    alerts = [alert for mark in incident.alerts if (alert := state.alerts.get(mark)) is not None]
    cause = incident.suspects[0] if incident.suspects else None
    change = state.changes.get(cause.change) if cause is not None and cause.change else None
    marks = frozenset(incident.alerts)
    runs = tuple(
        run for run in state.runs.values() if run.incident == incident.id or (not run.incident and run.alert in marks)
    )
    held = held_back(alerts)
    considered = tuple(automation.considered(incident, state.now))
    judged = candidates(incident, alerts, graph)
    lines = _lines(incident, judged, change, alerts, held)
    lines += [f"playbook {run.playbook}: {_kind(run)} {run.id} is {run.state}, {run.why}" for run in runs]
    ran = {run.playbook for run in runs}
    lines += _idle([(name, why) for name, why in considered if why and name not in ran])
    return Explanation(
        incident=incident.id,
        title=incident.title,
        no_clear_cause=incident.no_clear_cause,
        cause=cause,
        runners_up=incident.suspects[1:],
        change=change,
        impact=incident.impact,
        held=held,
        runs=runs,
        playbooks=considered,
        text="\n".join(lines),
        status=incident.status,
        severity=incident.severity,
        harm=incident.harm,
        candidates=judged,
        story=story(state, automation.rulebook, incident, alerts, graph),
    )


def _idle(considered: list[tuple[str, str]]) -> list[str]:
    """Why playbooks did not run. Those that are off are most of them where none was let on yet: one line for all."""
    off = [name for name, why in considered if why == OFF]
    each = [f"playbook {name} did not run: {why}" for name, why in considered if why != OFF or len(off) == 1]
    return each if len(off) < 2 else [*each, f"playbooks that are off: {', '.join(off)}"]


def _kind(run: Run) -> str:
    return "dry run" if run.dry else "run"


def held_back(alerts: list[Alert]) -> tuple[Held, ...]:
    """The alerts that did not page, counted by reason, most first."""
    counts: Counter[tuple[Handling, str]] = Counter()
    example: dict[tuple[Handling, str], Reason] = {}
    for alert in alerts:
        if alert.handling != "page":
            key = (alert.handling, alert.reason.code)
            counts[key] += 1
            example.setdefault(key, alert.reason)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Held(handling=key[0], code=key[1], text=example[key].text, count=count) for key, count in ordered)


def page_text(state: State, incident: Incident, again: str = "") -> str:
    """What a page says: short, the cause first. ``again`` is why people are told of it once more."""
    lines = [f"{incident.id} [{incident.severity or 'no severity'}] {incident.title}"]
    if again:
        lines.append(f"told again: {again}")
    elif incident.reminded_at is not None and incident.paged_at is not None:
        lines.append(f"told again: nobody has acknowledged it since {format_time(incident.paged_at)}")
    if incident.crowd:
        lines += listed([alert for mark in incident.alerts if (alert := state.alerts.get(mark)) is not None])
    cause = incident.suspects[0] if incident.suspects else None
    if cause is not None and cause.confidence > 0:
        sure = "no clear cause; most likely" if incident.no_clear_cause else "first cause:"
        lines.append(f"{sure} {cause.entity} ({cause.confidence:.0%})")
    elif cause is not None:
        lines.append(f"no clear cause: only {cause.entity} alerts")
    if cause is not None and len(cause.path) > 1:
        lines.append("path: " + " → ".join(cause.path))
    change = state.changes.get(cause.change) if cause is not None and cause.change else None
    if change is not None:
        lines.append(f"nearby change: {_change_words(change)}")
    if incident.impact:
        lines.append("reaches: " + ", ".join(incident.impact[:MOST_LINES]))
    if incident.harm not in {"", "system"}:
        lines.append(f"impact: {incident.harm}")
    lines.append(f"{counted(len(incident.alerts), 'alert')} at {counted(len(incident.entities), 'entity', 'entities')}")
    return "\n".join(lines)


def _lines(
    incident: Incident,
    judged: tuple[Candidate, ...],
    change: Change | None,
    alerts: list[Alert],
    held: tuple[Held, ...],
) -> list[str]:
    lines = [f"{incident.id} is {incident.status}: {incident.title}"]
    cause = judged[0] if judged else None
    if incident.crowd:
        lines.append("No cause: nothing is known that its alerts have in common, they came at about one time.")
        lines += [f"  {line}" for line in listed(alerts)]
    elif cause is None:
        lines.append("No cause: none of its alerts names an entity. Write a map rule (rules/map.yaml) to place them.")
    elif cause.confidence > 0:
        sure = "No clear cause; the best candidate is" if incident.no_clear_cause else "First cause:"
        lines.append(f"{sure} {cause.entity} (confidence {cause.confidence:.0%})")
    else:
        lines.append(f"No clear cause: only {cause.entity} alerts.")
    if cause is not None:
        if len(cause.path) > 1:
            lines.append("  path: " + " → ".join(cause.path))
        lines += _points(cause, MOST_LINES)
    if change is not None:
        lines.append(f"Nearby change: {_change_words(change)}")
    elif cause is not None:
        lines.append("No change is near enough to blame.")
    for rejected in judged[1:]:
        lines.append(f"Runner-up: {rejected.entity} ({percent(rejected.confidence)}): {rejected.lost_because}")
        lines += _points(rejected, MOST_POINTS)
    if incident.harm:
        lines.append(f"Impact: {incident.harm}")
    if incident.impact:
        lines.append("Reaches: " + ", ".join(incident.impact[:MOST_LINES]))
    if incident.paged_at is not None:
        paged = next((alert for alert in alerts if alert.fingerprint == incident.page_alert), None)
        name = f" for {paged.name or paged.fingerprint}" if paged is not None else ""
        lines.append(f"Paged at {format_time(incident.paged_at)}{name}.")
    elif incident.is_open:
        lines.append(f"Has not paged: {_why_unpaged(incident, alerts)}.")
    lines += [f"{_DONE[one.handling]}: {counted(one.count, 'alert')}: {one.text}" for one in held]
    return lines


def _points(candidate: Candidate, most: int) -> list[str]:
    """What speaks for a candidate and what against it, so many of each."""
    found = [f"  + {point.text}" for point in candidate.points_for[:most]]
    return found + [f"  - {point.text}" for point in candidate.points_against[:most] if point.code != "unchanged"]


def _why_unpaged(incident: Incident, alerts: list[Alert]) -> str:
    if incident.acknowledged_by:
        return f"{incident.acknowledged_by} acknowledged it first"
    firing = [alert for alert in alerts if alert.firing]
    if not firing:
        return "none of its alerts fires any more"
    return "of its alerts that fire each is muted, owned by others or mere information"


def why_not(state: State, alert: Alert) -> str:
    """Why an alert did not page, or that it did."""
    fires = "fires" if alert.firing else f"is {alert.status}"
    head = f"{alert.name or alert.fingerprint} at {alert.entity or 'no known entity'} {fires}"
    told = "once" if alert.count == 1 else f"{alert.count} times"
    head += f", began at {format_time(alert.starts_at)}, was told {told}"
    if alert.source == SOURCE and "description" in alert.annotations:
        head += f". A detector of quell found it: {alert.annotations['description']}"
    if alert.handling == "page":
        return f"{head}. It paged: {alert.reason.text}."
    verdict = {"hold": "held", "digest": "in the digest", "muted": "muted"}[alert.handling]
    behaviour = state.behaviour.get(alert.fingerprint)
    paged_at = behaviour.paged_at if behaviour is not None else None
    if paged_at is not None and paged_at >= alert.starts_at:
        text = f"{head}. It paged at {format_time(paged_at)}; now it is {verdict}: {alert.reason.text}."
    else:
        text = f"{head}. It did not page, it is {verdict}: {alert.reason.text}."
    incident = state.incidents.get(alert.incident or "")
    if incident is not None:
        paged = f"paged at {format_time(incident.paged_at)}" if incident.paged_at is not None else "has not paged"
        text += f" It belongs to {incident.id} ({incident.title}), which {paged}."
    if alert.hold_until is not None and alert.hold_until > state.now:
        text += f" It is judged again at {format_time(alert.hold_until)}."
    return text


def counted(count: int, noun: str, plural: str = "") -> str:
    """Such as "1 alert" or "3 alerts"."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def _change_words(change: Change) -> str:
    what = " ".join(part for part in (change.type, change.revision) if part)
    by = f" by {change.author}" if change.author else ""
    said = f": {change.summary}" if change.summary else ""
    return f"{what} of {change.entity or 'an unknown entity'} at {format_time(change.at)}{by}{said} ({change.id})"
