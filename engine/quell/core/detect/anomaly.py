"""The condition "anomaly": a window lies far from what is usual for its hour of its kind of day.

Usual is the median of the latest values of that hour, apart for working days and weekends (and holidays); far is
counted in median absolute deviations (Hampel 1974; Leys et al. 2013), which no outage widens. A value is kept each
quarter of an hour, 24 of each hour: six working days, or three weekends, in 96 bytes. What lies apart is kept as if it
lay at the edge of what is usual, so that what comes again and again becomes usual; and when it lies apart to one side
for long enough all hours are moved by that: the level is another one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import floor
from struct import pack, unpack
from typing import NamedTuple
from zoneinfo import ZoneInfo

from quell.core.detect.buckets import Folded, Points, fold, forget, needs_bins, quantile, value_of
from quell.core.detect.condition import FINE, Quiet
from quell.core.detect.words import number
from quell.model.detect import Anomaly, DetectRule
from quell.model.detecting import Finding, Memory, Profile, Watch

QUARTER_S = 900.0
KEEP_VALUES = 24
ENOUGH_VALUES = 12
"""An hour with fewer is looked at together with the hours around it; with fewer still nothing is said."""
OF_NORMAL = 1.4826
"""A standard deviation is so many median absolute deviations, of what is normally distributed."""
ONE_SIDED = 0.8
"""So large a part of what lies apart must lie to one side for a new level."""
LEAST_APART = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SATURDAY = 5
_LARGEST = 3e38
"""Of what 4 bytes hold, about."""


class Usual(NamedTuple):
    """What is usual: the middle, how far from it is too far, and between what nine of ten values lie."""

    middle: float
    limit: float
    low: float
    high: float


class AnomalyCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    remembers_s = 8 * 86_400.0

    def __init__(self, rule: DetectRule, condition: Anomaly) -> None:
        self._every_s = rule.every_s
        self._of = condition
        self._zone = ZoneInfo(condition.zone)
        self._holidays, self._left_out = frozenset(condition.holidays), frozenset(condition.left_out)
        self._bins, self._rise = needs_bins(condition.aggregate), condition.aggregate == "rate"
        self._what = "" if condition.aggregate in {"last", "mean"} else f"the {condition.aggregate} of "
        self._most_apart = max(int(condition.adapt_s / max(QUARTER_S, rule.every_s)), LEAST_APART)
        self.keeps = max(rule.of, 2)

    def new(self) -> Memory:
        """Nothing is usual yet."""
        return Profile()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Adds points to their windows."""
        del side
        assert isinstance(memory, Profile), "an anomaly remembers a profile"
        return fold(memory.own, points, self._every_s, oldest, bins=self._bins, rise=self._rise)

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """Whether the window is unusual; it counts for what is usual from then on."""
        memory = watch.memory
        assert isinstance(memory, Profile), "an anomaly remembers a profile"
        value = value_of(memory.own, slot, self._of.aggregate)
        if value is None or memory.own[slot].count < self._of.volume:
            return None
        start = slot * self._every_s
        moment = self._moment(start)
        if self._left_out and _among(self._left_out, moment):
            return FINE
        holiday = bool(self._holidays) and _among(self._holidays, moment)
        cell = cell_of(moment, holiday=holiday)
        memory.first_at = memory.first_at or start
        usual = self._usual(memory, cell)
        self._keep(memory, value, usual, cell, floor(start / QUARTER_S))
        if usual is None or start - memory.first_at < self._of.history_s:
            return None
        apart = value - usual.middle
        far = {"up": apart, "down": -apart, "both": abs(apart)}[self._of.direction]
        bad = far > usual.limit
        if not bad and watch.since is None:
            return FINE
        expected = f"{number(usual.low)}–{number(usual.high)}"
        day = "a holiday" if holiday else f"{moment:%A}"
        text = f"{self._what}{{metric}} is {number(value)}; {expected} is usual for {day} {moment:%H}:00"
        details = {"expected": number(usual.middle), "usual": expected}
        limit = usual.middle + (usual.limit if apart >= 0 else -usual.limit)
        return Finding(bad=bad, text=text, value=value, threshold=limit, details=details)

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops old windows; the profile is bounded by itself."""
        assert isinstance(memory, Profile), "an anomaly remembers a profile"
        forget(memory.own, oldest, grows=self._rise)

    def _usual(self, memory: Profile, cell: int) -> Usual | None:
        values = unpacked(memory.cells.get(cell, b""))
        if len(values) < ENOUGH_VALUES:
            kind = cell // 24 * 24
            for by in (-1, 1):
                values += unpacked(memory.cells.get(kind + (cell + by) % 24, b""))
        if len(values) < ENOUGH_VALUES:
            return None
        values.sort()
        middle = quantile(values, 0.5)
        spread = quantile(sorted([abs(value - middle) for value in values]), 0.5) * OF_NORMAL
        limit = max(self._of.deviations * spread, self._of.effect, self._of.share * abs(middle))
        return Usual(middle, limit, quantile(values, 0.05), quantile(values, 0.95)) if limit > 0.0 else None

    def _keep(self, memory: Profile, value: float, usual: Usual | None, cell: int, quarter: int) -> None:
        """One value each quarter of an hour; too far a one as if it lay at the limit."""
        if quarter <= memory.kept_at:
            return
        memory.kept_at = quarter
        kept = value
        if usual is not None:
            kept = min(max(value, usual.middle - usual.limit), usual.middle + usual.limit)
            apart = [*unpacked(memory.apart), value - usual.middle][-self._most_apart :]
            memory.apart = packed(apart)
            if len(apart) == self._most_apart:
                self._adapt(memory, apart, usual.limit)
        values = unpacked(memory.cells.get(cell, b""))
        memory.cells[cell] = packed([*values, kept][-KEEP_VALUES:])

    @staticmethod
    def _adapt(memory: Profile, apart: list[float], limit: float) -> None:
        """Moves all hours when nearly all of the latest values lay apart to one side."""
        above, below = sum(one > limit for one in apart), sum(one < -limit for one in apart)
        if max(above, below) >= ONE_SIDED * len(apart):
            by = quantile(sorted(apart), 0.5)
            for cell, values in memory.cells.items():
                memory.cells[cell] = packed([value + by for value in unpacked(values)])
            memory.apart = b""

    def _moment(self, start: float) -> datetime:
        try:
            return datetime.fromtimestamp(start, self._zone)
        except (ValueError, OverflowError, OSError):  # at the ends of the calendar
            return _EPOCH + timedelta(seconds=start % (7 * 86_400.0))


def cell_of(moment: datetime, *, holiday: bool = False) -> int:
    """The hour, and 24 more for one of a weekend or holiday."""
    return moment.hour + (24 if holiday or moment.weekday() >= _SATURDAY else 0)


def _among(days: frozenset[str], moment: datetime) -> bool:
    day = moment.date().isoformat()
    return day in days or day[5:] in days


def unpacked(values: bytes) -> list[float]:
    """The numbers that were packed, to about seven digits."""
    return list(unpack(f"<{len(values) // 4}f", values))


def packed(values: list[float]) -> bytes:
    """Numbers in 4 bytes each; those that are too large for that as the largest that is not."""
    return pack(f"<{len(values)}f", *[min(max(value, -_LARGEST), _LARGEST) for value in values])
