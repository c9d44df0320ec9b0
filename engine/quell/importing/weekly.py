"""Weeks of Alertmanager's time intervals as windows that begin at a time of day and last a while."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY, _WEEK = 1440, 10_080
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_DATED = ("days_of_month", "months", "years")


class Unweekly(ValueError):
    """An interval that is not the same every week; the text says why."""


def minutes_of(interval: Mapping[str, Any]) -> bytearray:
    """One byte per minute of a week from Monday on, 1 inside the interval. Raises `Unweekly`."""
    dated = [name for name in _DATED if interval.get(name)]
    if dated:
        raise Unweekly(f"it names {' and '.join(dated)}, and a window here repeats by the week")
    inside = bytearray(_WEEK)
    times = interval.get("times") or [{"start_time": "00:00", "end_time": "24:00"}]
    for day in _weekdays(interval.get("weekdays")):
        for span in times:
            start, end = _minute(span, "start_time"), _minute(span, "end_time")
            if not start < end:
                raise Unweekly("a time ends before it starts")
            inside[day * _DAY + start : day * _DAY + end] = b"\1" * (end - start)
    return inside


def _minute(span: Any, name: str) -> int:
    value = span.get(name) if isinstance(span, Mapping) else None
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) * 60 + int(found[2]) > _DAY:
        raise Unweekly(f'{name} "{value}" is not a time of day')
    return int(found[1]) * 60 + int(found[2])


def _weekdays(given: Any) -> list[int]:
    if not given:
        return list(range(7))
    found: list[int] = []
    for entry in given if isinstance(given, list) else [given]:
        first, _, last = str(entry).lower().partition(":")
        if first not in DAYS or (last and last not in DAYS):
            raise Unweekly(f'"{entry}" is not a day of the week')
        start, end = DAYS.index(first), DAYS.index(last or first)
        if end < start:
            raise Unweekly(f'"{entry}" ends before it starts')
        found += range(start, end + 1)
    return sorted(set(found))


def opposite(inside: bytearray) -> bytearray:
    """What is outside."""
    return bytearray(1 - minute for minute in inside)


def spans(inside: bytearray) -> list[dict[str, Any]]:
    """As windows: days on which they begin, the time of day, and how long they last."""
    if all(inside):
        return [{"days": [DAYS[0]], "from": "00:00", "for": "7d"}]
    starts: dict[tuple[int, int], list[str]] = {}
    for minute in range(_WEEK):
        if inside[minute] and not inside[minute - 1]:
            length = 1
            while inside[(minute + length) % _WEEK]:
                length += 1
            starts.setdefault((minute % _DAY, length), []).append(DAYS[minute // _DAY])
    return [_span(clock, length, days) for (clock, length), days in sorted(starts.items())]


def _span(clock: int, length: int, days: Sequence[str]) -> dict[str, Any]:
    hours, minutes = divmod(length, 60)
    lasts = f"{hours}h{minutes}m" if hours and minutes else f"{hours}h" if hours else f"{minutes}m"
    told = {"from": f"{clock // 60:02}:{clock % 60:02}", "for": lasts}
    return told if len(days) == 7 else {"days": list(days), **told}
