"""Puts the draft together. What is not on record is asked, never filled in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quell.core.explain import Explanation
from quell.core.trial import Candidate
from quell.model.alert import Alert
from quell.model.habits import Suggestion
from quell.model.incident import Incident, TimelineEntry
from quell.model.run import Run, StepRun
from quell.model.shares import percent
from quell.model.topology import Change, Entity
from quell.postmortem.course import course
from quell.postmortem.markdown import bullets, code, moment, plain, span, table

MOST_ALERTS = 40
MOST_RIVALS = 4
MOST_TOLD = 200
TAKEN = frozenset({"acknowledged", "snoozed"})
RIGHT, WRONG = "right cause", "wrong cause"
"""How the timeline says what a person thinks of the first suspect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What is known. ``explanation`` is None once an incident is forgotten by the core.

    ``adjustments`` are what quell suggests about the rules whose alerts these are, ``diff`` how rules files take that.
    """

    incident: Incident
    alerts: Sequence[Alert]
    runs: Sequence[Run]
    changes: Sequence[Change]
    entities: Sequence[Entity]
    explanation: Explanation | None
    adjustments: Sequence[Suggestion] = ()
    diff: str = ""
    now: float


def draft(material: Material) -> str:
    """The Markdown of the draft. The same material gives the same text."""
    incident = material.incident
    known = f"A draft from what quell has on record, {moment(material.now)}"
    parts = [
        [f"# Post-mortem: {plain(incident.title)}", "", f"*{known}. What only people know is asked at the end.*"],
        ["## In short", "", *_short(material)],
        ["## What users felt", "", *_impact(material)],
        ["## Cause", "", *_cause(material)],
        ["## What was done", "", *_done(material)],
        ["## Timeline", "", *_timeline(material)],
        ["## Alerts", "", *_alerts(material)],
        ["## Adjustments proposed", "", *_adjustments(material)],
        ["## Open questions", "", *bullets(questions(material))],
        ["## Follow-ups", "", "| what | who | until |", "| --- | --- | --- |", "|   |   |   |"],
    ]  # fmt: skip
    return "\n".join("\n".join(part) + "\n" for part in parts)


def began_at(material: Material) -> float:
    """The first abnormal signal: an alert of the incident, or trouble at the first suspect.

    Where a change is blamed, the suspect's onset is when it is thought to have begun to do harm, which nobody saw.
    """
    first = material.incident.suspects[:1]
    onset = [one.onset for one in first if one.onset is not None and one.change is None]
    times = [*(alert.starts_at for alert in material.alerts), *onset, material.incident.opened_at]
    return min(times)


def told_at(incident: Incident) -> float | None:
    """When people were first called for it; what it says of its page is the last one, where it opened again."""
    calls = [entry.at for entry in incident.timeline if entry.what == "paged"]
    return min(calls if incident.paged_at is None else [*calls, incident.paged_at], default=None)


def _short(material: Material) -> list[str]:
    incident, began = material.incident, began_at(material)
    taken = next((entry for entry in incident.timeline if entry.what in TAKEN), None)
    rows = [
        ["Incident", f"{code(incident.id)}, {plain(incident.severity or 'no severity')}, {incident.status}"],
        ["First abnormal signal", moment(began)],
        ["Opened", f"{moment(incident.opened_at)} ({span(began, incident.opened_at)} after it)"],
        ["People told", _after(told_at(incident), began, "nobody was paged")],
        ["Acknowledged", _by(taken.at, taken.by, began) if taken else "nobody acknowledged it"],
        ["Over", _after(incident.resolved_at, began, "it is not over")],
        ["Alerts", f"{len(incident.alerts)}, at {len(incident.entities)} places"],
    ]
    owners = sorted({one.owner for one in material.entities if one.owner})
    if owners:
        rows.append(["Owners", ", ".join(map(plain, owners))])
    return table(("", ""), rows)


def _after(at: float | None, began: float, otherwise: str) -> str:
    return otherwise if at is None else f"{moment(at)} ({span(began, at)} after the first signal)"


def _by(at: float, who: str, began: float) -> str:
    return f"{moment(at)} by {plain(who)} ({span(began, at)} after the first signal)"


def _impact(material: Material) -> list[str]:
    reached, harm = material.incident.impact, material.incident.harm
    told = [f"Impact: {harm}, the highest that its alerts show.", ""] if harm else []
    if not reached:
        return [*told, "Nothing that users need is known to have been reached. *Was that so?*"]
    return [*told, *bullets(f"{code(entity)}" for entity in reached)]


def _cause(material: Material) -> list[str]:
    incident = material.incident
    if not incident.suspects:
        return ["No suspect was found."]
    first, lines = incident.suspects[0], []
    unsure = ", which is too little to call it the cause" if incident.no_clear_cause else ""
    lines.append(f"quell's first suspect is {code(first.entity)}, {first.confidence:.0%} sure{unsure}.")
    change = next((one for one in material.changes if one.id == first.change), None)
    if change is not None:
        lines += ["", _change(change)]
    if len(first.path) > 1:
        lines += ["", f"How trouble travelled: {' → '.join(code(step) for step in first.path)}"]
    told = {one.entity: one for one in material.explanation.candidates} if material.explanation else {}
    judged = told.get(first.entity)
    lines += _points(judged) if judged else _evidence(incident)
    others = incident.suspects[1 : 1 + MOST_RIVALS]
    if others:
        rows = [
            [code(one.entity), percent(one.confidence), plain(one.lost_because or "ranked lower")] for one in others
        ]
        lines += ["", "Others that were suspected:", "", *table(("suspect", "sure", "why it lost"), rows)]
    return lines


def _change(change: Change) -> str:
    parts = [f"{plain(change.type)} {code(change.revision or change.id)}"]
    parts += [f"of {code(change.entity)}"] if change.entity else []
    parts += [f"(before: {code(change.previous)})"] if change.previous else []
    parts += [f"by {plain(change.author)}"] if change.author else []
    parts += [f"commit {code(change.commit)}"] if change.commit else []
    said = f": {plain(change.summary)}" if change.summary else ""
    return f"The change in question: {' '.join(parts)} at {moment(change.at)}{said}"


def _points(candidate: Candidate) -> list[str]:
    lines: list[str] = []
    for head, points in (("For it", candidate.points_for), ("Against it", candidate.points_against)):
        if points:
            lines += ["", f"{head}:", "", *bullets(plain(point.text) for point in points)]
    return lines


def _evidence(incident: Incident) -> list[str]:
    texts = [plain(one.text) for one in incident.suspects[0].evidence]
    return ["", "Evidence:", "", *bullets(texts)] if texts else []


def _done(material: Material) -> list[str]:
    runs = sorted(material.runs, key=lambda run: (run.started_at, run.id))
    if not runs and not material.incident.remedies:
        return ["No playbook ran, and nothing else is on record. *What ended it?*"]
    lines: list[str] = []
    for run in runs:
        lines += [*_run(run), ""]
    if material.incident.remedies:
        lines += ["What may have ended it:", ""]
        lines += bullets(
            plain(one.text) + (f" (by {plain(one.by)})" if one.by else "") for one in material.incident.remedies
        )
    return lines[:-1] if lines and not lines[-1] else lines


def _run(run: Run) -> list[str]:
    kind = "dry run" if run.dry else "run"
    head = f"**{plain(run.playbook)}** ({kind} {code(run.id)}, {run.state}): {plain(run.why)}"
    lines = [head]
    if run.place is not None:
        signed = f", signed by {plain(run.place.signer)}" if run.place.signer else ""
        commit = f" at commit {code(run.place.commit)}" if run.place.commit else ""
        lines.append(f"From {code(f'{run.place.file}:{run.place.line}')}{commit}{signed}.")
    if run.approval is not None and run.approval.approved_by:
        lines.append(f"Approved by {', '.join(map(plain, run.approval.approved_by))}.")
    if run.approval is not None and run.approval.rejected_by:
        lines.append(f"Rejected by {plain(run.approval.rejected_by)}.")
    steps = [*run.steps, *run.deeds]
    lines += ["", *bullets(_step(step) for step in steps if step.state != "planned")]
    return lines


def _step(step: StepRun) -> str:
    said = plain(step.sentence or step.error)[:MOST_TOLD]
    when = f"{moment(step.finished_at or step.started_at)} " if step.finished_at or step.started_at else ""
    return f"{when}{code(step.id)} ({plain(step.do)}) {step.state}{f': {said}' if said else ''}"


def _timeline(material: Material) -> list[str]:
    told = course(material.incident, material.alerts, material.runs, material.changes)
    rows = [[moment(at), plain(what), plain(who)] for at, what, who in told]
    return table(("when (UTC)", "what", "who"), rows)


def _alerts(material: Material) -> list[str]:
    shown = sorted(material.alerts, key=lambda one: (one.starts_at, one.fingerprint))[:MOST_ALERTS]
    if not shown:
        return bullets(plain(text) for text in material.incident.symptoms) or ["They are not kept any more."]
    rows = [
        [
            moment(one.starts_at), plain(one.name), code(one.entity or ""), plain(one.severity),
            f"{one.handling}: {plain(one.reason.text)}",
        ]
        for one in shown
    ]  # fmt: skip
    lines = table(("began", "alert", "at", "severity", "what was made of it"), rows)
    more = len(material.incident.alerts) - len(shown)
    return [*lines, "", f"{more} more are not shown."] if more > 0 else lines


def _adjustments(material: Material) -> list[str]:
    """What the past speaks for, as people would take it up; nothing of it is in force."""
    if not material.adjustments:
        return ["Nothing that was counted so far speaks for another rule. *Should one be changed, or written?*"]
    lines: list[str] = []
    for one in material.adjustments:
        lines += [f"**{plain(one.text)}** ({code(one.id)}, {percent(one.confidence)} sure):", ""]
        lines += [*bullets(plain(said) for said in one.evidence), ""]
    if material.diff:
        lines += ["Nothing of this is in force. As a change of the rules files:", ""]
        lines += [f"    {line}".rstrip() for line in material.diff.splitlines()]
    return lines[:-1] if not lines[-1] else lines


def _said_of_cause(incident: Incident) -> TimelineEntry | None:
    """The last word of a person on the first suspect."""
    judged = (entry for entry in reversed(incident.timeline) if entry.what == "feedback")
    return next((entry for entry in judged if entry.text.startswith((RIGHT, WRONG))), None)


def questions(material: Material) -> Iterator[str]:
    """What the record does not answer."""
    incident = material.incident
    said = _said_of_cause(incident)
    if incident.suspects and said is None:
        yield f"Was {code(incident.suspects[0].entity)} the cause? Nobody has confirmed it."
    if said is not None and said.text.startswith(WRONG):
        why = plain(said.text.removeprefix(WRONG).removeprefix(": "))
        yield f"{plain(said.by)} says that the first suspect was not the cause{f': {why}' if why else ''}. What was it?"
    if incident.no_clear_cause or not incident.suspects:
        yield "What was the cause? What would have shown it (an alert, a dependency, a change that was not on record)?"
    if incident.is_open:
        yield "It is still open: what is left to do?"
    told = told_at(incident)
    if told is None:
        yield "Nobody was paged. Should somebody have been?"
    elif not any(entry.what in TAKEN for entry in incident.timeline):
        yield "Nobody acknowledged it. Did the page reach the right people?"
    began = began_at(material)
    if told is not None and told - began > 300:
        late = span(began, told)
        yield f"People heard of it {late} after the first signal. What would have told them sooner?"
    for run in material.runs:
        if run.state in {"stuck", "in_doubt", "failed"}:
            name = f"Run {code(run.id)} of {plain(run.playbook)}"
            yield f"{name} is {run.state}: {plain(run.error)}. What did it leave behind?"
    unplaced = sum(alert.entity is None for alert in material.alerts)
    if unplaced:
        yield f"{unplaced} of its alerts name no entity. Which map rule would place them?"
    if not incident.remedies and not incident.is_open:
        yield "What ended it?"
    yield "What went well, and where was there luck?"
