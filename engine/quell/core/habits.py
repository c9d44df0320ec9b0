"""Notices how alerts behave over weeks: what is counted as they come, and what is counted an hour later."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache

from quell.core.company import count_company, count_namings
from quell.core.continuity import place_of
from quell.core.graph import Graph
from quell.core.logbook import QUELL
from quell.core.orphans import count_troubles
from quell.core.severity import rank
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision, IncidentChanged, RunChanged
from quell.model.habits import BOUNDS_S, HALF_S, Began, Habits, RuleHabit, Tally
from quell.model.incident import Incident
from quell.model.state import State

SETTLED_S = 1800.0
"""Beginnings are counted when what became of them is settled."""
MOST_FRESH = 20_000
MOST_OPEN = 200_000
MOST_RULES = 2_000
MOST_COMPANY = 10_000
MOST_TROUBLES = 20_000
MOST_ORPHANS = 2_000
MOST_NAMINGS = 200


class Observer:
    """Works on ``state.habits``; changes nothing else and decides nothing."""

    def __init__(self, state: State) -> None:
        self._state = state

    def follow(self, decision: AnyDecision) -> None:
        """Takes note of one decision."""
        if type(decision) is AlertChanged:
            if not decision.repeat:
                self.alert(decision.alert, decision.at)
        elif isinstance(decision, IncidentChanged):
            last = decision.incident.timeline[-1:]
            by_hand = decision.event == "resolved" and any(entry.by != QUELL for entry in last)
            if by_hand or decision.event == "acknowledged":
                self._acted(decision.incident)
        elif isinstance(decision, RunChanged):
            incident = self._state.incidents.get(decision.run.incident)
            if incident is not None and decision.run.state == "done" and not decision.run.dry:
                self._acted(incident)

    def judged_useless(self, alerts: tuple[str, ...]) -> None:
        """A person said of these alerts that nothing was to be done about them."""
        for rule in self._rules_of(alerts):
            rule.useless += 1

    def sweep(self, graph: Graph, now: float) -> None:
        """Counts the beginnings that are settled by now, and forgets what is old or too much."""
        habits = self._state.habits
        if not habits.newer.since:
            habits.newer.since = now
        until = now - SETTLED_S
        if habits.fresh:
            habits.fresh.sort(key=lambda began: (began.at, began.entity, began.rule, began.mark, began.episode))
            count_troubles(self._state, graph, habits.newer, until)
            count_company(self._state, habits.newer, until)
            count_namings(self._state, graph, habits.newer, until)
            habits.counted_until = max(habits.counted_until, until)
            habits.fresh = [began for began in habits.fresh if began.at > until - SETTLED_S]
        if len(habits.open) > MOST_OPEN // 2:
            self._forget_lost()
        if habits.newer.since + HALF_S <= now:
            habits.older, habits.newer = habits.newer, Tally(since=now)
        _bound(habits.newer)

    def _forget_lost(self) -> None:
        """Firings of which no end was ever told: late records may renumber what was open."""
        alerts = self._state.alerts
        for place in list(self._state.habits.open):
            mark, _, episode = place.partition("/")
            alert = alerts.get(mark)
            if alert is None or not alert.firing or alert.episode != int(episode or 1):
                del self._state.habits.open[place]

    def alert(self, alert: Alert, at: float) -> None:
        """Takes note of an alert that is not as it was."""
        habits = self._state.habits
        place = alert.fingerprint if alert.episode == 1 else place_of((alert.fingerprint, alert.episode))
        if alert.status == "firing":
            if place not in habits.open and len(habits.open) < MOST_OPEN:
                habits.open[place] = alert.starts_at
                self._began(habits, alert)
        elif habits.open.pop(place, None) is not None:
            self._ended(alert, at)

    def begun(self, alerts: Iterable[Alert]) -> None:
        """The same of alerts that were never heard of before."""
        habits = self._state.habits
        known, rules, fresh = habits.open, habits.newer.rules, habits.fresh
        for alert in alerts:
            mark, labels = alert.fingerprint, alert.labels
            if mark in known or len(known) >= MOST_OPEN:
                continue
            known[mark] = alert.starts_at
            name = labels.get("alertname", "")
            rule = rules.get(name) or self._rule(name)
            rule.firings += 1
            rule.example = labels
            if alert.severity != rule.severity:
                rule.severity = _graver(rule.severity, alert.severity)
            if not alert.mutings and len(fresh) < MOST_FRESH:
                at = min(alert.starts_at, alert.onset_seen)
                fresh.append(Began(at, alert.entity or "", name, mark, alert.episode))

    def _began(self, habits: Habits, alert: Alert) -> None:
        name = alert.labels.get("alertname", "")
        rule = habits.newer.rules.get(name) or self._rule(name)
        rule.firings += 1
        rule.example = alert.labels
        if alert.severity != rule.severity:
            rule.severity = _graver(rule.severity, alert.severity)
        if not alert.mutings and len(habits.fresh) < MOST_FRESH:
            at = min(alert.starts_at, alert.onset_seen)
            habits.fresh.append(Began(at, alert.entity or "", name, alert.fingerprint, alert.episode))

    def _ended(self, alert: Alert, at: float) -> None:
        rule = self._rule(alert.name)
        if alert.status == "expired":
            rule.lapsed += 1
            return
        lasted = max((at if alert.ends_at is None else alert.ends_at) - alert.starts_at, 0.0)
        rule.ended += 1
        rule.lasted[bisect_left(BOUNDS_S, lasted)] += 1
        incident = self._state.incidents.get(alert.incident or "")
        rule.alone += incident is None or incident.crowd or len(incident.alerts) <= 1
        rule.paged += alert.handling == "page"

    def _acted(self, incident: Incident) -> None:
        for rule in self._rules_of(incident.alerts):
            rule.acted += 1

    def _rules_of(self, marks: tuple[str, ...]) -> list[RuleHabit]:
        names = {alert.name for mark in marks if (alert := self._state.alerts.get(mark)) is not None}
        return [self._rule(name) for name in sorted(names)]

    def _rule(self, name: str) -> RuleHabit:
        """The habit of a rule; one that is not kept when there are too many."""
        rules = self._state.habits.newer.rules
        known = rules.get(name)
        if known is None:
            known = RuleHabit()
            if name and len(rules) < MOST_RULES:
                rules[name] = known
        return known


@lru_cache(maxsize=1024)
def _graver(one: str, other: str) -> str:
    return max(one, other, key=lambda word: (bool(word), rank(word), word))


def _bound(tally: Tally) -> None:
    """Leaves the more telling half of whatever has grown too large."""
    if len(tally.company) > MOST_COMPANY:
        kept = sorted(tally.company, key=lambda key: (-tally.company[key].together, key))[: MOST_COMPANY // 2]
        tally.company = {key: tally.company[key] for key in kept}
    if len(tally.troubles) > MOST_TROUBLES:
        kept = sorted(tally.troubles, key=lambda key: (-tally.troubles[key], key))[: MOST_TROUBLES // 2]
        tally.troubles = {key: tally.troubles[key] for key in kept}
    if len(tally.orphans) > MOST_ORPHANS:
        orphans = tally.orphans
        kept = sorted(orphans, key=lambda key: (-len(orphans[key]), -orphans[key][-1].at, key))[: MOST_ORPHANS // 2]
        tally.orphans = {key: orphans[key] for key in kept}
    if len(tally.namings) > MOST_NAMINGS:
        namings = tally.namings
        kept = sorted(namings, key=lambda key: (-sum(namings[key].named.values()), key))[: MOST_NAMINGS // 2]
        tally.namings = {key: namings[key] for key in kept}
