"""Which rooms an incident belongs to, by the labels of the alert that stands for it."""

from __future__ import annotations

from collections.abc import Sequence

from quell.config.settings import Room
from quell.expressions.matchers import Matching
from quell.model.incident import Incident
from quell.model.state import State


class Rooms:
    """The rooms of the configuration."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self.all = tuple(rooms)
        self._matching = [Matching(room.matchers) for room in rooms]

    def of(self, state: State, incident: Incident) -> list[Room]:
        """Where an incident is shown; each channel once."""
        if not self.all:
            return []
        labels = labels_of(state, incident)
        found = [room for room, each in zip(self.all, self._matching, strict=True) if each.matches(labels)]
        return list({(room.source, room.channel): room for room in found}.values())


def labels_of(state: State, incident: Incident) -> dict[str, str]:
    """The labels of the alert that stands for an incident, its severity, its team, and whether users feel it."""
    marks = [mark for mark in (incident.page_alert, *incident.alerts) if mark]
    alert = next((found for mark in marks if (found := state.alerts.get(mark)) is not None), None)
    labels = dict(alert.labels) if alert is not None else {}
    entity = incident.suspects[0].entity if incident.suspects else (incident.entities or ("",))[0]
    known = state.entities.get(entity) or state.declared.get(entity)
    if known is not None and known.owner:
        labels.setdefault("team", known.owner)
    labels["severity"] = incident.severity
    labels["impact"] = "users" if incident.impact else "none"
    return labels
