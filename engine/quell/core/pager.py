"""The pager: which incident pages, by which of its alerts, and when; each once, unless it came back to stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import msgspec

from quell.core.agenda import Agenda
from quell.core.alerts import Alerts
from quell.core.continuity import Member, absorber
from quell.core.logbook import Logbook, noted
from quell.core.onchain import on_a_chain
from quell.core.patience import longest_s
from quell.core.routes import Routes
from quell.core.said import HELD, OfColumns
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
REMIND_MOST_S = 4 * 3600.0
"""Reminders become no rarer than this, unless the first of them is."""


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
        self._agenda = agenda
        self._routes = routes
        self._digest = frozenset(rulebook.triage.digest_severities)
        self._page = frozenset(severity.lower() for severity in rulebook.triage.page_severities)
        self._gravest = max(map(rank, self._page), default=0)
        self._chains = frozenset(chain.name for chain in rulebook.chains)
        self._planned: dict[str, Incident] = {}
        self._planned_at = -inf
        """Of which incidents reminders were planned at that time for the sake of alerts that were told."""

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
        able = self._all_able(incident)
        new = self._unpaged(able) if able else ()
        return min(
            new or able, key=lambda alert: (alert.entity != cause, alert.starts_at, alert.fingerprint), default=None
        )

    def _first_of(self, listed: OfColumns, cause: str | None) -> Alert | None:
        """The same of very many alerts."""
        able = listed.able(self._digest)
        grades = {severity: self._grade(severity) for severity in able.severities}
        gravest = [severity for severity, grade in grades.items() if grade == max(grades.values())]
        new = (alert for alert in able.first(cause, gravest) if not self._paged_by(alert))
        return next(new, None) or next(able.first(cause, able.severities), None)

    def _may_rise(self, incident: Incident, listed: OfColumns) -> bool:
        """Whether anything in an incident can page as something graver than what was told of it."""
        known = self._grade(told_of(incident))
        if all(self._grade(severity) <= known for severity in listed.severities()):
            return False
        return any(self._grade(severity) > known for severity in listed.able(self._digest).severities)

    def page_for(self, alert: Alert, now: float, out: list[AnyDecision]) -> None:
        """Pages the incident of an alert that can page now though none of it could before, unless it has paged."""
        incident = self._state.incidents.get(alert.incident or "")
        if incident is None:
            return
        if not _awaits_page(incident):
            if self.able(alert):
                if self._planned.get(incident.id) is not incident or self._planned_at != now:
                    self._plan_again(incident, now)
                if self._grade(alert.severity) > self._grade(told_of(incident)):
                    self._page_rise(incident, now, out)
        elif alert.handling == "page":
            self.page(incident.id, alert, alert.reason.text, now, out)
        elif self.able(alert) and alert.fingerprint in incident.alerts:
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

    def plan(self, incident: Incident) -> None:
        """Puts on the agenda when people are next reminded of a page that nobody acknowledged."""
        self._agenda.put(self._remind_at(incident), "remind", incident.id)

    def _plan_again(self, incident: Incident, now: float) -> None:
        """A reminder that was due while nothing could stand for the page is due now; the same for all told at once."""
        if self._planned_at != now:
            self._planned_at = now
            self._planned.clear()
        self._planned[incident.id] = incident
        self.plan(incident)

    def _remind_at(self, incident: Incident) -> float | None:
        """When that is due: each time after twice as long as before, up to `REMIND_MOST_S`; None: no more."""
        first_s, paged_at = self._triage.remind_after_s, incident.paged_at
        if first_s <= 0 or paged_at is None or incident.reminders >= self._triage.remind_times:
            return None
        if incident.status != "open" or incident.acknowledged_by or incident.id in self._state.early:
            return None
        if on_a_chain(self._state, incident.id, self._chains):
            return None
        wait_s = min(first_s * 2.0**incident.reminders, max(first_s, REMIND_MOST_S))
        return (paged_at if incident.reminded_at is None else incident.reminded_at) + wait_s

    def remind(self, name: str, now: float, out: list[AnyDecision]) -> None:
        """Pages once more for an incident that goes on and that nobody has acknowledged since its page."""
        incident = self._state.incidents.get(name)
        due = None if incident is None else self._remind_at(incident)
        if incident is None or incident.paged_at is None or due is None or due > now:
            return
        able = self._all_able(incident)
        if not able:
            return
        page_alert = incident.page_alert
        first = min(able, key=lambda alert: (alert.fingerprint != page_alert, alert.starts_at, alert.fingerprint))
        why = f"nobody has acknowledged it for {format_duration(now - incident.paged_at)}"
        told = msgspec.structs.replace(incident, reminded_at=now, reminders=incident.reminders + 1)
        self._logbook.keep(noted(told, now, "reminded", why), "updated", now, out)
        self.plan(told)
        out.append(Page(at=now, incident=name, alert=first.fingerprint, reason=why, reminder=True))

    def page_grown(self, name: str, now: float, out: list[AnyDecision]) -> None:
        """Pages an incident that people were told of as an early sign only, and that is more than that now."""
        able = self._all_able(self._state.incidents[name])
        if able:
            del self._state.early[name]
            first = min(able, key=lambda alert: (-rank(alert.severity), alert.starts_at, alert.fingerprint))
            self.page(name, first, "it was an early sign, and is more than that now", now, out, rise=True)

    def stands(self, incident: Incident) -> bool:
        """Whether an alert of it can stand for a page now."""
        return any(self.able(self._state.alerts.get(mark)) for mark in incident.alerts)

    def over(self, incident: Incident, now: float, *, acted: bool) -> None:
        """Learns from how the page of an incident ended that is over now; an early sign called nobody to act."""
        if incident.id not in self._state.early:
            self._alerts.page_over(incident, now, acted=acted)

    def hand_on_pages(
        self, lost: Mapping[str, Sequence[Member]], after: Mapping[Member, str], now: float, out: list[AnyDecision]
    ) -> None:
        """Who was paged for an incident that another one absorbs is not paged again for that one.

        That is so for as long as a page may be put off at all; after that the other one is news. Nor does it count for
        an incident that somebody has acknowledged as something less grave.
        """
        for name, members in sorted(lost.items()):
            target = absorber(members, after)
            gone, into = self._state.incidents.get(name), self._state.incidents.get(target or "")
            if (
                gone is None
                or into is None
                or gone.crowd
                or not gone.is_open
                or not into.is_open
                or into.acknowledged_by
            ):
                continue
            if gone.paged_at is None or now >= gone.paged_at + longest_s(self._triage):
                continue
            told = max(told_of(gone), told_of(into), key=self._grade) if into.paged_at is not None else told_of(gone)
            if gone.id in self._state.early and into.paged_at is None:
                self._state.early[into.id] = self._state.early[gone.id]  # nobody was called for either so far
            if into.paged_at is not None:
                self._state.incidents[into.id] = msgspec.structs.replace(into, told_severity=told)
                continue
            paged = _paged_as(into, gone, told)
            self._logbook.keep(noted(paged, now, PAGED, f"as {name}, which it absorbs"), "updated", now, out)
            self.plan(paged)

    def take_over(self, name: str, came: Mapping[str, Incident], now: float, out: list[AnyDecision]) -> None:
        """Who was paged for what fires in an incident now, while it stood in others, is not paged for it again.

        ``came`` has by alert the paged incident that it just came from. That is so as of `hand_on_pages`, and only if
        nothing else in it pages by its severity, it is no graver than what was told, and nobody else would be called.
        What goes on without the alert by which people were called pages if nobody would be reminded, and if somebody
        had taken an incident of which all else is over.
        """
        incident = self._state.incidents[name]
        if not came or not incident.is_open or incident.acknowledged_by:
            return
        able = self._all_able(incident)
        origins = [came[alert.fingerprint] for alert in able if alert.fingerprint in came]
        if not origins or self._news(able, came):
            return
        origin = max(origins, key=lambda one: (self._grade(told_of(one)), one.paged_at or 0.0, one.id))
        told, paged_at = told_of(origin), origin.paged_at
        assert paged_at is not None, "only what was paged is taken over"
        if on_a_chain(self._state, origin.id, self._chains):
            return  # its chain ends with it
        known = incident.paged_at is not None and incident.paged_at >= paged_at
        if known or now >= paged_at + longest_s(self._triage):
            return
        if any(self._grade(alert.severity) > self._grade(told) for alert in able):
            return
        stands = min(able, key=lambda alert: (alert.starts_at, alert.fingerprint))
        early = origin.id in self._state.early
        if early and not self._routes.quietly(incident, stands, now):
            return
        called = self._state.alerts.get(origin.page_alert or "", stands)
        if not self._routes.whom(incident, stands, now) <= self._routes.whom(origin, called, paged_at):
            return
        if early:
            self._state.early.setdefault(name, self._state.early[origin.id])
        paged = _paged_as(incident, origin, told)
        if not early and self._dealt_with(origin, paged, came):
            return
        self._logbook.keep(noted(paged, now, PAGED, f"as {origin.id}, where it stood"), "updated", now, out)
        self.plan(paged)

    def _dealt_with(self, origin: Incident, paged: Incident, came: Mapping[str, Incident]) -> bool:
        """Whether ``paged`` goes on without what people were called for, and nobody would be told of it soon.

        No reminder is left, or whoever had taken all of it has ended the rest and looks no more.
        """
        stood = self._state.alerts.get(origin.page_alert or "")
        fires = stood is not None and stood.firing and self._paged_by(stood)
        if fires and origin.page_alert in came:
            return False
        if self._remind_at(paged) is None:
            return True
        if fires or not origin.acknowledged_by:
            return False
        known = (self._state.alerts.get(mark) for mark in origin.alerts if mark not in came)
        return not any(alert is not None and alert.firing for alert in known)

    def _news(self, able: Sequence[Alert], came: Mapping[str, Incident]) -> bool:
        """Whether something pages by its severity of which people were not told in another incident either."""
        return any(
            self._grade(alert.severity) and alert.fingerprint not in came and not self._paged_by(alert)
            for alert in able
        )

    def _unpaged(self, able: Sequence[Alert]) -> list[Alert]:
        """Of the gravest those that did not stand for a page yet."""
        grades = {severity: self._grade(severity) for severity in {alert.severity for alert in able}}
        worst = max(grades.values())
        return [alert for alert in able if grades[alert.severity] == worst and not self._paged_by(alert)]

    def _paged_by(self, alert: Alert) -> bool:
        """Whether this firing of an alert stood for a page."""
        behaviour = self._state.behaviour.get(alert.fingerprint)
        return behaviour is not None and behaviour.paged_at is not None and behaviour.paged_at >= alert.starts_at

    def _page_rise(self, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        """Pages an open incident again by alerts of a severity that pages and is graver than all that was told of it.

        Whoever acknowledged it has taken something else: it waits to be acknowledged again.
        """
        told = told_of(incident)
        known = self._grade(told)
        if known >= self._gravest or not incident.is_open:
            return
        listed = (self._state.alerts.get(mark) for mark in incident.alerts)
        worse = [alert for alert in listed if alert and self._grade(alert.severity) > known and self.able(alert)]
        if not worse:
            return
        first = min(worse, key=lambda alert: (-self._grade(alert.severity), alert.starts_at, alert.fingerprint))
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

    def told(self, incident: Incident, *, seen: bool = False, listed: OfColumns | None = None) -> str:
        """The worst severity that people know of: what can page, or when they have ``seen`` it, all that it shows.

        ``listed`` is what its alerts say, if they are many and that is at hand.
        """
        told = {incident.told_severity or "", *([incident.severity] if seen else [])}
        if listed is not None:
            told.update(severity for severity in listed.severities() if seen or not self._grade(severity))
            told.update(listed.able(self._digest).severities)
        for alert in () if listed is not None else map(self._state.alerts.get, incident.alerts):
            if alert is None or alert.severity in told:
                continue
            if seen or not self._grade(alert.severity) or self.able(alert):
                told.add(alert.severity)
        return max(told, key=lambda severity: (self._grade(severity), bool(severity), rank(severity), severity))

    def _grade(self, severity: str) -> int:
        """How grave a page by this severity is; 0 for severities that do not page on their own."""
        return rank(severity) if severity in self._page else 0

    def _all_able(self, incident: Incident) -> list[Alert]:
        return [
            alert for alert in map(self._state.alerts.get, incident.alerts) if alert is not None and self.able(alert)
        ]

    def able(self, alert: Alert | None) -> bool:
        """Whether an alert can stand for the page of its incident."""
        return (
            alert is not None
            and alert.firing
            and not alert.mutings
            and alert.severity not in self._digest
            and (alert.handling == "page" or alert.reason.code not in HELD)
        )

    def may_be_able(self, alert: Alert | None) -> bool:
        """Whether an alert can stand for a page once nothing mutes or holds it any more."""
        return alert is not None and alert.firing and alert.severity not in self._digest

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
            told_severity=self.told(incident, listed=listed),
            paged_at=now,
            page_alert=alert.fingerprint,
            page_record=alert.record,
            reminded_at=None,
            reminders=0,
        )
        quietly = self._routes.quietly(incident, alert, now)
        if quietly:
            self._state.early.setdefault(name, now)
        else:
            self._state.early.pop(name, None)
        self._logbook.keep(noted(incident, now, EARLY if quietly else PAGED, why), "updated", now, out)
        self.plan(incident)
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


def told_of(incident: Incident) -> str:
    """The worst severity that people were told of an incident, if they were."""
    return incident.severity if incident.told_severity is None else incident.told_severity


def _awaits_page(incident: Incident) -> bool:
    """Whether people are still to be told of an incident: nobody was, and nobody has taken it."""
    return incident.is_open and incident.paged_at is None and not incident.acknowledged_by


def _paged_as(into: Incident, origin: Incident, told: str) -> Incident:
    """An incident whose page is that of another, of which people were told that it is so grave."""
    return msgspec.structs.replace(
        into,
        paged_at=origin.paged_at,
        page_alert=origin.page_alert,
        page_record=origin.page_record,
        reminded_at=origin.reminded_at,
        reminders=origin.reminders,
        told_severity=told,
    )
