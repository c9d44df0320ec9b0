"""Lists of incidents as JSON: what was told before and has not changed since is told again as it is.

People and their screens ask for the newest incidents every few seconds, of which hardly any has changed; to write one
of ten thousand alerts takes milliseconds, for which deliveries and the core would wait. What they ask is nearly always
in the same few words, and is answered without the routes of the API, which take longer than the list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import attrgetter

import msgspec

from quell.model.incident import Incident
from quell.model.state import State
from quell.model.wire import to_wire

MOST_BYTES = 4 * 1024 * 1024
"""What was told is remembered up to so much in all."""
USUAL = 100
"""How many are told of whoever does not say."""
_QUERY = re.compile(rb"(?:status=(open|all)(?:&(?=l)|$))?(?:limit=([1-9][0-9]{0,4}))?")
_opened, _id = attrgetter("opened_at"), attrgetter("id")


def asked(query: bytes) -> tuple[str, int] | None:
    """The status and the limit that a query asks for; None of one in other words, which the route is to judge."""
    found = _QUERY.fullmatch(query)
    if found is None:
        return None
    return (found[1] or b"open").decode(), int(found[2] or USUAL)


class Newest:
    """The newest incidents of a state, as the API lists them."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state
        self._listed = Listed()

    def told(self, status: str, limit: int) -> bytes:
        """The body of the answer; with the ``status`` "open" only those that are."""
        found = [one for one in self._state().incidents.values() if status == "all" or one.is_open]
        found.sort(key=_id)
        found.sort(key=_opened, reverse=True)
        return self._listed.written(found[:limit])


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
