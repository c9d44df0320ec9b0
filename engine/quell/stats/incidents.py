"""What counts of an incident: what happened to it and when, without all that people read of it."""

from __future__ import annotations

import msgspec

from quell.model.alert import Alert
from quell.model.incident import Incident, TimelineEntry

QUELL = "quell"
EARLY = "early sign"
"""As the core's timelines have it."""
_TAKEN = frozenset({"acknowledged", "snoozed"})
_DONE_BY_HAND = _TAKEN | {"resolved", "reopened", "assigned", "absorbed", "split"}


class Course(msgspec.Struct):
    """One incident. ``first_at`` is the first abnormal signal, ``first_rule`` what told of it.

    ``early``: people were told of it quietly or by lists, and never called.
    """

    opened_at: float
    status: str
    many: bool
    suspected: bool
    paged_at: tuple[float, ...]
    reminders: int
    taken_at: float | None
    resolved_at: float | None
    by_hand: bool
    own_split: bool
    first_at: float
    first_rule: str = ""
    early: bool = False
    harm: str = ""

    @property
    def counts(self) -> bool:
        """Whether it stands for itself: it was neither merged into another nor withdrawn."""
        return self.status not in {"merged", "withdrawn"}

    @property
    def of_people(self) -> bool:
        """Whether people had to do with it."""
        return bool(self.paged_at) or self.by_hand

    @property
    def took_s(self) -> float | None:
        """From the first signal until it was over; None before."""
        return None if self.resolved_at is None else max(self.resolved_at - self.first_at, 0.0)

    def heard(self, alert: Alert) -> None:
        """One of its alerts."""
        at = min(alert.starts_at, alert.onset_seen)
        if not self.first_rule or at < self.first_at:
            self.first_rule = alert.name
        self.first_at = min(self.first_at, at)


def course_of(incident: Incident) -> Course:
    """What is known before its alerts are."""
    timeline = incident.timeline
    paged_at = tuple(entry.at for entry in timeline if is_page(entry))
    taken = [entry.at for entry in timeline if entry.what in _TAKEN and entry.by != QUELL]
    return Course(
        opened_at=incident.opened_at,
        status=incident.status,
        many=len(incident.alerts) > 1,
        suspected=bool(incident.suspects),
        paged_at=paged_at,
        reminders=sum(entry.what == "reminded" for entry in timeline),
        taken_at=min(taken, default=None),
        resolved_at=incident.resolved_at if incident.status == "resolved" else None,
        by_hand=any(entry.what in _DONE_BY_HAND and entry.by != QUELL for entry in timeline),
        own_split=any(entry.what == "split" and entry.by == QUELL for entry in timeline),
        first_at=min([incident.opened_at, *_onsets(incident)]),
        early=not paged_at and any(entry.what == EARLY for entry in timeline),
        harm=incident.harm,
    )


def is_page(entry: TimelineEntry) -> bool:
    """Whether somebody was called; taking over the page of an incident that it absorbs calls nobody."""
    return entry.what == "paged" and not (entry.text.startswith("as ") and entry.text.endswith(", which it absorbs"))


def _onsets(incident: Incident) -> list[float]:
    """When telemetry says that the first suspect went wrong; the time of a change is no signal."""
    first = incident.suspects[:1]
    return [one.onset for one in first if one.onset is not None and one.change is None]
