"""Where the connector stands: what the API needs to know besides the request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """``source`` marks the records, ``receiver`` is the name shown to clients."""

    source: str
    receiver: str
    resolve_timeout_s: float
