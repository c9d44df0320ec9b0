"""Reads the ways in which senders write a time."""

from __future__ import annotations

from quell.model.times import parse_time

_MILLISECONDS, _MICROSECONDS, _NANOSECONDS = 1e11, 1e14, 1e17
"""Numbers beyond these can only be meant in that unit, for seconds would be thousands of years away."""
_LARGEST = 1e20
_YEAR_10000 = 253402300800.0
"""Later times have no RFC 3339 text."""
_EXPECTED = "send RFC 3339 text or seconds since 1970"


def read_moment(value: object) -> float | None:
    """Seconds for RFC 3339 text (no zone: UTC) or a number in s, ms, µs or ns since 1970, also as text.

    None for what means "unset": null, "", zero, year 1. Raises ValueError for what is no time.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        number = None if value[4:5] == "-" == value[7:8] else _number(value)
        if number is None:
            return _of_text(value.strip())
        value = number
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LARGEST:
        raise ValueError(f"a {type(value).__name__} such as this is not a time; {_EXPECTED}")
    for beyond, unit in ((_NANOSECONDS, 1e9), (_MICROSECONDS, 1e6), (_MILLISECONDS, 1e3)):
        if value > beyond:
            value = value / unit
            break
    return float(value) or None


def _number(text: str) -> float | None:
    try:
        return float(text) if len(text) <= 32 else None
    except ValueError:
        return None


def _of_text(text: str) -> float | None:
    for zoned in (text, f"{text}Z"):
        try:
            at = parse_time(zoned)
        except (ValueError, OverflowError):
            continue
        if at is None or 0 <= at < _YEAR_10000:
            return at
        break
    raise ValueError(f"{text[:64]!r} is not a time between 1970 and 9999; {_EXPECTED}")
