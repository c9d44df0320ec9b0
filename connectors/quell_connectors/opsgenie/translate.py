"""Opsgenie's requests to records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.model.records import AlertRecord
from quell.sdk.payload import annotation_problem, decode, label_problem
from quell.sdk.vocabulary import common_names, sorted_out

MAX_BYTES = 512 * 1024
SEVERITIES: Mapping[str, str] = {"P1": "critical", "P2": "error", "P3": "warning", "P4": "notice", "P5": "info"}
"""What Opsgenie's priorities mean; it takes P3 where none is given."""
_TEAM = "team"
_AROUND = re.compile(r"^\s*\[[^\]]*\]\s*|\s*\([^()]*\)\s*$")
"""What Alertmanager and others put around a title: ``[FIRING:2] … (labels)``."""


class Party(msgspec.Struct, frozen=True):
    """Whom an alert goes to."""

    type: str = ""
    name: str = ""
    username: str = ""
    id: str = ""


class NewAlert(msgspec.Struct, frozen=True):
    """The body of a create request, as far as quell reads it; older clients name ``teams`` apart."""

    message: str = ""
    alias: str | None = None
    description: str | None = None
    responders: list[Party] | None = None
    teams: list[Party] | None = None
    tags: list[str] | str | None = None
    details: dict[str, Any] | None = None
    entity: str | None = None
    source: str | None = None
    priority: str | None = None
    note: str | None = None


class Ending(msgspec.Struct, frozen=True):
    """The body of a close request."""

    source: str | None = None
    user: str | None = None
    note: str | None = None


def read_alert(body: bytes) -> NewAlert:
    """The alert in the body of a create request. Raises `BadPayload`."""
    return decode(body, NewAlert, max_bytes=MAX_BYTES)


def read_ending(body: bytes) -> Ending:
    """What is said of an end; nothing has to be. Raises `BadPayload`."""
    return decode(body, Ending, max_bytes=MAX_BYTES) if body.strip() else Ending()


def mistakes(alert: NewAlert) -> dict[str, str]:
    """What Opsgenie refuses an alert for, by field."""
    found = {} if alert.message.strip() else {"message": "Message can not be empty."}
    if alert.priority and alert.priority.upper() not in SEVERITIES:
        found["priority"] = "Priority should be one of [ P1, P2, P3, P4, P5 ]"
    if len(alert.alias or "") > 512:
        found["alias"] = "Alias should be at most 512 characters."
    return found


def key_of(alias: str, scope: str) -> str:
    """An alert's key: its alias, beside what stands for the sender's key, which itself is shown nowhere."""
    return f"{blake2b(scope.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}/{alias}"


def alias_of(alert: NewAlert) -> str:
    """Its alias, or one made of what it says, so that the same said twice is one alert."""
    if alert.alias:
        return alert.alias
    said = (alert.message, alert.entity, alert.source)
    return blake2b(msgspec.json.encode(said), digest_size=16).hexdigest()


def to_alert(alert: NewAlert, source: str, scope: str, now: float) -> AlertRecord:
    """A firing alert. Raises `BadPayload` for labels that cannot be kept."""
    labels, annotations = sorted_out(alert.details or {})
    labels |= {name: value for name, value in _tags(alert).items() if name not in labels}
    # An address as source says where the sender lives, which is no property of what is wrong.
    from_ = "" if _is_address(alert.source) else alert.source
    own = {"entity": alert.entity, "source": from_, _TEAM: _team(alert)}
    labels |= {name: value for name, value in own.items() if value and name not in labels}
    labels = common_names({"alertname": " ".join(_AROUND.sub("", alert.message).split()[:6])[:128], **labels})
    priority = (alert.priority or "P3").upper()
    labels.setdefault("severity", SEVERITIES[priority])
    labels["priority"] = priority
    annotations["summary"] = alert.message
    loose = ", ".join(tag for tag in _listed(alert.tags) if not _is_pair(tag))
    more = {"description": alert.description, "note": alert.note, "tags": loose}
    annotations |= {name: value for name, value in more.items() if value}
    problem = label_problem(labels) or annotation_problem(annotations)
    if problem:
        raise BadPayload(f"details: {problem}", field="details")
    links = [(alert.details or {}).get(name) for name in ("url", "link", "generatorURL", "runbook_url")]
    return AlertRecord(
        at=now,
        seen=now,
        source=source,
        status="firing",
        labels=labels,
        annotations=annotations,
        key=key_of(alias_of(alert), scope),
        url=next((str(link) for link in (*links, alert.source) if _is_address(link)), ""),
    )


def to_end(alias: str, ending: Ending, source: str, scope: str, now: float) -> AlertRecord:
    """The end of the alert of that alias."""
    who = ending.user or ending.source
    annotations = {"closed_by": who} if who else {}
    if ending.note:
        annotations["note"] = ending.note
    problem = annotation_problem(annotations)
    if problem:
        raise BadPayload(problem, field="note")
    return AlertRecord(
        at=now,
        seen=now,
        source=source,
        status="resolved",
        labels={},
        annotations=annotations,
        key=key_of(alias, scope),
    )


def _tags(alert: NewAlert) -> dict[str, str]:
    """Tags that are pairs, such as ``env:prod`` and ``service=cart``."""
    pairs: dict[str, Any] = {}
    for tag in _listed(alert.tags):
        if _is_pair(tag):
            mark = "=" if "=" in tag else ":"
            name, _, value = tag.partition(mark)
            pairs.setdefault(name.strip(), value.strip())
    return sorted_out(pairs)[0]


def _is_pair(tag: str) -> bool:
    name, _, value = tag.partition("=" if "=" in tag else ":")
    return name.strip().replace("_", "").replace(".", "").replace("-", "").isalnum() and bool(value.strip("/ "))


def _is_address(text: object) -> bool:
    return isinstance(text, str) and text.startswith(("http://", "https://"))


def _listed(tags: list[str] | str | None) -> list[str]:
    return [tag.strip() for tag in tags.split(",")] if isinstance(tags, str) else tags or []


def _team(alert: NewAlert) -> str:
    parties = [one for one in alert.responders or [] if one.type in {"", _TEAM}] + (alert.teams or [])
    return next((one.name for one in parties if one.name), "")
