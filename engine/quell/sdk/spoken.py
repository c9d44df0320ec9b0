"""Webhooks of monitoring tools that publish no schema: read by what the fields are called, wherever they stand.

What such a tool sends differs by version and may be laid out by its users. So fields are looked for by their usual
names, in the body itself and in the objects within it, and what is not found is said by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quell.errors import BadPayload
from quell.sdk.connector import Request
from quell.sdk.monitor import Check, Finding, Score, Subject, Unread, subject_of
from quell.sdk.parts import list_of, mapping_of, moment_of, optional_number
from quell.sdk.payload import MAX_DEPTH
from quell.sdk.vocabulary import scalar_text, status_of, words_of

_SEPARATORS = re.compile(r"[^a-z0-9]+")
_LISTS = ("alerts", "monitors", "events", "triggeredalerts", "data")
_SILENT = frozenset({"nodata", "missingdata", "notavailable"})
_SEVERITIES = frozenset({"critical", "error", "high", "warning", "medium", "low", "info"})
_KNOWN_SEVERITIES = {"high": "error", "medium": "warning", "low": "info"}
_TIERS = {"fairness": "fairness", "bias": "fairness", "disparateimpact": "fairness"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a tool calls things, the telling names first: without separators, small. ``tool`` is what people call it."""

    tool: str
    name: tuple[str, ...]
    key: tuple[str, ...]
    status: tuple[str, ...]
    model: tuple[str, ...] = ("modelname", "model", "modeldisplayname")
    dataset: tuple[str, ...] = ("datasetname", "dataset", "baselinename")
    version: tuple[str, ...] = ("modelversion", "version")
    metric: tuple[str, ...] = ("metricname", "metric", "metricdisplayname", "evaluationmetric", "driftmetric")
    feature: tuple[str, ...] = ("featurename", "feature", "column", "columnname", "dimensionvalue", "dimension")
    value: tuple[str, ...] = ("metricvalue", "currentvalue", "value", "observedvalue", "evaluatedvalue", "alertvalue")
    threshold: tuple[str, ...] = ("threshold", "thresholdvalue", "criticalthreshold", "warningthreshold", "limit")
    severity: tuple[str, ...] = ("severity", "priority", "level")
    summary: tuple[str, ...] = ("message", "description", "summary", "text", "title")
    url: tuple[str, ...] = ("url", "link", "alerturl", "monitorurl", "dashboardurl", "monitorlink")
    at: tuple[str, ...] = ("triggeredat", "timestamp", "time", "createdat", "evaluatedat", "alerttime", "sentat")
    kind: tuple[str, ...] = ("monitortype", "alerttype", "type", "category", "monitorcategory", "metrictype")


def parts_of(report: Any) -> list[tuple[str, Any]]:
    """The alerts in a delivery with their places: its only one, or those of the list that it holds."""
    if isinstance(report, list):
        return [(f"[{index}]", part) for index, part in enumerate(list_of(report, "body"))]
    body = mapping_of(report, "body")
    for name, value in body.items():
        if _plain(name) in _LISTS and isinstance(value, list):
            return [(f"{name}[{index}]", {**body, name: None, **each} if isinstance(each, dict) else each)
                    for index, each in enumerate(list_of(value, name))]  # fmt: skip
    return [("body", body)]


def heard(
    part: Any, place: str, dialect: Dialect, *, request: Request, options: Mapping[str, Any], now: float
) -> tuple[Subject | None, list[Finding]]:
    """What one alert says. What cannot be read of it is the only finding then."""
    try:
        fields = dict(_fields(mapping_of(part, place)))
        told = {name: _text(fields, getattr(dialect, name)) for name in ("model", "dataset", "version")}
        subject = subject_of(request, options, told)
        return subject, list(_findings(fields, place, dialect, subject, now))
    except BadPayload as error:
        return None, [Unread(f"{error}" if str(error).startswith(place) else f"{place}: {error}", part)]


def _findings(
    fields: Mapping[str, Any], place: str, dialect: Dialect, subject: Subject, now: float
) -> Iterator[Finding]:
    name, key, state, status = _said(fields, place, dialect)
    silent = state == "silent"
    value, threshold = (_number(fields, names) for names in (dialect.value, dialect.threshold))
    metric = _text(fields, dialect.metric)
    kind = _text(fields, dialect.kind)
    at = next((moment for field in dialect.at if (moment := moment_of(fields.get(field), now)) is not None), None)
    if value is not None and not silent:
        yield Score(entity=subject.scored, metric=(metric or name or key)[:500], value=value, at=at)
    severity = _plain(_text(fields, dialect.severity))
    plain = _plain(f"{kind} {metric}")
    alarm = Check(
        name=(name or key)[:200],
        entity=subject.scored,
        about=key,
        passed=state == "resolved",
        summary=(_text(fields, dialect.summary) or f"{name or key}: {status}")[:2000],
        severity=_KNOWN_SEVERITIES.get(severity, severity) if severity in _SEVERITIES else "warning",
        impact=next((tier for word, tier in _TIERS.items() if word in plain), ""),
        value=value,
        threshold=threshold,
        labels={
            "metric": metric[:200],
            "feature": _text(fields, dialect.feature)[:200],
            "monitor_type": kind[:100],
        },
        url=_text(fields, dialect.url)[:2000],
        at=at,
    )
    if not silent:
        yield alarm
    yield Check(
        name="NoData",
        entity=alarm.entity,
        about=f"no data/{key}",
        passed=not silent,
        summary=f"{name or key} has no data: nobody knows whether the model is well",
        labels={**alarm.labels, "monitor": (name or key)[:200]},
        url=alarm.url,
        at=at,
    )


def _said(fields: Mapping[str, Any], place: str, dialect: Dialect) -> tuple[str, str, str, str]:
    """Name, key, state (firing, resolved or silent) and the words for it. Raises `BadPayload` without them."""
    name = _text(fields, dialect.name)
    key = _text(fields, dialect.key) or name
    if not key:
        raise BadPayload(
            f"{place}: nothing names the alert; {dialect.tool} should send one of {', '.join(dialect.name)}",
            field=place,
        )
    status = _text(fields, dialect.status)
    state = "silent" if _plain(status) in _SILENT else status_of(words_of(status))
    if state is None:
        raise BadPayload(
            f'{place}: the status "{status[:60]}" is not known (looked for in {", ".join(dialect.status)}); send '
            "one such as triggered, no data, healthy or resolved",
            field=place,
        )
    return name, key, state, status


def _fields(body: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Scalars by their plain names; within an object both by their own and with the object's name before it.

    What stands farther out comes last and so wins.
    """
    if depth < min(MAX_DEPTH, 6):
        for name, value in body.items():
            if isinstance(value, dict):
                yield from _fields(value, _plain(name), depth + 1)
    for name, value in body.items():
        if not isinstance(value, (dict, list)) and value is not None:
            yield _plain(name), value
            if before:
                yield before + _plain(name), value


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name.lower())


def _text(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := scalar_text(fields.get(name)).strip())), "")


def _number(fields: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    """A number, also as text; None where there is none, or NaN."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                continue
        number = optional_number(value)
        if number is not None:
            return number
    return None
