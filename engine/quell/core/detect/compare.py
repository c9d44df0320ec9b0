"""The condition "compare": a canary is worse than its baseline, by more than chance and by more than a margin.

Shares are compared by Newcombe's interval for the difference of two proportions (1998, from Wilson's). Means by Welch's
(1947): of a metric each window is one observation, as points of one window are alike. Quantiles of values by the ranks
between which they lie, and their difference from both intervals as Newcombe's (Zou and Donner's MOVER, 2008).

It is looked again at every window. All intervals are so wide that they hold for all looks of one ``over_s`` together,
and what fires goes on until it is worse than the margin by no more than one standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, inf, isfinite, sqrt

import msgspec

from quell.core.detect.behaviours import valued
from quell.core.detect.beside import Beside
from quell.core.detect.buckets import Folded, Points, fold, forget, needs_bins, slot_of
from quell.core.detect.condition import NOTHING, Quiet
from quell.core.detect.intervals import (
    Interval,
    apart,
    deviations_of_looks,
    difference,
    mean,
    share,
    sure_of,
    welch_of,
)
from quell.core.detect.words import lasting, number
from quell.expressions.matchers import Matching
from quell.model.detect import Compare, DetectRule
from quell.model.detecting import Batch, Batches, Finding, Memory, Watch, Windows
from quell.model.distribution import Distribution, of_record, together
from quell.model.records import DistributionRecord
from quell.model.sketch import Cell, between, cells

CANARY, BASELINE = "canary", "baseline"
LEAST_WINDOWS = 5
"""Of each side, or a mean of a metric is not compared."""
QUANTILES: Mapping[str, float] = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_PACKER = msgspec.msgpack.Encoder(order="sorted")
_UNPACKER = msgspec.msgpack.Decoder(Distribution)


class CompareCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    effort = 20

    together = True

    def __init__(self, rule: DetectRule, condition: Compare) -> None:
        self._every_s = rule.every_s
        self._of = condition
        self._sides = [
            (name, Matching(matchers), any(one.name == "segment" for one in matchers))
            for name, matchers in ((CANARY, condition.canary), (BASELINE, condition.baseline))
        ]
        """Of each side also whether it names a segment: all values are told without one, too."""
        self._over = max(round(condition.over_s / rule.every_s), 1)
        self._values = bool(rule.distribution)
        self._z = deviations_of_looks(condition.sure, self._over)
        self._sure = sure_of(self._z)
        self._beside = Beside(condition)
        self.keeps = self._over + rule.of

    def meet(self, watches: Mapping[str, Watch], labels: Callable[[Watch], Mapping[str, str]]) -> None:
        """All series of the rule, and what is known of their entities."""
        self._beside.meet(watches, labels)

    def new(self) -> Memory:
        """Nothing told."""
        return Batches() if self._values else Windows()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Adds points to their windows."""
        assert isinstance(memory, Windows), "metrics are compared by windows"
        aggregate = self._of.aggregate
        rise = self._of.counter or aggregate == "rate"
        windows = memory.by if side else memory.own
        return fold(windows, points, self._every_s, oldest, bins=needs_bins(aggregate), rise=rise)

    def take_distribution(self, memory: Memory, record: DistributionRecord, oldest: int) -> Folded:
        """Adds values to the side that their version and segment belong to."""
        slot = slot_of(record, self._every_s, oldest + self.keeps - 1)
        if slot < oldest:
            return Folded(set(), 1)
        labels = {"version": record.version, "segment": record.segment, "entity": record.entity}
        sides = [
            name
            for name, matching, segments in self._sides
            if (segments or not record.segment) and matching.matches(labels)
        ]
        if not sides:
            return NOTHING
        assert isinstance(memory, Batches), "values are compared by batches"
        batch = memory.own.setdefault(slot, Batch())
        for side in sides:
            known = batch.fields.get(side)
            told = of_record(record)
            batch.fields[side] = _PACKER.encode(together([_UNPACKER.decode(known), told]) if known else told)
        return Folded({slot})

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """By how much the canary is worse, if enough is known of both."""
        first = slot - self._over + 1
        sides = self._told(watch, first, slot) if self._values else self._measured(watch, first, slot)
        if sides is None:
            return None
        found, canary, baseline = sides
        sign = 1.0 if self._of.worse == "up" else -1.0
        least = found.low if sign > 0 else -found.high
        if watch.since is not None:  # what fires goes on until it is no more than a deviation from what it may be
            least = sign * found.value - (sign * found.value - least) / self._z
        bad = least > self._of.margin
        text = (
            f"{{metric}} of the canary is {self._amount(canary.value)}, of the baseline {self._amount(baseline.value)}"
        )
        return Finding(
            bad=bad,
            text=f"{text}: {self._said(found, sign)}, over {lasting(self._over * self._every_s)}",
            value=canary.value,
            threshold=baseline.value,
            details={
                "difference": number(found.value),
                "interval": _span(found.low, found.high, " to "),
                "canary_volume": str(canary.n),
                "baseline_volume": str(baseline.n),
            },
        )

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops old windows."""
        if isinstance(memory, Windows):
            forget(memory.own, oldest)
            forget(memory.by, oldest)
        elif isinstance(memory, Batches):
            for slot in [slot for slot in memory.own if slot < oldest]:
                del memory.own[slot]

    # Metrics

    def _measured(self, watch: Watch, first: int, last: int) -> tuple[Interval, Interval, Interval] | None:
        if self._of.of == "share":
            counted = self._beside.counts(watch, first, last)
            return None if counted is None else self._shares(*counted)
        observed = self._beside.moments(watch, first, last, max(LEAST_WINDOWS, self._of.volume))
        return None if observed is None else welch_of(*observed, self._sure)

    # Values

    def _told(self, watch: Watch, first: int, last: int) -> tuple[Interval, Interval, Interval] | None:
        memory = watch.memory
        assert isinstance(memory, Batches), "values are compared by batches"
        sides: list[Distribution] = []
        for side in (CANARY, BASELINE):
            packed = [batch.fields[side] for slot, batch in sorted(memory.own.items())
                      if first <= slot <= last and side in batch.fields]  # fmt: skip
            sides.append(together([_UNPACKER.decode(one) for one in packed]))
        canary, baseline = sides
        if self._of.of == "share":
            return self._shares(self._hits(canary), self._hits(baseline))
        if min(canary.numbers.count, baseline.numbers.count) < max(self._of.volume, 2):
            return None
        if self._of.of == "mean":
            one = mean(valued(canary.numbers), canary.numbers.total, self._z)
            two = mean(valued(baseline.numbers), baseline.numbers.total, self._z)
        else:
            one = quantile_interval(canary, QUANTILES[self._of.of], self._z)
            two = quantile_interval(baseline, QUANTILES[self._of.of], self._z)
        assert one is not None, "there are values"
        assert two is not None, "there are values"
        return apart(one, two), one, two

    def _hits(self, told: Distribution) -> tuple[float, float]:
        of = self._of
        if of.among:
            known = 0 if told.hashed else told.known  # nobody can tell texts any more that are counted by a hash
            return float(sum(told.categories.get(text, 0) for text in of.among)), float(known)
        assert of.above is not None, "a share of values is of those above a limit, or among texts"
        return float(between(told.numbers, of.above)), float(told.numbers.count)

    def _shares(
        self, canary: tuple[float, float], baseline: tuple[float, float]
    ) -> tuple[Interval, Interval, Interval] | None:
        if min(canary[1], baseline[1]) < max(self._of.volume, 1):
            return None
        one, two = (share(round(min(hits, n)), max(round(n), 1), self._z) for hits, n in (canary, baseline))
        return difference(one, two), one, two

    # What is said

    def _amount(self, value: float) -> str:
        return f"{number(value * 100.0)}%" if self._of.of == "share" else number(value)

    def _said(self, found: Interval, sign: float) -> str:
        """Such as ``worse by 2.1 points (0.9–3.3)``."""
        scale, unit = (100.0, " points") if self._of.of == "share" else (1.0, "")
        value, low, high = (sign * scale * one for one in (found.value, found.low, found.high))
        low, high = min(low, high), max(low, high)
        if value >= 0.0:
            return f"worse by {number(value)}{unit} ({_span(low, high)})"
        return f"better by {number(-value)}{unit} ({_span(-high, -low)})"


def _span(low: float, high: float, to: str = "–") -> str:
    """Between what it lies; what has no end on one side yet is said to have none."""
    if isfinite(low) and isfinite(high):
        return f"{number(low)}{to}{number(high)}"
    if isfinite(low):
        return f"{number(low)} or more"
    return f"{number(high)} or less" if isfinite(high) else "too few values to say"


def quantile_interval(told: Distribution, wanted: float, z: float) -> Interval:
    """A quantile, and the values at the ranks between which it lies: no shape of the distribution is assumed.

    A rank that there is not yet is without end: the largest of 100 values says little of how large one of 100 can be.
    Ends of buckets count and not what stands for them, as a canary's buckets may be finer than those of its baseline.
    """
    counted = list(cells(told.numbers))
    n = sum(cell.told for cell in counted)
    half = z * sqrt(n * wanted * (1.0 - wanted))
    low, high = floor(wanted * n - half), ceil(wanted * n + half) + 1
    return Interval(
        _at_rank(counted, min(max(ceil(wanted * n), 1), n)).middle,
        _at_rank(counted, low).low if low >= 1 else -inf,
        _at_rank(counted, high).high if high <= n else inf,
        n,
    )


def _at_rank(counted: Sequence[Cell], rank: int) -> Cell:
    seen = 0
    for cell in counted:
        seen += cell.told
        if seen >= rank:
            return cell
    return counted[-1]
