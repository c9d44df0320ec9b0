"""What a run will do, resolved ahead of doing it: its identity, its variables, its locks and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import replace

from quell.core.context import evaluated, rendered, run_context, top_suspect
from quell.errors import ExpressionError
from quell.model.incident import Incident
from quell.model.playbook import Playbook
from quell.model.run import Run, StepRun
from quell.model.state import State

_SORTED = msgspec.json.Encoder(order="sorted")


def run_id(playbook: str, incident: str, trigger: str, each: str, number: int) -> str:
    """Such as ``R-3f9c2d1a``; the same for the same trigger, ``number`` 0 unless runs before it were skipped."""
    identity = "\x00".join([playbook, incident, trigger, each] + [str(number)] * (number > 0))
    return "R-" + blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def prepared(state: State, playbook: Playbook, run: Run, incident: Incident, at: float) -> Run:
    """The run with its suspect, identity, variables and locks as they are now. Raises ExpressionError with the place.

    A variable may refer to those written before it.
    """
    run = replace(run, suspect=top_suspect(incident), vars={}, each="", locks=())
    run = replace(run, each=_each(playbook, run_context(state, playbook, run, at)))
    for name, value in playbook.vars.items():
        found = _placed(f"vars.{name}", value, run_context(state, playbook, run, at))
        run = replace(run, vars={**run.vars, name: found})
    context = run_context(state, playbook, run, at)
    locks = [str(_placed("guards.one_at_a_time", lock, context)) for lock in playbook.guards.one_at_a_time]
    return replace(run, locks=tuple(dict.fromkeys(locks)))


def _each(playbook: Playbook, context: Mapping[str, Any]) -> str:
    values = []
    for expression in playbook.guards.each:
        try:
            values.append(evaluated(expression, context))
        except ExpressionError as error:
            raise ExpressionError(f"guards.each: {error}", error.column) from None
    return values[0] if len(values) == 1 else msgspec.json.encode(values).decode() if values else ""


def _placed(place: str, value: Any, context: Mapping[str, Any]) -> Any:
    try:
        return rendered(value, context)
    except ExpressionError as error:
        raise ExpressionError(f"{place}: {error}", error.column) from None


def foreseen(state: State, playbook: Playbook, run: Run, at: float) -> tuple[StepRun, ...]:
    """The run's steps with the parameters of those still to come resolved, as far as they can be before they act."""
    context = run_context(state, playbook, run, at)
    return tuple(
        replace(
            act, params=_foreseen(step.with_, context), undo=_foreseen(step.undo.with_ if step.undo else {}, context)
        )
        if act.state == "planned"
        else act
        for step, act in zip(playbook.steps, run.steps, strict=True)
    )


def _foreseen(params: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters, or none when one needs an answer that is not there yet."""
    try:
        found: dict[str, Any] = rendered(dict(params), context)
    except ExpressionError:
        return {}
    return found


def binding(playbook: Playbook, run: Run) -> str:
    """16 hex digits of what an approval covers: the playbook, the incident, and what is still to be done."""
    steps = [
        [step.id, step.do, step.with_, act.params, act.undo]
        for step, act in zip(playbook.steps, run.steps, strict=True)
        if act.state == "planned"
    ]
    covered = [playbook.name, playbook.version, run.incident, run.each, run.vars, steps]
    return blake2b(_SORTED.encode(covered), digest_size=8).hexdigest()
