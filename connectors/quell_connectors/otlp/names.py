"""What a span is called: its route, or its name without what differs from call to call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from quell_connectors.otlp.wire import Scalar, text_of

MOST_CHARACTERS = 200
_VARYING = re.compile(
    r"(?=.*\d)(?:[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,}|\d+|[\w.:@=+~-]*\d{3,}[\w.:@=+~-]*)", re.IGNORECASE
)
_PARTS = re.compile(r"[^\s/?&,;()\[\]{}'\"]+")


def operation_of(name: str, told: Mapping[str, Scalar]) -> str:
    """The operation of a span: method and route or remote procedure if told, else its name."""
    route = told.get("http.route")
    if route:
        method = text_of(told.get("http.request.method") or told.get("http.method") or "")
        return f"{method} {text_of(route)}".strip()[:MOST_CHARACTERS]
    return plain(name[:MOST_CHARACTERS])


@lru_cache(maxsize=8192)
def plain(name: str) -> str:
    """A name in which numbers, ids and the like are a star."""
    return _PARTS.sub(lambda part: "*" if _VARYING.fullmatch(part[0]) else part[0], name[:MOST_CHARACTERS])
