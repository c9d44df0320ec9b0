"""What expressions see of an incident's suspects, of what speaks for and against them, and of the changes near it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from quell.expressions.on_demand import OnDemand
from quell.model.incident import Evidence, Incident, Suspect
from quell.model.state import State
from quell.model.topology import Change

MOST_CHANGES = 20
CHANGES_BEFORE_S = 86_400.0
"""Changes up to so long before the first alert are near an incident."""
POINTS = frozenset({"evidence", "points_for", "points_against"})
"""What of a suspect is made only if it is asked for."""


def suspects_seen(state: State, incident: Incident, at: float) -> list[dict[str, Any]]:
    """The ranked suspects, the first first."""
    return [dict(suspect_seen(state, incident, suspect, at)) for suspect in incident.suspects]


def suspect_seen(state: State, incident: Incident, suspect: Suspect, at: float) -> OnDemand:
    """A suspect; what speaks for and against it is told as it is now, for a run keeps it without its evidence."""
    entity = state.entities.get(suspect.entity) or state.declared.get(suspect.entity)
    kind, _, rest = suspect.entity.partition("/")
    name = entity.name if entity else rest or suspect.entity
    known: dict[str, Any] = {
        "entity": suspect.entity,
        "entity_kind": entity.kind if entity else kind if rest else "",
        "service": name,
        "name": name,
        "owner": entity.owner if entity else "",
        "kind": suspect.kind,
        "confidence": suspect.confidence,
        "score": suspect.score,
        "path": list(suspect.path),
        "lost_because": suspect.lost_because,
    }
    change = state.changes.get(suspect.change) if suspect.change else None
    if change is not None:
        known["change"] = change_seen(state, incident, change, at, suspect.confidence)

    def points(fits: Callable[[Evidence], bool]) -> list[str]:
        return [one.text for one in _evidence(incident, suspect) if fits(one)]

    return OnDemand(
        known,
        {
            "evidence": lambda: [point_seen(one) for one in _evidence(incident, suspect)],
            "points_for": lambda: points(lambda one: one.weight >= 0),
            "points_against": lambda: points(lambda one: one.weight < 0),
        },
    )


def _evidence(incident: Incident, suspect: Suspect) -> Iterable[Evidence]:
    if suspect.evidence:
        return suspect.evidence
    return next((one.evidence for one in incident.suspects if one.entity == suspect.entity), ())


def point_seen(one: Evidence) -> dict[str, Any]:
    """One reason for (``weight`` > 0) or against a suspect."""
    return {"kind": one.code, "text": one.text, "weight": one.weight}


def evidence_seen(incident: Incident) -> list[dict[str, Any]]:
    """All reasons for and against all suspects, by the suspects' order; ``rank`` 1 is the first."""
    return [
        {"entity": suspect.entity, "rank": rank, **point_seen(one)}
        for rank, suspect in enumerate(incident.suspects, start=1)
        for one in suspect.evidence
    ]


def changes_seen(state: State, incident: Incident, at: float) -> list[dict[str, Any]]:
    """Changes of what alerts, is suspected or lies between: those under suspicion first, then the nearest in time."""
    near = {*incident.entities}
    blamed: dict[str, float] = {}
    for suspect in incident.suspects:
        near.update((suspect.entity, *suspect.path))
        if suspect.change:
            blamed.setdefault(suspect.change, suspect.confidence)
    first = _first(state, incident)
    found = [
        change
        for change in state.changes.values()
        if (change.entity in near and first - CHANGES_BEFORE_S <= change.at <= at) or change.id in blamed
    ]
    found.sort(key=lambda one: (-blamed.get(one.id, -1.0), abs(one.at - first), one.id))
    return [change_seen(state, incident, one, at, blamed.get(one.id, 0.0)) for one in found[:MOST_CHANGES]]


def change_seen(state: State, incident: Incident, change: Change, at: float, suspicion: float) -> dict[str, Any]:
    """A change. A revision that is not known is missing, not "": nothing may be rolled back to an empty text."""
    known: dict[str, Any] = {
        "id": change.id,
        "type": change.type,
        "entity": change.entity or "",
        "at": time_seen(change.at),
        "age": span_seen(at - change.at),
        "age_s": at - change.at,
        "before_s": _first(state, incident) - change.at,
        "author": change.author,
        "summary": change.summary,
        "commit": change.commit,
        "url": change.url,
        "suspicion": suspicion,
    }
    if change.revision:
        known["revision"] = change.revision
    if change.previous:
        known["previous"] = change.previous
    return known


def _first(state: State, incident: Incident) -> float:
    """When the first of an incident's alerts began, as far as that is known still."""
    first = state.alerts.get(incident.alerts[0]) if incident.alerts else None
    return incident.opened_at if first is None else first.starts_at


def demanded(state: State, incident: Incident, at: float) -> Mapping[str, Callable[[], Any]]:
    """What of an incident is made only if it is asked for."""
    return {
        "suspects": lambda: suspects_seen(state, incident, at),
        "evidence": lambda: evidence_seen(incident),
        "changes": lambda: changes_seen(state, incident, at),
    }


def time_seen(at: float) -> datetime:
    """Times beyond what a calendar holds are cut to its ends: an expression must not raise for them."""
    return datetime.fromtimestamp(min(max(at, -62_135_596_800.0), 253_402_300_799.0), UTC)


def span_seen(seconds: float) -> timedelta:
    """A span of time as expressions compare it."""
    return timedelta(seconds=min(max(seconds, -86_400e8), 86_400e8))
