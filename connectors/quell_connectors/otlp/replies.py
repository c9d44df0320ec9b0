"""Answers as OTLP has them: in the encoding of the request, with what was not taken and why."""

from __future__ import annotations

import msgspec

from quell.sdk.connector import Reply
from quell_connectors.otlp.wire import Signal

MOST_MESSAGE = 2000
JSON = "application/json"
_REJECTED: dict[Signal, str] = {
    "traces": "rejectedSpans",
    "metrics": "rejectedDataPoints",
    "logs": "rejectedLogRecords",
}
_INVALID_ARGUMENT = 3


def taken(signal: Signal, encoding: str, rejected: int, message: str) -> Reply:
    """All was taken, or all but so many. With none rejected, the message is a warning."""
    message = message[:MOST_MESSAGE]
    if encoding == JSON:
        partial = {_REJECTED[signal]: str(rejected), "errorMessage": message}
        return Reply(200, msgspec.json.encode({"partialSuccess": partial} if rejected or message else {}), JSON)
    # ExportTraceServiceResponse and its two likes: partial_success = 1 {rejected = 1, error_message = 2}.
    inner = (b"\x08" + _varint(rejected) if rejected else b"") + _text(0x12, message)
    return Reply(200, b"\x0a" + _varint(len(inner)) + inner if inner else b"", encoding)


def refused(status: int, encoding: str, message: str) -> Reply:
    """Nothing was taken; the body is a google.rpc.Status: code = 1, message = 2."""
    message = message[:MOST_MESSAGE]
    if encoding == JSON:
        return Reply(status, msgspec.json.encode({"code": _INVALID_ARGUMENT, "message": message}), JSON)
    return Reply(status, bytes((0x08, _INVALID_ARGUMENT)) + _text(0x12, message), encoding)


def _text(tag: int, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    return bytes((tag,)) + _varint(len(raw)) + raw if raw else b""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
