"""Alerts that would page alone, many at once: one incident tells of them all, and nobody is called a hundred times.

Nothing waits for longer because of it: when the first of them is due, those that are due shortly after are told too.
"""

from __future__ import annotations

from collections.abc import Iterable

from quell.core.alerts import NOTHING_OBSERVED, Alerts
from quell.core.automation import Automation
from quell.core.steps import Steps, those
from quell.model.alert import Alert
from quell.model.rulebook import Rulebook
from quell.model.state import State

WITHIN_S = 300.0
"""What is due to page alone so long after the first is told with it, but never sooner than half of its wait."""

ALIKE = 3
"""So many of one rule are told together,"""
MANY = 5
"""and so many of whatever rules."""

MOST = 2000
"""So many in one incident at most; the rest makes another."""


class Crowds:
    """Knows which alerts may soon page alone; what it keeps can be told from the state."""

    def __init__(self, rulebook: Rulebook, state: State, alerts: Alerts, automation: Automation) -> None:
        self._state = state
        self._alerts = alerts
        self._automation = automation
        self._within_s = min(WITHIN_S, rulebook.triage.lone_page_after_s / 2.0)
        alone = [one for one in state.alerts.values() if one.firing and one.incident is None]
        self._paging = {one.fingerprint for one in alone if one.handling == "page"}
        """Apart from the others: what a rule pages at once has no other company, and ten thousand may be held."""
        self._held = {one.fingerprint for one in alone if one.handling != "page"}

    def note(self, mark: str) -> None:
        """Remembers that an alert waits; whether it still does is asked when it matters."""
        (self._paging if self._state.alerts[mark].handling == "page" else self._held).add(mark)

    def hold(self, marks: Iterable[str]) -> None:
        """The same of many that do not page so far."""
        self._held.update(marks)

    def sweep(self) -> Steps[None]:
        """Forgets what waits no more."""
        self._paging = set((yield from those(self._paging, self._waits)))
        self._held = set((yield from those(self._held, self._waits)))

    def around(self, alert: Alert, now: float) -> Steps[list[Alert]]:
        """All that is to be told together with an alert that pages alone now, itself among them; [] when that is few.

        Only what takes the same routes: a page for others is no page for who waits for this one. What a team's rule
        pages at once is told with what it pages at the same time, and nothing else.
        """
        self._paging = set((yield from those(self._paging, self._waits)))
        marks = self._paging
        if alert.reason.code != "rule":
            self._held = set((yield from those(self._held, self._waits)))
            marks = self._paging | self._held
        known = (self._state.alerts[mark] for mark in marks if mark != alert.fingerprint)
        near = sorted((yield from those(known, lambda one: self._near(one, alert, now))), key=_order)
        if len(near) + 1 < ALIKE:
            return []
        routes = self._automation.routes_of(alert)
        found = [alert]
        with self._alerts.unchanged():
            for one in near:
                yield  # the first few ask after all of their group
                yield from self._alerts.reading(one)
                if len(found) < MOST and self._pages(one) and self._automation.routes_of(one) == routes:
                    found.append(one)
        if len(found) < MANY:
            found = [one for one in found if one.name == alert.name]
        return sorted(found, key=_order) if len(found) >= ALIKE else []

    def _waits(self, mark: str) -> bool:
        """Whether an alert is held for its company and nothing else, or pages as soon as that is concluded about."""
        alert = self._state.alerts.get(mark)
        if alert is None or not alert.firing or alert.mutings or alert.incident is not None:
            return False
        if alert.handling == "page":
            paged_at = self._state.behaviour.get(mark, NOTHING_OBSERVED).paged_at
            return paged_at is None or paged_at < alert.starts_at
        return alert.handling == "hold" and alert.reason.code == "waiting_for_company"

    def _near(self, one: Alert, alert: Alert, now: float) -> bool:
        if one.handling == "page":
            return (one.reason.code == "rule") == (alert.reason.code == "rule")
        due = one.hold_until
        return alert.reason.code != "rule" and due is not None and due <= now + self._within_s

    def _pages(self, alert: Alert) -> bool:
        """Whether it pages when it has waited: something may speak for waiting longer."""
        return alert.handling == "page" or self._alerts.would_page(alert, alert.hold_until or alert.starts_at)


def _order(alert: Alert) -> tuple[float, str]:
    return alert.starts_at, alert.fingerprint
