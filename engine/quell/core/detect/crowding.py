"""A detector that is told of more series than it may watch makes room as far as it can, and says so.

Labels that change with every release or request make new series without end. What was silent for long goes then, the
longest first, so that what is new is watched; what is still told keeps its place, and its alert its end.
"""

from __future__ import annotations

from collections.abc import Mapping

from quell.core.detect.judging import SHOWN_AGAIN_S, Emit
from quell.core.detect.readers import Reader
from quell.core.detect.series import MOST_NAME, NO_ROOM
from quell.core.detect.telling import SOURCE
from quell.core.detect.words import lasting
from quell.model.decision import AnyDecision
from quell.model.detecting import Crowd, Detecting, Silence, Watch
from quell.model.records import AlertRecord

SILENT_WINDOWS = 3
"""A series is silent when nothing was told of it for so many windows."""
FADED_S = 6 * 3600.0
"""What waits for nothing but time to pass may go after so long a silence."""
SHARE = 10
"""Room is made for one in so many series at once."""
OVER_S = 3600.0
"""So long after the last time that there was no room the alert ends."""


class Crowding:
    """Works on ``detecting.refused`` and ``detecting.crowded``."""

    def __init__(self, known: Detecting, emit: Emit) -> None:
        self._known = known
        self._emit = emit

    def silent(self, reader: Reader, watches: Mapping[str, Watch], at: float) -> list[str]:
        """The keys of the series that are to make room, those that were silent longest first."""
        if self._known.refused.get(reader.rule.name) != NO_ROOM:
            return []
        since, last = at - SILENT_WINDOWS * reader.rule.every_s - reader.rule.delay_s, reader.last(at)
        found = [
            (watch.told_at, key)
            for key, watch in watches.items()
            if watch.told_at < since and not _needed(reader, watch, last, at)
        ]
        return [key for _, key in sorted(found)[: max(reader.rule.series // SHARE, 1)]]

    def look(self, reader: Reader, dropped: int, at: float, out: list[AnyDecision]) -> None:
        """Tells of a rule that could not watch all it was told of since it was looked at last."""
        name = reader.rule.name
        why = self._known.refused.get(name)
        if why is None:
            return
        crowd = self._known.crowded.setdefault(name, Crowd(at, at))
        crowd.last_at, crowd.dropped = at, crowd.dropped + dropped
        if dropped:
            self._known.refused.pop(name)
        if at - crowd.shown_at >= SHOWN_AGAIN_S:
            crowd.shown_at = at
            self._emit(_told(reader, crowd, why, at), at, out)

    def sweep(self, at: float, out: list[AnyDecision]) -> None:
        """Ends what is over for long enough."""
        for name in [name for name, crowd in self._known.crowded.items() if at - crowd.last_at > OVER_S]:
            self.end(name, at, out)

    def end(self, name: str, at: float, out: list[AnyDecision]) -> None:
        """There is room, or nobody asks any more."""
        if self._known.crowded.pop(name, None) is not None:
            over = AlertRecord(at=at, source=SOURCE, status="resolved", labels={}, key=_key(name))
            self._emit(over, at, out)


def _needed(reader: Reader, watch: Watch, last: int, at: float) -> bool:
    """Whether a silent series is not to go: it fires, points wait, or its silence is what is asked after."""
    if watch.since is not None or watch.touched or watch.pending[0].times or watch.pending[1].times:
        return True
    if not reader.condition.waits(watch, last):
        return False
    return isinstance(watch.memory, Silence) or watch.told_at > at - FADED_S


def _key(rule: str) -> str:
    return f"{rule} has no room"


def _told(reader: Reader, crowd: Crowd, why: int, at: float) -> AlertRecord:
    rule = reader.rule
    if why == NO_ROOM:
        after = f" for {lasting(at - crowd.since)}" if at > crowd.since else ""
        kept = "none was silent, so what is new is not watched"
        if crowd.dropped:
            kept = f"{crowd.dropped:,} that were silent longest were dropped"
        text = f"detector {rule.name} is told of more than its {rule.series:,} series{after}; {kept}"
    else:
        text = f"detector {rule.name} is told of series whose names are longer than {MOST_NAME:,} characters"
    return AlertRecord(
        at=at,
        source=SOURCE,
        status="firing",
        labels={"alertname": "DetectorHasNoRoom", "detector": rule.name, "severity": "warning"},
        annotations={
            "summary": text,
            "description": "a label may be new with each request: narrow its metric or where, or raise series",
            "detector": f"{rule.name} ({rule.place.file}:{rule.place.line})",
            "dropped": str(crowd.dropped),
        },
        starts_at=crowd.since,
        key=_key(rule.name),
        entity=f"detector/{rule.name}",
    )
