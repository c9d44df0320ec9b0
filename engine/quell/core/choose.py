"""Which playbooks news calls for: triggers, conditions and settling; what begins of it is `quell.core.begin`'s."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from quell.core.begin import Beginnings, Call, of_alert, of_clock, of_incident
from quell.core.clockwork import Clockwork
from quell.core.desk import Desk
from quell.core.settling import Waiting
from quell.core.steps import Steps
from quell.core.triggers import TRIGGERS, Triggers
from quell.core.views import View, words_of
from quell.model.alert import Alert
from quell.model.decision import IncidentEvent
from quell.model.incident import Incident
from quell.model.playbook import Playbook
from quell.model.run import Settling


class Choice:
    """Decides what begins. What waits for its condition to settle, and for the clock, is in the state."""

    def __init__(self, playbooks: Iterable[Playbook], desk: Desk, beginnings: Beginnings) -> None:
        self._state = desk.state
        self._beginnings = beginnings
        playbooks = tuple(playbooks)
        self.triggers = Triggers(playbooks)
        self.clockwork = Clockwork(playbooks, desk.state)
        self.waiting = Waiting(desk.state)
        self._words = words_of(playbook.if_ for playbook in playbooks)

    def on_event(self, incident: Incident, event: IncidentEvent, at: float) -> None:
        """Begins or settles the playbooks that listen to the event, and looks again at those that settle."""
        trigger = TRIGGERS.get(event)
        fitting = trigger if (trigger == "resolved") != incident.is_open else None
        settling = {name: one for name, one in self.waiting.of(incident.id).items() if self._goes_on(one, incident)}
        view = View(self._state, incident, None, at, self._words)
        listening = self.triggers.on(fitting)
        names = listening if not settling else self._ordered({*listening, *settling})
        for name in names:
            playbook = self.triggers.playbooks.get(name)
            if playbook is None:
                continue  # switched off by a reload: what settles is dropped when it is due
            if name in settling:
                self._settle(playbook, view, settling[name], at)
            elif fitting is not None:
                self._called(playbook, view, lambda: of_incident(incident, fitting), at)

    def on_alert(self, alert: Alert, at: float) -> None:
        """Begins or settles the playbooks that an alert calls for; one that is over or muted calls for none."""
        if not self.triggers.any_alert:
            return
        names = self.triggers.on_alert(alert)
        settling = self.waiting.of(f"alert:{alert.fingerprint}")
        if not alert.firing or alert.mutings:
            for one in settling.values():
                self.waiting.drop(one)
            return
        incident = self._state.incidents.get(alert.incident or "")
        view = View(self._state, incident, alert, at)
        for name in names:
            playbook = self.triggers.playbooks[name]
            if name in settling:
                self._settle(playbook, view, settling[name], at)
            else:
                self._called(playbook, view, lambda: of_alert(alert, incident), at)

    def _ordered(self, names: Iterable[str]) -> list[str]:
        rank = self.triggers.rank
        return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))

    def _goes_on(self, one: Settling, incident: Incident) -> bool:
        """What settled for an open incident is off once it is not, and the other way round."""
        if (one.trigger == "resolved") != incident.is_open:
            return True
        self.waiting.drop(one)
        return False

    @property
    def any_due(self) -> bool:
        """Whether anything waits for its time."""
        return bool(self.waiting) or self.clockwork.any

    def next_due(self) -> float | None:
        """When a condition will have held for long enough, or the clock begins something."""
        times = (self.waiting.next_due(), self.clockwork.next_due())
        return min((time for time in times if time is not None), default=None)

    def on_time(self, due_at: float, at: float) -> Steps[None]:
        """Begins the playbooks whose conditions have held up to ``due_at``, or whose time has come by then."""
        for settling in self.waiting.due(due_at):
            self._settled(settling, at)
            yield
        for name, time in self.clockwork.due(due_at):
            playbook = self.triggers.playbooks[name]
            if View(self._state, None, None, at).surely(playbook.if_):
                self._beginnings.begin(playbook, of_clock(playbook, time, at), at)

    def _settled(self, settling: Settling, at: float) -> None:
        playbook = self.triggers.playbooks.get(settling.playbook)
        alert = self._state.alerts.get(settling.alert) if settling.alert else None
        incident = self._state.incidents.get(settling.incident or (alert.incident or "" if alert is not None else ""))
        if playbook is None or (incident is None and alert is None):
            self.waiting.drop(settling)  # switched off by a reload, or forgotten
        elif View(self._state, incident, alert, at).surely(playbook.if_):
            self.waiting.drop(settling)
            if alert is not None:
                call = of_alert(alert, incident)
            else:
                assert incident is not None, "what settles settles for an alert or an incident"
                call = of_incident(incident, settling.trigger)
            self._beginnings.begin(playbook, call, at)
        else:
            self.waiting.put(replace(settling, since=None, due_at=None))

    def _called(self, playbook: Playbook, view: View, of: Callable[[], Call], at: float) -> None:
        """Begins or settles a playbook; most are asked for their condition only."""
        if not playbook.settled_for_s:
            if view.surely(playbook.if_) and not self._beginnings.answered(playbook, call := of()):
                self._beginnings.begin(playbook, call, at)
        elif not self._beginnings.answered(playbook, call := of()):
            about = "" if call.alert is not None or call.incident is None else call.incident.id
            alert = call.alert.fingerprint if call.alert is not None else ""
            waiting = Settling(playbook=playbook.name, incident=about, trigger=call.trigger, alert=alert)
            self._settle(playbook, view, waiting, at)

    def _settle(self, playbook: Playbook, view: View, settling: Settling, at: float) -> None:
        if not view.surely(playbook.if_):
            settling = replace(settling, since=None, due_at=None)
        elif settling.since is None:
            settling = replace(settling, since=at, due_at=at + playbook.settled_for_s)
        self.waiting.put(settling)
