"""What happened, one after the other: alerts, changes, people, playbooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.run import Run
from quell.model.topology import Change

MOST_ONSETS = 30
"""Of the alerts, how many beginnings are told one by one; the rest are a number."""

Told = tuple[float, str, str]
"""When, what, and who."""


def course(incident: Incident, alerts: Sequence[Alert], runs: Sequence[Run], changes: Sequence[Change]) -> list[Told]:
    """Everything with a time, in order."""
    told = {run.id for run in runs}
    found = [*_changes(changes), *_alerts(alerts)]
    found += [
        (entry.at, f"{entry.what.replace('_', ' ')}: {entry.text}", entry.by)
        for entry in incident.timeline
        if not (entry.what in {"run_begun", "run_ended"} and any(each in entry.text for each in told))
    ]
    found += _runs(runs)
    return sorted(found, key=lambda told: told[0])


def _changes(changes: Sequence[Change]) -> Iterator[Told]:
    for change in changes:
        said = f": {change.summary}" if change.summary else ""
        yield change.at, f"{change.type} of {change.entity or 'something unknown'}{said}", change.author


def _alerts(alerts: Sequence[Alert]) -> Iterator[Told]:
    ordered = sorted(alerts, key=lambda one: (one.starts_at, one.fingerprint))
    for alert in ordered[:MOST_ONSETS]:
        yield alert.starts_at, f"{alert.name} begins at {alert.entity or 'an unknown place'}", alert.source
    if len(ordered) > MOST_ONSETS:
        rest = ordered[MOST_ONSETS:]
        yield rest[0].starts_at, f"{len(rest)} more alerts begin from here on", ""
    ends = [alert.ends_at for alert in alerts if not alert.firing and alert.ends_at is not None]
    if ends and len(ends) == len(alerts):
        yield max(ends), "the last alert is over", ""


def _runs(runs: Sequence[Run]) -> Iterator[Told]:
    for run in runs:
        kind = "dry run" if run.dry else "run"
        yield run.started_at, f"playbook {run.playbook}: {kind} {run.id} begins", run.by
        for step in (*run.steps, *run.deeds):
            if step.finished_at is not None and step.state != "skipped":
                said = step.sentence or step.error
                yield step.finished_at, f"{run.playbook}, {step.id}: {step.state}{f', {said}' if said else ''}", "quell"
        if run.over:
            yield run.updated_at, f"playbook {run.playbook}: {kind} {run.id} is {run.state}", "quell"
