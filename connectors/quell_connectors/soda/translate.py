"""One check of a scan, as findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quell.sdk.monitor import Broken, Check, Finding, Score, Subject, schema_change
from quell.sdk.parts import expected, optional_number, text_of
from quell.sdk.vocabulary import scalar_text

_OUTCOMES = {"pass": "", "warn": "info", "fail": "warning"}
_SCHEMA_PARTS = (
    "missing_column_names", "present_column_names", "column_additions", "column_deletions", "column_type_mismatches",
    "column_type_changes", "column_index_mismatches", "column_index_changes",
)  # fmt: skip


def check_findings(
    check: Mapping[str, Any], place: str, subject: Subject, *, scan: str, source: str, now: float, at: float | None
) -> Iterator[Finding]:
    """By its outcome: pass, warn or fail; a check without one could not be evaluated. Raises `BadPayload`."""
    name = text_of(check.get("name"), f"{place}.name")
    outcome = check.get("outcome")
    if outcome is not None and not (isinstance(outcome, str) and outcome in _OUTCOMES):
        expected(f"{place}.outcome", f"pass, warn, fail or null, not {str(outcome)[:40]!r}")
    found = check.get("diagnostics")
    diagnostics: Mapping[str, Any] = found if isinstance(found, dict) else {}
    is_schema = any(part in diagnostics for part in _SCHEMA_PARTS)
    about = scalar_text(check.get("identity")) or f"{scan}/{name}"
    column = scalar_text(check.get("column"))
    value = None if is_schema else optional_number(diagnostics.get("value"))
    if value is not None:
        yield Score(entity=subject.data, metric=name[:500], value=value, at=at)
    detail = _differences(diagnostics) if is_schema else "" if value is None else f" is {value:g}"
    reasons = check.get("outcomeReasons")
    if isinstance(reasons, list) and reasons and isinstance(reasons[0], dict):
        detail += f" ({str(reasons[0].get('message') or '')[:200]})"
    if outcome is None:
        yield Broken(name)
        return
    yield Check(
        name="SchemaChanged" if is_schema else "CheckFailed",
        entity=subject.data,
        about=about,
        passed=outcome == "pass",
        summary=f"{name}{detail}"[:2000],
        severity=_OUTCOMES[outcome] or "warning",
        value=value,
        threshold=_threshold(diagnostics, "fail" if outcome != "warn" else "warn"),
        labels={
            "check": name[:200],
            "feature": column,
            "scan": scan,
            "data_source": scalar_text(check.get("dataSource")),
        },
        url=scalar_text(check.get("cloudUrl")),
        at=at,
    )
    if is_schema and outcome in {"warn", "fail"}:
        yield schema_change(subject.data, f"{name}{detail}", source=source, now=at or now, told=subject.labels)


def _differences(diagnostics: Mapping[str, Any]) -> str:
    """What differs, in names of columns and types."""
    parts = []
    for name in _SCHEMA_PARTS:
        found = diagnostics.get(name)
        if not found or not isinstance(found, (list, dict)):
            continue
        if isinstance(found, dict):
            shown = [f"{column} {_types(change)}".strip() for column, change in found.items()]
        else:
            shown = [str(column) for column in found]
        parts.append(f"{name.replace('_', ' ')}: {', '.join(shown)}")
    return ": " + "; ".join(parts)[:1000] if parts else ""


def _types(change: Any) -> str:
    if not isinstance(change, dict):
        return ""
    expected_type, actual = change.get("expected_type"), change.get("actual_type")
    return f"({expected_type} → {actual})" if expected_type and actual else ""


def _threshold(diagnostics: Mapping[str, Any], level: str) -> float | None:
    limits = diagnostics.get(level)
    numbers = [optional_number(limit) for limit in limits.values()] if isinstance(limits, dict) else []
    different = {number for number in numbers if number is not None}
    return different.pop() if len(different) == 1 else None
