"""Times and durations between text and seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

UNSET_YEAR = 1
"""Year of Go's zero time, which Alertmanager's clients send for "not set"."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_FRACTION = re.compile(r"(\.\d{6})\d+")
_ZERO = "0001-01-01T00:00:00Z"
_NO_LONGER_FRACTION = 27
"""Characters of ``2026-03-01T10:00:00.000000Z``: only a longer text can have more than six digits of a second."""


def parse_time(text: str) -> float | None:
    """Seconds for an RFC 3339 text with zone; None for year 1, which means "unset". Raises ValueError."""
    if text == _ZERO:
        return None
    if len(text) > _NO_LONGER_FRACTION and "." in text:
        text = _FRACTION.sub(r"\1", text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write one, such as 2026-03-01T10:00:00Z")
    if moment.year == UNSET_YEAR:
        return None
    return moment.timestamp()


def format_time(at: float) -> str:
    """RFC 3339 in UTC with milliseconds, such as ``2026-03-01T10:00:00.000Z``."""
    text = datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds")
    return text[:-6] + "Z"


def parse_duration(text: str) -> float:
    """Seconds for a duration such as ``90s``, ``15m``, ``1h30m`` or ``2d``. Raises ValueError."""
    total, position = 0.0, 0
    for match in _DURATION.finditer(text):
        if match.start() != position:
            break
        total += float(match[1]) * _UNIT_S[match[2]]
        position = match.end()
    if not text or position != len(text):
        if text.replace(".", "", 1).isdigit():
            raise ValueError(f'"{text}" has no unit; write a duration such as 90s, 15m or 2h')
        raise ValueError(f'"{text}" is not a duration; write one such as 90s, 15m or 2h')
    return total


def format_duration(seconds: float) -> str:
    """The shortest exact-to-the-second text, such as ``1h30m``; ``0s`` for nothing."""
    left, text = round(abs(seconds)), ""
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_UNIT_S[unit]))
        if count:
            text += f"{count}{unit}"
    return ("-" if seconds < 0 and text else "") + (text or "0s")


def exact_time(at: float) -> str | float:
    """RFC 3339 in UTC that `parse_time` reads as this very number; the number itself where no such text exists."""
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return at
    if moment.timestamp() != at or moment.year == UNSET_YEAR:
        return at
    return moment.isoformat(timespec="milliseconds" if moment.microsecond % 1000 == 0 else "microseconds")[:-6] + "Z"
