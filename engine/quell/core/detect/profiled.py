"""The conditions "drift" and "schema": what is told of an entity's fields, window by window, against its profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor

import msgspec

from quell.core.detect.buckets import Folded, Points
from quell.core.detect.condition import NOTHING, Quiet
from quell.core.detect.drift_text import MOST_PICTURES, drift_details, drift_text, trouble_details, trouble_text
from quell.core.profiles.judge import Present, compared
from quell.model.detect import Check, DetectRule, Drift, Schema
from quell.model.detecting import Batch, Batches, Finding, Memory, Watch
from quell.model.distribution import MOST_SAMPLES, Distribution, of_record, together
from quell.model.drift_report import Code, DriftReport
from quell.model.profile import Profile
from quell.model.records import DistributionRecord
from quell.model.sketch import EMPTY

MOST_FIELDS = 1000
"""Of one entity; what is beyond is not kept."""
_PACKER = msgspec.msgpack.Encoder(order="sorted")
_UNPACKER = msgspec.msgpack.Decoder(Distribution)
_CODES: Mapping[Check, tuple[Code, ...]] = {
    "columns": ("missing", "new", "renamed"),
    "types": ("retyped",),
    "nulls": ("nulls",),
    "values": ("bad",),
    "rows": ("rows",),
    "age": ("stale",),
    "clock": ("skew",),
    "version": ("version",),
}


class ProfileCondition(Quiet):
    """What both have in common; see `quell.core.detect.condition.Condition`."""

    effort = 200

    alone = True

    def __init__(self, rule: DetectRule, of: Drift | Schema, profiles: Sequence[Profile]) -> None:
        self._rule = rule
        self._profiles = chosen(of.profile, profiles)
        self._entities = frozenset(profile.entity for profile in self._profiles)
        self._limits = of.limits
        self._segment = of.segment
        self.keeps = rule.of + 1
        self.rests_on = " ".join(profile.hash for profile in self._profiles)
        self._shapes = isinstance(of, Drift) or "columns" in of.checks
        """Whether how values are distributed matters (a renamed field is known by it), not only how many there are."""

    def new(self) -> Memory:
        """Nothing told."""
        return Batches()

    def take(self, memory: Memory, side: int, points: Points, oldest: int) -> Folded:
        """Nothing: it reads distributions."""
        del memory, side, points, oldest
        return NOTHING

    def take_distribution(self, memory: Memory, record: DistributionRecord, oldest: int) -> Folded:
        """Adds a record to what is known of its window; one that comes too late for it counts in that which is open."""
        assert isinstance(memory, Batches), "a profile is compared with batches"
        if record.segment != self._segment or record.entity not in self._entities:
            return NOTHING
        slot = floor(record.at / self._rule.every_s)
        late = slot <= oldest + 1  # nobody will judge that window again: ``keeps`` is one more than are judged
        if late:  # but a load of yesterday's rows is looked at all the same
            slot = oldest + self.keeps
        memory.newest = max(memory.newest, record.at + record.over_s)
        batch = memory.own.setdefault(slot, Batch())
        if (record.at, record.version) >= (batch.version_at, batch.version) and record.version:
            batch.version, batch.version_at = record.version, record.at
        batch.skew_s = max(batch.skew_s, record.skew_s)
        told = of_record(record)
        if not self._shapes:
            told = _counted(told)
        known = batch.fields.get(record.field)
        if known is not None:
            told = together([_UNPACKER.decode(known), told])
        elif len(batch.fields) >= MOST_FIELDS:
            return Folded({slot}, int(late))
        batch.fields[record.field] = _PACKER.encode(told)
        samples = [*batch.samples.get(record.field, ()), *record.samples]
        if samples and self._shapes:
            batch.samples[record.field] = sorted(set(samples))[:MOST_SAMPLES]
        return Folded({slot}, int(late))

    def versions(self, watch: Watch, slot: int) -> tuple[str, str] | None:
        """Those of the window and of the profile, where both have one."""
        return versions_of(self._profiles, watch, slot)

    def forget(self, memory: Memory, oldest: int) -> None:
        """Drops old windows."""
        assert isinstance(memory, Batches), "a profile is compared with batches"
        for slot in [slot for slot in memory.own if slot < oldest]:
            del memory.own[slot]

    def _report(self, watch: Watch, slot: int, *, silent: bool = False) -> DriftReport | None:
        """The comparison of one window; None where nobody knows what to compare, unless silence says something."""
        memory = watch.memory
        assert isinstance(memory, Batches), "a profile is compared with batches"
        batch = memory.own.get(slot)
        profile = profile_for(self._profiles, watch.entity, batch.version if batch else "")
        if profile is None or (batch is None and not silent):
            return None
        every_s = self._rule.every_s
        batch = batch or Batch()
        present = Present(
            fields={name: _UNPACKER.decode(packed) for name, packed in sorted(batch.fields.items())},
            version=batch.version,
            from_time=slot * every_s,
            to_time=(slot + 1) * every_s,
            now=(slot + 1) * every_s + self._rule.delay_s,
            newest=memory.newest,
            skew_s=batch.skew_s,
            samples={name: tuple(told) for name, told in batch.samples.items()},
        )
        return compared(profile, present, self._limits, pictures=False, most=MOST_PICTURES)


class DriftCondition(ProfileCondition):
    """Fields are not distributed as they were."""

    def newest(self, watch: Watch) -> DriftReport | None:
        """The comparison of the latest window of which enough was told to judge it, over or not."""
        if not isinstance(watch.memory, Batches):
            return None
        for slot in sorted(watch.memory.own, reverse=True):
            report = self._report(watch, slot)
            if report is not None and any(field.distances for field in report.fields):
                return report
        return None

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """Which fields drifted; None when there are too few values of any."""
        report = self._report(watch, slot)
        if report is None or not any(field.distances for field in report.fields):
            return None
        worst = report.drifted[0].strongest if report.drifted else None
        return Finding(
            bad=worst is not None,
            text=drift_text(report),
            value=worst.effect if worst else None,
            threshold=worst.least if worst else None,
            details=drift_details(report),
        )


class SchemaCondition(ProfileCondition):
    """What comes is not what the profile describes."""

    def __init__(self, rule: DetectRule, of: Schema, profiles: Sequence[Profile]) -> None:
        super().__init__(rule, of, profiles)
        self._codes = tuple(code for check in of.checks for code in _CODES[check])
        self._ages = "age" in of.checks

    def waits(self, watch: Watch, slot: int) -> bool:
        """Rows that do not come grow old."""
        del slot
        return self._ages and profile_for(self._profiles, watch.entity, "") is not None

    def judge(self, watch: Watch, slot: int) -> Finding | None:
        """What is wrong."""
        report = self._report(watch, slot, silent=self._ages)
        if report is None:
            return None
        found = report.of(*self._codes)
        if not found and not report.rows and not self._ages:
            return None
        first = found[0] if found else None
        return Finding(
            bad=bool(found),
            text=trouble_text(report, found),
            value=first.value if first else None,
            threshold=first.limit if first else None,
            details=trouble_details(report, found),
        )


def chosen(name: str, profiles: Sequence[Profile]) -> tuple[Profile, ...]:
    """The profiles that a rule names, as an entity or entity@version; all of them when it names none."""
    entity, _, version = name.partition("@")
    return tuple(one for one in profiles if not name or (one.entity == entity and version in {"", one.version}))


def profile_for(profiles: Sequence[Profile], entity: str, version: str) -> Profile | None:
    """The one of this version of the data; of the others the one made last; None when there is none of the entity."""
    own = [profile for profile in profiles if profile.entity == entity]
    same = [profile for profile in own if version and profile.version == version]
    return max(same or own, key=lambda one: (one.created_at, one.version), default=None)


def versions_of(profiles: Sequence[Profile], watch: Watch, slot: int) -> tuple[str, str] | None:
    """The version of the data in a window, and that of the profile it is compared with; None where one has none."""
    batch = watch.memory.own.get(slot) if isinstance(watch.memory, Batches) else None
    profile = profile_for(profiles, watch.entity, batch.version) if batch is not None and batch.version else None
    return (batch.version, profile.version) if batch is not None and profile is not None and profile.version else None


def _counted(told: Distribution) -> Distribution:
    """Without how values are distributed; the extremes stay, as clocks are told by them."""
    known = told.known
    numbers = msgspec.structs.replace(EMPTY, zero=known, low=told.numbers.low, high=told.numbers.high)
    if told.numeric:
        return msgspec.structs.replace(told, numbers=numbers)
    return msgspec.structs.replace(told, categories={}, other=known, hashed=False)
