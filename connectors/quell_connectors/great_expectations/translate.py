"""Results of expectations to findings. The values that results quote are left out: they may be somebody's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.sdk.monitor import Broken, Check, Finding, Score, Subject, Unread, schema_change
from quell.sdk.parts import expected, mapping_of, moment_of, optional_number, text_of
from quell_connectors.great_expectations.results import Validation

_SCHEMA = frozenset({
    "expect_column_to_exist", "expect_table_columns_to_match_set", "expect_table_columns_to_match_ordered_list",
    "expect_table_column_count_to_equal", "expect_table_column_count_to_be_between",
    "expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list",
})  # fmt: skip
_SEVERITIES = {"critical": "error", "warning": "warning", "info": "info"}
"""An expectation is critical unless somebody says otherwise, so that it means no more than a failure."""
_NO_COLUMN = re.compile(r"[Cc]olumn\b.{0,200}\bdoes not exist", re.DOTALL)
_LIMITS = ("min_value", "max_value", "value")


def findings_of(validation: Validation, subject: Subject, source: str, now: float) -> Iterator[Finding]:
    """A check for each expectation; one that cannot be read is told of and stops no other."""
    at = moment_of(validation.at, now)
    for index, entry in enumerate(validation.results):
        place = f"{validation.place}[{index}]"
        try:
            result = mapping_of(entry, place)
            config = mapping_of(result.get("expectation_config") or result, f"{place}.expectation_config")
            kind = text_of(config.get("type") or config.get("expectation_type"), f"{place}.expectation_config.type")
            success = result.get("success")
            if not isinstance(success, bool):
                expected(f"{place}.success", "true or false")
            kwargs = config.get("kwargs")
            known = {} if not isinstance(kwargs, dict) else {k: v for k, v in kwargs.items() if k != "batch_id"}
            told = _Told(validation, subject, source, now, at)
            yield from _check(kind, known, result, config, told=told, success=success)
        except BadPayload as error:
            yield Unread(str(error), entry)


class _Told:
    """What all checks of a validation share."""

    def __init__(self, validation: Validation, subject: Subject, source: str, now: float, at: float | None) -> None:
        self.validation, self.subject, self.source, self.now, self.at = validation, subject, source, now, at


def _check(
    kind: str,
    kwargs: Mapping[str, Any],
    result: Mapping[str, Any],
    config: Mapping[str, Any],
    *,
    told: _Told,
    success: bool,
) -> Iterator[Finding]:
    said = result.get("result")
    outcome: Mapping[str, Any] = said if isinstance(said, dict) else {}
    broken = _exception(result.get("exception_info"))
    column = kwargs.get("column")
    labels = {"expectation": kind, "feature": column if isinstance(column, str) else "", "suite": told.validation.suite}
    about = f"{told.validation.suite}/{kind}/{_digest(kwargs)}"
    is_schema = kind in _SCHEMA or bool(_NO_COLUMN.search(broken))
    value = _value(outcome)
    percent = "unexpected_percent" in outcome
    if value is not None:
        metric = f"{kind}{{column={column}}}" if isinstance(column, str) else kind
        unit = "%" if percent else ""
        yield Score(entity=told.subject.data, metric=metric[:500], value=value, at=told.at, unit=unit)
    summary = f"{kind}({_shown(kwargs)}): {broken or ('holds' if success else _why(outcome))}"
    if broken and not is_schema:
        yield Broken(f"{kind}({_shown(kwargs)})", broken)
        return
    yield Check(
        name="SchemaChanged" if is_schema else "ExpectationFailed",
        entity=told.subject.data,
        about=about,
        passed=success,
        summary=summary[:2000],
        severity=_SEVERITIES.get(str(config.get("severity")), "warning"),
        value=value,
        threshold=_threshold(kwargs, percent=percent),
        labels=labels,
        annotations={"great_expectations": told.validation.version},
        url=told.validation.url,
        at=told.at,
    )
    if is_schema and not success:
        yield schema_change(
            told.subject.data, summary, source=told.source, now=told.at or told.now, told=told.subject.labels
        )


def _exception(info: Any) -> str:
    """The message of what was raised: told at once, or by the metric that was computed. "" when nothing was."""
    if not isinstance(info, dict):
        return ""
    parts = [info] if "raised_exception" in info else [part for part in info.values() if isinstance(part, dict)]
    for part in parts:
        if part.get("raised_exception") is True:
            return (
                str(part.get("exception_message") or "an exception without a message").strip().partition("\n")[0][:500]
            )
    return ""


def _value(outcome: Mapping[str, Any]) -> float | None:
    for name in ("unexpected_percent", "observed_value"):
        number = optional_number(outcome.get(name))
        if number is not None:
            return number
    return None


def _threshold(kwargs: Mapping[str, Any], *, percent: bool) -> float | None:
    """The share that may be unexpected, or the one limit there is."""
    if percent:
        mostly = optional_number(kwargs.get("mostly", 1.0))
        return None if mostly is None else round((1.0 - mostly) * 100.0, 9)
    limits = [number for name in _LIMITS if (number := optional_number(kwargs.get(name))) is not None]
    return limits[0] if len(limits) == 1 else None


def _why(outcome: Mapping[str, Any]) -> str:
    """In numbers, and in names of columns."""
    percent = optional_number(outcome.get("unexpected_percent"))
    if percent is not None:
        count, of = (scalar(outcome.get(name)) for name in ("unexpected_count", "element_count"))
        return f"{percent:g} % of the values are unexpected ({count} of {of})"
    details = outcome.get("details")
    mismatched = details.get("mismatched") if isinstance(details, dict) else None
    if isinstance(mismatched, dict):
        parts = [f"{name}: {', '.join(map(str, each))}" for name, each in mismatched.items() if isinstance(each, list)]
        return "columns " + "; ".join(parts)[:500] if parts else "columns do not match"
    observed = optional_number(outcome.get("observed_value"))
    return "does not hold" if observed is None else f"observed {observed:g}"


def scalar(value: Any) -> str:
    """A count as text."""
    number = optional_number(value)
    return "?" if number is None else f"{number:g}"


def _shown(kwargs: Mapping[str, Any]) -> str:
    parts = []
    for name, value in kwargs.items():
        text = msgspec.json.encode(value).decode() if isinstance(value, (list, dict)) else str(value)
        parts.append(text if name == "column" else f"{name}={text[:120]}")
    return ", ".join(parts)[:500]


def _digest(kwargs: Mapping[str, Any]) -> str:
    """Tells expectations of one kind apart; ids do not, for suites that are built anew get new ones."""
    return blake2b(msgspec.json.encode(kwargs, order="sorted"), digest_size=6).hexdigest()
