"""Calls that only their callers told of: they count where the one who was called tells nothing.

A service that is called over the network is mostly told of twice, by its caller's span and by its own, in different
deliveries and in any order. So what a caller tells waits until the callee has had its say. A minute in which the callee
told of calls is the callee's; of one in which it told nothing (it is not instrumented, it is down, nothing arrives
there) what the callers saw is all that is known. Calls that cross the end of a minute are told in two minutes: what the
callee told in those beside it, beyond what callers told in the same minutes, covers as many.
"""

from __future__ import annotations

from collections.abc import Callable

from quell.core.agenda import Agenda
from quell.model.records import CallRecord
from quell.model.state import State

MINUTE_S = 60.0
GRACE_S = 30.0
"""How long after its end a minute waits for what the callees tell of it: as long as exporters gather, and then some."""
KEEP_MINUTES = 15
"""Of which it is remembered how many calls a callee told."""
MOST_CALLEES = 2000
MOST_HELD = 5000
"""Records that wait; when there are more the earliest minute is decided over at once."""


class Hearsay:
    """Works on ``state.hearsay`` and ``state.own_calls``; ``count`` takes what counts after all."""

    def __init__(self, state: State, agenda: Agenda, count: Callable[[CallRecord, float], None]) -> None:
        self._state = state
        self._agenda = agenda
        self._count = count
        self._held = sum(len(told) for minute in state.hearsay.values() for told in minute.values())

    def plan(self) -> None:
        """Puts on the agenda what waits."""
        for minute in self._state.hearsay:
            self._agenda.put(_due(minute), "heed", str(minute))

    def own(self, record: CallRecord) -> None:
        """A callee told of calls to it."""
        if record.caller == record.entity or record.count <= 0:
            return
        own, minute = self._state.own_calls, int(record.at // MINUTE_S)
        told = own.pop(record.entity, None) or {}
        told[minute] = told.get(minute, 0) + record.count
        if len(told) > KEEP_MINUTES:
            del told[min(told)]
        own[record.entity] = told
        if len(own) > MOST_CALLEES:
            del own[next(iter(own))]

    def hold(self, record: CallRecord, now: float) -> None:
        """A caller told of calls to another."""
        minute = int(record.at // MINUTE_S)
        self._state.hearsay.setdefault(minute, {}).setdefault(record.entity, []).append(record)
        self._agenda.put(max(_due(minute), now), "heed", str(minute))
        self._held += 1
        if self._held > MOST_HELD:
            self.heed(str(min(self._state.hearsay)), now)

    def heed(self, key: str, at: float) -> None:
        """Decides over a minute."""
        minute = int(key)
        for entity, told in sorted(self._state.hearsay.pop(minute, {}).items()):
            self._held -= len(told)
            own, count = self._state.own_calls.get(entity, {}), sum(record.count for record in told)
            if minute in own:
                own[minute] -= count  # what is left may be calls of the minutes beside it
                continue
            if self._covered(own, entity, minute, count):
                continue
            for record in sorted(told, key=lambda one: (one.caller, one.operation, one.at, repr(one))):
                self._count(record, at)

    def _covered(self, own: dict[int, int], entity: str, minute: int, count: int) -> bool:
        """Whether the callee told of so many calls in the minutes beside it; they cover no others then."""
        before = max(own.get(minute - 1, 0), 0)
        waiting = self._state.hearsay.get(minute + 1, {}).get(entity, ())
        after = max(own.get(minute + 1, 0) - sum(record.count for record in waiting), 0)
        if count > before + after:
            return False
        for other, taken in ((minute - 1, min(count, before)), (minute + 1, count - min(count, before))):
            if taken:
                own[other] -= taken
        return True


def _due(minute: int) -> float:
    return (minute + 1) * MINUTE_S + GRACE_S
