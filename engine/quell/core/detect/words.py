"""How detectors write numbers and lengths of time."""

from __future__ import annotations

from math import floor, isfinite

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


def rest(share: float) -> str:
    """How much is left of something for people, never more than there is: 99.96% are not all."""
    if 0.0 < share < 0.001:
        return "<0.1%"
    return f"{floor(share * 1000.0 + 1e-9) / 10.0:g}%"
