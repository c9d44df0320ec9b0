"""The three ways in which CloudEvents travel over HTTP, to one typed event."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from quell.errors import BadPayload
from quell.sdk.connector import Request
from quell.sdk.payload import MAX_ALERTS, check_size, decode

_PREFIX = "ce-"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. ``data`` is decoded JSON, or text where the sender says that it is not JSON."""

    id: str
    source: str
    type: str
    specversion: str
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    data: Any = None
    data_base64: str | None = None


class Envelope(msgspec.Struct, frozen=True):
    """A single event, or the events of a batch, each still to be read. ``batch`` tells which."""

    parts: list[msgspec.Raw]
    batch: bool


def opened(request: Request) -> Envelope:
    """The parts of a delivery, each JSON text of one event. Raises `BadPayload`."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type.startswith("application/cloudevents"):
        if not content_type.endswith(("cloudevents+json", "cloudevents-batch+json")):
            raise BadPayload(f'"{content_type}" is not taken; send application/cloudevents+json', request.body)
    elif f"{_PREFIX}specversion" in request.headers:
        return Envelope([msgspec.Raw(_of_headers(request, content_type))], batch=False)
    check_size(request.body)
    if request.body.lstrip()[:1] == b"[":
        parts = decode(request.body, list[msgspec.Raw])
        if len(parts) > MAX_ALERTS:
            raise BadPayload(f"{len(parts)} events in one batch; at most {MAX_ALERTS} are taken", request.body[:4096])
        return Envelope(parts, batch=True)
    return Envelope([msgspec.Raw(request.body)], batch=False)


def read_event(part: msgspec.Raw) -> Event:
    """One event with its data decoded. Raises `BadPayload` with the part as payload."""
    body = bytes(part)
    event = decode(body, Event)
    if not event.specversion.startswith("1."):
        raise BadPayload(f'specversion: "{event.specversion}" is not known; send 1.0', body, "specversion")
    for name in ("id", "source", "type"):
        if not getattr(event, name):
            raise BadPayload(f"{name}: is empty; CloudEvents 1.0 requires it", body, name)
    if event.data_base64 is None:
        return event
    return msgspec.structs.replace(event, data=_unpacked(event, body), data_base64=None)


def _unpacked(event: Event, body: bytes) -> Any:
    try:
        raw = b64decode(event.data_base64 or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPayload(f"data_base64: {error}", body, "data_base64") from error
    return _data(raw, event.datacontenttype or "application/json")


def _data(raw: bytes, content_type: str) -> Any:
    kind = content_type.partition(";")[0].strip().lower()
    if not raw:
        return None
    if kind in ("", "application/json") or kind.endswith("+json"):
        return decode(raw, object)
    return raw.decode("utf-8", "replace")


def _of_headers(request: Request, content_type: str) -> bytes:
    """Binary mode: attributes are headers, percent-encoded; the body is the data."""
    attributes = {
        name.removeprefix(_PREFIX): unquote(value.encode("utf-8", "replace").decode(), errors="replace")
        for name, value in request.headers.items()
        if name.startswith(_PREFIX)
    }
    known: Mapping[str, Any] = {
        **{name: attributes[name] for name in Event.__struct_fields__ if name in attributes},
        "datacontenttype": content_type,
        "data": _data(request.body, content_type),
        "data_base64": None,
    }
    return msgspec.json.encode(known)
