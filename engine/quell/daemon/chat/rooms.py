"""Which rooms an incident belongs to: by the rules by which pages go their ways."""

from __future__ import annotations

from collections.abc import Sequence

from quell.core.pager import back_at
from quell.core.wanted import Wanted, is_early
from quell.expressions.matchers import Matching
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.rulebook import Room, Triage
from quell.model.state import State


class Rooms:
    """The rooms of the configuration. ``all`` are those in which anything is shown."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self.all = tuple(room for room in rooms if room.source)
        self._rooms = [(room, Matching(room.matchers)) for room in rooms]
        self._any_early = any(room.early for room in rooms)
        self._wanted: tuple[State, list[Wanted]] | None = None

    def of(self, state: State, incident: Incident, triage: Triage) -> list[Room]:
        """Where an incident is shown; each channel once. Early signs go to early rooms alone, where any takes them.

        Hours are asked of the time at which it opened last: its message does not move when they are over.
        """
        if not self.all:
            return []
        alert = standing_for(state, incident)
        labels = labels_of(state, incident)
        at = back_at(incident) or incident.opened_at
        found = [
            room
            for (room, each), wanted in zip(self._rooms, self._asked(state), strict=True)
            if each.matches(labels) and wanted.fits(incident, alert, incident.severity, at)
        ]
        if self._any_early:
            early = is_early(state, triage, incident)
            quiet = [room for room in found if room.early]
            found = (quiet or found) if early else ([room for room in found if not room.early] or found)
        return list({(room.source, room.channel): room for room in found if room.source}.values())

    def _asked(self, state: State) -> list[Wanted]:
        if self._wanted is None or self._wanted[0] is not state:
            self._wanted = state, [Wanted(room, state) for room, _ in self._rooms]
        return self._wanted[1]


def standing_for(state: State, incident: Incident) -> Alert | None:
    """The alert that stands for an incident, if it is known still."""
    marks = [mark for mark in (incident.page_alert, *incident.alerts) if mark]
    return next((found for mark in marks if (found := state.alerts.get(mark)) is not None), None)


def labels_of(state: State, incident: Incident) -> dict[str, str]:
    """The labels of that alert, the incident's severity, its team, and whether users feel it."""
    alert = standing_for(state, incident)
    labels = dict(alert.labels) if alert is not None else {}
    entity = incident.suspects[0].entity if incident.suspects else (incident.entities or ("",))[0]
    known = state.entities.get(entity) or state.declared.get(entity)
    if known is not None and known.owner:
        labels.setdefault("team", known.owner)
    labels["severity"] = incident.severity
    labels["impact"] = "users" if incident.impact else "none"
    return labels
