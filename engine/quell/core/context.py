"""What the conditions and references of playbooks and routes see: plain dictionaries made from the state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from quell.core.catalog import Catalog
from quell.core.drift import drift_of, kind_of, speaks_of_drift
from quell.core.seen import POINTS, demanded, span_seen, suspect_seen, time_seen
from quell.core.stand import current
from quell.errors import ExpressionError
from quell.expressions.cel_text import CALL_FUNCTION, bound_names, tokens
from quell.expressions.conditions import Condition, condition_of
from quell.expressions.on_demand import OnDemand
from quell.expressions.templates import filled
from quell.model.alert import Alert
from quell.model.incident import Incident, Suspect
from quell.model.playbook import Playbook
from quell.model.run import Run, StepRun
from quell.model.state import State
from quell.model.times import format_duration, format_time

MOST_ALERTS = 300
"""How many alerts of an incident are shown to an expression, by order of onset: its cost follows them."""


def holds(text: str, context: Mapping[str, Any]) -> bool:
    """Whether a condition, bare or written as ``${…}``, is true. Raises ExpressionError."""
    try:
        return _condition(text).holds(context)
    except ExpressionError as error:
        raise explained(error, context) from None


def value_of(expression: str, context: Mapping[str, Any]) -> Any:
    """The value of an expression, as plain JSON types. Raises ExpressionError."""
    try:
        return plain(_condition(expression).value(context))
    except ExpressionError as error:
        raise explained(error, context) from None


def explained(error: ExpressionError, context: Mapping[str, Any]) -> ExpressionError:
    """What could not be looked up says more than that the answer lacks something."""
    catalog = context.get(CALL_FUNCTION)
    return ExpressionError(catalog.unknown.pop()) if isinstance(catalog, Catalog) and catalog.unknown else error


def _condition(text: str) -> Condition:
    bare = text.strip()
    return condition_of(bare[2:-1] if bare.startswith("${") and bare.endswith("}") else bare)


Parts = frozenset[str]
"""What conditions ask for that costs something: "alerts", and of `COSTLY` such as "incident.alerts"."""
COSTLY = {"incident": frozenset({"alerts", "suspects", "evidence", "changes"}), "suspect": POINTS}
_PARTS = {root: frozenset(f"{root}.{part}" for part in parts) for root, parts in COSTLY.items()}


@lru_cache(maxsize=4096)
def asked(text: str) -> tuple[Condition, Parts]:
    """A condition, and what it asks for that costs something. Raises ExpressionError."""
    condition = _condition(text)
    parts: set[str] = set()
    bound = {(name,) for name in bound_names(tokens(condition.text))}  # outside its macro a name may be the incident's
    for path in condition.paths | bound:
        if path[0] == "alerts":
            parts.add("alerts")
        elif path[0] in COSTLY:
            parts |= _PARTS[path[0]] & {".".join(path[:2])} if len(path) > 1 else _PARTS[path[0]]
    return condition, frozenset(parts)


def rendered(value: Any, context: Mapping[str, Any]) -> Any:
    """The value with its references replaced, as plain JSON types. Raises ExpressionError."""
    try:
        return plain(filled(value, context))
    except ExpressionError as error:
        raise explained(error, context) from None


def evaluated(expression: str, context: Mapping[str, Any]) -> str:
    """A bare expression, or a text with ``${…}``, as text. Raises ExpressionError."""
    value = rendered(expression if "${" in expression else f"${{{expression}}}", context)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def plain(value: Any) -> Any:
    """Only what JSON and a snapshot carry unchanged: times and durations become text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return format_time(value.timestamp())
    if isinstance(value, timedelta):
        return format_duration(value.total_seconds())
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def top_suspect(incident: Incident) -> Suspect | None:
    """The first suspect without its evidence, as a run keeps it."""
    if not incident.suspects:
        return None
    first = incident.suspects[0]
    return Suspect(
        entity=first.entity,
        change=first.change,
        kind=first.kind,
        score=first.score,
        confidence=first.confidence,
        onset=first.onset,
        path=first.path,
    )


def run_context(
    state: State, playbook: Playbook, run: Run, at: float, result: Mapping[str, Any] | None = None
) -> OnDemand:
    """What a run's expressions see: its own suspect and variables, the incident as it is now, and its steps so far.

    Of a variable and something known of the same name the latter is seen.
    """
    incident = state.incidents.get(run.incident) or blank(run.started_at, run.incident)
    context = incident_context(state, incident, run.suspect, at)
    context["playbook"] = {"name": playbook.name, "version": playbook.version}
    context["run"] = {"id": run.id, "by": run.by, "dry": run.dry, "error": run.error}
    context["steps"] = {step.id: _step(step) for step in run.steps}
    if run.alert and run.alert in state.alerts:
        context["alert"] = alert_context(state.alerts[run.alert])
    if run.drift:
        context["drift"] = run.drift
    act = current(run)
    if act is not None and act.item is not None:
        context["item"] = act.item
    if act is not None and act.before is not None:
        context["before"] = act.before
    if result is not None:
        context["result"] = dict(result)
    context["vars"] = run.vars
    return with_others(context, run.vars)


def with_others(context: OnDemand, others: Mapping[str, Any]) -> OnDemand:
    """The same context with what it does not know yet."""
    for name, value in others.items():
        if name not in context:
            context[name] = value
    return context


def _step(step: StepRun) -> dict[str, Any]:
    known = {"state": step.state, "output": step.output, "sentence": step.sentence}
    return known if step.before is None else {**known, "before": step.before}


def incident_context(
    state: State, incident: Incident, suspect: Suspect | None, at: float, *, with_alerts: bool = True
) -> OnDemand:
    """What is known of an incident at a time. Without a suspect, ``suspect`` and ``change`` are empty.

    Most expressions read little of it, so each part is made when it is asked for: while the state is as it is now.
    """
    marks = incident.alerts[:MOST_ALERTS] if with_alerts else ()

    def suspected() -> dict[str, Any]:
        return suspect_seen(state, incident, suspect, at) if suspect is not None else {}

    return OnDemand(
        {CALL_FUNCTION: Catalog(state)},
        {
            "incident": lambda: _incident_seen(state, incident, marks, at),
            "alerts": lambda: _alerts_seen(state, marks),
            "suspect": suspected,
            "change": lambda: suspected().get("change", {}),
            "drift": lambda: drift_of(state, _drifting(state, incident)),
            "now": lambda: time_seen(at),
        },
    )


def _incident_seen(state: State, incident: Incident, marks: Sequence[str], at: float) -> OnDemand:
    seen = {
        "id": incident.id,
        "version": incident.material_version,
        "title": incident.title,
        "severity": incident.severity,
        "status": incident.status,
        "opened_at": time_seen(incident.opened_at),
        "age": span_seen(at - incident.opened_at),
        "alerts": _alerts_seen(state, marks),
        "entities": list(incident.entities),
        "impact": list(incident.impact),
        "harm": incident.harm,
        "no_clear_cause": incident.no_clear_cause,
    }
    return OnDemand(seen, demanded(state, incident, at))


def _alerts_seen(state: State, marks: Iterable[str]) -> list[dict[str, Any]]:
    return [_known(state.alerts[name])[1] for name in marks if name in state.alerts]


def _drifting(state: State, incident: Incident) -> list[str]:
    """The alerts of an incident that speak of drift, among those that are shown."""
    marks = incident.alerts[:MOST_ALERTS]
    return [name for name in marks if name in state.alerts and _known(state.alerts[name])[2]]


def blank(at: float, name: str = "") -> Incident:
    """What stands for the incident of a run that has none, or whose incident is forgotten."""
    return Incident(id=name, title="", status="resolved", opened_at=at, updated_at=at)


def alert_context(alert: Alert) -> dict[str, Any]:
    """What the expressions of a playbook see of the alert that began it. A value that was not told is missing."""
    known = {**_shown(alert), "annotations": alert.annotations}
    return known if alert.value is None else {**known, "value": alert.value}


def _known(alert: Alert) -> tuple[Alert, dict[str, Any], bool]:
    """What expressions see of an alert, and whether it speaks of drift: made once for each state that it is in."""
    known = _ALERTS.get(alert.fingerprint)
    if known is None or known[0] is not alert:
        if len(_ALERTS) >= _MOST_KNOWN:
            _ALERTS.clear()
        known = _ALERTS[alert.fingerprint] = alert, _shown(alert), speaks_of_drift(alert)
    return known


_ALERTS: dict[str, tuple[Alert, dict[str, Any], bool]] = {}
_MOST_KNOWN = 5_000


def _shown(alert: Alert) -> dict[str, Any]:
    return {
        "fingerprint": alert.fingerprint,
        "name": alert.name,
        "kind": kind_of(alert),
        "labels": alert.labels,
        "severity": alert.severity,
        "entity": alert.entity or "",
        "status": alert.status,
        "starts_at": time_seen(alert.starts_at),
    }


def labels_of(incident: Incident | None, alert: Alert | None) -> dict[str, str]:
    """What a route's matchers see: the alert's labels, and the incident's own words, which win."""
    labels = dict(alert.labels) if alert else {}
    if alert:
        labels |= {"severity": alert.severity, "entity": alert.entity or ""}
    if incident:
        labels |= {"incident": incident.id, "title": incident.title, "status": incident.status}
        if incident.severity:
            labels["severity"] = incident.severity
        if incident.suspects:
            labels["entity"] = incident.suspects[0].entity
    return labels
