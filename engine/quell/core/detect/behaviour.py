"""The condition "behaviour": what a model says of itself, window by window, against a limit or what was before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, floor

import msgspec

from quell.core.detect.behaviours import Measured, Told, measured
from quell.core.detect.buckets import Folded, Points
from quell.core.detect.condition import FINE, NOTHING, Quiet
from quell.core.detect.intervals import Interval, apart
from quell.core.detect.profiled import chosen, profile_for, versions_of
from quell.core.detect.words import lasting, number
from quell.model.detect import RELATIVE, Behaviour, DetectRule
from quell.model.detecting import Batch, Batches, Finding, Memory, Watch
from quell.model.distribution import Distribution, of_record, together
from quell.model.profile import Profile
from quell.model.records import DistributionRecord

MOST_FIELDS = 500
"""Of one entity in one window, each segment's apart; what is beyond is not kept."""
_PACKER = msgspec.msgpack.Encoder(order="sorted")
_UNPACKER = msgspec.msgpack.Decoder(Distribution)


class BehaviourCondition(Quiet):
    """See `quell.core.detect.condition.Condition`."""

    effort = 200

    def __init__(self, rule: DetectRule, of: Behaviour, profiles: Sequence[Profile]) -> None:
        self._rule = rule
        self._of = of
        against = of.change is not None and not of.against_s
        self._profiles = chosen(of.profile, profiles) if against else ()
        self._windows = max(ceil(of.over_s / rule.every_s - 1e-9), 1)
        self._before = ceil(of.against_s / rule.every_s - 1e-9)
        self.keeps = self._windows + self._before + rule.of
        self.alone = self._windows == 1 and not self._before
        self.rests_on = " ".join(profile.hash for profile in self._profiles)
        self.remembers_s = max(Quiet.remembers_s, 2.0 * self.keeps * rule.every_s)

    def new(self) -> Memory:
        """Nothing told."""
        return Batches()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Nothing: it reads distributions."""
        del memory, side, points, oldest
        return NOTHING

    def take_distribution(self, memory: Memory, record: DistributionRecord, oldest: int) -> Folded:
        """Adds a record to its window; one that comes too late counts in that which is open."""
        assert isinstance(memory, Batches), "behaviour is kept in batches"
        if not self._wants(record.segment):
            return NOTHING
        slot = floor(record.at / self._rule.every_s)
        last = oldest + self.keeps - 1
        late = slot <= last - self._windows - (self._rule.of - 1 if self.alone else 0)
        if late:  # labels come when they come: nobody will judge their window again
            slot = last + 1
        memory.newest = max(memory.newest, record.at + record.over_s)
        batch = memory.own.setdefault(slot, Batch())
        if (record.at, record.version) >= (batch.version_at, batch.version) and record.version:
            batch.version, batch.version_at = record.version, record.at
        key = f"{record.segment}\x00{record.field}"
        known = batch.fields.get(key)
        if known is None and len(batch.fields) >= MOST_FIELDS:
            return Folded({slot}, int(late))
        told = of_record(record)
        batch.fields[key] = _PACKER.encode(told if known is None else together([_UNPACKER.decode(known), told]))
        return Folded({slot}, int(late))

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """Whether the number lies beyond its limit and could not by chance; None from too few predictions."""
        memory = watch.memory
        assert isinstance(memory, Batches), "behaviour is kept in batches"
        first = slot - self._windows + 1
        found = measured(self._of, self._told(memory, range(first, slot + 1)))
        if found is None:
            return None
        if found.wrong:
            return Finding(bad=True, text=found.wrong, details={"behaviour": self._of.of})
        expected = self._expected(watch, memory, range(first, slot + 1))
        if expected is None and self._of.change is not None:
            return None
        bad, limit, wanted = self._judged(found, expected, firing=watch.since is not None)
        if not bad and watch.since is None:
            return FINE
        return self._finding(found, limit, wanted, memory.own.get(slot), bad=bad)

    def versions(self, watch: Watch, slot: int) -> tuple[str, str] | None:
        """Those of the window and of the profile, where both have one."""
        return versions_of(self._profiles, watch, slot)

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops old windows."""
        assert isinstance(memory, Batches), "behaviour is kept in batches"
        for slot in [slot for slot in memory.own if slot < oldest]:
            del memory.own[slot]

    def _wants(self, segment: str) -> bool:
        if self._of.of == "fairness":
            return segment.partition("=")[0] == self._of.across and "=" in segment
        return segment == self._of.segment

    def _told(self, memory: Batches, slots: Iterable[int]) -> Told:
        parts: dict[tuple[str, str], list[Distribution]] = {}
        for slot in slots:
            batch = memory.own.get(slot)
            for key, packed in batch.fields.items() if batch is not None else ():
                segment, _, field = key.partition("\x00")
                parts.setdefault((segment, field), []).append(_UNPACKER.decode(packed))
        return {key: together(told) for key, told in parts.items()}

    def _expected(self, watch: Watch, memory: Batches, slots: range) -> Measured | None:
        """The same of the time before, or of the profile."""
        if self._of.change is None:
            return None
        first = slots.start
        if self._before:
            found = measured(self._of, self._told(memory, range(first - self._before, first)))
            return self._in_as_long(found, memory, first) if found is not None and self._of.of == "spend" else found
        told = (batch.version for slot in reversed(slots) if (batch := memory.own.get(slot)) and batch.version)
        profile = profile_for(self._profiles, watch.entity, next(told, ""))
        if profile is None:
            return None
        read = {watch.metric} if not watch.metric.endswith("*") else None
        fields = {
            (self._of.segment, field.name): field.values
            for field in profile.fields
            if (field.name in read if read is not None else field.name.startswith(watch.metric[:-1]))
        }
        return measured(msgspec.structs.replace(self._of, volume=1), fields)

    def _in_as_long(self, found: Measured, memory: Batches, first: int) -> Measured | None:
        """What was spent before in as long as is looked at now; None while that is known of too little time."""
        known = first - max(min(memory.own, default=first), first - self._before)
        if known < max(self._before / 2.0, 1.0):
            return None
        interval, scale = found.interval, self._windows / known
        scaled = Interval(interval.value * scale, interval.low * scale, interval.high * scale, interval.n)
        return found._replace(interval=scaled)

    def _judged(self, found: Measured, expected: Measured | None, *, firing: bool) -> tuple[bool, float, str]:
        """Whether it is bad, the limit, and what was expected. What fires is bad up to the limit itself.

        What was before is no more certain than what is now: the difference has an interval made of both.
        """
        value, low, high, _ = found.interval
        of = self._of
        if of.change is not None and expected is not None:
            usual = expected.interval
            part = of.change if of.of in RELATIVE else 0.0
            shift = 0.0 if part else of.change
            part = -part if usual.value < 0.0 else part
            above = apart(found.interval, usual, 1.0 + part, shift)
            below = apart(found.interval, usual, 1.0 - part, -shift)
            bad = above.value > 0.0 or below.value < 0.0 if firing else above.low > 0.0 or below.high < 0.0
            least, most = usual.value * (1.0 - part) - shift, usual.value * (1.0 + part) + shift
            source = f"the last {lasting(of.against_s)}" if self._before else "the profile"
            limit = most if value > usual.value else least
            return bad, limit, f"{number(usual.value)} as in {source}, {number(least)} to {number(most)}"
        if of.below is not None:
            return (value if firing else high) < of.below, of.below, f"at least {number(of.below)}"
        assert of.above is not None, "a behaviour has a limit"
        bad = (value if firing else low) > of.above and value > found.chance
        return bad, of.above, f"at most {number(of.above)}"

    def _finding(self, found: Measured, limit: float, wanted: str, batch: Batch | None, *, bad: bool) -> Finding:
        interval = found.interval
        between = _between(interval, 100.0 * self._of.sure)
        segment = f" in {self._of.segment}" if self._of.segment else ""
        text = f"{found.what}{segment} is {number(interval.value)}{between}; expected {wanted}"
        details = {
            "behaviour": self._of.of,
            "interval": f"{number(interval.low)} to {number(interval.high)}",
            "expected": wanted,
            "predictions": str(interval.n),
            **({"version": batch.version} if batch is not None and batch.version else {}),
            **found.more,
        }
        return Finding(bad=bad, text=text, value=interval.value, threshold=limit, details=details)


def _between(interval: Interval, sure: float) -> str:
    if interval.low == interval.high:
        return ""
    return f" ({number(interval.low)} to {number(interval.high)} with {sure:.4g}% confidence)"
