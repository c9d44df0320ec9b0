"""Reads the ways in which senders write a time."""

from __future__ import annotations

from quell.model.times import parse_time

_MILLISECONDS, _MICROSECONDS, _NANOSECONDS = 1e11, 1e14, 1e17
"""Numbers beyond these can only be meant in that unit, for seconds would be thousands of years away."""
_LARGEST = 1e20
_EXPECTED = "send RFC 3339 text or seconds since 1970"


def read_moment(value: object) -> float | None:
    """Seconds for RFC 3339 text (no zone: UTC) or a number in s, ms, µs or ns since 1970, also as text.

    None for what means "unset": null, "", zero, year 1. Raises ValueError for what is no time.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        number = _number(value)
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
        if at is not None and at < 0:
            break
        return at
    raise ValueError(f"{text[:64]!r} is not a time since 1970; {_EXPECTED}")
