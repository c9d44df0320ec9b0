"""The lines that most files consist of, alerts and deliveries, read at little cost.

Times in files are text, in records seconds: here the text is read straight into a shape of its own instead of a plain
dictionary first, and the body of a delivery stays as it was sent. Whatever does not fit the shape is no mistake yet:
the reader then looks at the line again, and says what is wrong with it if anything is.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import msgspec

from quell.model.records import AlertRecord, DeliveryRecord
from quell.model.times import parse_time

_LATEST_TIME = 253402300800.0
Time = str | float


class _AlertLine(msgspec.Struct, frozen=True, tag_field="kind", tag="alert", gc=False):
    at: Time
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    seen: Time | None = None
    source: str = ""
    id: str = ""
    annotations: dict[str, str] = {}
    starts_at: Time | None = None
    ends_at: Time | None = None
    timeout: bool = False
    key: str = ""
    value: float | None = None
    threshold: float | None = None
    entity: str | None = None
    url: str = ""


class _DeliveryLine(msgspec.Struct, frozen=True, tag_field="kind", tag="delivery", gc=False):
    at: Time
    path: str
    body: msgspec.Raw
    seen: Time | None = None
    source: str = ""
    id: str = ""
    headers: dict[str, str] = {}
    method: str = "POST"


_USUAL = msgspec.json.Decoder(_AlertLine | _DeliveryLine)


def usual_line(text: bytes) -> AlertRecord | DeliveryRecord | None:
    """The record of a line, None for one that must be looked at more closely. The body of a delivery may be `Raw`."""
    with suppress(msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        line = _USUAL.decode(text)
        at, seen = _moment(line.at), _moment(line.seen)
        if at is None:
            return None
        if isinstance(line, _AlertLine):
            return _alert(line, at, seen)
        body = bytes(line.body)
        return DeliveryRecord(
            at=at,
            seen=seen,
            source=line.source,
            id=line.id,
            path=line.path,
            body=msgspec.Raw(body) if body[:1] in b"{[" else msgspec.json.decode(body),
            headers=line.headers,
            method=line.method,
        )
    return None


def _alert(line: _AlertLine, at: float, seen: float | None) -> AlertRecord:
    return AlertRecord(
        at=at,
        seen=seen,
        source=line.source,
        id=line.id,
        status=line.status,
        labels=line.labels,
        annotations=line.annotations,
        starts_at=_moment(line.starts_at),
        ends_at=_moment(line.ends_at),
        timeout=line.timeout,
        key=line.key,
        value=line.value,
        threshold=line.threshold,
        entity=line.entity,
        url=line.url,
    )


def _moment(told: Time | None) -> float | None:
    """Seconds of a time; None of none. Raises ValueError for what is no time."""
    at = parse_time(told) if isinstance(told, str) else told
    if at is not None and not 0.0 <= at < _LATEST_TIME:
        raise ValueError
    return at
