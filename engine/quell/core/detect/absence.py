"""The condition "absence": nothing is told of something that was heard before, or that is expected."""

from __future__ import annotations

from math import floor

from quell.core.detect.buckets import Folded, Points
from quell.core.detect.condition import FINE, Quiet
from quell.core.detect.words import lasting, number
from quell.model.detect import Absence, DetectRule
from quell.model.detecting import Finding, Memory, Silence, Watch
from quell.model.times import format_time


class AbsenceCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    def __init__(self, rule: DetectRule, condition: Absence) -> None:
        self._every_s = rule.every_s
        self._of = condition
        self._expected = frozenset(condition.expected)
        self.keeps = rule.of

    def new(self) -> Memory:
        """Nothing heard yet."""
        return Silence()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Remembers the latest value."""
        del side, oldest
        assert isinstance(memory, Silence), "an absence remembers silence"
        at, value = points.times[-1], points.values[-1]
        if at >= memory.last_at:
            memory.last_at, memory.last = at, value
        return Folded({floor(at / self._every_s)})

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """How long it is silent at the end of the window."""
        memory = watch.memory
        assert isinstance(memory, Silence), "an absence remembers silence"
        if not memory.since:
            memory.since = watch.told_at
        end = (slot + 1) * self._every_s
        silent_s = end - (max(watch.newest, memory.resumed) if watch.newest else memory.since)
        if silent_s > self._of.give_up_s and watch.entity not in self._expected:
            return Finding(bad=False, text=f"{{metric}} is silent for {lasting(silent_s)}, and taken for gone")
        bad = silent_s > self._of.after_s
        if not bad and watch.since is None:
            return FINE
        text = self._said(watch, memory, silent_s, end) if bad else "{metric} is told"
        return Finding(bad=bad, text=text, value=max(silent_s, 0.0), threshold=self._of.after_s)

    def waits(self, watch: Watch, slot: int) -> bool:
        """Until it is given up."""
        end = (slot + 1) * self._every_s
        return watch.entity in self._expected or end - max(watch.newest, watch.told_at) <= self._of.give_up_s

    def unheard(self, watch: Watch, begin: float, end: float) -> None:
        """It is silent for no longer than before, and half of that is given back for what was lost meanwhile.

        Not all of it: quell may be started again more often than a thing is told that is told once a day. An alert
        that fires goes on as it is.
        """
        memory = watch.memory
        assert isinstance(memory, Silence), "an absence remembers silence"
        given_s = max(end - begin, 0.0) + self._of.after_s / 2.0
        if watch.since is None:
            memory.resumed = min(max(watch.newest, memory.resumed) + given_s, end)
            memory.since = min(memory.since + given_s, end)

    def forget(self, memory: Memory, oldest: int) -> None:
        """Nothing."""

    def _said(self, watch: Watch, memory: Silence, silent_s: float, end: float) -> str:
        lasted = lasting(silent_s)
        if not watch.newest:
            told = ", nothing but values that are no numbers" if watch.unread else ""
            return f"{{metric}} was never told{told}, though it is expected since {lasted}"
        if end - watch.told_at <= self._of.after_s:
            odd = f", or no numbers ({watch.unread} so far)" if watch.unread else ""
            return (
                f"the latest point of {{metric}} is {lasted} old, though points arrive: late, or by a wrong clock{odd}"
            )
        latest = f"; the latest was {number(memory.last)} at {format_time(watch.newest)}"
        return f"nothing was told of {{metric}} for {lasted}{latest}"
