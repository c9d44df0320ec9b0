"""Whom an incident concerns: what routes ask besides labels, and whether it is an early sign only."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from quell.core.catalog import entity_of
from quell.core.impact import about_models, models_alone, reached_alerts
from quell.core.rank import USER_KINDS
from quell.core.windows import Hours
from quell.model.alert import Alert
from quell.model.impact import burns
from quell.model.incident import Incident
from quell.model.rulebook import Asks, Triage
from quell.model.state import State


class Wanted:
    """What one route or room asks for besides labels."""

    def __init__(self, route: Asks, state: State) -> None:
        self._route = route
        self._state = state
        self._hours = [Hours(window) for window in route.hours]

    def fits(self, incident: Incident | None, alert: Alert | None, severity: str, at: float | None) -> bool:
        """Whether it takes an incident at a time; without one, whether it would at some time."""
        route = self._route
        if route.severities and severity.lower() not in route.severities:
            return False
        if self._hours and at is not None and any(one.open_until(at) for one in self._hours) == route.outside:
            return False
        if not (route.teams or route.affects or route.tiers):
            return True
        reached = _reached(incident, alert)
        owners = self._owners(reached)
        if route.teams and not self._teams(incident, alert, owners) & set(route.teams):
            return False
        if route.affects and not owners & set(route.affects):
            return False
        tiers = (entity.tier for name in reached if (entity := entity_of(self._state, name)) is not None)
        return not route.tiers or min((tier for tier in tiers if tier is not None), default=inf) in route.tiers

    def _teams(self, incident: Incident | None, alert: Alert | None, owners: set[str]) -> set[str]:
        """Who owns the first cause; where nobody is known to, the alert's team and who owns what it reaches."""
        if incident is not None and incident.suspects:
            found = self._owners([incident.suspects[0].entity])
            if found:
                return found
        return owners | ({alert.labels["team"]} if alert is not None and alert.labels.get("team") else set())

    def _owners(self, names: Iterable[str]) -> set[str]:
        known = (entity_of(self._state, name) for name in names)
        return {entity.owner for entity in known if entity is not None and entity.owner}


def _reached(incident: Incident | None, alert: Alert | None) -> list[str]:
    names: list[str] = [alert.entity] if alert is not None and alert.entity else []
    if incident is not None:
        names += [*(suspect.entity for suspect in incident.suspects[:1]), *incident.entities, *incident.impact]
    return list(dict.fromkeys(names))


def is_early(state: State, triage: Triage, incident: Incident) -> bool:
    """Whether nothing of an incident pages by its severity or was seen at what users need.

    Alerts about models and data count for neither, unless the team wants pages for them (`Triage.model_only`).
    """
    paging = {severity.lower() for severity in triage.page_severities}
    cause = incident.suspects[0].entity if incident.suspects else ""
    for mark in incident.alerts:
        alert = state.alerts.get(mark)
        if alert is None or (triage.model_only != "page" and about_models(alert)):
            continue
        if alert.severity in paging or burns(alert.labels) or _felt(state, incident, alert.entity or "", cause):
            return False
    return not any(alert.severity in paging for alert in reached_alerts(state, incident))


def is_listed(state: State, triage: Triage, incident: Incident) -> bool:
    """Whether an incident is of models alone, and the team wants such in lists and the digest only."""
    return triage.model_only == "digest" and models_alone(state, incident) and is_early(state, triage, incident)


def _felt(state: State, incident: Incident, entity: str, cause: str) -> bool:
    if entity not in incident.impact:
        return False
    known = entity_of(state, entity)
    return entity != cause or entity.partition("/")[0] in USER_KINDS or (known is not None and known.tier == 1)
