"""Writes what a replay found as the public results format: JSON lines, times as RFC 3339 text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from quell.errors import Misconfigured, Problem
from quell.model.incident import Suspect
from quell.model.run import Run, StepRun
from quell.model.times import format_time
from quell.replay.run import AlertOutcome, IncidentOutcome, Outcome

_JSON = msgspec.json.Encoder()


def write_results(outcome: Outcome, path: Path) -> int:
    """Writes one line per firing alert record, incident and run; returns how many. Raises `Misconfigured`."""
    count = 0
    try:
        with path.open("wb") as stream:
            for line in result_lines(outcome):
                stream.write(_JSON.encode(line) + b"\n")
                count += 1
    except OSError as error:
        raise Misconfigured([Problem(str(path), 0, 0, f"cannot be written: {error.strerror or error}")]) from error
    return count


def result_lines(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """The lines in order: alerts as they arrived, incidents as they were opened, runs as they began."""
    for alert in outcome.alerts:
        yield _alert_line(alert)
    for incident in sorted(outcome.incidents, key=lambda item: (item.incident.opened_at, item.incident.id)):
        yield _incident_line(incident)
    for run in sorted(outcome.runs, key=lambda item: (item.started_at, item.id)):
        yield _run_line(run)


def _alert_line(alert: AlertOutcome) -> dict[str, Any]:
    return {
        "kind": "alert_result",
        "id": alert.record,
        "alert": alert.fingerprint,
        "episode": alert.episode,
        "incident": alert.incident,
        "verdict": alert.verdict,
        "reason": {"code": alert.reason.code, "text": alert.reason.text},
    }


def _incident_line(shown: IncidentOutcome) -> dict[str, Any]:
    incident = shown.incident
    return {
        "kind": "incident_result",
        "incident": incident.id,
        "title": incident.title,
        "opened_at": format_time(shown.shown_at),
        "paged_at": _time(incident.paged_at),
        "page_alert": incident.page_record,
        "status": incident.status,
        "withdrawn": incident.status in {"withdrawn", "merged"},
        "merged_into": incident.merged_into,
        "resolved_at": _time(incident.resolved_at),
        "severity": incident.severity,
        "suspects": [_suspect(suspect) for suspect in incident.suspects],
        "no_clear_cause": incident.no_clear_cause,
        "impact": list(incident.impact),
        "harm": incident.harm or None,
        "entities": list(incident.entities),
        "alerts": list(incident.alerts),
    }


def _suspect(suspect: Suspect) -> dict[str, Any]:
    return {
        "entity": suspect.entity,
        "change": suspect.change,
        "type": suspect.kind,
        "score": round(suspect.score, 6),
        "confidence": round(suspect.confidence, 6),
        "onset": _time(suspect.onset),
        "path": list(suspect.path),
        "evidence": [
            {"code": item.code, "text": item.text, "weight": round(item.weight, 6)} for item in suspect.evidence
        ],
        "lost_because": suspect.lost_because,
    }


def _run_line(run: Run) -> dict[str, Any]:
    return {
        "kind": "run_result",
        "run": run.id,
        "playbook": run.playbook,
        "incident": run.incident,
        "state": run.state,
        "mode": run.mode,
        "why": run.why,
        "started_at": format_time(run.started_at),
        "steps": [_step(step) for step in run.steps],
    }


def _step(step: StepRun) -> dict[str, Any]:
    return {"id": step.id, "do": step.do, "state": step.state, "params": step.params, "sentence": step.sentence}


def _time(at: float | None) -> str | None:
    return None if at is None else format_time(at)
