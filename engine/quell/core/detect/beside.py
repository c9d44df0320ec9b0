"""Canaries of a metric and what runs beside them: the baselines are sorted and counted once for all canaries of a look.

So a look at thousands of series takes time that grows with their number, and not with its square.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import fsum

from quell.core.detect.buckets import growth, value_of
from quell.core.detect.intervals import Moments, moments
from quell.expressions.matchers import Matching
from quell.model.detect import Compare
from quell.model.detecting import Watch, Windows

Group = tuple[str, tuple[str | None, ...]]
"""A metric, and the labels that both sides have the same: what a canary is compared with is alike for a group."""
Counts = tuple[float, float]
"""What was counted, and of how much."""


class Beside:
    """Of both sides, what they came to in windows."""

    def __init__(self, condition: Compare) -> None:
        self._of = condition
        self._canary, self._baseline = Matching(condition.canary), Matching(condition.baseline)
        self._watches: Mapping[str, Watch] = {}
        self._labels: Callable[[Watch], Mapping[str, str]] = lambda _watch: {}
        self._groups: dict[Group, list[Watch]] | None = None
        self._counted: dict[tuple[Group, int], Counts] = {}
        self._observed: dict[tuple[Group, int], Moments | None] = {}

    def meet(self, watches: Mapping[str, Watch], labels: Callable[[Watch], Mapping[str, str]]) -> None:
        """All series of the rule, as they are at this look, and what is known of their entities."""
        self._watches, self._labels, self._groups = watches, labels, None
        self._counted.clear()
        self._observed.clear()

    def counts(self, watch: Watch, first: int, last: int) -> tuple[Counts, Counts] | None:
        """What a canary counts from one window to another, and all its baselines; None of what is no canary."""
        labels = self._labels(watch)
        if not self._canary.matches(labels):
            return None
        group, own = self._group(watch, labels), self._counts(watch, first, last)
        known = self._counted.get((group, last))
        if known is None:
            told = [self._counts(other, first, last) for other in self._baselines(group)]
            known = self._counted[group, last] = fsum(one for one, _ in told), fsum(one for _, one in told)
        if self._baseline.matches(labels):  # whoever is on both sides is compared with the others
            return own, (known[0] - own[0], known[1] - own[1])
        return own, known

    def moments(self, watch: Watch, first: int, last: int, least: float) -> tuple[Moments, Moments] | None:
        """How the windows of a canary lie, and those of all its baselines; None where there are fewer than that."""
        labels = self._labels(watch)
        if not self._canary.matches(labels):
            return None
        own = self._moments([watch], first, last, least)
        if own is None:
            return None
        group = self._group(watch, labels)
        if self._baseline.matches(labels):
            others = [other for other in self._baselines(group) if other is not watch]
            before = self._moments(others, first, last, least)
        elif (group, last) in self._observed:
            before = self._observed[group, last]
        else:
            before = self._observed[group, last] = self._moments(self._baselines(group), first, last, least)
        return None if before is None else (own, before)

    def _group(self, watch: Watch, labels: Mapping[str, str]) -> Group:
        return watch.metric, tuple(labels.get(name) for name in self._of.same)

    def _baselines(self, group: Group) -> Sequence[Watch]:
        if self._groups is None:
            self._groups = {}
            for _, watch in sorted(self._watches.items()):
                labels = self._labels(watch)
                if self._baseline.matches(labels):
                    self._groups.setdefault(self._group(watch, labels), []).append(watch)
        return self._groups.get(group, ())

    def _counts(self, watch: Watch, first: int, last: int) -> Counts:
        hits = total = 0.0
        memory = watch.memory
        assert isinstance(memory, Windows), "metrics are compared by windows"
        for slot in range(first, last + 1):
            if self._of.counter:
                hits += (growth(memory.own, slot) or (0.0, 0.0))[0]
                total += (growth(memory.by, slot) or (0.0, 0.0))[0]
            else:
                hits += max(value_of(memory.own, slot, "sum") or 0.0, 0.0)
                total += max(value_of(memory.by, slot, "sum") or 0.0, 0.0)
        return hits, total

    def _moments(self, watches: Sequence[Watch], first: int, last: int, least: float) -> Moments | None:
        found = []
        for memory in (watch.memory for watch in watches):
            assert isinstance(memory, Windows), "metrics are compared by windows"
            for slot in range(first, last + 1):
                value = value_of(memory.own, slot, self._of.aggregate)
                if value is not None:
                    found.append(value)
        return moments(found) if len(found) >= least else None
