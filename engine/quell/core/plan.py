"""What a run will do, resolved ahead of doing it: its identity, its variables, its locks and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import replace

from quell.core.context import MOST_ALERTS, evaluated, rendered, run_context, top_suspect, with_others
from quell.core.drift import drift_of
from quell.core.items import EACH, ITEMS, items_of
from quell.core.worded import params_of
from quell.errors import ExpressionError
from quell.model.incident import Incident
from quell.model.playbook import Each, Playbook, Step
from quell.model.run import Run, StepRun
from quell.model.state import State

_SORTED = msgspec.json.Encoder(order="sorted")


def run_id(playbook: str, incident: str, trigger: str, each: str, number: int) -> str:
    """Such as ``R-3f9c2d1a``; the same for the same trigger, ``number`` 0 unless runs before it were skipped."""
    identity = "\x00".join([playbook, incident, trigger, each] + [str(number)] * (number > 0))
    return "R-" + blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def prepared(state: State, playbook: Playbook, run: Run, incident: Incident, at: float) -> Run:
    """As `planned`, the run alone."""
    return planned(state, playbook, run, incident, at)[0]


def planned(state: State, playbook: Playbook, run: Run, incident: Incident, at: float) -> tuple[Run, Mapping[str, Any]]:
    """The run with its suspect, identity, variables and locks as they are now, and what its expressions see then.

    A variable may refer to those written before it. A run stays about the drift that it began with: that alert may be
    over and forgotten when people are asked again a day later. Raises ExpressionError with the place.
    """
    drift = run.drift or drift_of(state, incident.alerts[:MOST_ALERTS] or ((run.alert,) if run.alert else ()))
    run = replace(run, suspect=top_suspect(incident), drift=drift, vars={}, each="", locks=())
    context = run_context(state, playbook, run, at)
    each = _each(playbook, context)
    found = context["vars"] = dict[str, Any]()
    for name, value in playbook.vars.items():
        found[name] = _placed(f"vars.{name}", value, context)
        with_others(context, {name: found[name]})
    run = replace(run, each=each, vars=found)
    locks = [str(_placed("guards.one_at_a_time", lock, context)) for lock in playbook.guards.one_at_a_time]
    return replace(run, locks=tuple(dict.fromkeys(locks))), context


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
        _ahead(step, act, context) if act.state == "planned" else act
        for step, act in zip(playbook.steps, run.steps, strict=True)
    )


def _ahead(step: Step, act: StepRun, context: dict[str, Any]) -> StepRun:
    """The act with what is known of it ahead; of an undo only what needs nothing that is read before the act."""
    if step.wait is not None:
        return act
    if step.for_each is not None:
        return replace(act, params=_foreseen_items(step, step.for_each, context))
    deed = step.undo
    undo = _foreseen(deed.with_, deed.queries, context) if deed is not None and not deed.takes else {}
    return replace(act, params=_foreseen(step.with_, step.queries, context), undo=undo)


def _foreseen_items(step: Step, each: Each, context: dict[str, Any]) -> dict[str, Any]:
    """The list, and what is done for each of its items if none of that needs an answer that is not there yet."""
    try:
        items = items_of(each, context)
    except ExpressionError:
        return {}
    params = [_foreseen(step.with_, step.queries, {**context, "item": item}) for item in items]
    return {ITEMS: items, EACH: params} if params and all(params) else {ITEMS: items}


def _foreseen(params: Mapping[str, Any], queries: tuple[str, ...], context: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters, or none when one needs an answer that is not there yet."""
    try:
        return params_of(params, queries, context)
    except ExpressionError:
        return {}


def version_of(incident: Incident | None) -> int:
    """The version of an incident that people are asked for, 0 without one."""
    return incident.material_version if incident is not None else 0


def binding(playbook: Playbook, run: Run, incident: Incident | None) -> str:
    """16 hex digits of what an approval covers: the playbook in its commit, the incident, what is still to be done.

    The incident is covered by its material version, which another alert that joins does not change.
    """
    steps = [
        [step.id, step.do, step.with_, act.params, act.undo]
        for step, act in zip(playbook.steps, run.steps, strict=True)
        if act.state == "planned"
    ]
    written = [playbook.name, playbook.version, playbook.place.commit, playbook.place.signer]
    covered = [*written, run.incident, version_of(incident), run.each, run.vars, steps]
    return blake2b(_SORTED.encode(covered), digest_size=8).hexdigest()
