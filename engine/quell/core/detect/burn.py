"""The condition "burn": a service level whose budget of what may go wrong is spent too fast.

Alerts by several spans and rates are those of the Site Reliability Workbook (Beyer et al., O'Reilly 2018), chapter 5: a
long span says that it matters, a short one that it goes on. Every window counts once: as told while points may still
come for it, after that in windows that are the longer the longer ago they are (`quell.core.detect.spans`).
"""

from __future__ import annotations

from math import floor

from quell.core.detect.behaviours import widest_gap
from quell.core.detect.buckets import Folded, Points, fold, forget, growth, needs_bins, slot_of, value_of
from quell.core.detect.condition import NOTHING, Quiet
from quell.core.detect.spans import Spans
from quell.core.detect.words import lasting, number, rest
from quell.core.severity import rank
from quell.model.detect import Burn, BurnRate, DetectRule
from quell.model.detecting import Bucket, Budget, Finding, Memory, Stand, Watch
from quell.model.distribution import Distribution, of_record
from quell.model.records import DistributionRecord
from quell.model.shares import percent
from quell.model.sketch import between

LATE_WINDOWS = 15
"""Points count for their window for so many windows after it."""
MOST_SEGMENTS = 200
"""Of one window; what is told of others is not compared."""
SURE = 0.95
"""How sure it must be that segments differ by more than they may, of all their pairs at once."""
SILENT_S = 3600.0
SILENT_WINDOWS, SILENT_GAPS = 10.0, 3.0
"""What is silent for longer than this, so many windows, and so many times as long as usual, is not known any more."""
_NONE = (0.0, 0.0)
_ROUNDING = 1.0 - 1e-9


class BurnCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    effort = 10

    def __init__(self, rule: DetectRule, condition: Burn) -> None:
        self._every_s, self._delay_s = rule.every_s, rule.delay_s
        self._of = condition
        self._bins = needs_bins(condition.aggregate)
        self._rise = condition.counter or condition.aggregate == "rate"
        self._spans = Spans(rule.every_s, condition)
        self.keeps = LATE_WINDOWS
        self.remembers_s = condition.period_s

    def new(self) -> Memory:
        """Nothing counted."""
        return Budget(steps=self._spans.steps)

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
        of = self._of
        if of.measured == "ages":
            return Folded({floor(record.at / self._every_s)})
        if (of.measured == "gaps") != bool(record.segment):
            return NOTHING
        if of.across and record.segment.partition("=")[0] != of.across:
            return NOTHING
        slot = slot_of(record, self._every_s, oldest + self.keeps - 1)
        if slot < oldest:
            return Folded(set(), 1)
        good, total = self._good(of_record(record))
        if total <= 0.0:  # texts where numbers are asked for, or texts that nobody can tell any more
            return Folded(set(), 0, record.count - record.nulls)
        parts = memory.parts.setdefault(slot, {})
        if record.segment not in parts and len(parts) >= MOST_SEGMENTS:
            return NOTHING
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
        self._spans.lay_out(memory)
        recent = self._recent(memory)
        told = [one for one in recent if recent[one] != _NONE]
        if told:
            memory.first = min(told) if memory.first is None else min(memory.first, *told)
        heard = [one for one in recent if recent[one][1] > 0.0 and one <= slot]
        if heard:
            memory.heard_at = max(memory.heard_at, (max(heard) + 1) * self._every_s)
            memory.doubted_at = memory.heard_at + self._patience_s(memory)
        if memory.first is None or not memory.heard_at:
            return None
        stand = self._spans.stand(memory, recent, end)
        memory.stand = stand
        burning = self._burning(stand)
        if burning is None:
            return None if self._unheard_of(stand) else self._fine(watch, stand)
        rate, burn = burning
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

    def _patience_s(self, memory: Budget) -> float:
        usual_s = 0.0
        if memory.told > 1 and memory.first is not None and memory.rolled is not None:
            usual_s = (memory.rolled - memory.first) * self._every_s / memory.told
        return max(SILENT_S, SILENT_WINDOWS * self._every_s + self._delay_s, SILENT_GAPS * usual_s)

    def waits(self, watch: Watch, slot: int) -> bool:
        """What was spent is given back as time passes."""
        return (slot + 1) * self._every_s - max(watch.newest, watch.told_at) <= self._of.period_s

    def unheard(self, watch: Watch, begin: float, end: float) -> None:
        """What could not be heard is not old: nothing grows older while nobody listens."""
        memory = watch.memory
        assert isinstance(memory, Budget), "a service level remembers a budget"
        memory.resumed = min(max(watch.newest, memory.resumed) + max(end - begin, 0.0), end)

    def forget(self, memory: Memory, oldest: int) -> None:
        """Sums up the windows for which no more points are taken."""
        assert isinstance(memory, Budget), "a service level remembers a budget"
        self._spans.lay_out(memory)
        rolled = memory.rolled
        for slot, counted in sorted(self._recent(memory).items()):
            if slot < oldest and counted != _NONE:
                memory.first = slot if memory.first is None else min(memory.first, slot)
                memory.told += 1
                self._spans.add(memory, slot, counted)
        memory.rolled = oldest if rolled is None else max(oldest, rolled)
        self._spans.roll(memory, oldest)
        forget(memory.own, oldest, grows=self._rise)
        forget(memory.by, oldest, grows=self._rise)
        for slot in [slot for slot in memory.parts if slot < oldest]:
            del memory.parts[slot]

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
        """What is bad may be told in the window beside that of its total: it may be more than that, or less than 0."""
        total, counted = self._amount(memory.by, slot), self._amount(memory.own, slot)
        if self._of.counter and memory.own and slot > max(memory.own) + LATE_WINDOWS:
            return _NONE  # it was told and is not any more, so nobody knows whether it grew
        return (total - counted if self._of.reads_good else counted), total

    def _amount(self, windows: dict[int, Bucket], slot: int) -> float:
        if self._of.counter:
            grown = growth(windows, slot)
            return grown[0] if grown is not None else 0.0
        bucket = windows.get(slot)
        return max(bucket.total, 0.0) if bucket is not None else 0.0

    def _gap(self, memory: Budget, slot: int) -> tuple[float, float]:
        """Segments are compared with those that differ from them in the same: regions with regions."""
        limit = self._of.at_most
        assert limit is not None, "a gap has a limit"
        told: dict[str, dict[str, tuple[int, int]]] = {}
        for segment, (good, total) in memory.parts.get(slot, {}).items():
            if total > 0.0 and total >= self._of.volume:
                told.setdefault(segment.partition("=")[0], {})[segment] = round(good), round(total)
        gaps = [gap for one in told.values() if (gap := widest_gap(one, SURE)) is not None]
        return (float(any(gap.between.low > limit for gap in gaps)), 1.0) if gaps else _NONE

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

    def _good(self, told: Distribution) -> tuple[float, float]:
        """How many values are as they should be, of how many; what is no value of its type is not."""
        of = self._of
        if of.among:
            if told.hashed:
                return _NONE
            total = sum(told.categories.values()) + told.other
            good = sum(told.categories.get(text, 0) for text in of.among)
        else:
            total = told.numbers.count
            least, most = (of.at_least, of.at_most) if of.measured == "values" else (of.share_above, None)
            good = between(told.numbers, least, most)
        return float(good), float(total + told.bad) if total else 0.0

    # What is said

    def _burning(self, stand: Stand) -> tuple[BurnRate, float] | None:
        """Of the rates at which both spans burn the gravest, and how fast the longer span does."""
        found = [
            (rate, long)
            for rate, (long, short) in zip(self._of.rates, stand.burns, strict=True)
            if long is not None and short is not None and min(long, short) >= rate.rate * _ROUNDING
        ]
        return max(found, key=lambda one: (one[0].pages, rank(one[0].severity), one[0].rate), default=None)

    def _unheard_of(self, stand: Stand) -> bool:
        """Whether it may burn for all anybody knows: of the time until now nothing was told."""
        return any(
            short is None and (long is None or long >= rate.rate * _ROUNDING)
            for rate, (long, short) in zip(self._of.rates, stand.burns, strict=True)
        )

    def _fine(self, watch: Watch, stand: Stand) -> Finding:
        """An alert that goes on for the time being keeps what it was told with."""
        before = watch.finding if watch.since is not None else None
        if before is None:
            return Finding(bad=False, text=f"the budget is not spent too fast; {self._rest(stand)}", value=0.0)
        text = f"the budget was spent too fast until a moment ago; {self._rest(stand)}"
        burn = max((long for long, _ in stand.burns if long is not None), default=0.0)
        return Finding(
            bad=False, text=text, value=burn, threshold=before.threshold, details=self._details(stand),
            severity=before.severity, labels=before.labels,
        )  # fmt: skip

    def _what(self, memory: Budget, recent: dict[int, tuple[float, float]], end: float, rate: BurnRate) -> str:
        bad, total = self._spans.over(memory, recent, end, rate.over_s)
        known_s = end - (memory.first or 0) * self._every_s
        last = f"in the last {lasting(min(rate.over_s, known_s))}"
        if known_s < rate.over_s:
            last += ", which is all that is known"
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
        return f"{rest(stand.left)} of the budget is left"

    def _details(self, stand: Stand) -> dict[str, str]:
        burns = {
            f"burn_{lasting(rate.over_s)}": number(long)
            for rate, (long, _) in zip(self._of.rates, stand.burns, strict=True)
            if long is not None
        }
        return {"objective": self._goal(), "budget_left": f"{stand.left:.4f}", **burns}
