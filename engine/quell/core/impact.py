"""What an incident harms: the highest of what its alerts harm, and of what the cause reaches where alerts show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from quell.core.drift import speaks_of_drift
from quell.model.alert import Alert
from quell.model.impact import BUSINESS_KINDS, IMPACTS, LABEL, MODEL_KINDS, Impact, burns, highest, impact_of
from quell.model.incident import Incident
from quell.model.state import State


def harm_of(state: State, incident: Incident) -> Impact | Literal[""]:
    """The highest that was ever reached; a KPI that the cause reaches counts while an alert fires there."""
    if incident.harm == IMPACTS[-1]:
        return incident.harm
    found: set[str] = {incident.harm} if incident.harm else set()
    said = {
        (alert.labels.get(LABEL, ""), alert.entity or "")
        for alert in map(state.alerts.get, incident.alerts)
        if alert is not None
    }
    found.update(impact_of({LABEL: label}, entity) for label, entity in said)
    if "business" not in found and any(reached_alerts(state, incident)):
        found.add("business")
    return highest(found)


def reached_alerts(state: State, incident: Incident) -> Iterator[Alert]:
    """The alerts that fire at KPIs which the cause of an incident reaches, though they may not be among its own."""
    reached = {name for name in incident.impact if name.partition("/")[0] in BUSINESS_KINDS}
    if reached:
        own = frozenset(incident.alerts)
        for mark, alert in state.alerts.items():
            if alert.entity in reached and alert.firing and not alert.mutings and mark not in own:
                yield alert


def about_models(alert: Alert) -> bool:
    """Whether an alert speaks of models or data alone, and of no budget that burns."""
    if burns(alert.labels):
        return False
    named = alert.labels.get(LABEL, "").strip().lower()
    if named in IMPACTS:
        return named == "model"
    return speaks_of_drift(alert) or (alert.entity or "").partition("/")[0] in MODEL_KINDS


def models_alone(state: State, incident: Incident) -> bool:
    """Whether all alerts of an incident that are known still speak of models or data alone."""
    known = [alert for mark in incident.alerts if (alert := state.alerts.get(mark)) is not None]
    return bool(known) and all(about_models(alert) for alert in known)
