"""Telemetry is asked for where it could change the answer, and incidents are looked at again when it was told."""

from __future__ import annotations

from math import floor

from quell.core.agenda import Agenda
from quell.core.chart import Chart
from quell.core.groups import Groups
from quell.core.lone import Lone
from quell.core.witness import surroundings
from quell.model.decision import AnyDecision, RequestEvidence
from quell.model.incident import Incident
from quell.model.state import State

EVERY_S = 10.0
"""News waits for the next multiple of this, so that what is concluded does not depend on how it was batched."""
MOST_INCIDENTS = 20
WITHIN_S = 7200.0
EVIDENCE_BEFORE_S = 3600.0
REACH = 4.0
"""Nats by which telemetry may well bring a suspect before another."""
MOST_QUESTIONS = 5


class Hearing:
    """Works on ``state.news``."""

    def __init__(self, state: State, agenda: Agenda, chart: Chart, groups: Groups, lone: Lone) -> None:
        self._state = state
        self._agenda = agenda
        self._chart = chart
        self._groups = groups
        self._lone = lone

    def plan(self) -> None:
        """Puts on the agenda when the news is heard."""
        if self._state.news:
            told = min(self._state.news.values())
            self._agenda.put((floor(told / EVERY_S) + 1) * EVERY_S, "hear")

    def questions(self, incident: Incident, now: float) -> list[RequestEvidence]:
        """What to ask for.

        The first suspect, those that telemetry could bring before it, and what an alert without company depends on.
        """
        if not incident.suspects:
            return []
        first = incident.suspects[0]
        asked = [one.entity for one in incident.suspects if one is first or one.score >= first.score - REACH]
        if self._lone.shown(incident):
            graph = self._chart.graph
            node = graph.number.get(incident.entities[0]) if incident.entities else None
            asked += [] if node is None else [graph.name(other) for other, _, _ in graph.out[node]]
        return [
            RequestEvidence(at=now, incident=incident.id, entity=entity, from_=now - EVIDENCE_BEFORE_S, to=now)
            for entity in [*dict.fromkeys(asked)][:MOST_QUESTIONS]
        ]

    def hear(self, now: float, out: list[AnyDecision]) -> None:
        """Ranks the suspects of every recent open incident anew that the news may concern."""
        news = set(self._state.news)
        self._state.news.clear()
        recent = [
            incident
            for incident in self._state.incidents.values()
            if incident.is_open and incident.entities and not incident.crowd and incident.opened_at + WITHIN_S >= now
        ]
        if not news or not recent:
            return
        self._chart.renew()
        for incident in recent[-MOST_INCIDENTS:]:
            if news.isdisjoint(surroundings(self._chart.graph, self._state, incident.entities).names):
                continue
            if self._lone.shown(incident):
                self._lone.look_again(incident, now, out)
                continue
            for mark in incident.alerts:
                alert = self._state.alerts.get(mark)
                if alert is not None:
                    self._groups.reconsider(alert, now)
