"""A detector that is told what it cannot use says so: what is no number, times that nobody believes, what breaks it.

A value here and there that is none is nothing to tell of: an idle service has no quantiles. Where at least half of what
a rule was told within an hour cannot be used, nobody would hear of what it is there for.
"""

from __future__ import annotations

from quell.core.detect.judging import SHOWN_AGAIN_S, Emit
from quell.core.detect.telling import SOURCE
from quell.core.detect.words import lasting
from quell.model.decision import AnyDecision
from quell.model.detect import DetectRule
from quell.model.detecting import Detecting, Unfit
from quell.model.records import AlertRecord

LEAST = 10
"""So many values at least."""
SHARE = 0.5
LATE_LOOKS = 5
"""What is late in fewer looks than this is what a sender had kept while it could not send; a wrong clock goes on."""
SPAN_S = 3600.0
"""So long it is counted; and so long after the last time that it was too much the alert ends."""


class Unfitness:
    """Works on ``detecting.unfit``."""

    def __init__(self, known: Detecting, emit: Emit) -> None:
        self._known = known
        self._emit = emit

    def look(self, rule: DetectRule, at: float, out: list[AnyDecision]) -> None:
        """Tells of a rule that could not use what it was told."""
        counts = self._known.counted.pop(rule.name, None)
        if counts is None or (rule.name not in self._known.unfit and not any(counts[1:])):
            return
        unfit = self._known.unfit.setdefault(rule.name, Unfit(at - rule.every_s))
        if at - unfit.begin > SPAN_S:
            if not unfit.since and not any(counts[1:]):
                del self._known.unfit[rule.name]
                return
            unfit.begin, unfit.told, unfit.unread, unfit.late, unfit.broken = at - rule.every_s, 0, 0, 0, 0
            unfit.late_looks = 0
        told, unread, late, broken = counts
        unfit.told, unfit.unread, unfit.late = unfit.told + told, unfit.unread + unread, unfit.late + late
        unfit.broken, unfit.late_looks = unfit.broken + broken, unfit.late_looks + bool(late)
        bad = unfit.unread + (unfit.late if unfit.late_looks >= LATE_LOOKS else 0)
        if broken or (unread + late and bad >= LEAST and bad >= SHARE * unfit.told):
            unfit.last_at, unfit.since = at, unfit.since or unfit.begin
            if at - unfit.shown_at >= SHOWN_AGAIN_S:
                unfit.shown_at = at
                self._emit(_told(rule, unfit, self._known.failed.get(rule.name, ""), at), at, out)

    def sweep(self, at: float, out: list[AnyDecision]) -> None:
        """Ends what is over for long enough."""
        for name in [name for name, one in self._known.unfit.items() if at - (one.last_at or one.begin) > SPAN_S]:
            self.end(name, at, out)

    def end(self, name: str, at: float, out: list[AnyDecision]) -> None:
        """It can use what it is told, or nobody asks any more."""
        unfit = self._known.unfit.pop(name, None)
        self._known.counted.pop(name, None)
        if unfit is not None and unfit.since:
            over = AlertRecord(at=at, source=SOURCE, status="resolved", labels={}, key=_key(name))
            self._emit(over, at, out)


def _key(rule: str) -> str:
    return f"{rule} reads bad input"


def _told(rule: DetectRule, unfit: Unfit, failed: str, at: float) -> AlertRecord:
    said = []
    span = lasting(max(at - unfit.begin, rule.every_s))
    if unfit.broken:
        said.append(f"broke on {failed[:200]}; that series began anew")
    if unfit.unread:
        said.append(f"{unfit.unread:,} of {unfit.told:,} values were no numbers, or ahead of the clock, in {span}")
    if unfit.late:
        said.append(f"{unfit.late:,} of {unfit.told:,} came too late for their windows in {span}: is a clock wrong?")
    return AlertRecord(
        at=at,
        source=SOURCE,
        status="firing",
        labels={"alertname": "DetectorReadsBadInput", "detector": rule.name, "severity": "warning"},
        annotations={
            "summary": f"detector {rule.name} cannot use what it is told: {'; '.join(said)}",
            "description": "what cannot be used counts for nothing: not for zero, and nobody hears of what it would be",
            "detector": f"{rule.name} ({rule.place.file}:{rule.place.line})",
        },
        starts_at=unfit.since,
        key=_key(rule.name),
        entity=f"detector/{rule.name}",
    )
