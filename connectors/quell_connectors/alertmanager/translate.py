"""From alerts on the wire to records: the defaults and checks of Alertmanager, one alert at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeVar

import msgspec

from quell.errors import BadPayload
from quell.model.records import AlertRecord
from quell.sdk import payload
from quell.sdk.connector import Rejected
from quell_connectors.alertmanager.wire import Pairs, PostableAlert, RawWebhook, Webhook, WebhookAlert, moment

_URI = re.compile(r"(/|[A-Za-z][A-Za-z0-9+.-]*:)\S*", re.DOTALL)
Stage = Literal["parse", "schema", "meaning"]
MAX_KEPT = 64 * 1024
"""How much of an unreadable payload is kept, in bytes."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why one alert is not taken. ``stage`` is where Alertmanager would have found it, which decides its answer."""

    stage: Stage
    message: str
    code: int = 0


class Translated(msgspec.Struct):
    """What a delivery held: records in its order, and what of it could not be taken."""

    records: list[AlertRecord] = []
    wrong: list[Wrong] = []
    rejected: list[Rejected] = []

    def refuse(self, wrong: Wrong, raw: bytes) -> None:
        """Notes an alert that is not taken."""
        self.wrong.append(wrong)
        self.rejected.append(Rejected(wrong.message, raw[:MAX_KEPT]))


class Unfit(Exception):
    """One alert is not taken."""

    def __init__(self, wrong: Wrong) -> None:
        self.wrong = wrong
        super().__init__(wrong.message)


def posted(body: bytes, source: str, now: float, resolve_timeout_s: float) -> Translated:
    """Alerts of `POST /api/v2/alerts`. Raises `BadPayload` when the body as a whole cannot be read."""
    out = Translated()

    @cache
    def sent() -> list[msgspec.Raw]:
        return payload.decode(body, list[msgspec.Raw])

    try:
        alerts: list[PostableAlert | msgspec.Raw] = [*payload.decode(body, list[PostableAlert])]
    except BadPayload as error:
        if not error.field:
            raise
        alerts = [*sent()]
    for index, alert in enumerate(_counted(alerts, body)):
        try:
            readable = _readable(alert, PostableAlert, index)
            out.records.append(_from_posted(readable, index, source, now, resolve_timeout_s))
        except Unfit as unfit:
            out.refuse(unfit.wrong, bytes(sent()[index]))
    return out


def delivered(body: bytes, source: str, now: float) -> Translated:
    """Alerts of a webhook. Raises `BadPayload` when the body as a whole cannot be read."""
    out = Translated()

    @cache
    def sent() -> RawWebhook:
        return payload.decode(body, RawWebhook)

    try:
        whole: Webhook | RawWebhook = payload.decode(body, Webhook)
    except BadPayload as error:
        if not error.field.startswith("alerts["):
            raise
        whole = sent()
    alerts: list[WebhookAlert | msgspec.Raw] = [*whole.alerts]
    for index, alert in enumerate(_counted(alerts, body)):
        try:
            out.records.append(_from_webhook(_readable(alert, WebhookAlert, index), source, now))
        except Unfit as unfit:
            out.refuse(unfit.wrong, bytes(sent().alerts[index]))
    if whole.truncated_alerts > 0:
        left_out = f"truncatedAlerts: the sender left {whole.truncated_alerts} alerts out of this delivery"
        out.rejected.append(
            Rejected(f"{left_out}; raise max_alerts there, or let Prometheus send to quell itself", b"")
        )
    return out


def is_uri(text: str) -> bool:
    """Whether Alertmanager takes the text for a URI."""
    return _URI.fullmatch(text) is not None


def _counted(alerts: list[T], body: bytes) -> list[T]:
    if len(alerts) > payload.MAX_ALERTS:
        raise BadPayload(f"{len(alerts)} alerts; at most {payload.MAX_ALERTS} are taken at once", body[:MAX_KEPT])
    return alerts


def _readable(alert: T | msgspec.Raw, shape: type[T], index: int) -> T:
    if not isinstance(alert, msgspec.Raw):
        return alert
    try:
        return payload.decode(bytes(alert), shape)
    except BadPayload as error:
        inside = "." if error.field else ": "
        raise Unfit(Wrong("parse", f"alerts[{index}]{inside}{error}")) from None


def _time(text: str | None) -> float | None:
    try:
        return moment(text)
    except ValueError:
        raise Unfit(Wrong("parse", f'parsing time "{text}": expected one such as 2026-03-01T10:00:00Z')) from None


def labels_of(given: Pairs) -> dict[str, str]:
    """The labels of an alert without the empty ones. Raises `Unfit`."""
    labels = {name: value for name, value in given.items() if value}
    if "" in labels:
        raise Unfit(Wrong("meaning", 'invalid label set: invalid name ""'))
    if not labels:
        raise Unfit(Wrong("meaning", "at least one label pair required"))
    problem = payload.label_problem(labels)
    if problem:
        raise Unfit(Wrong("meaning", f"invalid label set: {problem}"))
    return labels


def annotations_of(given: Pairs | None) -> dict[str, str]:
    """The annotations of an alert. Raises `Unfit`."""
    annotations = {name: value or "" for name, value in (given or {}).items()}
    problem = 'invalid name ""' if "" in annotations else payload.annotation_problem(annotations)
    if problem:
        raise Unfit(Wrong("meaning", f"invalid annotations: {problem}"))
    return annotations


def _from_posted(alert: PostableAlert, index: int, source: str, now: float, resolve_timeout_s: float) -> AlertRecord:
    if alert.labels is None:
        raise Unfit(Wrong("schema", f"{index}.labels in body is required", 602))
    if alert.generator_url and not is_uri(alert.generator_url):
        message = f'{index}.generatorURL in body must be of type uri: "{alert.generator_url}"'
        raise Unfit(Wrong("schema", message, 601))
    start, end = _time(alert.starts_at), _time(alert.ends_at)
    timeout = end is None
    if start is None:
        start = now if end is None else end
    if end is None:
        end = now + resolve_timeout_s
    if end < start:
        raise Unfit(Wrong("meaning", "start time must be before end time"))
    firing = end > now
    return AlertRecord(
        at=min(start, now) if firing else end,
        seen=now,
        source=source,
        status="firing" if firing else "resolved",
        labels=labels_of(alert.labels),
        annotations=annotations_of(alert.annotations),
        starts_at=start,
        ends_at=end,
        timeout=timeout,
        url=alert.generator_url or "",
    )


def _from_webhook(alert: WebhookAlert, source: str, now: float) -> AlertRecord:
    start, end = _time(alert.starts_at), _time(alert.ends_at)
    labels, annotations = labels_of(alert.labels), annotations_of(alert.annotations)
    if alert.status not in ("firing", "resolved"):
        raise Unfit(Wrong("meaning", f'status "{alert.status}" is neither firing nor resolved'))
    firing = alert.status == "firing"
    if firing:
        end = None if end is None or end <= now else end
        start = now if start is None else start
        at = min(start, now)
    else:
        end = now if end is None else min(end, now)
        start = end if start is None else min(start, end)
        at = end
    given = alert.values.values() if isinstance(alert.values, dict) else ()
    values = [float(value) for value in given if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return AlertRecord(
        at=at,
        seen=now,
        source=source,
        status="firing" if firing else "resolved",
        labels=labels,
        annotations=annotations,
        starts_at=start,
        ends_at=end,
        value=values[0] if len(values) == 1 else None,
        url=alert.generator_url or alert.panel_url or "",
    )
