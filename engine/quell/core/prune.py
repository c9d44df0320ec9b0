"""What the state forgets, once an hour: it must stay small however long the daemon runs.

What may be forgotten one day is noted under the hour in which its time comes, and looked at again only then: an hour
costs what its own candidates cost and not what the whole state does. A note is no promise: whatever is still needed
then is looked at again an hour later, and what is needed anew is noted anew when that ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any, TypeVar

from quell.core.continuity import Member, place_of
from quell.core.forget import Forgetful, Notes
from quell.core.provenance import forget_versions
from quell.core.rulings import stale
from quell.core.steps import Steps
from quell.core.telemetry import forget
from quell.core.trail import OF_DATA
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.topology import Change

T = TypeVar("T")
PRUNE_EVERY_S = 3600.0
FEW_STRANGERS = 1000
"""So many entities that nobody told of may stay in the graph though nothing fires there any more."""
UNHEARD_S = 7 * 86400.0
"""A firing without an end of its own is believed for this long without news."""
KEEP_ALERTS_S = 86400.0
KEEP_BEHAVIOUR_S = 7 * 86400.0
KEEP_INCIDENTS_S = 7 * 86400.0
KEEP_CHANGES_S = 2 * 86400.0
KEEP_IDS_S = 6 * 3600.0
KEEP_DELIVERED_S = 3600.0
KEEP_SILENCES_S = 5 * 86400.0
KEEP_FOREIGN_S = 7 * 86400.0
KEEP_SIGNALS_S = 4 * 3600.0
TOGETHER = 5_000
"""Of so many it is asked in one piece whether they are still needed."""


class Pruning:
    """Knows what of a state may be forgotten when; told of whatever ends by those who end it."""

    def __init__(self, rulebook: Rulebook, state: State) -> None:
        self._state = state
        self._unheard, self._alerts, self._behaviour, self._incidents, self._changes = (
            Notes(PRUNE_EVERY_S) for _ in range(5)
        )
        for alert in state.alerts.values():
            self.alert(alert)
        for mark in state.behaviour.keys() - state.alerts.keys():
            self._behaviour.put(_last(state, mark) + KEEP_BEHAVIOUR_S, mark)
        for incident in state.incidents.values():
            self.incident(incident)
        for change in state.changes.values():
            self.change(change)
        self._forgetful = Forgetful(rulebook, state)
        self.unsaid: list[str] = []
        """Entities of which changes of data were forgotten last."""

    def alert(self, alert: Alert) -> None:
        """An alert fires no more, or from now on nothing but news or silence ends it."""
        if not alert.firing:
            self._alerts.put(_over_at(alert) + KEEP_ALERTS_S, alert.fingerprint)
        elif alert.ends_at is None:
            self._unheard.put(_heard_at(alert) + UNHEARD_S, alert.fingerprint)

    def incident(self, incident: Incident) -> None:
        """An incident is over."""
        if not incident.is_open:
            self._incidents.put(incident.updated_at + KEEP_INCIDENTS_S, incident.id)

    def change(self, change: Change) -> None:
        """A change was heard of."""
        self._changes.put(change.at + KEEP_CHANGES_S, change.id)

    def entity(self, name: str) -> None:
        """An entity was told of."""
        self._forgetful.entity(name)

    def dependency(self, key: str) -> None:
        """A dependency was told of that was not known, or not as learned."""
        self._forgetful.edge(key)

    def removed(self, name: str) -> None:
        """An entity, or the dependency of this key, was taken out."""
        self._forgetful.removed(name)

    @property
    def gone(self) -> list[str]:
        """Entities that were forgotten last."""
        return self._forgetful.gone

    def unheard(self, now: float) -> list[Alert]:
        """Firings that nothing would ever end and that were not heard of for so long that nobody believes them."""
        found = []
        for mark in self._unheard.take(now):
            alert = self._state.alerts.get(mark)
            if alert is None or not alert.firing or alert.ends_at is not None:
                continue
            if _heard_at(alert) + UNHEARD_S < now:
                found.append(alert)
            else:
                self._unheard.put(max(_heard_at(alert) + UNHEARD_S, now), mark)
        return found

    def prune(self, now: float) -> Steps[bool]:
        """Drops what nothing refers to any more and what is older than anybody asks for; whether the graph differs."""
        state = self._state
        fewer = self._prune_strangers()
        _drop(state.rulings, stale(state))
        yield
        self._prune_incidents(now)
        yield
        yield from self._prune_alerts(now)
        self._prune_changes(now)
        yield
        _drop(state.seen_ids, _before(state.seen_ids, now - KEEP_IDS_S))
        _drop(state.delivered, _delivered_before(state, now - KEEP_DELIVERED_S))
        _drop(state.silences, [one.id for one in state.silences.values() if one.ends_at + KEEP_SILENCES_S < now])
        _drop(state.foreign, [key for key, one in state.foreign.items() if one.arrived + KEEP_FOREIGN_S < now])
        yield
        forget(state, now - KEEP_SIGNALS_S)
        forget_versions(state, now)
        yield
        return self._forgetful.forget(now) or fewer

    def _prune_strangers(self) -> bool:
        """Whether entities that the graph does not know were dropped, so that it is to be drawn anew without them.

        That takes long on a large estate, and their numbers must be the same after a restart: so it waits for many.
        """
        strangers = self._state.strangers
        placed = {unit.entity for unit in self._state.units.values()}
        kept = [entity for entity in strangers if entity in placed]
        if len(strangers) - len(kept) < max(FEW_STRANGERS, len(self._state.entities) // 10):
            return False
        strangers[:] = kept
        return True

    def _prune_incidents(self, now: float) -> None:
        due = self._incidents.take(now)
        spoken_of = {alert.incident for alert in self._state.alerts.values()} if due else set()
        for name in due:
            incident = self._state.incidents.get(name)
            if incident is None or incident.is_open:
                continue
            if incident.updated_at + KEEP_INCIDENTS_S < now and name not in spoken_of:
                del self._state.incidents[name]
            else:
                self._incidents.put(max(incident.updated_at + KEEP_INCIDENTS_S, now), name)

    def _prune_alerts(self, now: float) -> Steps[None]:
        state = self._state
        due = self._alerts.take(now)
        yield
        live = (yield from self._live()) if due else set()
        gone: list[str] = []
        for some in _pieces(due):
            for mark in some:
                alert = state.alerts.get(mark)
                if alert is None or alert.firing:
                    continue
                if mark not in live and _over_at(alert) + KEEP_ALERTS_S < now:
                    del state.alerts[mark]
                    gone.append(mark)
                else:
                    self._alerts.put(max(_over_at(alert) + KEEP_ALERTS_S, now), mark)
            yield
        for some in _pieces([*self._behaviour.take(now), *gone]):
            for mark in some:
                if mark in state.behaviour and mark not in state.alerts:
                    over_at = _last(state, mark) + KEEP_BEHAVIOUR_S
                    if over_at < now:
                        del state.behaviour[mark]
                    else:
                        self._behaviour.put(over_at, mark)
            yield
        members: set[str] = set()
        for firings in _pieces((yield from self._members())):
            members.update(map(place_of, firings))
            yield
        for some in _pieces(list(state.placed)):
            _drop(
                state.placed,
                [place for place in some if place not in members and place.partition("/")[0] not in state.alerts],
            )
            yield

    def _members(self) -> Steps[list[Member]]:
        """The firings that correlation still thinks about."""
        members: list[Member] = []
        before = 0
        for unit in self._state.units.values():
            members += unit.alerts
            if len(members) >= before + TOGETHER:
                yield
                before = len(members)
        return members

    def _live(self) -> Steps[set[str]]:
        """Alerts that correlation still thinks about, or that an open incident lists."""
        live: set[str] = set()
        for some in _pieces((yield from self._members())):
            live.update([mark for mark, _ in some])
            yield
        for name in self._state.calm_at:  # every open incident is asked after some day
            incident = self._state.incidents.get(name)
            if incident is not None and incident.is_open:
                live.update(incident.alerts)
        return live

    def _prune_changes(self, now: float) -> None:
        self.unsaid = []
        due = self._changes.take(now)
        if not due:
            return
        named = {change for incident in self._state.incidents.values() for change in incident.changes}
        for name in due:
            change = self._state.changes.get(name)
            if change is None:
                continue
            if change.at + KEEP_CHANGES_S < now and name not in named:
                if change.type in OF_DATA and change.entity:
                    self.unsaid.append(change.entity)
                del self._state.changes[name]
            else:
                self._changes.put(max(change.at + KEEP_CHANGES_S, now), name)


def _pieces(names: list[T]) -> Iterator[list[T]]:
    return (names[start : start + TOGETHER] for start in range(0, len(names), TOGETHER))


def _over_at(alert: Alert) -> float:
    return max(alert.updated_at, alert.ends_at or 0.0)


def _heard_at(alert: Alert) -> float:
    return max(alert.updated_at, alert.starts_at)


def _last(state: State, mark: str) -> float:
    behaviour = state.behaviour[mark]
    return max((*behaviour.began, behaviour.called_at or 0.0))


def _delivered_before(state: State, oldest: float) -> list[str]:
    """Deliveries that first came before; they are in order of arrival."""
    return list(takewhile(lambda name: state.delivered[name].at < oldest, state.delivered))


def _before(times: dict[str, float], oldest: float) -> list[str]:
    """Of times in order of arrival, those that lie before."""
    found = []
    for name, at in times.items():
        if at >= oldest:
            break
        found.append(name)
    return found


def _drop(kept: dict[str, Any], names: Iterable[str]) -> None:
    for name in names:
        del kept[name]
