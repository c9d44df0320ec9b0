"""Prometheus's JSON to alerts and samples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.model.records import AlertRecord, SampleRecord
from quell.sdk.moments import read_moment
from quell.sdk.payload import decode

_THRESHOLD = re.compile(r"[<>=!]=?\s*(?:bool\s+)?(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*\)*\s*$")


class ActiveAlert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An alert of a rule; ``state`` is pending or firing."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    state: str = ""
    active_at: str | None = None
    value: str = ""


class Rule(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An alerting rule; ``health`` is ok, err (it could not be evaluated) or unknown (not yet)."""

    name: str = ""
    query: str = ""
    health: str = "ok"
    alerts: list[ActiveAlert] = []
    type: str = ""


class RuleGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that are evaluated together."""

    rules: list[Rule] = []


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What ``/api/v1/rules`` says. An answer without the list is no answer: nothing may be resolved for it."""

    groups: list[RuleGroup]


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """What ``/api/v1/alerts`` says; the list is required, as above."""

    alerts: list[ActiveAlert]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A series: ``value`` at one time, or ``values``. Numbers are texts, such as "NaN" or "+Inf"."""

    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class Seen(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An alert that fired at the last pull, as far as its resolution needs it."""

    labels: dict[str, str]
    starts_at: float | None = None


class _Result(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    result_type: str = ""
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error_type: str = ""
    error: str = ""


def data_of(body: bytes) -> bytes:
    """The data of an answer. Raises `BadPayload` when it is none of Prometheus's, or says error with a good status."""
    envelope = decode(body, _Envelope)
    if envelope.status != "success":
        raise BadPayload(f"Prometheus says {envelope.error_type or 'error'}: {envelope.error}", body)
    return bytes(envelope.data)


def series_of(body: bytes) -> list[Series]:
    """The series of a query's answer; a scalar is one series without labels. Raises `BadPayload`."""
    result = decode(data_of(body), _Result)
    match result.result_type:
        case "vector" | "matrix":
            return decode(bytes(result.result), list[Series])
        case "scalar":
            return [Series(value=decode(bytes(result.result), tuple[float, str]))]
    raise BadPayload(f'a result of type "{result.result_type}" holds no numbers', body)


def number(text: str) -> float | None:
    """A sample's value; None for NaN and the infinities, which mean "no answer" and not a quantity."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def firing_alerts(
    alerts: list[ActiveAlert], rules: list[Rule], source: str, now: float
) -> dict[frozenset[tuple[str, str]], AlertRecord]:
    """Records of the alerts that fire, by their labels. Pending ones do not fire yet. Raises `BadPayload`."""
    query = {frozenset(alert.labels.items()): rule.query for rule in rules for alert in rule.alerts}
    found: dict[frozenset[tuple[str, str]], AlertRecord] = {}
    for alert in alerts:
        if alert.state != "firing" or not alert.labels:
            continue
        identity = frozenset(alert.labels.items())
        threshold = _THRESHOLD.search(query.get(identity, ""))
        found[identity] = AlertRecord(
            at=now,
            seen=now,
            source=source,
            status="firing",
            labels={name: value for name, value in alert.labels.items() if value},
            annotations=alert.annotations,
            starts_at=_moment(alert.active_at),
            value=number(alert.value),
            threshold=float(threshold[1]) if threshold else None,
        )
    return found


def resolved_alert(seen: Seen, source: str, now: float) -> AlertRecord:
    """The end of an alert that fired at the last pull and is gone."""
    return AlertRecord(
        at=now, seen=now, source=source, status="resolved", labels=seen.labels, starts_at=seen.starts_at, ends_at=now
    )


class Known(msgspec.Struct, frozen=True):
    """What the last pull saw: alerts that fired, and named queries that could not be answered."""

    alerts: list[Seen] = []
    wrong: list[str] = []


def cursor_of(seen: list[Seen], wrong: list[str] | None = None) -> str:
    """The alerts that fire and the queries that cannot be answered, for the next pull."""
    alerts = sorted(seen, key=lambda alert: sorted(alert.labels.items()))
    return msgspec.json.encode(Known(alerts, sorted(wrong or ()))).decode()


def known_of(cursor: str | None) -> Known:
    """What the last pull saw; nothing for a first pull or the cursor of another version."""
    if not cursor:
        return Known()
    try:
        if cursor.startswith("["):  # as it was before named queries
            return Known(msgspec.json.decode(cursor, type=list[Seen]))
        return msgspec.json.decode(cursor, type=Known)
    except msgspec.DecodeError:
        return Known()


def samples_of(series: list[Series], entity: str, metric: str, source: str, now: float) -> list[SampleRecord]:
    """One record per series that has finite points; further labels of several series are told in the metric's name."""
    records: list[SampleRecord] = []
    for one in series:
        raw = one.values or ([one.value] if one.value else [])
        points = [(at, value) for at, text in raw if (value := number(text)) is not None]
        if not points:
            continue
        told = ",".join(f"{name}={value}" for name, value in sorted(one.metric.items()) if name != "__name__")
        named = f"{metric}{{{told}}}" if len(series) > 1 and told else metric
        records.append(
            SampleRecord(at=points[-1][0], seen=now, source=source, entity=entity, metric=named, points=points)
        )
    return records


def output_of(series: list[Series]) -> dict[str, Any]:
    """``value`` of the first series that has a number (None when none has) and all ``series``."""
    listed: list[Mapping[str, Any]] = [
        {"labels": one.metric, "value": number(one.value[1])} for one in series if one.value is not None
    ]
    value = next((entry["value"] for entry in listed if entry["value"] is not None), None)
    return {"value": value, "series": listed}


def _moment(text: str | None) -> float | None:
    try:
        return read_moment(text)
    except ValueError as error:
        raise BadPayload(f"activeAt: {error}", field="activeAt") from error
