"""Maintenance windows: whether one is open, and when that changes next.

A recurring window opens at a time of day on the wall clock of its zone and stays open for ``duration_s`` of real time,
also in the nights when clocks change. An opening that the clock skips (02:30 in the spring night) is one hour later on
the wall; one that comes twice is the first. The weekday is that of the day on which it opens.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from math import inf, nan
from zoneinfo import ZoneInfo

from quell.model.rulebook import Window

DAY_S = 86_400.0
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS_AHEAD = 8
"""A weekly window opens again within a week; the day more covers the hour a clock change moves."""


def active(window: Window, now: float) -> bool:
    """Whether the window is open at ``now``; its end is no longer part of it."""
    return any(start <= now < end for start, end in _openings(window, now))


def next_edge(window: Window, now: float) -> float | None:
    """The first opening or closing after ``now``; None if there is none any more.

    Where openings overlap an edge may change nothing; there is never a change without an edge.
    """
    return min((edge for opening in _openings(window, now) for edge in opening if now < edge < inf), default=None)


class Hours:
    """A window that is asked often: what holds up to the next opening or closing is remembered."""

    __slots__ = ("_from", "_to", "_until", "_window")

    def __init__(self, window: Window) -> None:
        self._window = window
        self._from = self._to = nan
        self._until: float | None = None

    def open_until(self, at: float) -> float | None:
        """When the window closes that is open at a time, counting openings that go over into each other as one.

        None while it is closed; infinite when it never closes.
        """
        if not self._from <= at < self._to:
            edge = next_edge(self._window, at)
            self._from, self._to = at, inf if edge is None else edge
            self._until = _closing(self._window, at)
        return self._until


def _closing(window: Window, now: float) -> float | None:
    until: float | None = None
    for start, end in sorted(_openings(window, now)):
        if start <= now < end or (until is not None and start <= until):
            until = end if until is None else max(until, end)
    return until


def _openings(window: Window, now: float) -> Iterator[tuple[float, float]]:
    """Openings that reach into ``now`` or begin within the days ahead, as (start, end)."""
    if window.minute is None:
        start = -inf if window.starts_at is None else window.starts_at
        yield start, (inf if window.ends_at is None else window.ends_at)
        return
    zone = ZoneInfo(window.zone)
    today = datetime.fromtimestamp(now, zone).date()
    behind = int(window.duration_s // DAY_S) + 2
    for offset in range(-behind, _DAYS_AHEAD + 1):
        day = today + timedelta(days=offset)
        if window.weekdays and _WEEKDAYS[day.weekday()] not in window.weekdays:
            continue
        start = _wall(day, window.minute, zone)
        yield start, start + window.duration_s


def _wall(day: date, minute: int, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(minute // 60, minute % 60), zone).timestamp()
