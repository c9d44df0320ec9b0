"""What people of a scenario do, as commands: whom they mean is looked up when they do it."""

from __future__ import annotations

from collections.abc import Iterator

from quell.config.scenario import Person
from quell.core.desk import asks
from quell.core.stand import current
from quell.model.decision import Audit
from quell.model.incident import Incident
from quell.model.records import CommandRecord
from quell.model.run import Run
from quell.model.state import State

_OF_INCIDENTS = frozenset({"ack", "resolve", "reopen"})
_REFUSED = "refused: "


class NobodyMeant(Exception):
    """There is nothing that the person could mean; the text says what there is."""


def commands_of(person: Person, state: State, number: int) -> list[CommandRecord]:
    """The commands that a person gives now. Raises `NobodyMeant`."""
    args = dict(person.args)
    if person.roles is not None:
        args["roles"] = [*person.roles, *(f"role:{role}" for role in person.roles if ":" not in role)]
    if person.note:
        args["note"] = person.note
    if person.verb == "run" and not person.exact:
        args |= {"incident": _one_incident(person, state), "dry": "true" if person.dry else ""}
    return [
        CommandRecord(
            at=person.at,
            source="test",
            id=f"person-{number}-{n}",
            verb=person.verb,
            target=target,
            by=person.by,
            args=args,
        )
        for n, target in enumerate(_targets(person, state))
    ]


def refusal(command: CommandRecord, audits: list[Audit]) -> str:
    """Why a command was refused, "" when it was not."""
    said = (
        audit.detail.removeprefix(_REFUSED)
        for audit in audits
        if (audit.who, audit.what, audit.target) == (command.by, command.verb, command.target)
        and audit.detail.startswith(_REFUSED)
    )
    return next(said, "")


def _targets(person: Person, state: State) -> list[str]:
    if person.exact:
        return [person.target]
    if person.verb in _OF_INCIDENTS:
        return [incident.id for incident in _incidents(person.target, person.verb, state)]
    if person.verb in {"approve", "reject", "stop", "release"}:
        return [run.id for run in _runs(person, state)]
    return [person.target]


def _runs(person: Person, state: State) -> Iterator[Run]:
    found = [run for run in state.runs.values() if _is_meant(run, person)]
    if not found:
        there = (
            ", ".join(f"{run.playbook} is {run.state}{_step_of(run)}" for run in state.runs.values()) or "there is none"
        )
        wanted = {"approve": "asks", "reject": "asks", "stop": "is under way", "release": "is stuck"}[person.verb]
        raise NobodyMeant(f'no run of "{person.target}" {wanted}; of the runs {there}')
    yield from found


def _step_of(run: Run) -> str:
    act = None if run.over else current(run)
    return f" at {act.id}" if act is not None else ""


def _is_meant(run: Run, person: Person) -> bool:
    if person.verb == "release":
        return run.playbook == person.target and run.state == "stuck"
    if run.over:
        return False
    if person.verb == "stop":
        return run.playbook == person.target
    act = current(run)
    names = {run.playbook, act.id if act is not None else ""}
    return person.target in names and (asks(run) or run.state == "in_doubt")


def _incidents(word: str, verb: str, state: State) -> list[Incident]:
    over = verb == "reopen"
    there = [one for one in state.incidents.values() if (one.status == "resolved" if over else one.is_open)]
    found = [one for one in there if not word or _speaks_of(one, word)]
    if not found:
        titles = ", ".join(f'"{one.title}"' for one in there) or "none"
        raise NobodyMeant(f'no {"resolved" if over else "open"} incident is about "{word}"; there is {titles}')
    return found


def _speaks_of(incident: Incident, word: str) -> bool:
    entities = {*incident.entities, *(suspect.entity for suspect in incident.suspects[:1])}
    return word == incident.id or word in incident.title or any(word in (e, e.partition("/")[2]) for e in entities)


def _one_incident(person: Person, state: State) -> str:
    """The incident of a run by hand; "" when there is none and none is named: a playbook may need none."""
    if not person.incident and not any(one.is_open for one in state.incidents.values()):
        return ""
    return _incidents(person.incident, "run", state)[0].id
