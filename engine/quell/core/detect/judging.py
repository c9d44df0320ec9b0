"""What comes of the windows of one series: nothing, an alert, its end."""

from __future__ import annotations

from collections.abc import Callable

from quell.core.detect.buckets import points_of
from quell.core.detect.readers import Reader
from quell.core.detect.telling import firing, over
from quell.core.fold import SKEW_S
from quell.core.severity import rank
from quell.model.decision import AnyDecision
from quell.model.detecting import Detecting, Pending, Watch
from quell.model.records import AlertRecord
from quell.model.topology import Entity

SHOWN_AGAIN_S = 900.0
"""So often an alert that fires is told again, with the numbers as they are then."""
HOLD_S = 3600.0
"""So long an alert fires on at least when nothing more can be said of its series."""

Emit = Callable[[AlertRecord, float, list[AnyDecision]], None]


class Judging:
    """Folds what was told of series into windows, and judges those."""

    def __init__(self, known: Detecting, entity: Callable[[str], Entity], emit: Emit) -> None:
        self._known = known
        self._entity = entity
        self._emit = emit

    def fold(self, reader: Reader, watch: Watch, last: int) -> None:
        """Adds what waits to its windows; ``last`` is the latest that is over."""
        oldest = last - reader.condition.keeps + 1
        ahead = (last + 2) * reader.rule.every_s + reader.rule.delay_s + SKEW_S
        for side, pending in enumerate(watch.pending):
            if not pending.times:
                continue
            count, late = len(pending.times), 0
            points = points_of(pending, ahead)
            watch.unread += points.unread
            if points.times:
                watch.newest = max(watch.newest, points.times[-1])
                folded = reader.condition.take(watch.memory, side, points, oldest)
                late = folded.late
                watch.late += late
                if folded.slots:
                    watch.touched = sorted(folded.slots.union(watch.touched))
                    self._known.read_at[reader.rule.name] = watch.told_at
            self._known.told(reader.rule.name, count, unread=points.unread, late=late)

    def look(self, reader: Reader, watch: Watch, last: int, at: float, out: list[AnyDecision]) -> None:
        """Judges the windows that are over, of which ``last`` is the latest; tells what came of it."""
        try:
            self._judge(reader, watch, last, at)
        except Exception as error:  # noqa: BLE001 - reported by status: time, and with it paging, must not stand still
            self._known.failed[reader.rule.name] = f"{watch.entity} {watch.metric}: {type(error).__name__}: {error}"
            watch.memory, watch.pending = reader.condition.new(), (Pending(), Pending())
            watch.slots, watch.touched = {}, []
            self._known.told(reader.rule.name, 0, broken=1)
        self._conclude(reader, watch, at, out)

    def _judge(self, reader: Reader, watch: Watch, last: int, at: float) -> None:
        rule, condition = reader.rule, reader.condition
        self.fold(reader, watch, last)
        slots, touched = [last], watch.touched
        if touched and (touched[0] < last or touched[-1] > last):
            if condition.alone:
                slots = [*(slot for slot in touched if last - rule.of < slot < last), last]
            watch.touched = [slot for slot in touched if slot > last]
        else:
            watch.touched = []
        known = watch.slots
        for slot in slots:
            found = condition.judge(watch, slot)
            if found is None:
                known.pop(slot, None)
                continue
            known[slot] = found.bad
            watch.judged_at = at
            if found.bad or watch.since is not None:
                watch.finding = found
        condition.forget(watch.memory, last - condition.keeps + 1)
        if known and min(known) <= last - rule.of:
            watch.slots = {slot: bad for slot, bad in known.items() if slot > last - rule.of}

    def restless(self, reader: Reader, watch: Watch, last: int) -> bool:
        """Whether a series must be looked at again although nothing more may be told of it."""
        if watch.since is not None or watch.touched or watch.pending[0].times or watch.pending[1].times:
            return True
        return reader.condition.waits(watch, last)

    def end(self, rule: str, watch: Watch, at: float, out: list[AnyDecision]) -> None:
        """Its alert is over."""
        watch.since, watch.ended = None, at
        self._emit(over(rule, watch, at), at, out)

    def _conclude(self, reader: Reader, watch: Watch, at: float, out: list[AnyDecision]) -> None:
        rule = reader.rule
        bad = sum(watch.slots.values())
        if watch.since is None:
            if bad >= rule.need:
                began = min(slot for slot, is_bad in watch.slots.items() if is_bad) * rule.every_s
                watch.since = began if watch.ended is None or began > watch.ended else at
                self._show(reader, watch, at, out)
        elif len(watch.slots) - bad > rule.of - rule.need or _given_up(reader, watch, at):
            self.end(rule.name, watch, at, out)
        elif at - watch.shown_at >= SHOWN_AGAIN_S or _worse(watch):
            self._show(reader, watch, at, out)

    def _show(self, reader: Reader, watch: Watch, at: float, out: list[AnyDecision]) -> None:
        watch.shown_at, watch.shown_as = at, watch.finding.severity if watch.finding is not None else ""
        self._emit(firing(reader.rule, watch, self._entity(watch.entity), at), at, out)


def _worse(watch: Watch) -> bool:
    """Whether what was found is graver than what was told of it."""
    found = watch.finding
    return found is not None and bool(found.severity) and rank(found.severity) > rank(watch.shown_as)


def _given_up(reader: Reader, watch: Watch, at: float) -> bool:
    """Whether nothing can be said of a series any more, so that its alert would never end."""
    hold_s = max(HOLD_S, 3.0 * reader.rule.of * reader.rule.every_s)
    return not watch.slots and at - watch.judged_at > hold_s
