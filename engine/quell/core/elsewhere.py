"""What people did elsewhere with what they were called for: it is done here as well, in their name."""

from __future__ import annotations

from quell.core.following import NOTE, Following
from quell.core.lives import Lives
from quell.core.logbook import Logbook, noted
from quell.model.decision import AnyDecision, Audit
from quell.model.incident import Incident
from quell.model.records import CommandRecord
from quell.model.state import State

_LONGEST_NOTE = 2000


class Elsewhere:
    """Takes the command ``follow``. What is not about an incident of ours is no news, and leaves no trace."""

    def __init__(self, state: State, lives: Lives, logbook: Logbook, following: Following) -> None:
        self._state = state
        self._lives = lives
        self._logbook = logbook
        self._following = following

    def take(self, command: CommandRecord, now: float, out: list[AnyDecision]) -> bool:
        """Brings the incident to how it stands there; returns whether alerts must be judged again."""
        there, status = str(command.args.get("there") or ""), str(command.args.get("status") or "")
        name = command.target or self._following.named(command.source, there)
        incident = self._state.incidents.get(name)
        if incident is None:
            return False
        by = _by(command)
        if status == NOTE:
            known = noted(incident, now, "note", _note(command), by)
            self._logbook.keep(known, "updated", now, out)
            out.append(Audit(at=now, who=by, what=NOTE, target=incident.id, detail=_note(command)))
            return False
        if status not in {"open", "acknowledged", "resolved"}:
            detail = f'refused: there is no status "{status}"'
            out.append(Audit(at=now, who=by, what="follow", target=incident.id, detail=detail))
            return False
        echo = bool(command.args.get("echo"))
        taken = self._following.heard(incident, command.source, there, status, command.at, echo=echo)
        if taken:
            what = self._brought(incident, command, now, out)
            out.append(Audit(at=now, who=by, what=what, target=incident.id, detail=_note(command)))
        out.extend(self._following.say(self._state.incidents[incident.id], now))
        return taken

    def _brought(self, incident: Incident, command: CommandRecord, now: float, out: list[AnyDecision]) -> str:
        """Has it stand so; returns what a person here would have done for that."""
        status, by, note = command.args["status"], _by(command), _note(command)
        if status == "resolved":
            self._lives.resolve(incident.id, by, note, now, out)
            return "resolve"
        if status == "open" and incident.is_open:
            self._lives.let_go(incident, by, note, now, out)
            return "let go"
        if not incident.is_open:
            self._lives.reopen(incident, by, note, now, out)
            if status == "open":
                return "reopen"
        self._lives.acknowledge(self._state.incidents[incident.id], by, note, now, out)
        return "ack"


def _by(command: CommandRecord) -> str:
    return command.by or command.source or "a person"


def _note(command: CommandRecord) -> str:
    return str(command.args.get("note") or "")[:_LONGEST_NOTE] or f"in {command.source}"
