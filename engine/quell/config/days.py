"""Days of a calendar as rules write them: one, one of every year, or several in a row."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

MOST_DAYS = 62
"""In a row."""
_LEAP = 2000
_BETWEEN = ".."


def _days(text: str) -> str:
    try:
        found = _listed(text)
    except ValueError:
        hint = "write 2026-12-25, 12-25 for every year, or 2026-12-24..2026-12-31"
        raise ValueError(f'"{text[:60]}" is no day; {hint}') from None
    if not 0 < len(found) <= MOST_DAYS:
        raise ValueError(f'"{text[:60]}" is not 1 to {MOST_DAYS} days in a row')
    return text


Days = Annotated[
    str,
    AfterValidator(_days),
    WithJsonSchema({"type": "string", "examples": ["12-25", "2026-04-06", "2026-12-24..2026-12-31"]}),
]


def days_of(written: Iterable[str]) -> tuple[str, ...]:
    """Each day by itself, as 2026-12-25, or 12-25 where it is one of every year; in order, each once."""
    return tuple(sorted({day for text in written for day in _listed(text)}))


def _listed(text: str) -> list[str]:
    first, several, last = text.strip().partition(_BETWEEN)
    if not several:
        return [_one(first)]
    begin, end = date.fromisoformat(first.strip()), date.fromisoformat(last.strip())
    return [(begin + timedelta(days)).isoformat() for days in range(min((end - begin).days, MOST_DAYS) + 1)]


def _one(text: str) -> str:
    every_year = len(text) == len("12-25")
    day = date.fromisoformat(f"{_LEAP}-{text}" if every_year else text).isoformat()
    return day[5:] if every_year else day
