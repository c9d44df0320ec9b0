"""The way of nearly every alert: decoded in one go, its unchanging part from memory, and no step twice.

What is not plainly right is a doubt, and at the first one the whole body goes the careful way (`translate`), which
tells what is wrong. So whatever comes out here is what would have come out there; what is unusual only takes longer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal

import msgspec

from quell.model.records import AlertRecord
from quell.sdk import payload
from quell_connectors.alertmanager import translate
from quell_connectors.alertmanager.known import Known
from quell_connectors.alertmanager.retelling import LEAST, SHORTEST
from quell_connectors.alertmanager.translate import Translated, Unfit
from quell_connectors.alertmanager.wire import moment

Status = Literal["firing", "resolved"]
_NOTHING = msgspec.Raw(b"")
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_SHORTEST_FIELD = len('"labels":0,')
_SIZE_OF_START = len(',"startsAt":""')
_SIZE_OF_END = len(',"endsAt":""')

_DOUBTS = (msgspec.DecodeError, ValueError, OverflowError, RecursionError, Unfit)
_time = lru_cache(maxsize=4096)(moment)
_Time = Annotated[str, msgspec.Meta(max_length=40)]
"""Longer ones are read, and not kept."""


# Unknown fields are a doubt, for what they hold may be nested too deep; all that is known is flat.


class _Posted(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """`wire.PostableAlert`, with what repeats from one delivery to the next still encoded."""

    labels: msgspec.Raw
    annotations: msgspec.Raw = _NOTHING
    starts_at: _Time = ""
    ends_at: _Time = ""
    generator_url: msgspec.Raw = msgspec.field(name="generatorURL", default=_NOTHING)


class _Delivered(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """The same for `wire.WebhookAlert`. Grafana sends what comes behind the fingerprint."""

    labels: msgspec.Raw
    status: Status
    annotations: msgspec.Raw = _NOTHING
    starts_at: _Time = ""
    ends_at: _Time = ""
    generator_url: msgspec.Raw = msgspec.field(name="generatorURL", default=_NOTHING)
    fingerprint: str = ""
    values: dict[str, float | None] | None = None
    value_string: str = ""
    panel_url: str = msgspec.field(name="panelURL", default="")
    dashboard_url: str = msgspec.field(name="dashboardURL", default="")
    silence_url: str = msgspec.field(name="silenceURL", default="")
    image_url: str = msgspec.field(name="imageURL", default="")


class _Webhook(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """`wire.Webhook` with the fields that Alertmanager and Grafana are known to send."""

    alerts: list[_Delivered]
    truncated_alerts: int = 0
    receiver: str = ""
    status: str = ""
    version: str = ""
    group_key: str = ""
    group_labels: dict[str, str] = {}
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    external_url: str = msgspec.field(name="externalURL", default="")
    org_id: int = 0
    title: str = ""
    state: str = ""
    message: str = ""


_posted = msgspec.json.Decoder(list[_Posted])
_webhook = msgspec.json.Decoder(_Webhook)


def posted(body: bytes, source: str, now: float, resolve_timeout_s: float, known: Known) -> Translated:
    """`translate.posted`, quicker. Raises `BadPayload` when the body as a whole cannot be read."""
    try:
        records = _from_posted(body, source, now, resolve_timeout_s, known)
    except _DOUBTS:
        records = None
    known.forget_old(now)
    return translate.posted(body, source, now, resolve_timeout_s) if records is None else Translated(records)


def delivered(body: bytes, source: str, now: float, known: Known) -> Translated:
    """`translate.delivered`, quicker. Raises `BadPayload` when the body as a whole cannot be read."""
    try:
        records = _from_webhook(body, source, now, known)
    except _DOUBTS:
        records = None
    known.forget_old(now)
    return translate.delivered(body, source, now) if records is None else Translated(records)


def _from_posted(
    body: bytes, source: str, now: float, resolve_timeout_s: float, known: Known
) -> list[AlertRecord] | None:
    """The records; None in doubt. Raises one of the doubts as well."""
    if len(body) > payload.MAX_BODY_BYTES:
        return None
    if len(body) >= SHORTEST and (again := known.retelling.told(body, now, _time)) is not None:
        return again
    alerts = _posted.decode(body)
    if len(alerts) > payload.MAX_ALERTS:
        return None
    records: list[AlertRecord] = []
    size, size_of_times, all_known = 1, 0, True
    starts_at = ends_at = None
    for alert in alerts:
        # Neighbours mostly have their times in common.
        if alert.ends_at != ends_at or alert.starts_at != starts_at:
            starts_at, ends_at = alert.starts_at, alert.ends_at
            at, status, start, end, timeout = _of_posted(starts_at, ends_at, now, resolve_timeout_s)
            size_of_times = 1 + _size_of_times(starts_at, ends_at)
        key, notes, link = bytes(alert.labels), bytes(alert.annotations), bytes(alert.generator_url)
        seen = known.get(key)
        if seen is None:
            seen, all_known = known.learn(key, notes, link, now), False
        else:
            if seen.notes != notes or seen.link != link:
                known.change(key, seen, notes, link)
            seen.at = now
        size += seen.size + size_of_times
        # In the order of the fields, which is how msgspec finds them fastest.
        records.append(
            AlertRecord(
                at=at, seen=now, source=source, status=status, labels=seen.labels, annotations=seen.annotations,
                starts_at=start, ends_at=end, timeout=timeout, url=seen.url,
            )
        )  # fmt: skip
    if len(body) - size >= _SHORTEST_FIELD and not _nothing_twice(body, alerts):
        return None
    if all_known and len(records) >= LEAST and len(body) >= SHORTEST:
        known.retelling.learn(body, records, now, _ends_of)
    return records


def _ends_of(body: bytes) -> tuple[list[str], object]:
    """The ends of posted alerts, and all else that they say. Raises one of the doubts."""
    alerts = _posted.decode(body)
    said = [(*map(bytes, (each.labels, each.annotations, each.generator_url)), each.starts_at) for each in alerts]
    return [each.ends_at for each in alerts], said


def _from_webhook(body: bytes, source: str, now: float, known: Known) -> list[AlertRecord] | None:
    """The records; None in doubt. Raises one of the doubts as well."""
    if len(body) > payload.MAX_BODY_BYTES:
        return None
    whole = _webhook.decode(body)
    alerts = whole.alerts
    if len(alerts) > payload.MAX_ALERTS or whole.truncated_alerts > 0 or not _nothing_twice(body, alerts):
        return None
    records: list[AlertRecord] = []
    starts_at = ends_at = status = None
    for alert in alerts:
        if alert.ends_at != ends_at or alert.starts_at != starts_at or alert.status != status:
            starts_at, ends_at, status = alert.starts_at, alert.ends_at, alert.status
            at, start, end = _of_webhook(status, _time(starts_at), _time(ends_at), now)
        key, notes, link = bytes(alert.labels), bytes(alert.annotations), bytes(alert.generator_url)
        seen = known.get(key)
        if seen is None:
            seen = known.learn(key, notes, link, now)
        else:
            if seen.notes != notes or seen.link != link:
                known.change(key, seen, notes, link)
            seen.at = now
        values = [value for value in alert.values.values() if value is not None] if alert.values else ()
        records.append(
            AlertRecord(
                at=at, seen=now, source=source, status=status, labels=seen.labels, annotations=seen.annotations,
                starts_at=start, ends_at=end, value=values[0] if len(values) == 1 else None,
                url=seen.url or alert.panel_url,
            )
        )  # fmt: skip
    return records


def _of_posted(
    starts_at: str, ends_at: str, now: float, resolve_timeout_s: float
) -> tuple[float, Status, float, float, bool]:
    """When it happened, what it is, start, end, and whether the end was filled in. Raises ValueError."""
    start, end = _time(starts_at), _time(ends_at)
    timeout = end is None
    if start is None:
        start = now if end is None else end
    if end is None:
        end = now + resolve_timeout_s
    if end < start:
        raise ValueError("start time must be before end time")
    return (min(start, now), "firing", start, end, timeout) if end > now else (end, "resolved", start, end, timeout)


def _of_webhook(
    status: Status, start: float | None, end: float | None, now: float
) -> tuple[float, float, float | None]:
    """When it happened, start and end."""
    if status == "firing":
        start = now if start is None else start
        return min(start, now), start, None if end is None or end <= now else end
    end = now if end is None else min(end, now)
    return end, end if start is None else min(start, end), end


def _size_of_times(starts_at: str, ends_at: str) -> int:
    """How many bytes of JSON they take at least, with the names of their fields."""
    size = _SIZE_OF_START + len(starts_at) if starts_at else 0
    return size + (_SIZE_OF_END + len(ends_at) if ends_at else 0)


def _nothing_twice(body: bytes, alerts: Sequence[_Posted | _Delivered]) -> bool:
    """Whether no alert can have a field twice; the decoder keeps the last without having looked into the others.

    Where the body is just as long as what was found in it, nobody needs to ask. Else the names are counted; a name
    may be spelled with escapes.
    """
    noted = sum(alert.annotations is not _NOTHING for alert in alerts)
    linked = sum(alert.generator_url is not _NOTHING for alert in alerts)
    return (
        body.count(b'"labels"') == len(alerts)
        and body.count(b'"annotations"') == noted
        and body.count(b'"generatorURL"') == linked
        and (b"\\" not in body or _ESCAPED_LETTER.search(body) is None)
    )
