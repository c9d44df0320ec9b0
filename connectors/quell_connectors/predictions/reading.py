"""Bodies to events: JSON lines, a list, or one event; what cannot be read says where and what was expected.

Nothing of a part that cannot be read is kept but the names of its fields and the types of their values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.model.mismatch import place_and_reason
from quell.model.prediction import Event, LabelEvent, OutcomeEvent, PredictionEvent
from quell.sdk.connector import Rejected, Request
from quell.sdk.payload import MAX_ALERTS, check_size

MOST_EVENTS = MAX_ALERTS
_KINDS: dict[Any, type[Event]] = {"prediction": PredictionEvent, "label": LabelEvent, "outcome": OutcomeEvent}
_NUMBERS = frozenset({"score", "confidence", "latency_s", "tokens_in", "tokens_out", "cost", "quality", "value"})
_QUOTED = re.compile(r"'[^']*'")
_NOT_JSON = (b"NaN", b"Infinity")


def events_of(request: Request) -> Iterator[tuple[str, Event | Rejected]]:
    """Each event, or why it is none, with its place. Raises `BadPayload`, without the payload."""
    body = request.body
    listed = body.lstrip()[:1] == b"["
    lines = [] if listed else [line for line in body.splitlines() if line.strip()]
    try:
        check_size(body, max_depth=64 if listed or len(lines) < 2 else 1 << 30)
    except BadPayload as error:
        raise BadPayload(str(error)) from None
    if listed:
        items = [("", _decoded(body, "the body"))]
        if isinstance(items[0][1], list):
            items = [(f"[{index}]", item) for index, item in enumerate(items[0][1])]
    elif len(lines) == 1 or (_kind(request) == "json" and _whole(body)):
        items = [("event", _decoded(body, "the body"))]
    else:
        items = []
        if len(lines) <= MOST_EVENTS:
            yield from _lines(lines)
    count = max(len(items), len(lines))
    if count > MOST_EVENTS or not count:
        raise BadPayload(f"{count} events; send 1 to {MOST_EVENTS}")
    for place, item in items:
        yield place, _event(item, place)


def _lines(lines: list[bytes]) -> Iterator[tuple[str, Event | Rejected]]:
    for number, line in enumerate(lines, 1):
        place = f"line {number}"
        try:
            check_size(line)
            item = _decoded(line, place)
        except BadPayload as error:
            yield place, Rejected(f"{place}: {error}", b"(not kept)", private=True)
        else:
            yield place, _event(item, place)


def _kind(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return "json" if kind == "application/json" else ""


def _whole(body: bytes) -> bool:
    """Whether a body of more than one line is one JSON text."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _decoded(text: bytes, place: str) -> Any:
    try:
        if any(word in text for word in _NOT_JSON):
            return json.loads(text, parse_constant=lambda word: word)  # NaN as Python's writers put it: kept as a word
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        why = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not readable as JSON"
        raise BadPayload(f"{place}: {why}") from None


def _event(item: Any, place: str) -> Event | Rejected:
    kind = item.get("kind", "prediction") if isinstance(item, dict) else None
    shape = _KINDS.get(kind) if isinstance(kind, str) else None
    if shape is None:
        what = "kind: expected prediction, label or outcome" if isinstance(item, dict) else "expected an object"
        return _rejected(f"{place}: {what}", item)
    try:
        return msgspec.convert({"kind": kind, **item}, shape)
    except msgspec.ValidationError as error:
        field, reason = place_and_reason(error, item)
        if field in _NUMBERS:
            reason = "expected a number"
        return _rejected(f"{place}: {field}{': ' if field else ''}{_QUOTED.sub('…', reason)}", item)


def _rejected(reason: str, item: Any) -> Rejected:
    return Rejected(reason, msgspec.json.encode(outline(item)), private=True)


def outline(item: Any) -> Any:
    """Names of fields and types of values, without any value."""
    if isinstance(item, dict):
        return {str(name)[:64]: outline(value) for name, value in list(item.items())[:100]}
    return f"({'list' if isinstance(item, list) else 'null' if item is None else type(item).__name__})"
