"""Cron lines: read once, then asked for the next time after a moment, on the wall clock of a zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from quell.errors import ExpressionError

FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
MAX_TEXT = 200
_ANY = ("0", "0", "1", "1", "*")
"""A line that is fine, in which one field after the other is tried to find the bad one."""
_SOME_DAY = datetime(2024, 1, 1)  # noqa: DTZ001 - only read for its shape


class Cron:
    """Five fields as Debian's cron has them: ``0 9 * * mon-fri``.

    A time that the clock skips in spring is made up for right after the gap, one that comes twice in autumn counts
    once, if both minute and hour are fixed; what runs every so many minutes goes on evenly. Raises ExpressionError.
    """

    __slots__ = ("_zone", "text")

    def __init__(self, text: str, zone: str = "UTC") -> None:
        self.text = " ".join(text.split())
        self._zone = ZoneInfo(zone)
        _check(text)

    def next_after(self, at: float) -> float | None:
        """The first time after ``at`` (seconds); None when there is none within fifty years."""
        line = CronSim(self.text, datetime.fromtimestamp(at, self._zone))
        try:
            return next(line).timestamp()
        except StopIteration:
            return None


def _check(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"a cron line may be {MAX_TEXT} characters long, this one has {len(text)}", 1)
    words, column = [], 0
    for word in text.split():
        column = text.index(word, column)
        words.append((word, column + 1))
        column += len(word)
    if len(words) != len(FIELDS):
        message = f'"{text}" has {len(words)} fields, a cron line has {len(FIELDS)}: {", ".join(FIELDS)}'
        raise ExpressionError(message, words[len(FIELDS)][1] if len(words) > len(FIELDS) else 1)
    for index, (word, at) in enumerate(words):
        tried = [*_ANY]
        tried[index] = word
        if not _reads(" ".join(tried)):
            raise ExpressionError(f'"{word}" cannot be the {FIELDS[index]}', at)
    if not _reads(text):
        raise ExpressionError(f'"{text}" is a day that no month has', words[2][1])


def _reads(text: str) -> bool:
    try:
        CronSim(text, _SOME_DAY)
    except (CronSimError, ValueError, RecursionError):
        return False
    return True
