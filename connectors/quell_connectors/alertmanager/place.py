"""Where the connector stands: what the API needs to know besides the request."""

from __future__ import annotations

from dataclasses import dataclass, field

from quell_connectors.alertmanager.known import Known


@dataclass(frozen=True, slots=True)
class Place:
    """``source`` marks the records, ``receiver`` is the name shown to clients.

    ``known`` makes answers quicker and never others.
    """

    source: str
    receiver: str
    resolve_timeout_s: float
    known: Known = field(default_factory=Known, compare=False, repr=False)
