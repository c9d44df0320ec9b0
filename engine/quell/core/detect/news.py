"""The condition "new": an entity makes log statements that it did not make for a long time, or never."""

from __future__ import annotations

from math import ceil, floor

from quell.core.detect.buckets import Folded, Points
from quell.core.detect.condition import FINE, Quiet
from quell.core.detect.words import lasting, number
from quell.model.detect import DetectRule, New
from quell.model.detecting import Finding, Made, Memory, Statements, Watch

KEEP_STATEMENTS = 500
"""Of one entity; the one that was made longest ago goes first."""
SHOW = 5
NEW_S = 86_400.0
"""So long at most a statement is new."""


class NewCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    def __init__(self, rule: DetectRule, condition: New) -> None:
        self._every_s = rule.every_s
        self._of = condition
        self.keeps = max(ceil(condition.unseen_s / rule.every_s), rule.of) + 1

    def new(self) -> Memory:
        """No statements."""
        return Statements()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Statements were taken by name."""
        del memory, side, oldest
        return Folded({floor(at / self._every_s) for at in points.times})

    def take_named(self, memory: Memory, name: str, at: float, count: float) -> None:
        """Remembers when a statement was made."""
        assert isinstance(memory, Statements), "what is new is told by statements"
        memory.first_at = min(memory.first_at, at) if memory.first_at else at
        made = memory.made.get(name)
        if made is None:
            if len(memory.made) >= KEEP_STATEMENTS:
                del memory.made[min(memory.made, key=lambda one: (memory.made[one].last_at, one))]
            memory.made[name] = Made(at, at, count)
            return
        if at - made.last_at > self._of.unseen_s:
            made.new_at, made.count = at, 0.0
        made.last_at = max(made.last_at, at)
        made.count += count

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """Whether statements are made that are new; None while it is learned which there are."""
        memory = watch.memory
        assert isinstance(memory, Statements), "what is new is told by statements"
        end = (slot + 1) * self._every_s
        if not memory.first_at or end - memory.first_at < self._of.learn_s:
            return None
        fresh = {
            name: made
            for name, made in memory.made.items()
            if made.new_at - memory.first_at >= self._of.learn_s
            and end - made.last_at <= self._of.quiet_s
            and end - made.new_at <= NEW_S
            and made.count >= self._of.volume
        }
        if not fresh and watch.since is None:
            return FINE
        if not fresh:
            return Finding(bad=False, text="no log statement is new", value=0.0)
        first = sorted(fresh, key=lambda name: (-fresh[name].count, name))
        many = "a log statement is new here" if len(first) == 1 else f"{len(first)} log statements are new here"
        text = (
            f'{many}, not seen for {lasting(self._of.unseen_s)}: "{first[0]}" ({number(fresh[first[0]].count)} times)'
        )
        shown = "\n".join(f"{number(fresh[name].count)} × {name}" for name in first[:SHOW])
        return Finding(
            bad=True, text=text, value=float(len(first)), details={"template": first[0], "statements": shown}
        )

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops statements that were not made for so long that they would be new."""
        assert isinstance(memory, Statements), "what is new is told by statements"
        for name in [name for name, made in memory.made.items() if made.last_at < oldest * self._every_s]:
            del memory.made[name]
