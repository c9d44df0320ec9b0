"""For and against: what speaks for each suspect and what against it, and why those lost that were rejected.

What the ranking weighed is told with its weight. What it need not weigh again, but people ask for, is added without
one: what began before the suspect did, how much of what depends on it stays quiet, and whether anything changed there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from quell.core.graph import Graph
from quell.model.alert import Alert
from quell.model.incident import Evidence, Incident, Suspect
from quell.model.times import format_duration

AHEAD_S = 30.0
"""Alerts run ahead of their cause by this much for reasons of their own: clocks, and rules that wait less."""
LEAST_QUIET = 2
LIKELY = 0.5
"""A dependent is expected to show trouble when it travels there with this probability."""


class Point(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reason in one sentence; ``weight`` is its share of the score in nats (None: said, not weighed)."""

    code: str
    text: str
    weight: float | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A suspect with the points for and against it, the weightiest first; ``lost_because`` of those rejected."""

    entity: str
    confidence: float
    score: float
    points_for: tuple[Point, ...]
    points_against: tuple[Point, ...]
    change: str | None = None
    path: tuple[str, ...] = ()
    lost_because: str = ""


def candidates(incident: Incident, alerts: Sequence[Alert], graph: Graph) -> tuple[Candidate, ...]:
    """All suspects of an incident in their order."""
    shown = _Shown(alerts)
    return tuple(_candidate(suspect, shown, graph) for suspect in incident.suspects)


class _Shown:
    """Where and when alerts began, told once for all suspects: there may be thousands."""

    def __init__(self, alerts: Sequence[Alert]) -> None:
        self.starts = sorted([alert.starts_at for alert in alerts])
        self.onsets: dict[str | None, float] = {}
        for alert in alerts:
            known = self.onsets.get(alert.entity)
            if known is None or alert.starts_at < known:
                self.onsets[alert.entity] = alert.starts_at
        began = [alert for alert in alerts if alert.starts_at == self.starts[0]]
        self.first = min(began, key=lambda one: one.fingerprint, default=None)


def _candidate(suspect: Suspect, shown: _Shown, graph: Graph) -> Candidate:
    told = {one.code for one in suspect.evidence}
    more = [point for point in _more(suspect, shown, graph) if point.code not in told]
    return Candidate(
        entity=suspect.entity,
        confidence=suspect.confidence,
        score=suspect.score,
        points_for=tuple(_point(one) for one in suspect.evidence if one.weight >= 0),
        points_against=(*(_point(one) for one in suspect.evidence if one.weight < 0), *more),
        change=suspect.change,
        path=suspect.path,
        lost_because=suspect.lost_because,
    )


def _point(evidence: Evidence) -> Point:
    return Point(code=evidence.code, text=evidence.text, weight=evidence.weight)


def _more(suspect: Suspect, shown: _Shown, graph: Graph) -> list[Point]:
    points = []
    own = shown.onsets.get(suspect.entity)
    onset = suspect.onset if own is None else own
    ahead = 0 if onset is None else bisect_left(shown.starts, onset - AHEAD_S)
    first = shown.first
    if ahead and onset is not None and first is not None:
        count = "1 alert" if ahead == 1 else f"{ahead} alerts"
        when = f"{format_duration(onset - first.starts_at)} before {'trouble there' if own is None else 'its own'}"
        points.append(Point(code="order", text=f"{count} began earlier, {first.name or first.entity} {when}"))
    needs = _expected(graph, suspect.entity)
    quiet = [name for name in needs if name not in shown.onsets]
    if len(quiet) >= LEAST_QUIET and 2 * len(quiet) > len(needs):
        text = f"{len(quiet)} of the {len(needs)} that depend on it most show nothing, such as {quiet[0]}"
        points.append(Point(code="quiet", text=text))
    if suspect.change is None:
        points.append(Point(code="unchanged", text="nothing is known to have been changed there shortly before"))
    return points


def _expected(graph: Graph, entity: str) -> list[str]:
    """What depends on an entity so much that trouble there should show."""
    number = graph.number.get(entity)
    arcs = graph.inn[number] if number is not None else ()
    likely = {other for other, how, weight in arcs if max(max(row) for row in how.p) * weight >= LIKELY}
    return sorted(graph.name(other) for other in likely)
