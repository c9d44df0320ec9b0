"""Pages that go on with what they were for: who was called for it elsewhere is not called for it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from quell.core.continuity import Member, absorber
from quell.core.logbook import Logbook, noted
from quell.core.onchain import on_a_chain
from quell.core.pageable import told_of
from quell.core.pager import PAGED, Pager
from quell.core.patience import longest_s
from quell.model.alert import Alert
from quell.model.decision import AnyDecision
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.state import State


class HandingOn:
    """Works on what an incident keeps of its page when alerts go from one incident to another."""

    def __init__(self, rulebook: Rulebook, state: State, logbook: Logbook, pager: Pager) -> None:
        self._triage = rulebook.triage
        self._chains = frozenset(chain.name for chain in rulebook.chains)
        self._state = state
        self._logbook = logbook
        self._pageable, self._reminders, self._routes = pager.pageable, pager.reminders, pager.routes

    def absorbed(
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
            if gone.id in self._state.early and into.paged_at is None:
                self._state.early[into.id] = self._state.early[gone.id]  # nobody was called for either so far
            told = told_of(gone)
            if into.paged_at is not None:
                told = max(told, told_of(into), key=self._pageable.grade)
                self._state.incidents[into.id] = msgspec.structs.replace(into, told_severity=told)
                continue
            paged = _paged_as(into, gone, told)
            self._logbook.keep(noted(paged, now, PAGED, f"as {name}, which it absorbs"), "updated", now, out)
            self._reminders.plan(paged)

    def moved(self, name: str, came: Mapping[str, Incident], now: float, out: list[AnyDecision]) -> None:
        """Who was paged for what fires in an incident now, while it stood in others, is not paged for it again.

        ``came`` has by alert the paged incident that it just came from. That is so as of `absorbed`, and only if
        nothing else in it pages by its severity, it is no graver than what was told, and nobody else would be called.
        What goes on without the alert by which people were called pages if nobody would be reminded, and if somebody
        had taken an incident of which all else is over.
        """
        incident = self._state.incidents[name]
        if not came or not incident.is_open or incident.acknowledged_by:
            return
        able = self._pageable.all_able(incident)
        origins = [came[alert.fingerprint] for alert in able if alert.fingerprint in came]
        if not origins or self._news(able, came):
            return
        origin = max(origins, key=lambda one: (self._pageable.grade(told_of(one)), one.paged_at or 0.0, one.id))
        told, paged_at = told_of(origin), origin.paged_at
        assert paged_at is not None, "only what was paged is taken over"
        if on_a_chain(self._state, origin.id, self._chains):
            return  # its chain ends with it
        known = incident.paged_at is not None and incident.paged_at >= paged_at
        if known or now >= paged_at + longest_s(self._triage):
            return
        if any(self._pageable.grade(alert.severity) > self._pageable.grade(told) for alert in able):
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
        self._reminders.plan(paged)

    def _dealt_with(self, origin: Incident, paged: Incident, came: Mapping[str, Incident]) -> bool:
        """Whether ``paged`` goes on without what people were called for, and nobody would be told of it soon.

        No reminder is left, or whoever had taken all of it has ended the rest and looks no more.
        """
        stood = self._state.alerts.get(origin.page_alert or "")
        fires = stood is not None and stood.firing and self._pageable.stood_for_a_page(stood)
        if fires and origin.page_alert in came:
            return False
        if self._reminders.at(paged) is None:
            return True
        if fires or not origin.acknowledged_by:
            return False
        known = (self._state.alerts.get(mark) for mark in origin.alerts if mark not in came)
        return not any(alert is not None and alert.firing for alert in known)

    def _news(self, able: Sequence[Alert], came: Mapping[str, Incident]) -> bool:
        """Whether something pages by its severity of which people were not told in another incident either."""
        return any(
            self._pageable.grade(alert.severity)
            and alert.fingerprint not in came
            and not self._pageable.stood_for_a_page(alert)
            for alert in able
        )


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
