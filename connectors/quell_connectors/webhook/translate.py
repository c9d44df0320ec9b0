"""Mapped JSON to records; and quell's own record lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from math import isfinite
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    ChangeRecord,
    DependencyRecord,
    EntityRecord,
    FeedbackRecord,
    IncidentRecord,
    LogRecord,
    SampleRecord,
    SpanRecord,
)
from quell.model.wire import times_from_text
from quell.sdk.moments import read_moment
from quell.sdk.payload import MAX_ALERTS, annotation_problem, check_size, convert, decode, label_problem
from quell.sdk.vocabulary import CHANGE_TYPES, common_names, sorted_out, spoken_change_type, status_of, words_of
from quell_connectors.webhook.mapping import FieldMap, Status

Observed = (
    AlertRecord
    | ChangeRecord
    | SampleRecord
    | LogRecord
    | SpanRecord
    | EntityRecord
    | DependencyRecord
    | IncidentRecord
    | FeedbackRecord
)
"""What may come from outside: observations. Commands and answers of actions have doors of their own."""
_LATEST_TIME = 253402300800.0
"""Year 10000: later times have no RFC 3339 text."""
_OWN = "detect"
"""Whoever sent an alert under it could end one that a detector found."""
_OBSERVED = frozenset({"alert", "change", "sample", "log", "span", "entity", "dependency", "incident", "feedback"})


def items_of(found: FieldMap, roots: Mapping[str, Any], payload: bytes) -> list[Any]:
    """The items of a body, each to become one record. Raises `BadPayload` when the list is not there."""
    if found.items is None:
        return [roots["body"]]
    value = found.items.value(roots)
    if value is None or isinstance(value, str):
        name = "changes" if found.change else "alerts"
        raise BadPayload(f"the body has no list where mapping.{name} looks", payload, name)
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_ALERTS:
        raise BadPayload(f"{len(items)} items; at most {MAX_ALERTS} are taken", payload[:4096])
    return items


def to_record(found: FieldMap, roots: Mapping[str, Any], source: str, now: float) -> AnyRecord | None:
    """The record of one item (``roots["item"]``); None when its status is to be ignored. Raises `BadPayload`."""
    said = {name: text.text(roots) for name, text in found.fields.items()}
    labels, annotations = _labels(found, roots, said)
    problem = label_problem(labels) or annotation_problem(annotations)
    if problem:
        raise BadPayload(problem, field="labels")
    at = _moment(said, "at") or now
    if found.change:
        return _change(said, labels, roots, source=source, at=at, now=now)
    status = _status(found, said)
    if status == "ignore":
        return None
    if not labels and not said.get("key"):
        raise BadPayload("nothing identifies the alert: its labels and its key are empty", field="labels")
    return AlertRecord(
        at=at,
        seen=now,
        source=source,
        id=said.get("id", ""),
        status=status,
        labels=labels,
        annotations=annotations,
        starts_at=_moment(said, "starts_at"),
        ends_at=_moment(said, "ends_at"),
        key=said.get("key", ""),
        value=_number(said, "value"),
        threshold=_number(said, "threshold"),
        entity=said.get("entity") or None,
        url=said.get("url", ""),
    )


def _change(
    said: Mapping[str, str], labels: dict[str, str], roots: Mapping[str, Any], *, source: str, at: float, now: float
) -> ChangeRecord:
    summary, kind = said.get("summary", ""), said.get("type", "")
    return ChangeRecord(
        at=at,
        seen=now,
        source=source,
        id=said.get("id") or blake2b(msgspec.json.encode(roots["item"]), digest_size=8).hexdigest(),
        type=CHANGE_TYPES.get(kind.lower()) or spoken_change_type(f"{kind} {summary}"),
        entity=said.get("entity", ""),
        labels=labels,
        revision=said.get("revision", ""),
        previous=said.get("previous", ""),
        commit=said.get("commit", ""),
        author=said.get("author", ""),
        summary=summary,
        url=said.get("url", ""),
    )


def _labels(
    found: FieldMap, roots: Mapping[str, Any], said: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for text in found.labels_from:
        more, described = sorted_out(dict(_pairs(text.value(roots))))
        labels |= more
        annotations |= described
    labels |= {name: text.text(roots) for name, text in found.labels.items()}
    annotations |= {name: text.text(roots) for name, text in found.annotations.items()}
    for label, name in (("alertname", "name"), ("severity", "severity")):
        if said.get(name):
            labels[label] = said[name]
    if said.get("summary"):
        annotations["summary"] = said["summary"]
    labels = {name: value for name, value in labels.items() if name and value}
    return common_names(labels), {name: value for name, value in annotations.items() if name and value}


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    for tag in value if isinstance(value, list) else ():
        if isinstance(tag, str):
            name, colon, rest = tag.partition(":")
            if colon:
                yield name.strip(), rest.strip()


def _status(found: FieldMap, said: Mapping[str, str]) -> Status:
    if "status" not in found.fields:
        return "firing"
    word = said["status"]
    status = found.statuses.get(word.lower()) or status_of(words_of(word))
    if status is None:
        known = ", ".join(sorted(found.statuses)) or "firing, resolved and their like"
        raise BadPayload(f'status: "{word[:80]}" is not known; known are {known}; add it to status_map', field="status")
    return status


def _moment(said: Mapping[str, str], name: str) -> float | None:
    try:
        return read_moment(said.get(name))
    except ValueError as error:
        raise BadPayload(f"{name}: {error}", field=name) from error


def _number(said: Mapping[str, str], name: str) -> float | None:
    text = said.get(name)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError as error:
        raise BadPayload(f'{name}: "{text[:80]}" is not a number', field=name) from error
    return number if isfinite(number) else None


def record_of(line: bytes, source: str, now: float) -> AnyRecord:
    """One line of the records format, arrived now. Raises `BadPayload`."""
    check_size(line)
    raw = decode(line, dict[str, Any])
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in _OBSERVED:
        raise BadPayload(
            f"kind: {kind!r:.80} is not taken here; send one of {', '.join(sorted(_OBSERVED))}", line, "kind"
        )
    try:
        timed = times_from_text(raw)
    except (ValueError, OverflowError) as error:
        raise BadPayload(str(error), line) from error
    record: Observed = convert({"at": now, **timed, "kind": kind}, Observed, line)  # type: ignore[arg-type] # a union
    if record.source == _OWN:
        raise BadPayload(f'source: "{_OWN}" is that of quell\'s own alerts; leave it out', line, "source")
    moments = [(name, getattr(record, name, None)) for name in ("at", "starts_at", "ends_at")]
    moments += [("points", at) for at, _ in getattr(record, "points", ())]
    for name, moment in moments:
        if moment is not None and not 0.0 <= moment < _LATEST_TIME:
            raise BadPayload(f"{name}: not a time between 1970 and 9999", line, name)
    problem = label_problem(getattr(record, "labels", {})) or annotation_problem(getattr(record, "annotations", {}))
    if problem:
        raise BadPayload(problem, line, "labels")
    try:
        msgspec.msgpack.encode(record)
    except OverflowError as error:  # a number that JSON can write and the journal cannot
        raise BadPayload(f"a number is out of range: {error}", line) from error
    return msgspec.structs.replace(record, seen=now, source=record.source or source)
