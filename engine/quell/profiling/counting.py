"""Counts of every column of a table, built up chunk by chunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from quell.core.profiles.arrays import numbers, texts
from quell.model.distribution import MOST_SAMPLES, Distribution, redacted, together
from quell.model.profile import PerDay
from quell.model.records import ValueType
from quell.model.times import parse_time
from quell.profiling.tables import Chunk, Column

DAY_S = 86_400.0
MOST_DAYS = 40_000
_PARTS = 16
"""So many chunks are added up at once."""
_MOSTLY = 0.95
"""So many of the values that there are must fit for a text column to be numbers or times."""
_LEAST = 0.5
"""So many suffice where the profile says what they should be."""
_TRUTHS = {"true": True, "false": False}
Floats = NDArray[np.float64]


class Counting:
    """Takes chunks; tells distributions by column. ``types`` are those that columns should have, by name."""

    def __init__(self, types: Mapping[str, ValueType] | None = None, *, time: str = "") -> None:
        self._wanted = types or {}
        self._types: dict[str, ValueType] = {}
        self._parts: dict[str, list[Distribution]] = {}
        self._time = time
        self._days: Counter[int] = Counter()
        self.samples: dict[str, tuple[str, ...]] = {}

    @property
    def rows(self) -> int:
        """So many were taken."""
        return max((sum(part.count for part in parts) for parts in self._parts.values()), default=0)

    def take(self, chunk: Chunk) -> None:
        """Counts a chunk: some rows of all columns, or of some of them."""
        for name, column in chunk.items():
            self._keep(name, self._counted(name, column))

    def told(self) -> dict[str, Distribution]:
        """By column, in the order of the table. What rows lack is missing in them."""
        rows = self.rows
        found = {}
        for name, parts in self._parts.items():
            told = _added(parts)
            lacking = rows - told.count
            found[name] = replace(told, count=rows, nulls=told.nulls + lacking) if lacking else told
        return found

    def per_day(self) -> PerDay | None:
        """Rows of whole days: the first and the last day are only part of theirs. None without a time column."""
        if not self._days:
            return None
        first, last = min(self._days), max(self._days)
        whole = [self._days.get(day, 0) for day in range(first + 1, last)] or [self._days[first]]
        return PerDay(days=len(whole), mean=sum(whole) / len(whole), least=min(whole), most=max(whole))

    def _keep(self, name: str, told: Distribution) -> None:
        parts = self._parts.setdefault(name, [])
        parts.append(told)
        if len(parts) >= _PARTS:
            self._parts[name] = [_added(parts)]

    def _counted(self, name: str, column: Column) -> Distribution:
        if isinstance(column, np.ndarray):
            kind: ValueType = "time" if self._wanted.get(name) == "time" else "number"
            self._note_days(name, column)
            self._note_samples(name, column[np.isfinite(column)][: 4 * MOST_SAMPLES].tolist())
            return numbers(column, kind)
        values = [value for value in column if value is not None and value == value]  # noqa: PLR0124 - NaN is missing
        nulls = len(column) - len(values)
        if not values:
            return Distribution(type=self._types.get(name, ""), count=nulls, nulls=nulls)
        kind = self._types.get(name, "") or _type_of(values, self._wanted.get(name, ""))
        self._types[name] = kind
        self._note_samples(name, values)
        if kind in {"number", "time"}:
            read = np.array([_number(value) if kind == "number" else _moment(value) for value in values])
            good = read[~np.isnan(read)]
            self._note_days(name, good)
            told = numbers(good, kind)
            bad = len(read) - len(good)
            return replace(told, count=len(column), nulls=nulls, bad=told.bad + bad)
        if kind == "bool":
            truths = [_truth(value) for value in values]
            counts = Counter(str(one).lower() for one in truths if one is not None)
            told = texts(list(counts), list(counts.values()), nulls, "bool")
            return replace(told, count=len(column), bad=len(values) - counts.total())
        counts = Counter(value if isinstance(value, str) else str(value) for value in values)
        return texts(list(counts), list(counts.values()), nulls)

    def _note_samples(self, name: str, values: list[Any]) -> None:
        if name not in self.samples:
            shown = dict.fromkeys(redacted(value) for value in values[: 4 * MOST_SAMPLES])
            self.samples[name] = tuple(shown)[:MOST_SAMPLES]

    def _note_days(self, name: str, moments: Floats) -> None:
        if name != self._time:
            return
        days, counts = np.unique(np.floor(moments[np.isfinite(moments)] / DAY_S), return_counts=True)
        for day, count in zip(days.tolist(), counts.tolist(), strict=True):
            if abs(day) < MOST_DAYS:
                self._days[int(day)] += count


def counted(chunks: Iterable[Chunk], types: Mapping[str, ValueType] | None = None, *, time: str = "") -> Counting:
    """All chunks of a table."""
    counting = Counting(types, time=time)
    for chunk in chunks:
        counting.take(chunk)
    return counting


def _added(parts: list[Distribution]) -> Distribution:
    """All together; the type stays what it was found to be first, and values of another are bad."""
    kind = next((part.type for part in parts if part.type), "")
    alike = [
        part if part.type in {"", kind} else Distribution(count=part.count, nulls=part.nulls, bad=part.bad + part.known)
        for part in parts
    ]
    return replace(together(alike), type=kind)


def _type_of(values: list[Any], wanted: ValueType) -> ValueType:
    """What values of a column are: what it should be, if half of them fit, else what nearly all of them are."""
    some = values[:: max(len(values) // 2000, 1)]
    tries: tuple[tuple[ValueType, Any], ...] = (
        ("bool", lambda value: _truth(value) is not None),
        ("number", lambda value: not np.isnan(_number(value))),
        ("time", lambda value: not np.isnan(_moment(value))),
    )
    if wanted == "text":
        return "text"
    for kind, fits in tries:
        share = sum(map(fits, some)) / len(some)
        if share >= (_LEAST if kind == wanted else _MOSTLY) and (not wanted or kind == wanted or share >= _MOSTLY):
            return kind
    return "text"


def _number(value: Any) -> float:
    """NaN for what is none."""
    if isinstance(value, bool):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else _TRUTHS.get(value.lower()) if isinstance(value, str) else None


def _moment(value: Any) -> float:
    """A time as seconds; NaN for what is none. Times without a zone are taken for UTC."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if not isinstance(value, str):
        return np.nan
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        try:
            return parse_time(value.strip()) or np.nan
        except ValueError:
            return np.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
