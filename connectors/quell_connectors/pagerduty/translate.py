"""PagerDuty events to records."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.model.records import AlertRecord, ChangeRecord
from quell.sdk.moments import read_moment
from quell.sdk.payload import annotation_problem, decode, label_problem
from quell.sdk.vocabulary import CHANGE_TYPES, common_names, sorted_out, spoken_change_type

MAX_BYTES = 512 * 1024
SEVERITIES = ("critical", "error", "warning", "info")
_AROUND = re.compile(r"^\s*\[[^\]]*\]\s*|\s*\([^()]*\)\s*$")
"""What Alertmanager and others put around a title: ``[FIRING:2] … (labels)``."""


class Link(msgspec.Struct, frozen=True):
    """A page that says more."""

    href: str = ""
    text: str | None = None


class Payload(msgspec.Struct, frozen=True, rename={"class_": "class"}):
    """What happened, in PagerDuty's common event format. ``custom_details`` is anything the sender likes."""

    summary: str = ""
    source: str = ""
    severity: str = ""
    timestamp: str | int | float | None = None
    component: str | None = None
    group: str | None = None
    class_: str | None = None
    custom_details: Any = None


class Event(msgspec.Struct, frozen=True):
    """The body of both calls; a change has no action and no key."""

    routing_key: str = ""
    event_action: str = ""
    dedup_key: str | None = None
    payload: Payload | None = None
    links: list[Link] | None = None
    client_url: str | None = None

    @property
    def url(self) -> str:
        """The first link, or the page of the monitoring tool."""
        return next((link.href for link in self.links or [] if link.href), self.client_url or "")


def read_event(body: bytes) -> Event:
    """The event in ``body``. Raises `BadPayload`."""
    return decode(body, Event, max_bytes=MAX_BYTES)


def mistakes(event: Event, *, change: bool) -> list[str]:
    """What PagerDuty would refuse the event for, in its manner of speaking; all at once."""
    found: list[str] = []
    if not event.routing_key:
        found.append("'routing_key' is missing or blank")
    elif len(event.routing_key) != 32:
        found.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    if not change and event.event_action not in ("trigger", "acknowledge", "resolve"):
        found.append(
            "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')"
            if event.event_action
            else "'event_action' is missing or blank"
        )
    if len(event.dedup_key or "") > 255:
        found.append("'dedup_key' is too long (maximum is 255 characters)")
    if not change and event.event_action in ("acknowledge", "resolve") and not event.dedup_key:
        found.append("'dedup_key' is missing or blank")
    return found + _payload_mistakes(event, change=change)


def _payload_mistakes(event: Event, *, change: bool) -> list[str]:
    payload = event.payload
    if payload is None:
        return ["'payload' is missing or blank"] if change or event.event_action == "trigger" else []
    found: list[str] = []
    if change or event.event_action == "trigger":
        found += [] if payload.summary else ["'payload.summary' is missing or blank"]
        found += [] if payload.source or change else ["'payload.source' is missing or blank"]
        if not change and payload.severity not in SEVERITIES:
            found.append(
                "'payload.severity' is invalid (must be one of the following: 'critical', 'error', 'warning' or 'info')"
            )
    try:
        read_moment(payload.timestamp)
    except ValueError:
        found.append("'payload.timestamp' is invalid (must be a time in ISO 8601)")
    return found


def key_of(event: Event) -> str:
    """The event's own key, or one made of what it says, so that the same event sent twice has the same."""
    if event.dedup_key:
        return event.dedup_key
    payload = event.payload or Payload()
    identity = (payload.class_, payload.component, payload.group, payload.source, payload.summary)
    return blake2b(msgspec.json.encode((event.routing_key, identity)), digest_size=16).hexdigest()


def to_alert(event: Event, source: str, now: float) -> AlertRecord:
    """One observation of an alert. A resolve need not say more than its key. Raises `BadPayload`."""
    payload = event.payload or Payload()
    labels, annotations = _labels_of(payload)
    if event.payload is not None:
        labels = {"alertname": labels.get("alertname") or _name(payload), **labels}
        if payload.severity:
            labels["severity"] = payload.severity
    if payload.summary:
        annotations["summary"] = payload.summary
    _check(labels, annotations)
    return AlertRecord(
        at=read_moment(payload.timestamp) or now,
        seen=now,
        source=source,
        status="resolved" if event.event_action == "resolve" else "firing",
        labels=labels,
        annotations=annotations,
        key=f"{_scope(event.routing_key)}/{key_of(event)}",
        url=event.url,
    )


def to_change(event: Event, source: str, now: float) -> ChangeRecord:
    """A change event; ``custom_details`` may name its ``type``, ``id``, ``revision``, ``author`` and ``entity``."""
    payload = event.payload or Payload()
    labels, annotations = _labels_of(payload)
    said = {**annotations, **labels}
    kind = said.get("change_type") or said.get("type") or ""
    _check(labels, annotations)
    content = msgspec.json.encode((event.routing_key, payload))
    return ChangeRecord(
        at=read_moment(payload.timestamp) or now,
        seen=now,
        source=source,
        id=said.get("change") or said.get("change_id") or blake2b(content, digest_size=8).hexdigest(),
        type=CHANGE_TYPES.get(kind) or spoken_change_type(payload.summary),
        entity=said.get("entity", ""),
        labels=labels,
        revision=said.get("revision") or said.get("version") or "",
        commit=said.get("commit", ""),
        author=said.get("author", ""),
        summary=payload.summary,
        url=event.url,
    )


def _labels_of(payload: Payload) -> tuple[dict[str, str], dict[str, str]]:
    details = payload.custom_details
    labels, annotations = sorted_out(details) if isinstance(details, dict) else ({}, {})
    if isinstance(details, str) and details:
        annotations["details"] = details
    own = {"component": payload.component, "group": payload.group, "source": payload.source}
    labels = common_names({**labels, **{name: value for name, value in own.items() if value}})
    if payload.class_:
        labels["alertname"] = payload.class_
    return labels, annotations


def _name(payload: Payload) -> str:
    """A name for an alert of no class: the first words of what it says."""
    return " ".join(_AROUND.sub("", payload.summary).split()[:6])[:128]


def _scope(routing_key: str) -> str:
    """Stands for the routing key in keys, which are shown; the routing key itself lets one send events."""
    return blake2b(routing_key.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def _check(labels: dict[str, str], annotations: dict[str, str]) -> None:
    problem = label_problem(labels) or annotation_problem(annotations)
    if problem:
        raise BadPayload(f"payload.custom_details: {problem}", field="payload.custom_details")
