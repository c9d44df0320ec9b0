"""Incidents of one alert that must page though it has no company: telemetry alone says where its cause may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import exp, log1p

import msgspec

from quell.core.alerts import Alerts
from quell.core.automation import Automation
from quell.core.blame import changed, doubt, nearest_change, too_late
from quell.core.chart import Chart
from quell.core.continuity import new_name, place_of
from quell.core.crowds import Crowds
from quell.core.families import Family, family
from quell.core.kinds import MADE_OF_DATA
from quell.core.logbook import Logbook, noted
from quell.core.pager import Pager
from quell.core.rank import MOST_SUSPECTS
from quell.core.severity import rank, worst
from quell.core.steps import Steps
from quell.core.titles import crowd_title, title
from quell.core.trail import Led, follows, trail
from quell.core.witness import Testimony, testimony
from quell.model.alert import Alert
from quell.model.decision import AnyDecision
from quell.model.incident import Evidence, Incident, Suspect
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.topology import Change

CHANGED = 6.0
"""Nats that a change is worth at its time: where alerts say little, changes come first."""
CHANGED_FADES_S = 600.0
CHANGED_WITHIN_S = 86400.0
CLEAR = 2.0
"""Nats at which one is as likely right as wrong about a suspect without rivals."""
JUDGED_TOGETHER = 256
"""So many of those that were told together are judged in one piece."""
MOST_ODDS = 700.0
"""Beyond it there is no number for the odds, whatever the temperature."""


class Lone:
    """Shows people an alert that nothing was concluded about."""

    def __init__(
        self,
        rulebook: Rulebook,
        state: State,
        *,
        alerts: Alerts,
        chart: Chart,
        logbook: Logbook,
        pager: Pager,
        automation: Automation,
        reconsider: Callable[[Alert, float], None],
    ) -> None:
        self._reconsider = reconsider
        self._rulebook = rulebook
        self._state = state
        self._chart = chart
        self._logbook = logbook
        self._pager = pager
        self._alerts = alerts
        self._crowds = Crowds(rulebook, state, alerts, automation)
        self._due: list[str] = []

    def waits(self, mark: str) -> None:
        """An alert may soon have to page on its own."""
        self._crowds.note(mark)

    def hold(self, marks: Iterable[str]) -> None:
        """The same of many that wait for company."""
        self._crowds.hold(marks)

    def sweep(self) -> Steps[None]:
        """Forgets what waits no more."""
        yield from self._crowds.sweep()

    def due(self, mark: str) -> None:
        """An alert must page on its own now."""
        self._due.append(mark)
        self._crowds.note(mark)

    def show_due(self, now: float, out: list[AnyDecision]) -> Steps[bool]:
        """Shows people what is due, if it is in no incident by now; whether anything was."""
        due, self._due = self._due, []
        for mark in due:
            alert = self._state.alerts.get(mark)
            if alert is None or not alert.firing or alert.incident is not None or alert.handling != "page":
                continue
            together = yield from self._crowds.around(alert, now)
            if together:
                yield from self._show_crowd(together, now, out)
            else:
                self._show(alert, now, out)
            yield
        return bool(due)

    def _show_crowd(self, alerts: list[Alert], now: float, out: list[AnyDecision]) -> Steps[None]:
        """Opens and pages one incident for alerts that would have paged alone, each of them, at about one time."""
        yield
        members = [(alert.fingerprint, alert.episode) for alert in alerts]
        name = new_name(self._state, members, now)
        incident = Incident(
            id=name,
            title=crowd_title(alerts),
            status="open",
            opened_at=now,
            updated_at=now,
            severity=worst(alert.severity for alert in alerts),
            alerts=tuple(alert.fingerprint for alert in alerts),
            entities=tuple(dict.fromkeys(alert.entity for alert in alerts if alert.entity)),
            no_clear_cause=True,
            crowd=True,
        )
        yield  # and not before the incident is there of which these alerts say that they are in it
        for alert, member in zip(alerts, members, strict=True):
            self._state.placed[place_of(member)] = name
            self._state.alerts[alert.fingerprint] = msgspec.structs.replace(alert, incident=name)
        why = f"{len(alerts)} alerts at one time, without known relation"
        self._logbook.keep(noted(incident, now, "opened", why), "opened", now, out)
        first = min(alerts, key=lambda alert: (-rank(alert.severity), alert.starts_at, alert.fingerprint))
        self._pager.page(name, first, why, now, out)
        for start in range(0, len(alerts), JUDGED_TOGETHER):
            yield
            self._alerts.rejudge(incident.alerts[start : start + JUDGED_TOGETHER], now, out)

    def _show(self, alert: Alert, now: float, out: list[AnyDecision]) -> None:
        """Opens and pages an incident for one alert that must page though it has no company."""
        member = (alert.fingerprint, alert.episode)
        name = new_name(self._state, [member], now)
        suspects = self._suspects(alert)
        incident = Incident(
            id=name,
            title=title(suspects, [alert]),
            status="open",
            opened_at=now,
            updated_at=now,
            severity=alert.severity,
            alerts=(alert.fingerprint,),
            entities=(alert.entity,) if alert.entity else (),
            suspects=suspects,
            no_clear_cause=self._unclear(suspects),
            changes=tuple(suspect.change for suspect in suspects if suspect.change),
        )
        self._state.placed[place_of(member)] = name
        self._state.alerts[alert.fingerprint] = msgspec.structs.replace(alert, incident=name)
        self._logbook.keep(noted(incident, now, "opened", alert.reason.text), "opened", now, out)
        self._pager.page(name, alert, alert.reason.text, now, out)
        if alert.entity is not None:  # what it has a cause in common with may join it now, and pages no more by itself
            self._reconsider(self._state.alerts[alert.fingerprint], now)

    def shown(self, incident: Incident) -> bool:
        """Whether an incident is of one alert without company."""
        return len(incident.alerts) == 1 and not incident.crowd

    def look_again(self, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        """Ranks its suspects anew by what was told since."""
        alert = self._state.alerts.get(incident.alerts[0])
        suspects = self._suspects(alert) if alert is not None else ()
        if alert is None or not suspects or suspects == incident.suspects:
            return
        seen = msgspec.structs.replace(
            incident,
            title=title(suspects, [alert]),
            suspects=suspects,
            no_clear_cause=self._unclear(suspects),
            changes=tuple(dict.fromkeys((*incident.changes, *(one.change for one in suspects if one.change)))),
        )
        if incident.suspects and incident.suspects[0].entity == suspects[0].entity:
            self._logbook.keep(seen, "updated", now, out)
        else:
            text = f"telemetry: first suspect is now {suspects[0].entity}"
            self._logbook.keep(noted(seen, now, "suspects_changed", text), "suspects_changed", now, out)

    def _unclear(self, suspects: tuple[Suspect, ...]) -> bool:
        return not suspects or suspects[0].confidence < self._rulebook.correlate.clear_cause_bar

    def _suspects(self, alert: Alert) -> tuple[Suspect, ...]:
        """Its own entity, or what telemetry and changes speak against more."""
        if alert.entity is None:
            return ()
        self._chart.renew()
        told = testimony(self._chart.graph, self._state, [alert.entity], [alert.name], alert.starts_at)
        led = {one.entity: one for one in self._trail(alert)}
        if not told.verdicts and not led:
            return (self._suspect(alert.entity, alert, told, 0.0, 0.0),)
        scores = {entity: told.nats(entity) + self._changed(entity, alert.starts_at)[1] for entity in told.around.names}
        scores = scores if told.verdicts else {alert.entity: 0.0}
        scores |= {entity: max(scores.get(entity, 0.0), told.nats(entity) + one.nats) for entity, one in led.items()}
        ranked = sorted(scores, key=lambda entity: -scores[entity])
        best, temperature = scores[ranked[0]], self._rulebook.correlate.weights.ranking.temperature
        odds = [exp((scores[entity] - best) / temperature) for entity in ranked]
        found: list[Suspect] = []
        for entity, odd in zip(ranked[:MOST_SUSPECTS], odds, strict=False):
            sure = odd / sum(odds) / (1.0 + exp(min(MOST_ODDS, -(scores[entity] - CLEAR) / temperature)))
            suspect = self._suspect(entity, alert, told, scores[entity], sure)
            if entity in led:
                suspect = follows(suspect, led[entity])
            if found:
                text = f"evidence of {scores[entity]:.1f} nats against {best:.1f}"
                suspect = msgspec.structs.replace(suspect, lost_because=text)
            found.append(suspect)
        return tuple(found)

    def _trail(self, alert: Alert) -> list[Led]:
        """Changes of data that lie behind an alert that says that data, or what is made of them, are off."""
        entity = alert.entity or ""
        if family(alert) != Family.DATA and entity.partition("/")[0] not in MADE_OF_DATA:
            return []
        return trail(self._chart.graph, self._chart.changes, entity, alert.starts_at)

    def _changed(self, entity: str, began: float) -> tuple[Change | None, float]:
        """The change there most likely to blame, and its nats. Faults of changes may take hours to show."""
        best: tuple[Change | None, float] = (None, 0.0)
        for change in self._chart.changes(entity):
            before = began - change.at
            if before <= CHANGED_WITHIN_S:
                nats = doubt(change, began) * (CHANGED - log1p(abs(before) / CHANGED_FADES_S))
                if nats > best[1]:
                    best = (change, nats)
        return best

    def _suspect(self, entity: str, alert: Alert, told: Testimony, score: float, sure: float) -> Suspect:
        evidence = told.verdicts[entity].sentences() if entity in told.verdicts else ()
        if told.verdicts:
            change, bonus = self._changed(entity, alert.starts_at)
        else:
            change, bonus = nearest_change(
                self._chart.changes(entity),
                alert.starts_at,
                alert.starts_at,
                self._rulebook.correlate.weights.prices.changed,
            )
        if change is not None:
            text = changed(change, entity, alert.starts_at)
            evidence = (Evidence(code="change", text=text, weight=bonus), *evidence)
        else:
            evidence = (*evidence, *too_late(self._chart.changes(entity), entity, alert.starts_at))
        return Suspect(
            entity=entity,
            change=change.id if change is not None else None,
            kind=change.type if change is not None else "entity",
            score=round(score, 4),
            confidence=round(sure, 4),
            onset=alert.starts_at,
            path=told.around.path(entity) if entity != alert.entity and entity in told.around.names else (entity,),
            evidence=evidence,
        )
