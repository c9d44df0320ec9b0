"""What an answer says, as a step's output."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.sdk.http import Answer

MAX_KEPT = 16 * 1024
"""Bytes of an answer that are kept as text; the output of a step is stored and shown."""
MOST_HEADERS = 50
MAX_HEADER = 1024
"""Letters of a header."""
_SECRET = frozenset({"set-cookie", "set-cookie2", "www-authenticate", "proxy-authenticate", "authentication-info"})


def output_of(answer: Answer) -> dict[str, Any]:
    """``status``; ``json`` when the body is JSON, else ``body``, cut off when it is long."""
    output: dict[str, Any] = {"status": answer.status}
    if not answer.body:
        return output
    if len(answer.body) <= MAX_KEPT:
        try:
            return {**output, "json": msgspec.json.decode(answer.body)}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return {**output, "body": answer.body[:MAX_KEPT].decode("utf-8", "replace")}


def headers_of(answer: Answer) -> dict[str, str]:
    """The headers by name in small letters, without those that hold what lets somebody in."""
    return {
        name.lower(): value[:MAX_HEADER]
        for name, value in sorted(answer.headers.items())[:MOST_HEADERS]
        if name.lower() not in _SECRET
    }
