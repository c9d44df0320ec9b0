"""The condition "shift": a window counts many times as much, or as little, as windows did lately.

What is usual is the median of the windows before, and their ninth decile, so that bursts which come anyway are none;
windows of which nothing was told count as 0. The difference must be more than chance makes of a count (Poisson).
"""

from __future__ import annotations

from math import ceil, sqrt

from quell.core.detect.buckets import Folded, Points, fold, forget, quantile, unheard, was_heard
from quell.core.detect.condition import FINE, Quiet
from quell.core.detect.words import lasting, number
from quell.model.detect import DetectRule, Shift
from quell.model.detecting import Finding, Memory, Watch, Windows

LEAST_WINDOWS = 5
CHANCE = 4.0
"""So many standard deviations of a count are no chance."""


class ShiftCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    def __init__(self, rule: DetectRule, condition: Shift) -> None:
        self._every_s = rule.every_s
        self._of = condition
        self.keeps = max(ceil(condition.against_s / rule.every_s), rule.of) + 1

    def new(self) -> Memory:
        """No windows."""
        return Windows()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Adds counts to their windows."""
        del side
        assert isinstance(memory, Windows), "a shift remembers windows"
        return fold(memory.own, points, self._every_s, oldest)

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """Whether a window counts far more or less than those before."""
        memory = watch.memory
        assert isinstance(memory, Windows), "a shift remembers windows"
        first = min(memory.own, default=slot)
        if slot - first < LEAST_WINDOWS:
            return None
        if not was_heard(memory, slot):
            return None
        heard = [one for one in range(first, slot) if was_heard(memory, one)] if memory.unheard else range(first, slot)
        counts = sorted([memory.own[one].total if one in memory.own else 0.0 for one in heard])
        if len(counts) < LEAST_WINDOWS:
            return None
        middle, often, mean = quantile(counts, 0.5), quantile(counts, 0.9), sum(counts) / len(counts)
        bucket = memory.own.get(slot)
        count = bucket.total if bucket is not None else 0.0
        chance = abs(count - mean) <= CHANCE * sqrt(abs(mean) + 1.0)
        many = count > self._of.factor * often and count - often >= self._of.volume
        few = count * self._of.factor < middle and middle - count >= self._of.volume
        wanted = self._of.direction
        bad = not chance and ((many and wanted != "down") or (few and wanted != "up"))
        if not bad and watch.since is None:
            return FINE
        usual = f"{number(quantile(counts, 0.1))}–{number(often)}"
        text = f'"{{metric}}" was counted {number(count)} times in {lasting(self._every_s)}; {usual} is usual'
        limit = middle / self._of.factor if few else self._of.factor * often
        details = {"usual": usual, "expected": number(middle), "template": watch.metric}
        return Finding(bad=bad, text=text, value=count, threshold=limit, details=details)

    def waits(self, watch: Watch, slot: int) -> bool:
        """While fewer than usual would be told by silence."""
        del slot
        assert isinstance(watch.memory, Windows), "a shift remembers windows"
        return self._of.direction != "up" and bool(watch.memory.own)

    def unheard(self, watch: Watch, begin: float, end: float) -> None:
        """These windows are not among those that count as 0."""
        memory = watch.memory
        assert isinstance(memory, Windows), "a shift remembers windows"
        unheard(memory, self._every_s, begin, end)

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops old windows."""
        assert isinstance(memory, Windows), "a shift remembers windows"
        forget(memory.own, oldest)
        if memory.unheard and memory.unheard[0][1] < oldest:
            memory.unheard = [span for span in memory.unheard if span[1] >= oldest]
