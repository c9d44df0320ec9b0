"""Pages under way: one that did not arrive is told again, and when it cannot be told at all the trail says so."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from quell.model.decision import AnyDecision, Audit, Perform
from quell.model.records import StepFinished
from quell.model.state import State, Telling

ATTEMPTS = 6
WAIT_S = 10.0
"""Before the second attempt; each further wait is three times the one before, together about twenty minutes."""
FORGET_S = 86_400.0
"""A page that was never answered is forgotten after this long."""
_HOPELESS = frozenset({"refused", "bug"})


class Paging:
    """Keeps in the state which pages are not known to have arrived. Being told twice is better than never."""

    def __init__(self, state: State) -> None:
        self._state = state

    def told(self, deeds: Iterable[Perform], at: float) -> None:
        """Remembers new pages until they are answered."""
        for key, telling in list(self._state.telling.items()):
            if telling.deed.at + FORGET_S < at:
                del self._state.telling[key]
        for deed in deeds:
            if not deed.dry_run:
                self._state.telling[deed.key] = Telling(deed=deed)

    def answered(self, result: StepFinished, at: float) -> list[AnyDecision]:
        """Notes the answer to a page that `told` remembers, and when to try again."""
        telling = self._state.telling[result.key]
        if result.outcome == "pending" or telling.due_at is not None:
            return []
        if result.outcome == "done":
            del self._state.telling[result.key]
            return []
        error = result.error or result.failure or "nobody knows whether it arrived"
        if result.failure in _HOPELESS or telling.attempt >= ATTEMPTS:
            return self._given_up(telling, at, error)
        wait_s = WAIT_S * 3 ** (telling.attempt - 1)
        self._state.telling[result.key] = replace(telling, due_at=at + wait_s)
        return []

    def next_due(self) -> float | None:
        """When a page is told again."""
        return min((one.due_at for one in self._state.telling.values() if one.due_at is not None), default=None)

    def on_time(self, at: float) -> list[AnyDecision]:
        """Tells again what is due at or before ``at``, unless its incident is over by then."""
        decisions: list[AnyDecision] = []
        for key, telling in sorted(self._state.telling.items()):
            if telling.due_at is None or telling.due_at > at:
                continue
            incident = self._state.incidents.get(telling.deed.incident)
            if incident is not None and not incident.is_open:
                decisions += self._given_up(telling, at, f"incident {incident.id} is {incident.status} by now")
                continue
            del self._state.telling[key]
            number = telling.attempt + 1
            deed = replace(telling.deed, at=at, key=f"{telling.deed.token}/{number}")
            self._state.telling[deed.key] = Telling(deed=deed, attempt=number)
            decisions.append(deed)
        return decisions

    def _given_up(self, telling: Telling, at: float, error: str) -> list[AnyDecision]:
        deed = telling.deed
        del self._state.telling[deed.key]
        detail = f"{deed.action} after {telling.attempt} attempt{'s' * (telling.attempt != 1)}: {error}"
        return [Audit(at=at, who="quell", what="page not delivered", target=deed.incident or deed.token, detail=detail)]
