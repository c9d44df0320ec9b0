"""How incidents end and come back: by calm, by silence of their senders, by a person's word, by what fires again."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.core.logbook import QUELL, STALE_S, Logbook, noted, remade
from quell.core.pager import UNPAGED, Pager, back_at
from quell.core.steps import ASKED, Steps
from quell.core.surroundings import acted_on
from quell.core.titles import crowd_title
from quell.core.verdicts import DAY_S
from quell.model.alert import Alert
from quell.model.decision import AnyDecision
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.times import format_duration

TRUST_S = 1800.0
"""How long a person's word that it is over stands against alerts that go on firing."""

ANEW: dict[str, Any] = {
    "status": "open",
    "resolved_at": None,
    "acknowledged_by": "",
    "acknowledged_before": "",
    "snoozed_until": None,
}
"""The fields of an incident that opens again."""


class Lives:
    """Works on the status of incidents that people have been shown."""

    def __init__(self, rulebook: Rulebook, state: State, logbook: Logbook, pager: Pager) -> None:
        self._triage = rulebook.triage
        self._state = state
        self._logbook = logbook
        self._pager = pager

    def alert_ended(self, alert: Alert, now: float) -> None:
        """Asks a little later whether the incident of an alert that ended is over."""
        incident = self._state.incidents.get(alert.incident or "")
        if incident is not None and incident.is_open:
            self._logbook.watch(incident.id, now + self._logbook.calm_s)

    def calm(self, name: str, now: float, out: list[AnyDecision]) -> Steps[None]:
        """Resolves an incident none of whose alerts fires, or of which nothing was heard for a day."""
        incident, due = self._state.incidents.get(name), self._state.calm_at.get(name)
        if incident is None or due is None or due > now:
            return
        if not incident.is_open:
            self._still_fires(incident, now, out)
            return
        firing, heard_at = yield from self._firing(incident)
        heard_at = max(back_at(incident) or 0.0, heard_at)
        if firing and heard_at + STALE_S > now:
            asked_at = self._pager.page_again(incident, now, out)
            self._logbook.watch(name, heard_at + STALE_S if asked_at is None else asked_at)
            return
        why = "nothing was heard of its alerts for a day" if firing else "all its alerts are over"
        self.resolve(name, QUELL, why, now, out)

    def _firing(self, incident: Incident) -> Steps[tuple[bool, float]]:
        """Whether any of its alerts fires, and when one that does was heard of last."""
        fires, heard_at = False, 0.0
        for start in range(0, len(incident.alerts), ASKED):
            if start:
                yield
            some = map(self._state.alerts.get, incident.alerts[start : start + ASKED])
            heard = [alert.updated_at for alert in some if alert is not None and alert.firing]
            fires, heard_at = fires or bool(heard), max([heard_at, *heard])
        return fires, heard_at

    def acknowledge(self, incident: Incident, by: str, note: str, now: float, out: list[AnyDecision]) -> None:
        """A person takes an incident as it is now; should it become worse than anything told so far, it pages again."""
        told = self._pager.pageable.told(incident, seen=True)
        acked = msgspec.structs.replace(
            incident, status="acknowledged", acknowledged_by=by, told_severity=told, snoozed_until=None
        )
        self._logbook.keep(noted(acked, now, "acknowledged", note, by), "acknowledged", now, out)

    def let_go(self, incident: Incident, by: str, note: str, now: float, out: list[AnyDecision]) -> None:
        """Nobody has it any more: who is called is reminded of it as of any page that nobody took."""
        free = msgspec.structs.replace(
            incident,
            status="open",
            acknowledged_by="",
            acknowledged_before=incident.acknowledged_by or incident.acknowledged_before,
            snoozed_until=None,
            reminded_at=None if incident.paged_at is None else now,
            reminders=0,
        )
        self._logbook.keep(noted(free, now, "let go", note, by), "updated", now, out)
        self._pager.reminders.plan(self._state.incidents[incident.id])

    def resolve(self, name: str, by: str, why: str, now: float, out: list[AnyDecision]) -> None:
        """Ends an incident."""
        incident = msgspec.structs.replace(
            self._state.incidents[name], status="resolved", resolved_at=now, snoozed_until=None
        )
        lasted = format_duration(now - incident.opened_at)
        self._logbook.keep(noted(incident, now, "resolved", f"{why} (after {lasted})", by), "resolved", now, out)
        over = self._state.incidents[name]
        self._pager.over(over, now, acted=acted_on(over))
        if by != QUELL:
            self._logbook.ask(name, now + TRUST_S)

    def reopen(self, incident: Incident, by: str, note: str, now: float, out: list[AnyDecision]) -> None:
        """Opens a resolved incident again for a person; it stays open until more of it ends, or for a day."""
        again = msgspec.structs.replace(incident, **ANEW, alerts=self._own(incident))
        self._logbook.keep(noted(again, now, "reopened", note, by), "reopened", now, out)

    def back(self, alert: Alert, now: float, out: list[AnyDecision], how: str = "is back") -> None:
        """An alert came back soon after it ended: so does its incident if that was over."""
        incident = self._state.incidents.get(alert.incident or "")
        if incident is None or incident.status != "resolved":
            return
        marks = tuple(dict.fromkeys((*self._own(incident), alert.fingerprint)))
        again = self.again(msgspec.structs.replace(incident, alerts=marks), now)
        text = f"{alert.name or alert.fingerprint} {how}"
        self._logbook.keep(noted(again, now, "reopened", text), "reopened", now, out)
        self._logbook.watch(incident.id, now + self._triage.lone_page_after_s)
        self._pager.page_if_due(incident.id, now, out)

    def heard_again(self, alert: Alert, now: float, out: list[AnyDecision]) -> None:
        """Nothing mutes a firing alert any more: so its incident is not over, unless a person's word on that stands."""
        if alert.incident not in self._state.calm_at and self._pager.pageable.able(alert):
            self.back(alert, now, out, "fires still, and nothing mutes it any more")

    def again(self, incident: Incident, now: float) -> Incident:
        """A resolved incident as it opens again; it pages unless it did within a day and was over for a moment only."""
        again = msgspec.structs.replace(incident, **ANEW)
        lately = incident.paged_at is None or now < incident.paged_at + DAY_S
        if lately and incident.resolved_at is not None and incident.resolved_at + self._triage.flap_gap_s > now:
            return again
        return msgspec.structs.replace(again, **UNPAGED)

    def left(self, mark: str, name: str, now: float, out: list[AnyDecision]) -> None:
        """An alert fires anew, on its own so far: an open incident does not list it any more."""
        incident = self._state.incidents.get(name)
        if incident is None or not incident.is_open or mark not in incident.alerts:
            return
        rest = tuple(other for other in incident.alerts if other != mark)
        self._logbook.keep(msgspec.structs.replace(incident, alerts=rest), "updated", now, out)
        if not any(alert.firing for other in rest if (alert := self._state.alerts.get(other)) is not None):
            self._logbook.watch(name, now + self._logbook.calm_s)

    def parted(self, crowd: Incident, rest: tuple[str, ...], why: str, now: float, out: list[AnyDecision]) -> None:
        """Some of the alerts that had only come at one time belong to another incident."""
        alerts = [alert for mark in rest if (alert := self._state.alerts.get(mark)) is not None]
        less = msgspec.structs.replace(
            crowd,
            alerts=rest,
            title=crowd_title(alerts),
            entities=tuple(dict.fromkeys(alert.entity for alert in alerts if alert.entity)),
        )
        self._logbook.keep(noted(remade(less), now, "parted", why), "updated", now, out)
        if not any(alert.firing for alert in alerts):
            self._logbook.watch(crowd.id, now + self._logbook.calm_s)

    def emptied(self, known: Incident | None, now: float, out: list[AnyDecision]) -> None:
        """All alerts of an incident fire anew elsewhere."""
        if known is not None and known.is_open and known.alerts:
            self._logbook.keep(msgspec.structs.replace(known, alerts=()), "updated", now, out)
            self._logbook.watch(known.id, now + self._logbook.calm_s)

    def _still_fires(self, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        """What a person resolved comes back, with a page, when its alerts went on firing all the same."""
        self._state.calm_at.pop(incident.id, None)
        if incident.status != "resolved":
            return
        own = self._own(incident)
        firing = [mark for mark in own if self._pager.pageable.able(self._state.alerts.get(mark))]
        if not firing:
            if any(self._pager.pageable.may_be_able(self._state.alerts.get(mark)) for mark in own):
                self._logbook.ask(incident.id, now + TRUST_S)  # what mutes or holds it now may end before it does
            return
        again = msgspec.structs.replace(incident, **ANEW, **UNPAGED, alerts=self._own(incident))
        text = f"{len(firing)} of its alerts still fire {format_duration(TRUST_S)} after it was resolved by hand"
        self._logbook.keep(noted(again, now, "reopened", text), "reopened", now, out)
        self._pager.page_if_due(incident.id, now, out)

    def _own(self, incident: Incident) -> tuple[str, ...]:
        """The alerts of an incident that have not gone on to another since."""
        return tuple(
            mark
            for mark in incident.alerts
            if (alert := self._state.alerts.get(mark)) is not None and alert.incident == incident.id
        )
