"""Series in test files, written as promtool has them: ``1 2 3``, ``0+10x5`` (0 10 … 50), ``5x3`` (5 5 5 5), ``_x4``."""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_VALUES = 50_000
"""Of one series."""
_NUMBER = r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|Inf|NaN)"
_PART = re.compile(rf"(?P<start>{_NUMBER})(?:(?P<step>[+-](?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))?(?:x(?P<times>\d+))?")
_GAP = re.compile(r"_(?:x(\d+))?|stale")


def values_of(text: str) -> list[float | None]:
    """The values of a series; None where nothing is told. Raises ValueError."""
    found: list[float | None] = []
    for part in text.split():
        found.extend(_values(part, MOST_VALUES - len(found)))
    if not found:
        raise ValueError("a series needs values, such as 0.2x10 0.9x5")
    return found


def _values(part: str, room: int) -> Iterator[float | None]:
    gap, number = _GAP.fullmatch(part), _PART.fullmatch(part)
    if gap is None and (number is None or (number["step"] is not None and number["times"] is None)):
        raise ValueError(f'"{part}" is not a part of a series; write 5, 5x3, 0+10x5, NaN, _ or _x4')
    times = int((gap[1] if gap is not None else number and number["times"]) or 0)
    count = max(times, 1) if gap is not None else times + 1
    if count > room:
        raise ValueError(f"a series has up to {MOST_VALUES} values")
    if number is None or gap is not None:
        yield from [None] * count
        return
    start, step = float(number["start"]), float(number["step"] or 0.0)
    for index in range(count):
        yield start + step * index
