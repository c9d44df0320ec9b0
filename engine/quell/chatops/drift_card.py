"""What a drift report looks like where people talk, and which alerts of an incident carry one."""

from __future__ import annotations

from hashlib import blake2b

from quell.chatops.cards import clean
from quell.core.detect.drift_text import drift_lines
from quell.model.alert import Alert
from quell.model.drift_report import ANNOTATION, report_of
from quell.model.incident import Incident
from quell.model.state import State
from quell.sdk.chat import Card, Line

PREFIX = "drift/"
MOST_REPORTS = 3
"""Of one incident; what drifted furthest comes first."""
MOST_LINES = 24


def reported(state: State, incident: Incident) -> list[Alert]:
    """The alerts of an incident that carry a report, the largest effects first."""
    alerts = [alert for mark in incident.alerts if (alert := state.alerts.get(mark)) is not None]
    found = [alert for alert in alerts if ANNOTATION in alert.annotations]
    return sorted(found, key=lambda one: (not one.firing, -abs(one.value or 0.0), one.fingerprint))[:MOST_REPORTS]


def key_of(incident: Incident, alert: Alert) -> str:
    """Under which name a report of an incident stands in its thread."""
    return f"{PREFIX}{incident.id}/{alert.fingerprint}"


def meant(key: str) -> tuple[str, str]:
    """Of such a name the incident and the alert; two empty texts for any other."""
    incident, _, alert = key.removeprefix(PREFIX).rpartition("/")
    return (incident, alert) if key.startswith(PREFIX) else ("", "")


def mark_of(alert: Alert) -> str:
    """The same for as long as the report is the same."""
    told = alert.annotations.get(ANNOTATION, "").encode("utf-8", "surrogatepass")
    return f"drift/{alert.fingerprint}/{blake2b(told, digest_size=6).hexdigest()}"


def drift_card(key: str, alert: Alert, link: str = "") -> Card | None:
    """The report of an alert, without its picture; None when it carries none."""
    report = report_of(alert.annotations)
    if report is None:
        return None
    first, *lines = drift_lines(report)
    shown = [Line(clean(line.strip()), "item" if line.startswith("  ") and line[2] != " " else "quote")
             for line in lines[:MOST_LINES]]  # fmt: skip
    return Card(
        key=key,
        version=0,
        title=f"Drift of {clean(report.entity)}",
        severity=alert.severity,
        lines=(Line(clean(first), "lead"), *shown),
        link=f"{link}/api/quell/v1/alerts/{alert.fingerprint}/drift.svg" if link else "",
    )
