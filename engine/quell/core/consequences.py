"""What decisions bring about: pages, incidents of lone alerts, playbooks, questions for evidence."""

from __future__ import annotations

from collections.abc import Iterable

from quell.core.agenda import Agenda
from quell.core.alerts import NOTHING_OBSERVED, Alerts
from quell.core.automation import Automation
from quell.core.escalate import Escalation
from quell.core.explain import page_text
from quell.core.flocks import Taken
from quell.core.following import Following
from quell.core.groups import Groups
from quell.core.habits import Observer
from quell.core.hearing import Hearing
from quell.core.joining import Joined, Joining
from quell.core.lives import Lives
from quell.core.lone import Lone
from quell.core.pager import Pager
from quell.core.steps import TOGETHER, Steps
from quell.core.triage import SETTLED_BY_COMPANY
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision, IncidentChanged, Page
from quell.model.incident import Incident
from quell.model.state import State


class Consequences:
    """Follows up what was decided at a time, and what follows from that in turn, until nothing more does."""

    def __init__(
        self,
        state: State,
        agenda: Agenda,
        *,
        alerts: Alerts,
        groups: Groups,
        lone: Lone,
        lives: Lives,
        pager: Pager,
        following: Following,
        escalation: Escalation,
        automation: Automation,
        hearing: Hearing,
        observer: Observer,
        joining: Joining,
    ) -> None:
        self._state = state
        self._agenda = agenda
        self._alerts = alerts
        self._groups = groups
        self._lone = lone
        self._lives = lives
        self._pager = pager
        self._following = following
        self._escalation = escalation
        self._automation = automation
        self._hearing = hearing
        self._observer = observer
        self._joining = joining

    def follow(self, now: float, out: list[AnyDecision], start: int, flock: Taken | None = None) -> Steps[None]:
        """Adds to ``out`` what the decisions in it since ``start`` bring about; a ``flock`` may be among them."""
        if self._alerts.unmuted:
            self._hear_again(now, out)
        at, any_alert, observe, ended = start, self._automation.any_alert, self._observer.alert, self._groups.ended
        page_alone, joining = self.page_alone, self._joining
        shown: dict[str, Incident] = {}  # as it was at each page: the page's ledger key names its version
        while at < len(out) or (yield from self._lone.show_due(now, out)):
            if at == len(out):
                continue
            if joining.joined and (joined := joining.at(at)) is not None and self._join(joined, now, out):
                at = joined.last
                yield
                continue
            if flock is not None and at == flock.first and not any_alert:
                self._observer.begun(flock.alerts)
                self._lone.hold(flock.waiting)
                at = flock.last
                continue
            decision = out[at]
            at += 1
            if not at % TOGETHER or type(decision) is IncidentChanged:
                yield
            if type(decision) is AlertChanged:
                told = decision.alert
                if not decision.repeat:
                    observe(told, decision.at)
                    ended(told, now)
                page_alone(told, now, out)
                if any_alert and (alert := self._state.alerts.get(told.fingerprint)) is not None:
                    out.extend(self._automation.on_alert(alert, now))
                continue
            self._observer.follow(decision)
            if isinstance(decision, IncidentChanged):
                shown[decision.incident.id] = decision.incident
                self._incident_changed(decision, now, out, at)
            elif isinstance(decision, Page):
                self._paged(decision, shown[decision.incident], now, out)
        joining.joined.clear()
        self._agenda.put(self._automation.next_due(), "runs")

    def _join(self, joined: Joined, now: float, out: list[AnyDecision]) -> bool:
        """What follows when alerts join incidents and no more is to be said of them; False: ask for each of them."""
        awaits = self._pager.awaits_page
        if self._automation.any_alert or any(awaits(alert.incident) for alert in joined.heads):
            return False
        for alert in joined.heads:
            self.page_alone(alert, now, out)
        return True

    def page_alone(self, told: Alert, now: float, out: list[AnyDecision]) -> None:
        """Pages for a firing alert if its incident, or it by itself, is to page; else it may have to wait."""
        alert = self._state.alerts.get(told.fingerprint)
        if alert is None or alert.status != "firing" or alert.mutings:
            return
        if alert.incident is not None:
            self._pager.page_for(alert, now, out)
        elif alert.handling == "page":
            group = self._groups.of(alert)
            if group is not None and group.solve_at is not None and alert.reason.code != "rule":
                self._lone.waits(alert.fingerprint)
                return  # what comes of its company is concluded shortly
            paged_at = self._state.behaviour.get(alert.fingerprint, NOTHING_OBSERVED).paged_at
            if paged_at is None or paged_at < alert.starts_at:  # else its page stands, whatever became of its incident
                self._lone.due(alert.fingerprint)
        elif alert.reason.code == "waiting_for_company":
            self._lone.waits(alert.fingerprint)

    def settle_alone(self, marks: Iterable[str], now: float, out: list[AnyDecision]) -> Steps[None]:
        """What is in no incident, now that its company is known: it pages alone, or is judged again."""
        known = self._state.alerts
        yield
        with self._alerts.unchanged():
            for number, mark in enumerate(marks, start=1):
                if not number % TOGETHER:
                    yield
                alert = known.get(mark)
                if alert is None or alert.incident is not None:
                    continue
                if alert.handling == "page":
                    self.page_alone(alert, now, out)
                elif alert.reason.code in SETTLED_BY_COMPANY and alert.firing:
                    yield from self._alerts.reading(alert)
                    self._alerts.rejudge([mark], now, out)
                    yield  # the first few ask after all of their group

    def _incident_changed(self, decision: IncidentChanged, now: float, out: list[AnyDecision], at: int) -> None:
        """``at`` is the place in ``out`` after the decision."""
        name = decision.incident.id
        self._alerts.incident_changed(self._state.incidents[name], now, out)
        if decision.event in {"reopened", "split"}:
            self._pager.reminders.plan(self._state.incidents[name])
        out.extend(self._following.changed(self._state.incidents[name], now))
        grown = self._escalation.on_incident(self._state.incidents[name], decision.event, now)
        if grown and not any(isinstance(one, Page) and one.incident == name for one in out[at:]):
            self._pager.page_grown(name, now, out)
        out.extend(self._automation.on_incident(decision.incident, decision.event, now))
        if decision.event in {"opened", "suspects_changed"}:
            out.extend(self._hearing.questions(decision.incident, now))

    def _paged(self, page: Page, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        text = page_text(self._state, incident, page.reason if page.rise else "")
        alert = self._state.alerts[page.alert]
        out.extend(self._automation.pages(incident, alert, now, text))
        self._escalation.paged(incident, alert, text, now)

    def _hear_again(self, now: float, out: list[AnyDecision]) -> None:
        """What was muted counts from now on: with company it is an incident, and must not page alone."""
        for mark in self._alerts.unmuted:
            alert = self._state.alerts.get(mark)
            if alert is None or not alert.firing:
                continue
            if alert.incident is None:
                self._groups.add(alert, now)
                self._groups.reconsider(alert, now)
            else:
                self._lives.heard_again(alert, now, out)
        self._alerts.unmuted.clear()
