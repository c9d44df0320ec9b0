"""What incidents, approvals and many incidents at once look like where people talk: values, of no vendor's make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import inf

from quell.chatops.marks import mark_of_incident, mark_of_run
from quell.core.severity import rank
from quell.model.alert import Alert
from quell.model.incident import POSTMORTEM, Incident, Suspect
from quell.model.run import Run, StepRun
from quell.model.state import State
from quell.model.times import format_duration
from quell.sdk.chat import Button, Card, Line

MOST_NAMED = 6
MOST_IN_DIGEST = 25
MOST_STEPS = 12
MOST_ARGUMENT = 300
"""Characters shown of what one step is to do."""
_LIVE = frozenset({"proposed", "waiting", "running", "in_doubt"})


def incident_card(state: State, incident: Incident, link: str = "") -> Card:
    """An incident as it is now; nothing of it changes with time alone."""
    runs = [run for run in state.runs.values() if run.incident == incident.id]
    lines = [_lead(incident), *_cause(state, incident), _alerts(state, incident), *_standing(incident)]
    if incident.harm not in {"", "system"}:
        lines.append(Line(f"Impact: {incident.harm}"))
    lines += [_run(run) for run in sorted(runs, key=lambda run: run.started_at)[-MOST_NAMED:]]
    lines.append(Line(f"{incident.id}, opened {clock(incident.opened_at)} UTC", "note"))
    return Card(
        key=incident.id,
        version=incident.version,
        title=clean(incident.title),
        severity=incident.severity,
        status=incident.status,
        lines=tuple(lines),
        buttons=_buttons(incident),
        link=f"{link}/incidents/{incident.id}" if link else "",
    )


def _lead(incident: Incident) -> Line:
    if not incident.impact:
        return Line("Users: no entity that they need is known to be reached", "lead")
    named = ", ".join(clean(one) for one in incident.impact[:MOST_NAMED])
    more = len(incident.impact) - MOST_NAMED
    return Line(f"Users feel it at {named}{f' and {more} more' if more > 0 else ''}", "lead")


def _cause(state: State, incident: Incident) -> list[Line]:
    if not incident.suspects:
        return [Line("First cause: unknown", "cause")]
    first = incident.suspects[0]
    sure = f"{first.confidence:.0%} sure"
    doubt = ", no clear cause" if incident.no_clear_cause else ""
    lines = [Line(f"First cause: **{clean(first.entity)}** ({sure}{doubt})", "cause")]
    if len(first.path) > 1:
        lines.append(Line(f"Path: {' → '.join(clean(entity) for entity in first.path)}"))
    change = nearby_change(state, first)
    return [*lines, Line(f"Change: {change}")] if change else lines


def nearby_change(state: State, suspect: Suspect) -> str:
    """The change that is suspected along with it, in words; "" for none."""
    change = state.changes.get(suspect.change or "")
    if change is None:
        return ""
    was = f" (was {clean(change.previous)})" if change.previous else ""
    by = f" by {clean(change.author)}" if change.author else ""
    when = ""
    if suspect.onset is not None:
        gap = suspect.onset - change.at
        when = f", {format_duration(gap)} before it began" if gap >= 1 else f", {format_duration(gap)} after it began"
        when = when.replace("-", "") if abs(gap) >= 1 else ", as it began"
    return f"{change.type} {clean(change.revision or change.id)}{was}{by}{when}"


def _alerts(state: State, incident: Incident) -> Line:
    known = [alert for mark in incident.alerts if (alert := state.alerts.get(mark)) is not None]
    names = Counter(alert.name or "alert" for alert in known)
    shown = ", ".join(
        f"{clean(name)} ×{count}" if count > 1 else clean(name)
        for name, count in sorted(names.items(), key=lambda item: (-item[1], item[0]))[:MOST_NAMED]
    )
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    count, firing = len(incident.alerts), sum(alert.firing for alert in known)
    paged = sum(_paged(alert, incident) for alert in known)
    folded = f", {count - paged} of them folded into it" if count > paged else ""
    return Line(f"Alerts: {count} ({firing} firing{folded}): {shown or 'none known'}{more}")


def _paged(alert: Alert, incident: Incident) -> bool:
    return alert.fingerprint == incident.page_alert


def _standing(incident: Incident) -> list[Line]:
    lines = []
    if incident.snoozed_until is not None and incident.status == "acknowledged":
        until = clock(incident.snoozed_until)
        lines.append(Line(f"Snoozed by {clean(incident.acknowledged_by)} until {until} UTC"))
    elif incident.status == "acknowledged":
        lines.append(Line(f"Acknowledged by {clean(incident.acknowledged_by)}"))
    elif incident.status == "resolved":
        lines.append(Line(_ended(incident)))
        drafted = next((entry for entry in reversed(incident.timeline) if entry.what == POSTMORTEM), None)
        if drafted is not None:
            lines.append(Line(f"Post-mortem: {clean(drafted.text)}", "note"))
        elif incident.paged_at is not None:
            lines.append(Line(f"Post-mortem draft: quell postmortem {incident.id}", "note"))
    elif incident.status == "merged":
        lines.append(Line(f"Merged into {incident.merged_into}"))
    if incident.assigned_to:
        lines.append(Line(f"Assigned to {clean(incident.assigned_to)}"))
    return lines


def _ended(incident: Incident) -> str:
    last = next((entry for entry in reversed(incident.timeline) if entry.what == "resolved"), None)
    if last is None:
        return "Resolved"
    return f"Resolved by {clean(last.by)} at {clock(last.at)} UTC: {clean(last.text)}"


def _run(run: Run) -> Line:
    doing = next((step for step in run.steps if step.state in {"acting", "waiting", "verifying", "reading"}), None)
    at = f", at step {doing.id}" if doing is not None and run.state in _LIVE else ""
    dry = " (dry run)" if run.dry else ""
    why = f": {clean(run.error)}" if run.error else ""
    return Line(f"Playbook: {clean(run.playbook)}{dry} {run.id} is {run.state}{at}{why}")


def _buttons(incident: Incident) -> tuple[Button, ...]:
    value = mark_of_incident(incident)
    if incident.status == "resolved":
        return (
            Button(verb="confirm", label="Right cause", value=value),
            Button(verb="doubt", label="Wrong cause", value=value),
            Button(verb="reopen", label="Reopen", value=value),
            Button(verb="why", label="Why?", value=value),
        )
    if not incident.is_open:
        return ()
    take = Button(verb="ack", label="Acknowledge", value=value, style="primary")
    acts = (
        Button(verb="resolve", label="Resolve", value=value),
        Button(verb="silence", label="Silence 1h", value=value),
        Button(verb="why", label="Why?", value=value),
        Button(verb="run", label="Run…", value=value),
        Button(verb="merge", label="Merge…", value=value),
        Button(verb="split", label="Split…", value=value),
        Button(verb="noise", label="Not actionable", value=value),
    )
    return (take, *acts) if incident.status == "open" or incident.snoozed_until is not None else acts


def approval_card(state: State, run: Run, link: str = "") -> Card:
    """A run that waits for a yes, or what became of it."""
    approval = run.approval
    asks = run.asks
    incident = state.incidents.get(run.incident)
    about = f" for {run.incident}" if run.incident else ""
    lines = [Line(clean(run.why), "lead")]
    if incident is not None:
        version = f" (version {approval.incident_version})" if approval is not None and asks else ""
        lines.append(Line(f"Incident: {clean(incident.title)}{version}"))
    lines += arguments(run)
    if approval is not None and asks:
        lines.append(Line(f"Who may: {', '.join(clean(one) for one in approval.who) or 'whoever may approve'}"))
        if approval.need > 1:
            lines.append(Line(f"Needed: {approval.need} people, {len(approval.approved_by)} have said yes"))
        until = f"Until {clock(approval.expires_at)} UTC; nobody's answer is a no"
        lines.append(Line(f"{until}. In words: approve {run.id} {approval.mark}", "note"))
    elif approval is not None:
        lines += _answered(run)
    value = mark_of_run(run)
    buttons = (
        Button(verb="approve", label="Approve…", value=value, style="primary"),
        Button(verb="reject", label="Reject…", value=value, style="danger"),
    )
    return Card(
        key=run.id,
        version=int(run.updated_at * 1000.0),
        title=f"{'Approve ' if asks else ''}{clean(run.playbook)}{about}{'?' if asks else ': ' + run.state}",
        severity=incident.severity if incident is not None else "",
        status=run.state,
        lines=tuple(lines),
        buttons=buttons if asks else (),
        link=f"{link}/runs/{run.id}" if link else "",
        urgent=asks,
    )


def arguments(run: Run) -> list[Line]:
    """What a run is to do with which arguments, at which commit, and what it touches."""
    lines = [Line(_step(step), "quote") for step in run.steps[:MOST_STEPS] if step.do != "approve"]
    if len(run.steps) > MOST_STEPS:
        lines.append(Line(f"and {len(run.steps) - MOST_STEPS} more steps", "note"))
    if run.targets:
        lines.append(Line(f"Touches: {', '.join(clean(one) for one in run.targets[:MOST_NAMED])}"))
    if run.place is not None:
        commit = f" at commit {run.place.commit[:12]}" if run.place.commit else ""
        signer = f", signed by {clean(run.place.signer)}" if run.place.signer else ""
        lines.append(Line(f"Written: {clean(run.place.file)}:{run.place.line}{commit}{signer}"))
    return lines


def _step(step: StepRun) -> str:
    said = ", ".join(f"{name}={value}" for name, value in step.params.items())
    return clean(f"{step.id}: {step.do}({said})")[:MOST_ARGUMENT]


def _answered(run: Run) -> list[Line]:
    assert run.approval is not None
    lines = []
    if run.approval.approved_by:
        lines.append(Line(f"Approved by {', '.join(clean(one) for one in run.approval.approved_by)}"))
    if run.approval.rejected_by:
        lines.append(Line(f"Rejected by {clean(run.approval.rejected_by)}"))
    if run.error:
        lines.append(Line(f"Ended: {clean(run.error)}"))
    return lines


def digest_card(key: str, incidents: Iterable[Incident], most: int) -> Card:
    """Many open incidents in one message, gravest first; with ``most`` or fewer each has its own."""
    found = gravest_first(incidents)
    if len(found) <= most:
        text = "Each open incident has a message of its own again."
        return Card(key=key, version=len(found), title="Few incidents again", lines=(Line(text, "note"),))
    lines = [Line(in_a_line(one), "item") for one in found[:MOST_IN_DIGEST]]
    if len(found) > MOST_IN_DIGEST:
        lines.append(Line(f"and {len(found) - MOST_IN_DIGEST} more; say: incidents", "note"))
    lines.append(Line("New incidents are told of here only. For one of them say: show INC-…", "note"))
    return Card(
        key=key,
        version=len(found),
        title=f"{len(found)} incidents are open",
        severity=found[0].severity,
        status="open",
        lines=tuple(lines),
    )


def gravest_first(incidents: Iterable[Incident]) -> list[Incident]:
    """By severity, then those that nobody has taken, then the oldest."""
    return sorted(incidents, key=lambda one: (-rank(one.severity), one.status != "open", one.opened_at, one.id))


def in_a_line(incident: Incident) -> str:
    """An incident in one line."""
    taken = f", {incident.status} by {clean(incident.acknowledged_by)}" if incident.acknowledged_by else ""
    severity = f"{incident.severity} " if incident.severity else ""
    harm = f", impact {incident.harm}" if incident.harm not in {"", "system"} else ""
    return f"**{incident.id}** {severity}{clean(incident.title)} (since {clock(incident.opened_at)}{taken}{harm})"


def story(incident: Incident, after: float, until: float = inf) -> tuple[str, float, bool]:
    """What happened to it after a time, in lines; the time of the last of it, and whether it must be heard now."""
    entries = [entry for entry in incident.timeline if after < entry.at <= until]
    if not entries:
        return "", after, False
    lines = []
    for entry in entries[-MOST_IN_DIGEST:]:
        by = "" if entry.by == "quell" else f" by {clean(entry.by)}"
        lines.append(f"{clock(entry.at)} {entry.what.replace('_', ' ')}{by}: {clean(entry.text)}")
    if len(entries) > MOST_IN_DIGEST:
        lines.insert(0, f"({len(entries) - MOST_IN_DIGEST} earlier entries are left out)")
    return "\n".join(lines), entries[-1].at, any(entry.what in LOUD for entry in entries)


LOUD = frozenset({"escalated", "reminded", "woke", "reopened"})
"""What must reach people at once."""


def choices(found: Sequence[tuple[str, str]], most: int = 50) -> tuple[tuple[str, str], ...]:
    """Choices of a dialog, bounded, with labels that fit."""
    return tuple((value, clean(label)[:70]) for value, label in found[:most])


def clock(at: float) -> str:
    """Such as ``21 Nov 14:05``, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %H:%M")


def clean(text: str) -> str:
    """Others' text, in which our marks mean nothing."""
    return " ".join(text.replace("**", "* *").replace("`", "'").split())
