"""The condition "burn": a service level whose budget of what may go wrong is spent too fast.

Alerts by several spans and rates are those of the Site Reliability Workbook (Beyer et al., O'Reilly 2018), chapter 5: a
long span says that it matters, a short one that it goes on. Every window counts once: as told while points may still
come for it, after that in windows that are the longer the longer ago they are (`quell.core.detect.spans`).
"""

from __future__ import annotations

from math import floor

from quell.core.detect.buckets import Folded, Points, fold, growth, needs_bins, value_of
from quell.core.detect.condition import NOTHING, Quiet
from quell.core.detect.spans import Spans
from quell.core.detect.words import lasting, number
from quell.model.detect import Burn, BurnRate, DetectRule
from quell.model.detecting import Bucket, Budget, Finding, Memory, Stand, Watch
from quell.model.records import DistributionRecord
from quell.model.shares import percent
from quell.model.sketch import middle_of

LATE_WINDOWS = 15
"""Points count for their window for so many windows after it."""
MOST_SEGMENTS = 200
"""Of one window; what is told of others is not compared."""
_NONE = (0.0, 0.0)


class BurnCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    def __init__(self, rule: DetectRule, condition: Burn) -> None:
        self._every_s = rule.every_s
        self._of = condition
        self._bins = needs_bins(condition.aggregate)
        self._rise = condition.counter or condition.aggregate == "rate"
        self._spans = Spans(rule.every_s, condition)
        self.keeps = LATE_WINDOWS
        self.remembers_s = condition.period_s

    def new(self) -> Memory:
        """Nothing counted."""
        return Budget()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Adds points to their windows; of points that are judged one by one, also which were bad."""
        assert isinstance(memory, Budget), "a service level remembers a budget"
        if self._of.measured == "points":
            fold(memory.by, self._beyond(points), self._every_s, oldest)
            return fold(memory.own, points, self._every_s, oldest)
        windows = memory.by if side else memory.own
        return fold(windows, points, self._every_s, oldest, bins=self._bins, rise=self._rise)

    def take_distribution(self, memory: Memory, record: DistributionRecord, oldest: int) -> Folded:
        """Counts the values of a field."""
        assert isinstance(memory, Budget), "a service level remembers a budget"
        slot = floor(record.at / self._every_s)
        if slot < oldest:
            return Folded(set(), 1)
        if self._of.measured == "ages":
            return Folded({slot})
        if (self._of.measured == "gaps") != bool(record.segment):
            return NOTHING
        parts = memory.parts.setdefault(slot, {})
        if record.segment not in parts and len(parts) >= MOST_SEGMENTS:
            return NOTHING
        good, total = self._good(record)
        before = parts.get(record.segment, _NONE)
        parts[record.segment] = before[0] + good, before[1] + total
        return Folded({slot})

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """How fast the budget is spent at the end of the window."""
        memory = watch.memory
        assert isinstance(memory, Budget), "a service level remembers a budget"
        if self._of.measured == "ages":
            self._grow_old(memory, watch, slot)
        end = (slot + 1) * self._every_s
        recent = self._recent(memory)
        told = [one for one in recent if recent[one][1] > 0.0]
        if told:
            memory.first = min(told) if memory.first is None else min(memory.first, *told)
        if memory.first is None:
            return None
        stand = self._spans.stand(memory, recent, end)
        memory.stand = stand
        fast = self._fastest(stand)
        if fast is None:
            return Finding(bad=False, text=f"the budget is not spent too fast; {self._rest(stand)}", value=0.0)
        rate, burn = fast
        share = f", {number(burn)} times as fast as {self._goal()} allows"
        return Finding(
            bad=True,
            text=f"{self._what(memory, recent, end, rate)}{share}; {self._rest(stand)}",
            value=burn,
            threshold=rate.rate,
            details=self._details(stand),
            severity=rate.severity,
            labels={"burn": f"{number(rate.rate)}x {lasting(rate.over_s)}", **({"page": "burn"} if rate.pages else {})},
        )

    def waits(self, watch: Watch, slot: int) -> bool:
        """What was spent is given back as time passes."""
        return (slot + 1) * self._every_s - max(watch.newest, watch.told_at) <= self._of.period_s

    def unheard(self, memory: Memory, begin: float, end: float) -> None:
        """What could not be heard is not old."""
        del begin
        assert isinstance(memory, Budget), "a service level remembers a budget"
        memory.resumed = end

    def forget(self, memory: Memory, oldest: int) -> None:
        """Sums up the windows for which no more points are taken."""
        assert isinstance(memory, Budget), "a service level remembers a budget"
        rolled = memory.rolled
        for slot, counted in sorted(self._recent(memory).items()):
            if slot < oldest and counted[1] > 0.0:
                memory.first = slot if memory.first is None else min(memory.first, slot)
                self._spans.add(memory, slot, counted)
        memory.rolled = oldest if rolled is None else max(oldest, rolled)
        self._spans.roll(memory, oldest)
        for windows in (memory.own, memory.by, memory.parts):
            # One window more stays, as counters grow from its last point.
            for slot in [slot for slot in windows if slot < oldest - 1]:
                del windows[slot]

    # What is counted

    def _recent(self, memory: Budget) -> dict[int, tuple[float, float]]:
        """What was bad, and of how much, of the windows that are not summed up yet."""
        least = memory.rolled
        slots = sorted(memory.own.keys() | memory.by.keys() | memory.parts.keys())
        return {slot: self._counted(memory, slot) for slot in slots if least is None or slot >= least}

    def _counted(self, memory: Budget, slot: int) -> tuple[float, float]:
        of = self._of
        if of.measured == "events":
            return self._events(memory, slot)
        if of.measured in {"values", "ages"}:
            good, total = memory.parts.get(slot, {}).get("", _NONE)
            return total - good, total
        if of.measured == "gaps":
            return self._gap(memory, slot)
        if of.measured == "points":
            own, by = memory.own.get(slot), memory.by.get(slot)
            return (by.count if by is not None else 0.0), (own.count if own is not None else 0.0)
        if of.measured == "amounts":
            return self._amount(memory.own, slot), self._every_s
        value = value_of(memory.own, slot, of.aggregate)
        if value is None or memory.own[slot].count < of.volume:
            return _NONE
        return float(self._is_bad(value)), 1.0

    def _events(self, memory: Budget, slot: int) -> tuple[float, float]:
        total = self._amount(memory.by, slot)
        counted = min(self._amount(memory.own, slot), total)
        return (total - counted if self._of.reads_good else counted), total

    def _amount(self, windows: dict[int, Bucket], slot: int) -> float:
        if self._of.counter:
            grown = growth(windows, slot)
            return grown[0] if grown is not None else 0.0
        bucket = windows.get(slot)
        return max(bucket.total, 0.0) if bucket is not None else 0.0

    def _gap(self, memory: Budget, slot: int) -> tuple[float, float]:
        counts = memory.parts.get(slot, {}).values()
        shares = [good / total for good, total in counts if total > 0.0 and total >= self._of.volume]
        if len(shares) < 2:
            return _NONE
        return float(self._is_bad(max(shares) - min(shares))), 1.0

    def _grow_old(self, memory: Budget, watch: Watch, slot: int) -> None:
        """The window counts by how old the latest point is at its end; what quell could not hear is no age."""
        limit = self._of.at_most
        assert limit is not None, "an age has a limit"
        end = (slot + 1) * self._every_s
        heard = max(watch.newest, memory.resumed)
        if watch.newest and slot not in memory.parts:
            memory.parts[slot] = {"": (float(end - heard <= limit), 1.0)}

    def _is_bad(self, value: float) -> bool:
        of = self._of
        return (of.at_most is not None and value > of.at_most) or (of.at_least is not None and value < of.at_least)

    def _beyond(self, points: Points) -> Points:
        chosen = [index for index, value in enumerate(points.values) if self._is_bad(value)]
        weights = [points.weights[index] for index in chosen] if points.weights else []
        return Points([points.times[index] for index in chosen], [points.values[index] for index in chosen], weights)

    def _good(self, record: DistributionRecord) -> tuple[float, float]:
        """How many values of a record are as they should be, and how many there are."""
        of = self._of
        if of.among:
            total = sum(record.categories.values()) + record.other
            return float(sum(record.categories.get(text, 0) for text in of.among)), float(total)
        counts = [(middle_of(index, record.scale), count) for index, count in record.positive]
        counts += [(-middle_of(index, record.scale), count) for index, count in record.negative]
        counts.append((0.0, record.zero))
        least, most = (of.at_least, of.at_most) if of.measured == "values" else (of.share_above, None)
        good = sum(
            count for value, count in counts if (least is None or value >= least) and (most is None or value <= most)
        )
        return float(good), float(sum(count for _, count in counts))

    # What is said

    def _fastest(self, stand: Stand) -> tuple[BurnRate, float] | None:
        """The first rate at which both of its spans burn, and how fast the longer one does."""
        for rate, (long, short) in zip(self._of.rates, stand.burns, strict=True):
            if long is not None and short is not None and long >= rate.rate and short >= rate.rate:
                return rate, long
        return None

    def _what(self, memory: Budget, recent: dict[int, tuple[float, float]], end: float, rate: BurnRate) -> str:
        bad, total = self._spans.over(memory, recent, end, rate.over_s)
        last = f"in the last {lasting(rate.over_s)}"
        if self._of.measured == "amounts":
            return f"{number(bad)} was spent {last}"
        of_what = {"events": "of all", "points": "of points", "values": "of values"}.get(
            self._of.measured, "of windows"
        )
        return f"{percent(bad / total)} {of_what} were bad {last}"

    def _goal(self) -> str:
        of = self._of
        if of.measured == "amounts":
            assert of.at_most is not None, "what may be spent has a limit"
            return f"{number(of.at_most * of.period_s)} in {lasting(of.period_s)}"
        return f"{of.objective * 100:.6g}% over {lasting(of.period_s)}"

    @staticmethod
    def _rest(stand: Stand) -> str:
        if stand.left <= 0.0:
            return "nothing of the budget is left"
        return f"{percent(stand.left)} of the budget is left"

    def _details(self, stand: Stand) -> dict[str, str]:
        burns = {
            f"burn_{lasting(rate.over_s)}": number(long)
            for rate, (long, _) in zip(self._of.rates, stand.burns, strict=True)
            if long is not None
        }
        return {"objective": self._goal(), "budget_left": f"{stand.left:.4f}", **burns}
