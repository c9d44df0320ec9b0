"""Reminders: when people are told again of a page that nobody has acknowledged."""

from __future__ import annotations

from math import inf

from quell.core.agenda import Agenda
from quell.core.onchain import on_a_chain
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.state import State

REMIND_MOST_S = 4 * 3600.0
"""Reminders become no rarer than this, unless the first of them is."""


class Reminders:
    """Puts on the agenda what is due; who is reminded by what is up to the pager."""

    def __init__(self, rulebook: Rulebook, state: State, agenda: Agenda) -> None:
        self._triage = rulebook.triage
        self._state = state
        self._agenda = agenda
        self._chains = frozenset(chain.name for chain in rulebook.chains)
        self._planned: dict[str, Incident] = {}
        self._planned_at = -inf
        """Of which incidents reminders were planned at that time for the sake of alerts that were told."""

    def plan(self, incident: Incident) -> None:
        """Puts on the agenda when people are next reminded of a page that nobody acknowledged."""
        self._agenda.put(self.at(incident), "remind", incident.id)

    def plan_again(self, incident: Incident, now: float) -> None:
        """A reminder that was due while nothing could stand for the page is due now; the same for all told at once."""
        if self._planned_at != now:
            self._planned_at = now
            self._planned.clear()
        elif self._planned.get(incident.id) is incident:
            return
        self._planned[incident.id] = incident
        self.plan(incident)

    def at(self, incident: Incident) -> float | None:
        """When people are next reminded: after twice as long each time, up to `REMIND_MOST_S`; None: no more."""
        first_s, paged_at = self._triage.remind_after_s, incident.paged_at
        if first_s <= 0 or paged_at is None or incident.reminders >= self._triage.remind_times:
            return None
        if incident.status != "open" or incident.acknowledged_by or incident.id in self._state.early:
            return None
        if on_a_chain(self._state, incident.id, self._chains):
            return None
        wait_s = min(first_s * 2.0**incident.reminders, max(first_s, REMIND_MOST_S))
        return (paged_at if incident.reminded_at is None else incident.reminded_at) + wait_s
