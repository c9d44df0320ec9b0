"""What quell does itself, without a connector: notes in the incident, calls for people, the check of drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quell.core.desk import Desk
from quell.core.drift import validated
from quell.errors import ExpressionError
from quell.model.run import Run

Answer = tuple[dict[str, Any], str]
"""The output and the sentence."""


def _note(desk: Desk, run: Run, params: Mapping[str, Any], _name: str, at: float) -> Answer:
    text = str(params.get("text") or "").strip()
    if not text:
        raise ExpressionError("incident.note: the text is empty")
    if run.dry:
        return {}, f"would note in the incident: {text}"
    noted = desk.note(run, "note", text, at)
    return {}, f"noted in the incident: {text}" if noted else "there is no incident any more to note it in"


def _escalate(desk: Desk, run: Run, params: Mapping[str, Any], name: str, at: float) -> Answer:
    text = str(params.get("text") or f"Playbook {run.playbook} (run {run.id}) asks people to look")
    routes = desk.page(run, at, name, text)
    told = f"{'would tell' if run.dry else 'told'} {routes} route{'s' * (routes != 1)}"
    return {"routes": routes}, f"{told if routes else 'no route matches, so nobody was told'}: {text}"


def _validate_drift(desk: Desk, run: Run, params: Mapping[str, Any], _name: str, at: float) -> Answer:
    incident = desk.state.incidents.get(run.incident)
    marks = incident.alerts if incident is not None else (run.alert,) if run.alert else ()
    return validated(desk.state, marks, params, at, desk.present)


BUILT_IN: Mapping[str, Callable[[Desk, Run, Mapping[str, Any], str, float], Answer]] = {
    "incident.note": _note,
    "escalate": _escalate,
    "quell.validate_drift": _validate_drift,
}
"""By full name. Each raises ExpressionError when it cannot be done."""
