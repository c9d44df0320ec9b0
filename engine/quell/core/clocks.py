"""Sources whose clocks are wrong: one value that lies ahead of its arrival is told, once for each source.

What lies ahead is taken for now, or left out, wherever it is read (`quell.core.intake`); so nothing breaks of it, and
nobody would hear of it. What is behind may have been kept while its sender could not send: that is told where a
connector or a detector does not take it any more.
"""

from __future__ import annotations

from collections.abc import Callable

from quell.core.fold import SKEW_S
from quell.model.clocks import OFF, Off
from quell.model.decision import AnyDecision
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    ChangeRecord,
    DistributionRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
    TotalsRecord,
)
from quell.model.state import State
from quell.model.times import format_duration

ALERT = "SourceClockIsWrong"
SOURCE = "detect"
SHOWN_AGAIN_S = 900.0
OVER_S = 3600.0
"""The alert is over when no such time was told for so long."""
MOST_SOURCES = 1000
MOST_NAME = 200
MOST_S = 100 * 365 * 86_400.0
"""What lies further away is no time that a clock tells, but another unit."""
_OWN = frozenset({"quell", SOURCE})
_DATED = frozenset({
    AlertRecord, CallRecord, ChangeRecord, DistributionRecord, LogRecord, SampleRecord, SamplesRecord, SpanRecord,
    TotalsRecord,
})  # fmt: skip
"""What tells when something was; commands, words of people and answers have the time at which they are given."""


class Clocks:
    """Works on ``state.clocks``."""

    def __init__(self, state: State, emit: Callable[[AlertRecord, float, list[AnyDecision]], None]) -> None:
        self._state = state
        self._emit = emit
        self._met: dict[str, tuple[float, float]] = {}
        """How far ahead and behind the times of sources lay in what is being taken."""

    def look(self, record: AnyRecord, now: float) -> None:
        """Looks at the times of a record as it came."""
        if type(record) not in _DATED or record.source in _OWN:
            return
        latest = record.at
        match record:
            case SampleRecord() if record.metric == OFF:
                self._note(record.source, record.value or 0.0)
                return
            case SampleRecord():
                for at, _ in record.points:
                    latest = max(latest, at)
            case SamplesRecord() if record.times:
                newest = max(record.times)
                latest = max(latest, newest)
            case AlertRecord() if record.starts_at is not None:
                latest = max(latest, record.starts_at)
            case _:
                pass
        if latest > now + SKEW_S:
            self._note(record.source, latest - now)

    def _note(self, source: str, off_s: float) -> None:
        if not (off_s > 0.0 or off_s < 0.0):
            return
        ahead_s, behind_s = self._met.get(source, (0.0, 0.0))
        self._met[source] = max(ahead_s, min(off_s, MOST_S)), max(behind_s, min(-off_s, MOST_S))

    def tell(self, now: float, out: list[AnyDecision]) -> None:
        """Tells of the sources whose clocks were met since."""
        if not self._met:
            return
        met, self._met = self._met, {}
        known = self._state.clocks
        for source in [source for source, off in known.items() if now - off.last_at > OVER_S]:
            del known[source]
        for source, (ahead_s, behind_s) in sorted(met.items()):
            off = known.get(source)
            if off is None:
                if len(known) >= MOST_SOURCES:
                    continue
                off = known[source] = Off(now, now)
            off.last_at = now
            off.ahead_s, off.behind_s = max(off.ahead_s, ahead_s), max(off.behind_s, behind_s)
            if now - off.shown_at >= SHOWN_AGAIN_S:
                off.shown_at = now
                self._emit(_told(source, off, now), now, out)


def _told(source: str, off: Off, now: float) -> AlertRecord:
    name = source[:MOST_NAME] or "(unnamed)"
    said = []
    if off.ahead_s:
        said.append(f"{_span(off.ahead_s)} ahead of ours, such as are taken for now or left out")
    if off.behind_s:
        said.append(f"{_span(off.behind_s)} behind, such as are not taken any more")
    return AlertRecord(
        at=now,
        source=SOURCE,
        status="firing",
        labels={"alertname": ALERT, "source": name, "severity": "warning"},
        annotations={
            "summary": f"source {name} tells times up to {'; and up to '.join(said)}: is a clock wrong?",
            "description": "what it says is set against a wrong time, or against none; causes are looked for by times",
        },
        starts_at=off.since,
        ends_at=now + OVER_S + SHOWN_AGAIN_S,
        timeout=True,
        key=f"clock of {source}",
        entity=f"source/{name}",
    )


def _span(seconds: float) -> str:
    if seconds >= MOST_S:
        return "a hundred years and more (another unit than seconds?)"
    return format_duration(round(seconds))
