"""The condition "threshold": what a window comes to lies above or below a limit."""

from __future__ import annotations

from quell.core.detect.buckets import Folded, Points, fold, forget, growth, needs_bins, unheard, value_of, was_heard
from quell.core.detect.condition import FINE, Quiet
from quell.core.detect.words import number
from quell.model.detect import DetectRule, Threshold
from quell.model.detecting import Bucket, Finding, Memory, Watch, Windows


class ThresholdCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    alone = True

    def __init__(self, rule: DetectRule, condition: Threshold) -> None:
        self._every_s = rule.every_s
        self._of = condition
        self._bins, self._rise = needs_bins(condition.aggregate), condition.aggregate == "rate"
        self._adds = condition.aggregate in {"count", "sum"} and not condition.by
        self._what = f"the {condition.aggregate} of " if condition.aggregate != "last" else ""
        self.keeps = rule.of + 1

    def new(self) -> Memory:
        """No windows."""
        return Windows()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Adds points to their windows."""
        assert isinstance(memory, Windows), "a threshold remembers windows"
        windows = memory.by if side else memory.own
        return fold(windows, points, self._every_s, oldest, bins=self._bins, rise=self._rise)

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """Whether the window lies beyond the limit, or beyond "until" while the alert fires."""
        memory = watch.memory
        assert isinstance(memory, Windows), "a threshold remembers windows"
        value = value_of(memory.own, slot, self._of.aggregate)
        details: dict[str, str] = {}
        if self._of.by:
            divisor = value_of(memory.by, slot, self._of.aggregate)
            if value is None or divisor is None or divisor == 0.0:
                return None
            details = {"numerator": number(value), "denominator": number(divisor)}
            value /= divisor
        if self._adds and not was_heard(memory, slot):
            return None  # there may have been more
        if value is None or (self._of.volume and self._volume(memory, slot) < self._of.volume):
            return None
        limit, bad = self._judged(value, firing=watch.since is not None)
        if not bad and watch.since is None:
            return FINE
        side = "above" if self._of.above is not None else "below"
        text = f"{self._what}{{metric}} is {number(value)}, {'' if bad else 'not '}{side} {number(limit)}"
        return Finding(bad=bad, text=text, value=value, threshold=limit, details=details)

    def unheard(self, watch: Watch, begin: float, end: float) -> None:
        """What these windows count is not all there was."""
        memory = watch.memory
        assert isinstance(memory, Windows), "a threshold remembers windows"
        if self._adds:
            unheard(memory, self._every_s, begin, end)

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops old windows."""
        assert isinstance(memory, Windows), "a threshold remembers windows"
        if memory.unheard and memory.unheard[0][1] < oldest:
            memory.unheard = [span for span in memory.unheard if span[1] >= oldest]
        forget(memory.own, oldest, grows=self._rise)
        forget(memory.by, oldest, grows=self._rise)

    def _judged(self, value: float, *, firing: bool) -> tuple[float, bool]:
        until = self._of.until if firing else None
        if self._of.above is not None:
            limit = self._of.above if until is None else until
            return limit, value > limit
        assert self._of.below is not None, "a threshold has a limit on one side"
        limit = self._of.below if until is None else until
        return limit, value < limit

    def _volume(self, memory: Windows, slot: int) -> float:
        """How much the window rests on: what it is divided by in all, or how many points."""
        if not self._of.by:
            bucket = memory.own.get(slot)
            return bucket.count if bucket is not None else 0.0
        return _amount(memory.by, slot, counter=self._of.aggregate == "rate")


def _amount(windows: dict[int, Bucket], slot: int, *, counter: bool) -> float:
    if counter:
        grown = growth(windows, slot)
        return grown[0] if grown is not None else 0.0
    bucket = windows.get(slot)
    return bucket.total if bucket is not None else 0.0
