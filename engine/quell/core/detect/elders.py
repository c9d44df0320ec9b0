"""A profile of another version than the data has: whoever compares with it says so, whatever comes of the comparison.

What differs may be what the new version is for, and that nothing differs may be luck. One alert for each entity and
profile, however many rules compare with it; where a rule of the condition "schema" looks after versions, it is its.
"""

from __future__ import annotations

from collections.abc import Mapping

from quell.core.detect.judging import HOLD_S, SHOWN_AGAIN_S, Emit
from quell.core.detect.readers import Reader
from quell.core.detect.series import AllSeries
from quell.core.detect.telling import SOURCE
from quell.model.decision import AnyDecision
from quell.model.detect import DetectRule, Schema
from quell.model.detecting import Detecting, Elder, Watch
from quell.model.records import AlertRecord
from quell.model.topology import Entity

ALERT = "ProfileOfAnotherVersion"
MOST_ELDERS = 10_000


class Elders:
    """Works on ``detecting.elders``."""

    def __init__(self, readers: Mapping[str, Reader], known: Detecting, series: AllSeries, emit: Emit) -> None:
        self._known = known
        self._series = series
        self._emit = emit
        self._looked_after = frozenset(
            name
            for name, reader in readers.items()
            if isinstance(reader.rule.when, Schema) and "version" in reader.rule.when.checks
        )

    def look(self, reader: Reader, watch: Watch, slot: int, at: float, out: list[AnyDecision]) -> None:
        """After a window was judged: whether it was compared with a profile of its version."""
        found = reader.condition.versions(watch, slot)
        if found is None or getattr(reader.rule.when, "any_version", False):
            return
        version, profile = found
        key = f"{watch.entity}@{profile}"
        elder = self._known.elders.get(key)
        if version == profile:
            if elder is not None:
                self._end(key, at, out)
            return
        if any(name in self._looked_after for name, _ in self._series.of_entity(watch.entity)):
            return
        if elder is None:
            if len(self._known.elders) >= MOST_ELDERS:
                return
            elder = self._known.elders[key] = Elder(version, at)
        if version != elder.version or at - elder.shown_at >= SHOWN_AGAIN_S:
            elder.version, elder.shown_at = version, at
            elder.until = at + 2.0 * reader.rule.every_s + reader.rule.delay_s + HOLD_S
            entity = self._series.entity(watch.entity)
            self._emit(_told(reader.rule, entity, profile, elder, key=key, at=at), at, out)

    def sweep(self, at: float) -> None:
        """Forgets those whose alert is over, as nothing was told of their data."""
        for key in [key for key, elder in self._known.elders.items() if elder.until <= at]:
            del self._known.elders[key]

    def _end(self, key: str, at: float, out: list[AnyDecision]) -> None:
        del self._known.elders[key]
        self._emit(AlertRecord(at=at, source=SOURCE, status="resolved", labels={}, key=_key(key)), at, out)


def _key(key: str) -> str:
    return f"profile {key} of another version"


def _told(rule: DetectRule, entity: Entity, profile: str, elder: Elder, *, key: str, at: float) -> AlertRecord:
    return AlertRecord(
        at=at,
        source=SOURCE,
        status="firing",
        labels={
            **entity.labels,
            "alertname": ALERT,
            **({entity.kind: entity.name} if "/" in entity.entity else {"entity": entity.entity}),
            "severity": "warning",
        },
        annotations={
            "summary": f'{entity.entity} is of version "{elder.version}" and compared with a profile of "{profile}"',
            "description": "what differs may be meant, and what does not may be luck; make a profile of the new "
            "version, or write any_version: true where that is meant",
            "detector": f"{rule.name} ({rule.place.file}:{rule.place.line})",
            "dataset_version": elder.version,
            "profile": profile,
        },
        starts_at=elder.since,
        ends_at=elder.until,
        timeout=True,
        key=_key(key),
        entity=entity.entity,
    )
