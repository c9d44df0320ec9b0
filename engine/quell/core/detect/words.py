"""How detectors write numbers and lengths of time."""

from __future__ import annotations

from math import isfinite

from quell.model.times import format_duration

_LARGE = 1e6
_SMALL = 1e-4


def number(value: float) -> str:
    """A number for people: four digits, or all before the point where there are more."""
    if not isfinite(value):
        return str(value)
    size = abs(value)
    if size >= _LARGE or 0.0 < size < _SMALL:
        return f"{value:.4g}"
    return f"{round(value):d}" if size >= 1000.0 else f"{value:.4g}"


def lasting(seconds: float) -> str:
    """A length of time for people, such as ``3h``: no more than two units."""
    if seconds >= 86400.0:
        seconds = round(seconds / 3600.0) * 3600.0
    elif seconds >= 3600.0:
        seconds = round(seconds / 60.0) * 60.0
    return format_duration(seconds)
