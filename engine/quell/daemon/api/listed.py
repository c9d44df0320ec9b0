"""Lists of incidents as JSON: what was told before and has not changed since is told again as it is.

People and their screens ask for the newest incidents every few seconds, of which hardly any has changed; to write one
of ten thousand alerts takes milliseconds, for which deliveries and the core would wait.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quell.model.incident import Incident
from quell.model.wire import to_wire

MOST_BYTES = 4 * 1024 * 1024
"""What was told is remembered up to so much in all."""


class Listed:
    """Remembers what the list before told."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Incident, bytes]] = {}

    def written(self, incidents: Sequence[Incident]) -> bytes:
        """The list as the body of an answer."""
        told: dict[str, tuple[Incident, bytes]] = {}
        parts, size = [], 0
        for incident in incidents:
            known = self._told.get(incident.id)
            if known is None or known[0] is not incident:  # an incident never changes: another takes its place
                known = incident, msgspec.json.encode(to_wire(incident))
            parts.append(known[1])
            size += len(known[1])
            if size <= MOST_BYTES:
                told[incident.id] = known
        self._told = told
        return b'{"incidents":[%b]}' % b",".join(parts)
