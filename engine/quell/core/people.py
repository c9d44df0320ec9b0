"""What people do with incidents besides taking and ending them: assign, snooze, merge, split off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from quell.core.agenda import Agenda
from quell.core.alerts import Alerts
from quell.core.continuity import new_name, place_of
from quell.core.logbook import Logbook, noted, remade
from quell.core.pageable import told_of
from quell.core.pager import UNPAGED, Pager
from quell.core.rulings import Rulings
from quell.core.severity import rank, worst
from quell.core.titles import title
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.incident import Incident, Suspect
from quell.model.state import State
from quell.model.times import format_duration, format_time

LONGEST_SNOOZE_S = 7 * 86400.0
"""Who wants to hear nothing for longer means a silence."""


class People:
    """Works on incidents that are open; ``reconsider`` has what is concluded about an alert's group concluded anew."""

    def __init__(
        self,
        state: State,
        *,
        alerts: Alerts,
        logbook: Logbook,
        pager: Pager,
        agenda: Agenda,
        reconsider: Callable[[Alert, float], None],
    ) -> None:
        self._state = state
        self._alerts = alerts
        self._logbook = logbook
        self._pager = pager
        self._agenda = agenda
        self._reconsider = reconsider
        self._rulings = Rulings(state)

    def refusal(self, verb: str, incident: Incident, args: dict[str, Any]) -> str:
        """Why this cannot be done; "" when it can."""
        if verb == "assign":
            return "" if str(args.get("to") or "") else "nobody is named to whom"
        if verb == "snooze":
            seconds = _number(args.get("seconds"))
            fits = seconds is not None and 0 < seconds <= LONGEST_SNOOZE_S
            return "" if fits else f"for how long is not said, or for longer than {format_duration(LONGEST_SNOOZE_S)}"
        if verb == "merge":
            return self._unmergeable(incident, str(args.get("incident") or ""))
        marks = self._own(incident)
        wanted = _marks(args)
        strangers = [mark for mark in wanted if mark not in marks]
        if strangers or not wanted:
            return f'incident {incident.id} has no alert "{strangers[0] if strangers else ""}"'
        return f"nothing would be left of incident {incident.id}" if set(wanted) >= set(marks) else ""

    def _unmergeable(self, incident: Incident, name: str) -> str:
        other = self._state.incidents.get(name)
        if other is None:
            return f'there is no incident "{name}"'
        if other.id == incident.id:
            return "an incident cannot be merged with itself"
        return "" if other.is_open else f"incident {other.id} is {other.status}"

    def assign(self, incident: Incident, to: str, by: str, now: float, out: list[AnyDecision]) -> None:
        """An incident is somebody's from now on; whether they take it is theirs to say."""
        theirs = msgspec.structs.replace(incident, assigned_to=to)
        self._logbook.keep(noted(theirs, now, "assigned", f"to {to}", by), "updated", now, out)

    def snooze(self, incident: Incident, seconds: float, by: str, now: float, out: list[AnyDecision]) -> None:
        """Acknowledged until then; if it is still open, people are called again."""
        until = now + seconds
        told = self._pager.pageable.told(incident, seen=True)
        quiet = msgspec.structs.replace(
            incident, status="acknowledged", acknowledged_by=by, told_severity=told, snoozed_until=until
        )
        text = f"for {format_duration(seconds)}, until {format_time(until)}"
        self._logbook.keep(noted(quiet, now, "snoozed", text, by), "acknowledged", now, out)
        self._agenda.put(until, "wake", incident.id)

    def plan(self, incident: Incident) -> None:
        """Puts on the agenda when a snoozed incident wakes."""
        if incident.is_open:
            self._agenda.put(incident.snoozed_until, "wake", incident.id)

    def wake(self, name: str, now: float, out: list[AnyDecision]) -> None:
        """The time of a snooze is over: who takes it now? What became worse meanwhile has called already."""
        incident = self._state.incidents.get(name)
        if incident is None or incident.snoozed_until is None or incident.snoozed_until > now or not incident.is_open:
            return
        if incident.status != "acknowledged":
            self._state.incidents[name] = msgspec.structs.replace(incident, snoozed_until=None)
            return
        awake = msgspec.structs.replace(incident, status="open", acknowledged_by="", snoozed_until=None, **UNPAGED)
        text = f"the snooze of {incident.acknowledged_by} is over, and it is still open"
        self._logbook.keep(noted(awake, now, "woke", text), "updated", now, out)
        self._pager.page_if_due(name, now, out)

    def merge(
        self, incident: Incident, gone: Incident, *, by: str, note: str, now: float, out: list[AnyDecision]
    ) -> None:
        """Two incidents are one from now on, and whatever shares the cause of either belongs to it."""
        moving = self._own(gone)
        self._rulings.absorb(gone.id, incident.id)
        self._rulings.rule([*self._own(incident), *moving], incident.id, apart=False)
        said = f": {note}" if note else ""
        merged = msgspec.structs.replace(
            gone, status="merged", merged_into=incident.id, resolved_at=now, snoozed_until=None
        )
        self._logbook.keep(noted(merged, now, "merged", f"into {incident.id}{said}", by), "merged", now, out)
        alerts = self._known(dict.fromkeys((*incident.alerts, *moving)))
        whole = msgspec.structs.replace(
            incident,
            **self._listing(alerts),
            suspects=incident.suspects or gone.suspects,
            no_clear_cause=incident.no_clear_cause if incident.suspects else gone.no_clear_cause,
            impact=tuple(dict.fromkeys((*incident.impact, *gone.impact))),
            changes=tuple(dict.fromkeys((*incident.changes, *gone.changes))),
            crowd=False,
            **_page_of(incident, gone),
        )
        whole = remade(msgspec.structs.replace(whole, told_severity=self._told(whole, gone)))
        self._logbook.keep(noted(whole, now, "absorbed", f"{gone.id}, {gone.title}{said}", by), "updated", now, out)
        self._move(moving, incident.id, now, out)
        self._pager.reminders.plan(self._state.incidents[incident.id])

    def split(
        self, incident: Incident, marks: Sequence[str], *, by: str, note: str, now: float, out: list[AnyDecision]
    ) -> str:
        """Alerts stand apart from now on, in an incident of their own; returns its id. Nobody is called for that."""
        alerts = self._known(marks)
        name = new_name(self._state, [(alert.fingerprint, alert.episode) for alert in alerts], now)
        first = alerts[0]
        suspects = (Suspect(entity=first.entity, onset=first.starts_at, path=(first.entity,)),) if first.entity else ()
        said = f": {note}" if note else ""
        own = Incident(
            id=name,
            title=title(suspects, alerts),
            opened_at=now,
            updated_at=now,
            suspects=suspects,
            no_clear_cause=True,
            **self._listing(alerts),
            **{field: getattr(incident, field) for field in _INHERITED},
        )
        self._logbook.keep(noted(own, now, "opened", f"split off {incident.id}{said}", by), "opened", now, out)
        rest = self._known([mark for mark in incident.alerts if mark not in set(marks)])
        less = remade(msgspec.structs.replace(incident, **self._listing(rest)))
        names = ", ".join(dict.fromkeys(alert.name or alert.fingerprint for alert in alerts))
        self._logbook.keep(noted(less, now, "split", f"{names} stand apart as {name}{said}", by), "split", now, out)
        self._rulings.rule(marks, name, apart=True)
        self._move(marks, name, now, out)
        self.plan(self._state.incidents[name])
        for each, part in ((name, alerts), (incident.id, rest)):
            if not any(alert.firing for alert in part):
                self._logbook.watch(each, now + self._logbook.calm_s)
        for alert in rest:
            self._reconsider(alert, now)
        return name

    def _own(self, incident: Incident) -> list[str]:
        return [alert.fingerprint for alert in self._known(incident.alerts) if alert.incident == incident.id]

    def _known(self, marks: Sequence[str] | dict[str, None]) -> list[Alert]:
        found = [alert for mark in marks if (alert := self._state.alerts.get(mark)) is not None]
        return sorted(found, key=lambda alert: (alert.starts_at, alert.fingerprint))

    def _listing(self, alerts: Sequence[Alert]) -> dict[str, Any]:
        return {
            "alerts": tuple(alert.fingerprint for alert in alerts),
            "severity": worst(alert.severity for alert in alerts if alert.severity),
            "entities": tuple(dict.fromkeys(alert.entity for alert in alerts if alert.entity)),
        }

    def _told(self, whole: Incident, gone: Incident) -> str | None:
        """Who merged two has seen both: neither is news."""
        told = self._pager.pageable.told(whole, seen=True)
        return max(told, told_of(gone), key=rank) if whole.paged_at is not None else whole.told_severity

    def _move(self, marks: Sequence[str], name: str, now: float, out: list[AnyDecision]) -> None:
        """Alerts say where they belong now."""
        for mark in marks:
            alert = msgspec.structs.replace(self._state.alerts[mark], incident=name)
            self._state.alerts[mark] = alert
            self._state.placed[place_of((mark, alert.episode))] = name
            if not self._alerts.rejudge([mark], now, out):
                out.append(AlertChanged(at=now, alert=self._state.alerts[mark]))
            self._reconsider(alert, now)


_INHERITED = (
    "status", "paged_at", "page_alert", "page_record", "reminded_at", "reminders", "told_severity",
    "acknowledged_by", "acknowledged_before", "assigned_to", "snoozed_until",
)  # fmt: skip
"""What a part keeps of the incident it is split off: who was told, who took it."""
_PAGE = ("paged_at", "page_alert", "page_record", "reminded_at", "reminders")


def _page_of(incident: Incident, gone: Incident) -> dict[str, Any]:
    """Who was called for the one that goes is not called again for the one that stays."""
    if incident.paged_at is not None or gone.paged_at is None:
        return {}
    return {field: getattr(gone, field) for field in _PAGE}


def _marks(args: dict[str, Any]) -> list[str]:
    given = args.get("alerts")
    return [str(mark) for mark in given] if isinstance(given, list | tuple) else []


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None
