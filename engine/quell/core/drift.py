"""Drift of data and models: which alerts speak of it, of what, and whether they say enough to act on.

One drift alert is one test of one column in one window, and tests over many columns and windows cry wolf every day. So
`validated` counts what the alerts of an incident themselves say: columns, windows, and how large the effect is. Where
a detector of ours watches the data as well, it also asks how the newest rows are: what is as before is no drift any
more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any

from quell.core.detect.present import PresentDrift
from quell.errors import ExpressionError
from quell.model.alert import Alert
from quell.model.state import State
from quell.model.times import format_duration, parse_duration

DRIFT = "drift"
COLUMNS = ("column", "feature", "field")
EFFECTS = ("effect", "effect_size", "drift_score", "score", "psi")
WINDOW = "window"
Present = Callable[[Collection[str]], list[PresentDrift]]
"""How the data of these entities is now against its profiles, where anybody watches it."""


def kind_of(alert: Alert) -> str:
    """The label ``kind``; "drift" for an alert without one whose name speaks of drift."""
    return _judged(alert.name, alert.labels.get("kind", ""))[0]


def speaks_of_drift(alert: Alert) -> bool:
    """Whether the label ``kind`` is "drift", or the alert's name holds the word."""
    return _judged(alert.name, alert.labels.get("kind", ""))[1]


@lru_cache(maxsize=4096)
def _judged(name: str, kind: str) -> tuple[str, bool]:
    """The kind of an alert, and whether it speaks of drift."""
    named = DRIFT in name.lower()
    return (kind if kind or not named else DRIFT), named or kind == DRIFT


REPORT = ("summary", "columns", "effect", "test", "dataset_version", "profile", "samples", "histograms")
"""Annotations of a drift alert that make a report for people."""
_LONGEST = 2_000
"""Letters of each that are kept with a run."""


def drift_of(state: State, marks: Iterable[str]) -> dict[str, str]:
    """``model``, ``dataset`` and the report of the first of these alerts that speaks of drift.

    What it does not say is missing.
    """
    known = state.alerts.get
    for mark in marks:
        alert = known(mark)
        if alert is not None and _judged((labels := alert.labels).get("alertname", ""), labels.get("kind", ""))[1]:
            kind, _, name = (alert.entity or "").partition("/")
            said = {word: alert.labels.get(word) or (name if kind == word else "") for word in ("model", "dataset")}
            said |= {word: alert.annotations.get(word, "")[:_LONGEST] for word in REPORT}
            return {word: value for word, value in said.items() if value}
    return {}


def validated(
    state: State, marks: Iterable[str], wanted: Mapping[str, Any], at: float, present: Present = lambda _entities: []
) -> tuple[dict[str, Any], str]:
    """The output and the sentence of ``quell.validate_drift``. Raises ExpressionError for what cannot be asked."""
    model = str(wanted.get("model") or "")
    need = _needed(wanted.get("need"))
    fresh_s = _span(wanted.get("fresh_within"))
    told = [alert for mark in marks if (alert := state.alerts.get(mark)) is not None and speaks_of_drift(alert)]
    about = [alert for alert in told if not model or _model(alert) in {"", model}]
    fresh = [alert for alert in about if alert.firing and alert.updated_at >= at - fresh_s]
    now = present({entity for alert in fresh for entity in _entities(alert)})
    drifted = [field for one in now for field in one.report.drifted]
    columns = sorted({column for alert in fresh for column in _columns(alert)} | {field.field for field in drifted})
    effects = [effect for alert in fresh if (effect := _effect(alert)) is not None]
    effects += [best.effect for field in drifted if (best := field.strongest) is not None]
    windows = max(_windows(fresh), *(one.windows for one in now), 0)
    found: dict[str, float | None] = {
        "columns": float(len(columns)),
        "windows": float(windows),
        "effect": max(effects, default=None),
    }
    reasons = []
    if now and not drifted:
        whose = ", ".join(sorted({one.report.entity for one in now}))
        reasons.append(f"the newest rows of {whose} are as the profile has them")
    if not fresh:
        of_model = f" of {model}" if model else ""
        reasons.append(f"no drift alert{of_model} fires and was told within {format_duration(fresh_s)}")
    for name, least in need.items():
        value = found[name]
        if fresh and (value is None or value < least):
            said = "none is told" if value is None else f"{value:g}"
            reasons.append(f"{name}: {said}, {least:g} needed")
    output = {
        "valid": not reasons,
        "model": model,
        "columns": len(columns),
        "column_names": columns,
        "windows": windows,
        "effect": found["effect"],
        "alerts": len(fresh),
        "present": [_said_now(one) for one in now],
        "reasons": reasons,
    }
    largest = "no effect told" if found["effect"] is None else f"effect {found['effect']:g}"
    seen = f"{_counted(len(columns), 'column')}, {_counted(windows, 'window')}, {largest}"
    what = f"drift of {model}" if model else "drift"
    return output, f"{what} is not validated: {'; '.join(reasons)}" if reasons else f"{what} is validated: {seen}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _needed(need: Any) -> dict[str, float]:
    found = {}
    for name, least in (need if isinstance(need, Mapping) else {}).items():
        if name not in {"columns", "windows", "effect"}:
            raise ExpressionError(f'need: "{name}" is none of columns, windows, effect')
        if isinstance(least, bool) or not isinstance(least, (int, float)) or not isfinite(least):
            raise ExpressionError(f'need: "{least}" is not a number for {name}')
        found[str(name)] = float(least)
    return found


def _span(text: Any) -> float:
    try:
        return parse_duration(str(text or "2h"))
    except ValueError as error:
        raise ExpressionError(f"fresh_within: {error}") from None


def _model(alert: Alert) -> str:
    kind, _, name = (alert.entity or "").partition("/")
    return alert.labels.get("model") or (name if kind == "model" else "")


def _entities(alert: Alert) -> set[str]:
    """Whose data a drift alert may speak of."""
    named = {f"{word}/{alert.labels[word]}" for word in ("dataset", "model", "feature") if alert.labels.get(word)}
    return named | {alert.entity} if alert.entity else named


def _columns(alert: Alert) -> list[str]:
    """Those that its report lists, else the one that it names; ``feature`` may be the table that it is about."""
    listed = [name for name in alert.annotations.get("columns", "").split(", ") if name]
    one = "" if listed else _first(alert, COLUMNS)
    return [one] if one else listed


def _said_now(one: PresentDrift) -> dict[str, Any]:
    """For expressions: how the newest rows of an entity are."""
    report = one.report
    return {
        "entity": report.entity,
        "profile": report.profile,
        "version": report.version,
        "rows": report.rows,
        "columns": [field.field for field in report.drifted],
        "said": [f"{field.field}: {field.said}" for field in report.drifted if field.said],
    }


def _first(alert: Alert, names: tuple[str, ...]) -> str:
    said = (alert.labels.get(name) or alert.annotations.get(name) for name in names)
    return next((text for text in said if text), "")


def _effect(alert: Alert) -> float | None:
    """What an annotation or label says of the effect's size, else the alert's value; its sign does not matter."""
    text = _first(alert, EFFECTS)
    try:
        value = float(text) if text else alert.value
    except ValueError:
        value = None
    return abs(value) if value is not None and isfinite(value) else None


def _windows(alerts: list[Alert]) -> int:
    """Windows that the alerts name; if none does, how often the alert that was told most was told."""
    named = {alert.labels.get(WINDOW) or alert.annotations.get(WINDOW) or "" for alert in alerts} - {""}
    return len(named) if named else max((alert.count for alert in alerts), default=0)
