"""What an incident harms: the highest of what its alerts harm, and of what the cause reaches where alerts show it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Literal

from quell.core.drift import speaks_of_drift
from quell.model.alert import Alert
from quell.model.impact import BUSINESS_KINDS, IMPACTS, LABEL, MODEL_KINDS, Impact, burns, highest, impact_of
from quell.model.incident import Incident
from quell.model.state import State


class AtKpis:
    """The alerts at KPIs, by entity; whoever keeps an alert that is new, or elsewhere than before, notes it here."""

    def __init__(self, state: State) -> None:
        self._alerts = state.alerts
        self._marks: dict[str, dict[str, None]] = {}
        self.counted: set[str] = set()
        """Incidents of which it was counted what their alerts say, since one of any was told in other words."""
        for alert in state.alerts.values():
            self.note(alert)

    def note(self, alert: Alert) -> None:
        """An alert is at this entity from now on."""
        entity = alert.entity
        if entity and entity.partition("/")[0] in BUSINESS_KINDS:
            self._marks.setdefault(entity, {})[alert.fingerprint] = None

    def sweep(self) -> None:
        """Forgets the alerts that the state knows no more, and what was counted."""
        self.counted.clear()
        for _ in self.of(set(self._marks)):
            pass

    def of(self, entities: set[str]) -> Iterator[Alert]:
        """The alerts at some of these entities."""
        for entity in entities & self._marks.keys():
            marks = self._marks[entity]
            for mark in list(marks):
                alert = self._alerts.get(mark)
                if alert is None or alert.entity != entity:
                    del marks[mark]
                else:
                    yield alert
            if not marks:
                del self._marks[entity]


def harm_of(
    state: State,
    incident: Incident,
    kpis: AtKpis | None = None,
    known: Incident | None = None,
    *,
    said: Collection[tuple[str, str]] | None = None,
) -> Impact | Literal[""]:
    """The highest that was ever reached; a KPI that the cause reaches counts while an alert fires there.

    ``known`` is the incident as it was: its very alerts say what they said then, though there are ten thousand, unless
    ``kpis`` knows better: a sender who has a key for an alert may change what it says. ``said`` is what all of them say
    that they harm, with where they are, if whoever asks has that at hand.
    """
    if incident.harm == IMPACTS[-1]:
        return incident.harm
    found: set[str] = {incident.harm} if incident.harm else set()
    alike = known is not None and known.alerts is incident.alerts and known.harm == incident.harm != ""
    if said is not None:
        if kpis is not None:
            kpis.counted.add(incident.id)
        found.update(impact_of({LABEL: label}, entity) for label, entity in said)
    elif not alike or (kpis is not None and incident.id not in kpis.counted):
        marks: Iterable[str] = incident.alerts
        if kpis is not None:
            if known is not None and known.harm == incident.harm != "" and incident.id in kpis.counted:
                marks = set(marks).difference(known.alerts)  # what the others say is in its harm
            kpis.counted.add(incident.id)
        said = {
            (alert.labels.get(LABEL, ""), alert.entity or "")
            for alert in map(state.alerts.get, marks)
            if alert is not None
        }
        found.update(impact_of({LABEL: label}, entity) for label, entity in said)
    if "business" not in found and any(reached_alerts(state, incident, kpis)):
        found.add("business")
    return highest(found)


def reached_alerts(state: State, incident: Incident, kpis: AtKpis | None = None) -> Iterator[Alert]:
    """The alerts that fire at KPIs which the cause of an incident reaches, though they may not be among its own.

    Who asks often has ``kpis`` know them: all alerts are looked through otherwise.
    """
    reached = {name for name in incident.impact if name.partition("/")[0] in BUSINESS_KINDS}
    if reached:
        own = frozenset(incident.alerts)
        for alert in state.alerts.values() if kpis is None else kpis.of(reached):
            firing = alert.entity in reached and alert.firing and not alert.mutings
            if firing and alert.fingerprint not in own:
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
