"""The pager: which incident pages, by which of its alerts, and when; each once, unless it came back to stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from quell.core.agenda import Agenda
from quell.core.alerts import Alerts
from quell.core.logbook import Logbook, noted
from quell.core.pageable import Pageable, told_of
from quell.core.reminders import Reminders
from quell.core.routes import Routes
from quell.core.said import OfColumns
from quell.core.severity import rank
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision, Page
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.times import format_duration

PAGED = "paged"
"""What stands in the timeline where people were called, or were called before."""
EARLY = "early sign"
"""What stands in the timeline where people were told quietly, or by lists only, and not called."""


class Pager:
    """Works on what an incident keeps of its page, and on the alert that stands for it."""

    def __init__(
        self,
        rulebook: Rulebook,
        state: State,
        alerts: Alerts,
        logbook: Logbook,
        agenda: Agenda,
        *,
        routes: Routes,
    ) -> None:
        self._triage = rulebook.triage
        self._state = state
        self._alerts = alerts
        self._logbook = logbook
        self.routes = routes
        self.pageable = Pageable(rulebook.triage, state)
        self.reminders = Reminders(rulebook, state, agenda)

    def page_if_due(self, name: str, now: float, out: list[AnyDecision], listed: OfColumns | None = None) -> None:
        """Pages once, when an alert is in it that nothing mutes and that is more than information.

        And once more for every rise of its severity by which it pages as something graver than anything told so far.
        ``listed`` is what its alerts say, if they are many and that is at hand.
        """
        incident = self._state.incidents[name]
        if listed is not None and listed.marks is not incident.alerts:
            listed = None
        if not _awaits_page(incident):
            if listed is None or self._may_rise(incident, listed):
                self._page_rise(incident, now, out)
            return
        cause = incident.suspects[0].entity if incident.suspects else None
        first = self._first_able(incident, cause) if listed is None else self._first_of(listed, cause)
        if first is None:
            return
        count = len(incident.alerts)
        because = f"first cause {cause}" if cause else "no cause known"
        self.page(name, first, f"{count} alert{'s' * (count != 1)}, {because}", now, out, listed=listed)

    def _first_able(self, incident: Incident, cause: str | None) -> Alert | None:
        """The alert that is to stand for the page of an incident; None while none can."""
        able = self.pageable.all_able(incident)
        new = self._unpaged(able) if able else ()
        return min(
            new or able, key=lambda alert: (alert.entity != cause, alert.starts_at, alert.fingerprint), default=None
        )

    def _first_of(self, listed: OfColumns, cause: str | None) -> Alert | None:
        """The same of very many alerts."""
        able = listed.able(self.pageable.digest)
        grades = {severity: self.pageable.grade(severity) for severity in able.severities}
        gravest = [severity for severity, grade in grades.items() if grade == max(grades.values())]
        new = (alert for alert in able.first(cause, gravest) if not self.pageable.stood_for_a_page(alert))
        return next(new, None) or next(able.first(cause, able.severities), None)

    def _may_rise(self, incident: Incident, listed: OfColumns) -> bool:
        """Whether anything in an incident can page as something graver than what was told of it."""
        known = self.pageable.grade(told_of(incident))
        if all(self.pageable.grade(severity) <= known for severity in listed.severities()):
            return False
        return any(self.pageable.grade(severity) > known for severity in listed.able(self.pageable.digest).severities)

    def page_for(self, alert: Alert, now: float, out: list[AnyDecision]) -> None:
        """Pages the incident of an alert that can page now though none of it could before, unless it has paged."""
        incident = self._state.incidents.get(alert.incident or "")
        if incident is None:
            return
        if not _awaits_page(incident):
            if self.pageable.able(alert):
                self.reminders.plan_again(incident, now)
                if self.pageable.grade(alert.severity) > self.pageable.grade(told_of(incident)):
                    self._page_rise(incident, now, out)
        elif alert.handling == "page":
            self.page(incident.id, alert, alert.reason.text, now, out)
        elif self.pageable.able(alert) and alert.fingerprint in incident.alerts:
            self.page_if_due(incident.id, now, out)

    def awaits_page(self, name: str | None) -> bool:
        """Whether people are still to be told of an incident."""
        incident = self._state.incidents.get(name or "")
        return incident is not None and _awaits_page(incident)

    def page_again(self, incident: Incident, now: float, out: list[AnyDecision]) -> float | None:
        """Pages an incident that came back and stayed though its page was long ago; else when to ask again, or None."""
        again_at = back_at(incident)
        if again_at is None or incident.paged_at is None or incident.acknowledged_by:
            return None
        if incident.paged_at >= again_at or any(one.what == PAGED and one.at >= again_at for one in incident.timeline):
            return None
        due = again_at + self._triage.lone_page_after_s
        if now < due:
            return due
        anew = msgspec.structs.replace(incident, **UNPAGED)
        self._state.incidents[incident.id] = anew
        self.page_if_due(incident.id, now, out)
        return None

    def remind(self, name: str, now: float, out: list[AnyDecision]) -> None:
        """Pages once more for an incident that goes on and that nobody has acknowledged since its page."""
        incident = self._state.incidents.get(name)
        due = None if incident is None else self.reminders.at(incident)
        if incident is None or incident.paged_at is None or due is None or due > now:
            return
        able = self.pageable.all_able(incident)
        if not able:
            return
        page_alert = incident.page_alert
        first = min(able, key=lambda alert: (alert.fingerprint != page_alert, alert.starts_at, alert.fingerprint))
        why = f"nobody has acknowledged it for {format_duration(now - incident.paged_at)}"
        told = msgspec.structs.replace(incident, reminded_at=now, reminders=incident.reminders + 1)
        self._logbook.keep(noted(told, now, "reminded", why), "updated", now, out)
        self.reminders.plan(told)
        out.append(Page(at=now, incident=name, alert=first.fingerprint, reason=why, reminder=True))

    def page_grown(self, name: str, now: float, out: list[AnyDecision]) -> None:
        """Pages an incident that people were told of as an early sign only, and that is more than that now."""
        able = self.pageable.all_able(self._state.incidents[name])
        if able:
            del self._state.early[name]
            first = min(able, key=lambda alert: (-rank(alert.severity), alert.starts_at, alert.fingerprint))
            self.page(name, first, "it was an early sign, and is more than that now", now, out, rise=True)

    def stands(self, incident: Incident) -> bool:
        """Whether an alert of it can stand for a page now."""
        return any(self.pageable.able(self._state.alerts.get(mark)) for mark in incident.alerts)

    def over(self, incident: Incident, now: float, *, acted: bool) -> None:
        """Learns from how the page of an incident ended that is over now; an early sign called nobody to act."""
        if incident.id not in self._state.early:
            self._alerts.page_over(incident, now, acted=acted)

    def _unpaged(self, able: Sequence[Alert]) -> list[Alert]:
        """Of the gravest those that did not stand for a page yet."""
        grades = {severity: self.pageable.grade(severity) for severity in {alert.severity for alert in able}}
        worst = max(grades.values())
        return [
            alert for alert in able if grades[alert.severity] == worst and not self.pageable.stood_for_a_page(alert)
        ]

    def _page_rise(self, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        """Pages an open incident again by alerts of a severity that pages and is graver than all that was told of it.

        Whoever acknowledged it has taken something else: it waits to be acknowledged again.
        """
        told = told_of(incident)
        known = self.pageable.grade(told)
        if known >= self.pageable.gravest or not incident.is_open:
            return
        listed = (self._state.alerts.get(mark) for mark in incident.alerts)
        worse = [
            alert
            for alert in listed
            if alert and self.pageable.grade(alert.severity) > known and self.pageable.able(alert)
        ]
        if not worse:
            return
        first = min(worse, key=lambda alert: (-self.pageable.grade(alert.severity), alert.starts_at, alert.fingerprint))
        if rank(first.severity) > rank(incident.severity):  # it became so itself: nothing joined
            raised = msgspec.structs.replace(incident, severity=first.severity)
            text = f"severity is now {first.severity}"
            self._logbook.keep(noted(raised, now, "escalated", text), "escalated", now, out)
        who = incident.acknowledged_by
        was = f"was acknowledged by {who}" if who else "was paged"
        self._state.incidents[incident.id] = msgspec.structs.replace(
            self._state.incidents[incident.id],
            status="open",
            acknowledged_by="",
            acknowledged_before=who or incident.acknowledged_before,
        )
        why = f"{was}{f' as {told}' if told else ''}; now {first.severity}"
        self.page(incident.id, first, why, now, out, rise=True)

    def page(
        self,
        name: str,
        alert: Alert,
        why: str,
        now: float,
        out: list[AnyDecision],
        *,
        rise: bool = False,
        listed: OfColumns | None = None,
    ) -> None:
        """Pages an incident; ``alert`` stands for it and ``why`` is what people are told.

        ``listed`` is what its alerts say, if they are many and that is at hand.
        """
        incident = self._state.incidents[name]
        incident = msgspec.structs.replace(
            incident,
            told_severity=self.pageable.told(incident, listed=listed),
            paged_at=now,
            page_alert=alert.fingerprint,
            page_record=alert.record,
            reminded_at=None,
            reminders=0,
        )
        quietly = self.routes.quietly(incident, alert, now)
        if quietly:
            self._state.early.setdefault(name, now)
        else:
            self._state.early.pop(name, None)
        self._logbook.keep(noted(incident, now, EARLY if quietly else PAGED, why), "updated", now, out)
        self.reminders.plan(incident)
        out.append(Page(at=now, incident=name, alert=alert.fingerprint, reason=why, rise=rise, quietly=quietly))
        current = self._state.alerts[alert.fingerprint]
        current = msgspec.structs.replace(current, incident=name)
        paging = self._alerts.standing(current, self._state.incidents[name], now)
        self._state.alerts[alert.fingerprint] = paging
        self._alerts.paged(paging, now)
        out.append(AlertChanged(at=now, alert=paging))


UNPAGED: dict[str, Any] = {
    **dict.fromkeys(("paged_at", "page_alert", "page_record", "reminded_at", "told_severity")),
    "reminders": 0,
}
"""The fields of an incident nobody was paged for."""


def back_at(incident: Incident) -> float | None:
    """When an incident opened again last; None if it never did."""
    return max((entry.at for entry in incident.timeline if entry.what == "reopened"), default=None)


def _awaits_page(incident: Incident) -> bool:
    """Whether people are still to be told of an incident: nobody was, and nobody has taken it."""
    return incident.is_open and incident.paged_at is None and not incident.acknowledged_by
