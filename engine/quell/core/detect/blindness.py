"""A detector that reads nothing says so: its metric may have another name by now, or what it reads be no numbers."""

from __future__ import annotations

from collections.abc import Iterable

from quell.core.detect.judging import Emit
from quell.core.detect.telling import SOURCE
from quell.core.detect.words import lasting
from quell.model.decision import AnyDecision
from quell.model.detect import DetectRule
from quell.model.detecting import Detecting, Watch
from quell.model.records import AlertRecord
from quell.model.times import format_time


def read_since(known: Detecting, rule: str) -> float:
    """When a rule last read something, or was first known."""
    return max(known.read_at.get(rule, 0.0), known.began.get(rule, 0.0))


def what_is_wrong(known: Detecting, rule: DetectRule, watches: Iterable[Watch]) -> str:
    """Why a rule may read nothing, in half a sentence."""
    unread = late = 0
    newest = 0.0
    for watch in watches:
        unread, late, newest = unread + watch.unread, late + watch.late, max(newest, watch.newest)
    if unread:
        return f"{unread} values were no numbers"
    if late:
        return f"{late} points came too late; the latest is of {format_time(newest)}: is a clock wrong?"
    if rule.name in known.read_at:
        return "what it read is not told any more: was it renamed?"
    return f'nothing told so far is called "{rule.metric or rule.log or rule.distribution}" and matches "where"'


class Blindness:
    """Works on ``detecting.blind``."""

    def __init__(self, known: Detecting, emit: Emit) -> None:
        self._known = known
        self._emit = emit

    def look(self, rule: DetectRule, watches: Iterable[Watch], at: float, out: list[AnyDecision]) -> None:
        """Tells that a rule has read nothing for as long as it says, or that it reads again."""
        since = read_since(self._known, rule.name)
        if at - since <= rule.blind_s:
            self.end(rule.name, at, out)
        elif rule.name not in self._known.blind:
            self._known.blind[rule.name] = at
            why = what_is_wrong(self._known, rule, watches)
            text = f"detector {rule.name} has read nothing for {lasting(at - since)}: {why}"
            told = AlertRecord(
                at=at,
                source=SOURCE,
                status="firing",
                labels={"alertname": "DetectorReadsNothing", "detector": rule.name, "severity": "warning"},
                annotations={"summary": text, "detector": f"{rule.name} ({rule.place.file}:{rule.place.line})"},
                starts_at=at,
                key=f"{rule.name} reads nothing",
                entity=f"detector/{rule.name}",
            )
            self._emit(told, at, out)

    def end(self, name: str, at: float, out: list[AnyDecision]) -> None:
        """It reads, or nobody asks any more."""
        if self._known.blind.pop(name, None) is not None:
            over = AlertRecord(at=at, source=SOURCE, status="resolved", labels={}, key=f"{name} reads nothing")
            self._emit(over, at, out)
