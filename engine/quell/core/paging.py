"""Pages under way: one that did not arrive is told again, and when it cannot be told at all the trail says so."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from quell.core.following import Following, is_page
from quell.core.routes import Routes
from quell.model.decision import AnyDecision, Audit, Perform
from quell.model.records import StepFinished
from quell.model.state import State, Telling

ATTEMPTS = 291
UNSURE_ATTEMPTS = 6
"""Of a page that may have arrived each time: it is not repeated for a day where every answer gets lost."""
WAIT_S = 10.0
"""Before the second attempt; each further wait is three times the one before, up to `LONGEST_WAIT_S`."""
LONGEST_WAIT_S = 300.0
"""So whoever cannot be reached for hours hears of it within minutes of being there again; it ends after a day."""
FORGET_S = 86_400.0
"""A page that was never answered is forgotten after this long."""
_UNSURE = frozenset({"timeout", "bug"})
_HOPELESS = frozenset({"refused", "bug"})


class Paging:
    """Keeps in the state which pages are not known to have arrived. Being told twice is better than never."""

    def __init__(self, state: State, routes: Routes) -> None:
        self._state = state
        self._following = Following(state, routes)

    def told(self, deeds: Iterable[Perform], at: float) -> None:
        """Remembers new pages until they are answered."""
        for key, telling in list(self._state.telling.items()):
            if telling.deed.at + FORGET_S < at:
                del self._state.telling[key]
        for deed in deeds:
            if not deed.dry_run:
                self._state.telling[deed.key] = Telling(deed=deed)
                self._following.paged(deed)

    def answered(self, result: StepFinished, at: float) -> list[AnyDecision]:
        """Notes the answer to a page that `told` remembers, and when to try again."""
        telling = self._state.telling[result.key]
        if result.outcome == "pending" or telling.due_at is not None:
            return []
        if result.outcome == "done":
            del self._state.telling[result.key]
            return list(self._following.settled(telling.deed, at, arrived=True))
        unsure = result.outcome == "in_doubt" or result.failure in _UNSURE
        error = result.error or result.failure or "nobody knows whether it arrived"
        most = UNSURE_ATTEMPTS if unsure and is_page(telling.deed) else ATTEMPTS
        if result.failure in _HOPELESS or telling.attempt >= most:
            return self._given_up(telling, at, error, unsure=telling.unsure or unsure)
        wait_s = min(WAIT_S * 3.0 ** min(telling.attempt - 1, 9), LONGEST_WAIT_S)
        due_at = at + max(wait_s, min(result.retry_after_s or 0.0, LONGEST_WAIT_S))
        self._state.telling[result.key] = replace(telling, due_at=due_at, unsure=telling.unsure or unsure)
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
            if is_page(telling.deed):
                if incident is not None and not incident.is_open:
                    why = f"incident {incident.id} is {incident.status} by now"
                    decisions += self._given_up(telling, at, why, unsure=telling.unsure)
                    continue
            elif not self._following.wanted(telling.deed):
                del self._state.telling[key]
                decisions += self._following.settled(telling.deed, at, arrived=False, unsure=telling.unsure)
                continue
            del self._state.telling[key]
            number = telling.attempt + 1
            deed = replace(telling.deed, at=at, key=f"{telling.deed.token}/{number}")
            self._state.telling[deed.key] = Telling(deed=deed, attempt=number, unsure=telling.unsure)
            self._following.again(telling.deed.key, deed)
            decisions.append(deed)
        return decisions

    def _given_up(self, telling: Telling, at: float, error: str, *, unsure: bool) -> list[AnyDecision]:
        deed = telling.deed
        del self._state.telling[deed.key]
        more = self._following.settled(deed, at, arrived=not is_page(deed), unsure=unsure)
        detail = f"{deed.action} after {telling.attempt} attempt{'s' * (telling.attempt != 1)}: {error}"
        told = Audit(at=at, who="quell", what="page not delivered", target=deed.incident or deed.token, detail=detail)
        return [told, *more]
