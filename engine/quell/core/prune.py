"""What the state forgets, once an hour: it must stay small however long the daemon runs."""

from __future__ import annotations

from quell.core.telemetry import BEFORE_S
from quell.model.state import State

PRUNE_EVERY_S = 3600.0
KEEP_ALERTS_S = 86400.0
KEEP_BEHAVIOUR_S = 7 * 86400.0
KEEP_INCIDENTS_S = 7 * 86400.0
KEEP_CHANGES_S = 2 * 86400.0
KEEP_IDS_S = 6 * 3600.0
KEEP_SILENCES_S = 5 * 86400.0
KEEP_EDGES_S = 86400.0
KEEP_FOREIGN_S = 7 * 86400.0


def prune(state: State, now: float) -> bool:
    """Drops what nothing refers to any more and what is older than anybody asks for; whether the graph differs now."""
    live = {mark for unit in state.units.values() for mark, _ in unit.alerts}
    placed = {unit.entity for unit in state.units.values()}
    state.strangers[:] = [entity for entity in state.strangers if entity in placed]
    spoken_of = {alert.incident for alert in state.alerts.values()}
    for incident in list(state.incidents.values()):
        if incident.is_open:
            live.update(incident.alerts)
        elif incident.updated_at + KEEP_INCIDENTS_S < now and incident.id not in spoken_of:
            del state.incidents[incident.id]
    _prune_alerts(state, live, now)
    named = {change for incident in state.incidents.values() for change in incident.changes}
    for change in list(state.changes.values()):
        if change.at + KEEP_CHANGES_S < now and change.id not in named:
            del state.changes[change.id]
    for key, at in list(state.seen_ids.items()):
        if at + KEEP_IDS_S >= now:
            break  # kept in order of arrival
        del state.seen_ids[key]
    for silence in list(state.silences.values()):
        if silence.ends_at + KEEP_SILENCES_S < now:
            del state.silences[silence.id]
    for key, record in list(state.foreign.items()):
        if record.arrived + KEEP_FOREIGN_S < now:
            del state.foreign[key]
    _prune_signals(state, now)
    return _prune_edges(state, now)


def _prune_alerts(state: State, live: set[str], now: float) -> None:
    for mark, alert in list(state.alerts.items()):
        over_at = max(alert.updated_at, alert.ends_at or 0.0)
        if not alert.firing and mark not in live and over_at + KEEP_ALERTS_S < now:
            del state.alerts[mark]
    for mark, behaviour in list(state.behaviour.items()):
        last = max(behaviour.began, default=0.0)
        if mark not in state.alerts and last + KEEP_BEHAVIOUR_S < now:
            del state.behaviour[mark]
    members = {f"{mark}/{episode}" for unit in state.units.values() for mark, episode in unit.alerts}
    for place in list(state.placed):
        if place not in members and place.partition("/")[0] not in state.alerts:
            del state.placed[place]


def _prune_edges(state: State, now: float) -> bool:
    """What only spans told of, and no span tells of any more."""
    old = [
        key
        for key, edge in state.dependencies.items()
        if edge.sources == ("spans",) and (edge.last_seen or now) + KEEP_EDGES_S < now
    ]
    for key in old:
        del state.dependencies[key]
    return bool(old)


def _prune_signals(state: State, now: float) -> None:
    oldest = now - 4 * BEFORE_S
    for entity, signals in list(state.signals.items()):
        signals.samples = {
            metric: points for metric, points in signals.samples.items() if points and points[-1][0] >= oldest
        }
        signals.errors = [pair for pair in signals.errors if pair[0] >= oldest]
        signals.calls = [pair for pair in signals.calls if pair[0] >= oldest]
        if not (signals.samples or signals.errors or signals.calls):
            del state.signals[entity]
