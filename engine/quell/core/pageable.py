"""What can stand for a page, how grave it is, and what people were told of an incident so far."""

from __future__ import annotations

from quell.core.said import HELD, OfColumns
from quell.core.severity import rank
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.rulebook import Triage
from quell.model.state import State


class Pageable:
    """Asked of alerts and incidents as they are; ``digest`` are the severities that never page."""

    def __init__(self, triage: Triage, state: State) -> None:
        self._state = state
        self.digest = frozenset(triage.digest_severities)
        self._page = frozenset(severity.lower() for severity in triage.page_severities)
        self.gravest = max(map(rank, self._page), default=0)

    def grade(self, severity: str) -> int:
        """How grave a page by this severity is; 0 for severities that do not page on their own."""
        return rank(severity) if severity in self._page else 0

    def able(self, alert: Alert | None) -> bool:
        """Whether an alert can stand for the page of its incident."""
        return (
            alert is not None
            and alert.firing
            and not alert.mutings
            and alert.severity not in self.digest
            and (alert.handling == "page" or alert.reason.code not in HELD)
        )

    def may_be_able(self, alert: Alert | None) -> bool:
        """Whether an alert can stand for a page once nothing mutes or holds it any more."""
        return alert is not None and alert.firing and alert.severity not in self.digest

    def all_able(self, incident: Incident) -> list[Alert]:
        """Its alerts that can stand for a page now."""
        return [
            alert for alert in map(self._state.alerts.get, incident.alerts) if alert is not None and self.able(alert)
        ]

    def stood_for_a_page(self, alert: Alert) -> bool:
        """Whether this firing of an alert stood for a page."""
        behaviour = self._state.behaviour.get(alert.fingerprint)
        return behaviour is not None and behaviour.paged_at is not None and behaviour.paged_at >= alert.starts_at

    def told(self, incident: Incident, *, seen: bool = False, listed: OfColumns | None = None) -> str:
        """The worst severity that people know of: what can page, or when they have ``seen`` it, all that it shows.

        ``listed`` is what its alerts say, if they are many and that is at hand.
        """
        told = {incident.told_severity or "", *([incident.severity] if seen else [])}
        if listed is not None:
            told.update(severity for severity in listed.severities() if seen or not self.grade(severity))
            told.update(listed.able(self.digest).severities)
        for alert in () if listed is not None else map(self._state.alerts.get, incident.alerts):
            if alert is None or alert.severity in told:
                continue
            if seen or not self.grade(alert.severity) or self.able(alert):
                told.add(alert.severity)
        return max(told, key=lambda severity: (self.grade(severity), bool(severity), rank(severity), severity))


def told_of(incident: Incident) -> str:
    """The worst severity that people were told of an incident, if they were."""
    return incident.severity if incident.told_severity is None else incident.told_severity
