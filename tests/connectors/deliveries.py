"""Builders of deliveries for tests of receiving connectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from quell.errors import BadPayload
from quell.model.wire import to_wire
from quell.sdk.connector import Connector, Context, Received, Receives, Request
from quell.sdk.testkit import NOW, FakeHttp

GOLDEN = Path(__file__).parent / "golden"


def built(kind: type[Connector], http: Any = None, **options: Any) -> Any:
    return kind(options, Context("src", http or FakeHttp()))


def posted(body: Any, path: str = "/in/src", **headers: str) -> Request:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", path, raw, {"content-type": "application/json", **named})


def golden(name: str) -> Any:
    return msgspec.json.decode((GOLDEN / name).read_bytes())


def never_chokes(receiver: Receives, request: Request) -> Received | None:
    """The property of every receiver: records, rejections or `BadPayload`, whatever arrives. Records are journalled."""
    try:
        received = receiver.receive(request, NOW)
    except BadPayload:
        return None
    msgspec.msgpack.encode(list(received.records))
    assert all(0 <= record.at < 253402300800 for record in received.records)
    for record in received.records:
        to_wire(record)
    return received
