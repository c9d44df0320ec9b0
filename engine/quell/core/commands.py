"""People's acts on incidents, silences and runs; each leaves an audit entry, also when it is refused."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.core.alerts import Alerts
from quell.core.automation import RUN_VERBS, Automation
from quell.core.elsewhere import Elsewhere
from quell.core.habits import Observer
from quell.core.intake import in_calendar
from quell.core.lives import Lives
from quell.core.logbook import Logbook, noted
from quell.core.people import People
from quell.errors import ExpressionError
from quell.expressions.matchers import Matching
from quell.model.decision import AnyDecision, Audit, SilenceChanged
from quell.model.incident import POSTMORTEM, Incident
from quell.model.mute import Silence
from quell.model.records import CommandRecord, FeedbackRecord
from quell.model.state import State
from quell.model.times import format_duration

MOST_DECLINED = 10_000
MOST_NOTE = 2000
_DONE_ALREADY = frozenset({"replay_quarantined", "drop_quarantined", "take_rules", "refuse_rules"})
"""What the edges did before they say so: it is only put on the trail."""
DRAFTED = "drafted"
"""Quell has kept a draft of the incident's post-mortem."""
_OF_PEOPLE = frozenset({"assign", "snooze", "merge", "split"})
_OF_INCIDENTS = _OF_PEOPLE | {"ack", "resolve", "reopen"}


class Commands:
    """One dispatcher for every way in."""

    def __init__(
        self,
        state: State,
        logbook: Logbook,
        lives: Lives,
        automation: Automation,
        alerts: Alerts,
        *,
        people: People,
        elsewhere: Elsewhere,
    ) -> None:
        self._state = state
        self._logbook = logbook
        self._lives = lives
        self._automation = automation
        self._alerts = alerts
        self._people = people
        self._elsewhere = elsewhere
        self._observer = Observer(state)

    def take(self, command: CommandRecord, now: float, out: list[AnyDecision]) -> bool:
        """Does what was asked; returns whether alerts must be judged again."""
        if command.verb == "follow":
            return self._elsewhere.take(command, now, out)
        if command.verb in RUN_VERBS:
            out.extend(self._automation.on_command(command, now))
            return False
        if command.verb in _DONE_ALREADY:
            self._audit(command, now, out, command.args.get("note") or "")
            return False
        if command.verb in {"silence", "expire_silence"}:
            return self._silence(command, now, out)
        if command.verb not in _OF_INCIDENTS | {DRAFTED}:
            self._refuse(command, now, out, f'there is no command "{command.verb}"')
            return False
        incident = self._state.incidents.get(command.target)
        if incident is None:
            self._refuse(command, now, out, f'there is no incident "{command.target}"')
            return False
        if command.verb == DRAFTED:
            self._drafted(command, incident, now, out)
            return False
        self._on_incident(command, incident, now, out)
        return True

    def _drafted(self, command: CommandRecord, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        """Says where the draft of its post-mortem is; a draft that was told of is not told of again."""
        note = str(command.args.get("note") or "")[:MOST_NOTE]
        if any((entry.what, entry.text) == (POSTMORTEM, note) for entry in incident.timeline):
            return
        self._logbook.keep(noted(incident, now, POSTMORTEM, note), "updated", now, out)
        self._audit(command, now, out, note)

    def _on_incident(self, command: CommandRecord, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        note = str(command.args.get("note") or "")
        by = command.by or "a person"
        if command.verb in _OF_PEOPLE:
            self._between_people(command, incident, now, out)
            return
        if command.verb == "ack":
            if not incident.is_open or (incident.status != "open" and incident.snoozed_until is None):
                self._refuse(command, now, out, _already(incident))
                return
            self._lives.acknowledge(incident, by, note or "taken", now, out)
        elif command.verb == "resolve":
            if not incident.is_open:
                self._refuse(command, now, out, _already(incident))
                return
            self._lives.resolve(incident.id, by, note or "resolved by hand", now, out)
        else:
            if incident.status != "resolved":
                self._refuse(command, now, out, _already(incident))
                return
            self._lives.reopen(incident, by, note or "opened again by hand", now, out)
        self._audit(command, now, out, note)

    def _between_people(self, command: CommandRecord, incident: Incident, now: float, out: list[AnyDecision]) -> None:
        """Assign, snooze, merge, split; the last two are kept as judgements, too, for they say what was wrong."""
        verb, args, by = command.verb, command.args, command.by or "a person"
        note = str(args.get("note") or "")
        why = self._people.refusal(verb, incident, args) if incident.is_open else _already(incident)
        if why:
            self._refuse(command, now, out, why)
            return
        detail = note
        if verb == "assign":
            self._people.assign(incident, str(args["to"]), by, now, out)
            detail = f"to {args['to']}"
        elif verb == "snooze":
            self._people.snooze(incident, float(args["seconds"]), by, now, out)
            detail = f"for {format_duration(float(args['seconds']))}"
        elif verb == "merge":
            gone = self._state.incidents[str(args["incident"])]
            self._people.merge(incident, gone, by=by, note=note, now=now, out=out)
            detail = f"absorbs {gone.id}{f': {note}' if note else ''}"
        else:
            marks = [str(mark) for mark in args["alerts"]]
            name = self._people.split(incident, marks, by=by, note=note, now=now, out=out)
            detail = f"{', '.join(marks)} as {name}{f': {note}' if note else ''}"
        self._audit(command, now, out, detail)
        if verb in {"merge", "split"}:
            out.append(Audit(at=now, who=command.by, what=f"feedback:should_{verb}", target=incident.id, detail=detail))

    def feedback(self, record: FeedbackRecord, now: float, out: list[AnyDecision]) -> None:
        """Keeps a judgement in the incident's timeline and the trail, where training finds it; triage heeds it."""
        if record.suggestion:
            self._decline(record, now, out)
            return
        incident = self._state.incidents.get(record.incident)
        alert = self._state.alerts.get(record.alert)
        if incident is None and alert is not None and alert.incident:
            incident = self._state.incidents.get(alert.incident)
        if record.verdict == "not_actionable":
            marks = incident.alerts if incident is not None else (record.alert,)
            self._observer.judged_useless(marks)
        target = record.incident or record.alert
        out.append(Audit(at=now, who=record.by, what=f"feedback:{record.verdict}", target=target, detail=record.note))
        if incident is not None:
            text = record.verdict.replace("_", " ") + (f": {record.note}" if record.note else "")
            judged = noted(incident, now, "feedback", text, record.by or "a person")
            self._logbook.keep(judged, "updated", now, out)
        mark = record.alert or (incident.page_alert if incident is not None else None)
        if mark is not None:
            self._alerts.feedback(mark, record.verdict, now, out)

    def _decline(self, record: FeedbackRecord, now: float, out: list[AnyDecision]) -> None:
        """Remembers that a suggestion was turned down; the oldest of very many are forgotten."""
        declined = self._state.habits.declined
        declined.pop(record.suggestion, None)
        declined[record.suggestion] = now
        while len(declined) > MOST_DECLINED:
            del declined[next(iter(declined))]
        what = f"feedback:{record.verdict}"
        out.append(Audit(at=now, who=record.by, what=what, target=record.suggestion, detail=record.note))

    def _silence(self, command: CommandRecord, now: float, out: list[AnyDecision]) -> bool:
        known = self._state.silences.get(command.target)
        if command.verb == "expire_silence":
            if known is None or known.state(now) == "expired":
                self._refuse(command, now, out, f'there is no active silence "{command.target}"')
                return False
            # A silence that has not begun ends before it begins.
            silence = msgspec.structs.replace(known, ends_at=now, starts_at=min(known.starts_at, now), updated_at=now)
        else:
            try:
                silence = msgspec.convert(command.args.get("silence"), Silence, strict=False)
            except msgspec.ValidationError as error:
                self._refuse(command, now, out, f"not a silence: {error}")
                return False
            silence = msgspec.structs.replace(silence, id=command.target or silence.id, updated_at=now)
            wrong = _wrong_with(silence)
            if wrong:
                self._refuse(command, now, out, f"not a silence: {wrong}")
                return False
        self._state.silences[silence.id] = silence
        out.append(SilenceChanged(at=now, silence=silence))
        self._audit(command, now, out, silence.comment)
        return True

    def _audit(self, command: CommandRecord, now: float, out: list[AnyDecision], detail: Any) -> None:
        out.append(Audit(at=now, who=command.by, what=command.verb, target=command.target, detail=str(detail)))

    def _refuse(self, command: CommandRecord, now: float, out: list[AnyDecision], why: str) -> None:
        self._audit(command, now, out, f"refused: {why}")


def _wrong_with(silence: Silence) -> str:
    """What keeps a silence from being taken; "" when nothing does."""
    if not silence.id:
        return "it has no id"
    if not (in_calendar(silence.starts_at) and in_calendar(silence.ends_at)):
        return "its times are none that a calendar holds"
    try:
        Matching(silence.matchers)
    except ExpressionError as error:
        return str(error)
    return ""


def _already(incident: Incident) -> str:
    if incident.status == "merged":
        return f"incident {incident.id} was merged into {incident.merged_into}"
    by = f" by {incident.acknowledged_by}" if incident.acknowledged_by else ""
    return f"incident {incident.id} is already {incident.status}{by}"
