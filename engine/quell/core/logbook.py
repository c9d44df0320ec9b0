"""Keeps incidents as they now are, says every difference, and remembers when to ask after each of them again."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quell.core.agenda import Agenda
from quell.core.impact import AtKpis, harm_of
from quell.core.listed import Listed
from quell.core.prune import Pruning
from quell.core.remedies import remedies, symptoms
from quell.model.decision import AnyDecision, IncidentChanged, IncidentEvent
from quell.model.incident import POSTMORTEM, Incident, TimelineEntry
from quell.model.state import State

STALE_S = 86400.0
"""How long an incident stays open without news."""
QUELL = "quell"
MOST_TIMELINE = 200


class Logbook:
    """Works on ``state.incidents`` and ``state.calm_at``; nobody else tells that an incident changed.

    ``calm_s`` after the last of its alerts ended an incident is asked whether it is over.
    """

    def __init__(self, state: State, agenda: Agenda, pruning: Pruning, calm_s: float, *, kpis: AtKpis) -> None:
        self._state = state
        self._kpis = kpis
        self.calm_s = calm_s
        self._agenda = agenda
        self._pruning = pruning
        self._absorbed: dict[str, set[str]] = {}
        for incident in state.incidents.values():
            self._note_merger(incident)

    def keep(
        self,
        incident: Incident,
        event: IncidentEvent,
        now: float,
        out: list[AnyDecision],
        listed: Listed | None = None,
    ) -> None:
        """Keeps an incident as it now is, and says so. ``listed`` is what its alerts say, if that is at hand."""
        known = self._state.incidents.get(incident.id)
        if listed is not None and listed.marks is not incident.alerts:
            listed = None
        incident = msgspec.structs.replace(
            incident,
            updated_at=now,
            version=known.version + 1 if known is not None else 1,
            material_version=_material_version(known, incident),
            harm=harm_of(self._state, incident, self._kpis, known, said=None if listed is None else listed.harms()),
            symptoms=symptoms(self._state, known, incident, None if listed is None else listed.firsts()),
            remedies=remedies(self._state, incident) if event == "resolved" else incident.remedies,
        )
        self._state.incidents[incident.id] = incident
        self._note_merger(incident)
        if not incident.is_open:
            if known is None or known.status != incident.status:  # else a person's word may be asked after
                self._state.calm_at.pop(incident.id, None)
            self._pruning.incident(incident)
        elif incident.id not in self._state.calm_at:
            self.watch(incident.id, now + STALE_S)
        out.append(IncidentChanged(at=now, incident=incident, event=event))

    def merged_into(self, names: Iterable[str]) -> list[Incident]:
        """The incidents that were merged into any of these, directly or through others; none into one merged itself."""
        found: dict[str, Incident] = {}
        rim = [name for name in names if (known := self._state.incidents.get(name)) is None or not known.merged_into]
        while rim:
            absorbed = {one.id: one for name in rim for one in self._merged_directly(name) if one.id not in found}
            found |= absorbed
            rim = list(absorbed)
        return list(found.values())

    def _merged_directly(self, name: str) -> list[Incident]:
        incidents = (self._state.incidents.get(other) for other in self._absorbed.get(name, ()))
        return [incident for incident in incidents if incident is not None and incident.merged_into == name]

    def _note_merger(self, incident: Incident) -> None:
        if incident.merged_into is not None:
            self._absorbed.setdefault(incident.merged_into, set()).add(incident.id)

    def watch(self, name: str, due: float) -> None:
        """Asks at ``due`` whether an incident is over, if it is open now."""
        if name in self._state.incidents and self._state.incidents[name].is_open:
            self.ask(name, due)

    def ask(self, name: str, due: float) -> None:
        """Asks at ``due`` how an incident stands, open or not."""
        self._state.calm_at[name] = due
        self._agenda.put(due, "calm", name)


def remade(incident: Incident) -> Incident:
    """The incident after a merge or a split: it is not what people read any more."""
    return msgspec.structs.replace(incident, material_version=incident.material_version + 1)


def _material_version(known: Incident | None, incident: Incident) -> int:
    """Grows with what people decide by, never by an alert more or a repeat."""
    if known is None:
        return 1
    if incident.material_version > known.material_version:
        return incident.material_version
    return known.material_version + (_decided_by(incident) != _decided_by(known))


def _decided_by(incident: Incident) -> tuple[object, ...]:
    first = (incident.suspects[0].entity, incident.suspects[0].change) if incident.suspects else None
    return incident.is_open, incident.severity, first, frozenset(incident.impact)


def noted(incident: Incident, at: float, what: str, text: str, by: str = QUELL) -> Incident:
    """The incident with one more entry in its timeline; the oldest go when there are too many.

    Where drafts of its post-mortem are stays: the next one is counted from them, and has its file by that.
    """
    entry = TimelineEntry(at=at, what=what, text=text, by=by)
    known = incident.timeline
    if len(known) > MOST_TIMELINE:
        drafts = [one for one in known[:-MOST_TIMELINE] if one.what == POSTMORTEM]
        known = (*drafts[-MOST_TIMELINE:], *known[-MOST_TIMELINE:])
    return msgspec.structs.replace(incident, timeline=(*known, entry))
