"""Statuspage's JSON as typed values, and the marks that the public does not see."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.errors import Unreachable
from quell.sdk.http import Answer, retry_after_s
from quell.sdk.ticket_text import Limits
from quell.sdk.tickets import Ticket

LIMITS = Limits(title=200, text=20_000, marks="aside")
UNKNOWN_WAIT_S = 60.0
"""The limit is counted over a minute."""
_OVER = frozenset({"resolved", "completed", "postmortem"})
_MOST_STEPS = 40


class Component(msgspec.Struct, frozen=True):
    """A component of a page, or of an incident on it."""

    id: str
    name: str = ""
    status: str = ""


class Incident(msgspec.Struct, frozen=True):
    """An incident of a page. ``metadata`` is ours: objects by name, which the public does not see."""

    id: str
    name: str = ""
    status: str = ""
    shortlink: str | None = None
    metadata: dict[str, Any] | None = None
    components: list[Component] | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        """The mark of the key, then those of the acts."""
        own = (self.metadata or {}).get("quell")
        if not isinstance(own, dict):
            return ()
        return (str(own.get("key") or ""), *str(own.get("steps") or "").split())


def ticket_of(incident: Incident, url: str) -> Ticket:
    """An incident as a ticket; its marks count as said."""
    is_open = incident.status not in _OVER
    return Ticket(incident.id, incident.shortlink or url, incident.name, " ".join(incident.marks), is_open)


def marked(metadata: dict[str, Any] | None, key: str, steps: tuple[str, ...]) -> dict[str, Any]:
    """Metadata with our marks; others' stay."""
    return {**(metadata or {}), "quell": {"key": key, "steps": " ".join(steps[-_MOST_STEPS:])}}


def judge(answer: Answer, who: str) -> None:
    """Statuspage says 420 as well as 429 for its limit of one request a second."""
    if answer.status in {420, 429}:
        wait = retry_after_s(answer.headers) or UNKNOWN_WAIT_S
        raise Unreachable(f"{who} answered {answer.status}: its rate limit is reached; again in {wait:.0f} s", wait)
