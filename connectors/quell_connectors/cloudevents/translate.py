"""CloudEvents to records, by general rules about what an event says and not by who sends it.

A change is an event that names one (``data.change``) or whose type speaks of one (…service.deployed, …config.changed).
An alert has a key, a monitor or a status in its data, or its type speaks of an alert, incident, check or monitor.
Anything else is refused, visibly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote

from quell.errors import BadPayload
from quell.model.records import AlertRecord, ChangeRecord
from quell.sdk.moments import read_moment
from quell.sdk.payload import annotation_problem, label_problem
from quell.sdk.vocabulary import (
    ALERT_WORDS,
    CHANGE_TYPES,
    FIRING_WORDS,
    RESOLVED_WORDS,
    change_type_of,
    common_names,
    scalar_text,
    sorted_out,
    status_of,
    words_of,
)
from quell_connectors.cloudevents.envelope import Event

_ALERT_FIELDS = ("alert_key", "monitor", "alertname", "alert", "check", "alert_status", "alert_state")
_KEY_FIELDS = ("alert_key", "dedup_key", "alert_id", "fingerprint", "incident_key", "key")
_STATUS_FIELDS = ("status", "state", "transition", "alert_status", "alert_state")
_NAME_FIELDS = ("monitor", "alertname", "alert", "check", "name", "title")
_SUMMARY_FIELDS = ("message", "summary", "description", "text", "body")
_CHANGE_FIELDS = ("change", "change_id")
_URL_FIELDS = ("url", "link", "uri", "web_url")
_MENTIONED = frozenset({*_KEY_FIELDS, *_STATUS_FIELDS, *_NAME_FIELDS, *_SUMMARY_FIELDS, *_CHANGE_FIELDS, *_URL_FIELDS})
_ARTIFACT = re.compile(r"@(?:sha256:)?([^?#]+)")


def to_record(event: Event, source: str, now: float) -> AlertRecord | ChangeRecord:
    """The record that an event is. Raises `BadPayload` when it is neither an alert nor a change."""
    data: Mapping[str, Any] = event.data if isinstance(event.data, dict) else {"message": scalar_text(event.data)}
    words = words_of(event.type)
    spoken = _first(data, *_CHANGE_FIELDS)
    if not spoken and (not ALERT_WORDS.isdisjoint(words) or _first(data, *_ALERT_FIELDS)):
        return _alert(event, data, source, now)
    kind = CHANGE_TYPES.get(_first(data, "change_type", "kind", "type").lower()) or change_type_of(words)
    if spoken or (kind is not None and change_type_of(words) is not None):
        return _change(event, data, source, now)
    if status_of(_status_words(data)):
        return _alert(event, data, source, now)
    raise BadPayload(
        f'type: "{event.type[:200]}" speaks neither of an alert nor of a change; send data.monitor or data.alert_key '
        "for an alert, data.change for a change",
        field="type",
    )


def _alert(event: Event, data: Mapping[str, Any], source: str, now: float) -> AlertRecord:
    words = words_of(event.type)
    labels, annotations = _said(event, data)
    named = {"alertname": _first(data, *_NAME_FIELDS) or event.type}
    severity = _first(data, "severity", "priority", "level") or labels.get("severity", "")
    if severity:
        named["severity"] = severity.lower()
    labels = {**labels, **named}
    summary = _first(data, *_SUMMARY_FIELDS)
    if summary:
        annotations["summary"] = summary
    _check(labels, annotations)
    return AlertRecord(
        at=_at(event.time, "time") or now,
        seen=now,
        source=source,
        id=_identity(event),
        status=status_of(_status_words(data)) or status_of(words) or "firing",
        labels=labels,
        annotations=annotations,
        starts_at=_at(data.get("starts_at"), "data.starts_at"),
        key=_first(data, *_KEY_FIELDS) or _own_key(event),
        value=_number(data.get("value")),
        threshold=_number(data.get("threshold")),
        entity=_first(data, "entity") or None,
        url=_first(data, *_URL_FIELDS),
    )


def _change(event: Event, data: Mapping[str, Any], source: str, now: float) -> ChangeRecord:
    labels, annotations = _said(event, data)
    _check(labels, annotations)
    said = {**annotations, **labels}
    kind = CHANGE_TYPES.get(_first(data, "change_type", "kind", "type").lower()) or change_type_of(words_of(event.type))
    subject = event.subject or ""
    return ChangeRecord(
        at=_at(event.time, "time") or now,
        seen=now,
        source=source,
        id=_first(data, *_CHANGE_FIELDS) or _identity(event),
        type=kind or "deploy",
        entity=_first(data, "entity") or (subject if "/" in subject.strip("/") and "://" not in subject else ""),
        labels=labels,
        revision=_first(data, "revision", "version", "to") or said.get("revision", ""),
        previous=_first(data, "previous", "previous_revision", "from"),
        commit=_first(data, "commit", "sha"),
        author=_first(data, "author", "user", "by"),
        summary=_first(data, *_SUMMARY_FIELDS),
        diff=_first(data, "diff"),
        url=_first(data, *_URL_FIELDS),
    )


def _said(event: Event, data: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations: tags, plain details, the subject, and what CDEvents say of theirs."""
    labels, annotations = sorted_out({name: value for name, value in data.items() if name not in _MENTIONED})
    for name in ("tags", "labels"):
        if name in data:
            more, described = sorted_out(dict(_tags(data[name])))
            labels, annotations = {**labels, **more}, {**annotations, **described}
    if "subject" in data:
        labels = {**_cdevents_subject(data["subject"]), **labels}
    if event.subject:
        labels.setdefault("subject", event.subject)
    return common_names(labels), annotations


def _tags(tags: object) -> Iterator[tuple[str, Any]]:
    """Pairs of a mapping, or of a list of "name:value" or {name|key, value}."""
    if isinstance(tags, dict):
        yield from tags.items()
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, str):
            name, colon, value = tag.partition(":")
            if colon:
                yield name.strip(), value.strip()
        elif isinstance(tag, dict):
            yield _first(tag, "name", "key"), tag.get("value")


def _cdevents_subject(subject: object) -> dict[str, str]:
    """``{id, type, content: {environment: {id}, artifactId}}``: the subject by its type, and what its content names."""
    if not isinstance(subject, dict):
        return {}
    content = subject.get("content")
    parts: Mapping[str, Any] = content if isinstance(content, dict) else {}
    labels = {name: _first(part, "id", "name") for name, part in parts.items() if isinstance(part, dict)}
    artifact = _ARTIFACT.search(unquote(_first(parts, "artifactId")))
    labels["revision"] = artifact[1] if artifact else ""
    labels[_first(subject, "type") or "subject"] = _first(subject, "id")
    return {name: value for name, value in labels.items() if name and value}


def _status_words(data: Mapping[str, Any]) -> tuple[str, ...]:
    texts = (value for name in _STATUS_FIELDS if isinstance(value := data.get(name), str) and value)
    return words_of(next(texts, ""))


def _own_key(event: Event) -> str:
    """For a sender that gives no key: its source, subject and type without the word that tells the status."""
    words = [word for word in words_of(event.type) if word not in RESOLVED_WORDS | FIRING_WORDS]
    identity = "\x00".join((event.source, event.subject or "", ".".join(words)))
    return blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _identity(event: Event) -> str:
    """Source and id together identify an event."""
    return f"{event.source}#{event.id}"


def _first(pairs: Mapping[str, Any], *names: str) -> str:
    """The first of the named scalars that says something, as text."""
    for name in names:
        value = pairs.get(name)
        if value is not None and (text := scalar_text(value).strip()):
            return text
    return ""


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    except OverflowError:
        return None


def _at(value: object, field: str) -> float | None:
    try:
        return read_moment(value)
    except ValueError as error:
        raise BadPayload(f"{field}: {error}", field=field) from error


def _check(labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
    problem = label_problem(labels) or annotation_problem(annotations)
    if problem:
        raise BadPayload(f"data: {problem}", field="data")
