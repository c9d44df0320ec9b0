"""Pages under way: told in order, told again when they did not arrive, and when they cannot be told the trail says so.

What goes about one thing to one place is a lane. Of a lane one page is under way at a time; the next waits until that
one is settled. One that did not arrive is replaced by a newer one that says the same to the same people: nobody is told
what was true an hour ago, and nobody is told the older after the newer. Lanes never wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from msgspec.structs import replace

from quell.core.called import Matter, replaces
from quell.core.following import Following, as_key, heir_of, is_page
from quell.core.lanes import UNANSWERED_S, Lanes, lane_of, under_way
from quell.core.routes import Routes
from quell.model.decision import AnyDecision, Audit, Perform
from quell.model.incident import Incident
from quell.model.records import StepFinished
from quell.model.state import State, Telling

ATTEMPTS = 291
UNSURE_ATTEMPTS = 18
"""Of a page that may have arrived each time: an outage of an hour is outlasted that answers nothing (502, time limits),
but it is not repeated for a day where every answer gets lost. Attempts that surely did not arrive do not count."""
WAIT_S = 10.0
"""Before the second attempt; each further wait is three times the one before, up to `LONGEST_WAIT_S`."""
LONGEST_WAIT_S = 300.0
"""So whoever cannot be reached for hours hears of it within minutes of being there again; it ends after a day."""
FORGET_S = 86_400.0
"""A page that was never answered is forgotten after this long."""
ASKS = "-asks/"
"""Stands in the keys of pages by which a run asks for a yes, behind the step."""
_UNSURE = frozenset({"timeout", "bug"})
_HOPELESS = frozenset({"refused", "bug"})


class Paging:
    """Keeps in the state which pages are not known to have arrived. Being told twice is better than never."""

    def __init__(self, state: State, routes: Routes) -> None:
        self._state = state
        self._routes = routes
        self.lanes = Lanes(state)
        self._following = Following(state, routes, self.lanes)

    def told(self, deeds: Iterable[Perform], at: float) -> list[AnyDecision]:
        """Remembers new pages until they are answered; what is done of them now, the rest when it is their turn."""
        decisions: list[AnyDecision] = []
        self._forget(at)
        for deed in deeds:
            if deed.dry_run:
                decisions.append(deed)
            elif deed.key not in self._state.telling:
                decisions += self._queued(deed, at)
        return decisions

    def _queued(self, deed: Perform, at: float) -> list[AnyDecision]:
        """Takes a page into its lane; what is done of it now."""
        lane = lane_of(deed)
        line = self.lanes.line(lane)
        number = line[-1].number + 1 if line else 0
        self.lanes.put(Telling(deed=deed, attempt=0, number=number))
        self._following.paged(deed)
        if line and line[0].due_at is not None:  # there is more to tell now: it waits no longer than it must
            soon = min(line[0].due_at, max(line[0].not_before, at))
            self.lanes.put(replace(line[0], due_at=soon))
        return self._go_on(lane, at)

    def answered(self, result: StepFinished, at: float) -> list[AnyDecision]:
        """Notes the answer to a page that `told` remembers, and when to try again."""
        telling = self._state.telling[result.key]
        if result.outcome == "pending" or not under_way(telling):
            return []
        lane = lane_of(telling.deed)
        if result.outcome == "done":
            overtaken = self._overtaken(telling, at)
            self.lanes.drop(telling)
            return [*overtaken, *self._following.settled(telling.deed, at, arrived=True), *self._go_on(lane, at)]
        unsure = result.outcome == "in_doubt" or result.failure in _UNSURE
        error = result.error or result.failure or "nobody knows whether it arrived"
        telling = replace(
            telling, unsure=telling.unsure or unsure or result.unknown, doubts=telling.doubts + int(unsure)
        )
        doubtful = telling.doubts >= UNSURE_ATTEMPTS and is_page(telling.deed)
        if result.failure in _HOPELESS or doubtful or telling.attempt >= ATTEMPTS:
            return [*self._given_up(telling, at, error), *self._go_on(lane, at)]
        wait_s = min(WAIT_S * 3.0 ** min(telling.attempt - 1, 9), LONGEST_WAIT_S)
        not_before = at + min(result.retry_after_s or 0.0, LONGEST_WAIT_S)
        due_at = max(at + wait_s, not_before)
        self.lanes.put(replace(telling, due_at=due_at, not_before=not_before))
        return self._go_on(lane, at)

    def resumed(self, at: float) -> None:
        """Quell was down: the answers to what was under way then are awaited from now on."""
        for telling in list(self._state.telling.values()):
            if under_way(telling):
                self.lanes.put(replace(telling, since=at))

    def next_due(self) -> float | None:
        """When a page is told again, or told at last."""
        due = self.lanes.next_due()
        return None if due == inf else due

    def on_time(self, at: float) -> list[AnyDecision]:
        """Tells again what is due at or before ``at``, unless its incident is over by then."""
        decisions: list[AnyDecision] = []
        for lane in self.lanes.due(at):
            decisions += self._go_on(lane, at)
        return decisions

    def _go_on(self, lane: str, at: float) -> list[AnyDecision]:
        """Drops what need not be told any more, and tells the next of a lane if its time has come."""
        decisions: list[AnyDecision] = []
        while True:
            line = self.lanes.line(lane)
            waiting = [one for one in line if not under_way(one)]
            if not waiting or any(under_way(one) and at < one.since + UNANSWERED_S for one in line):
                return decisions
            first = waiting[0]
            dropped = self._dropped(first, [one for one in line if one.number > first.number], at)
            if dropped is not None:
                decisions += dropped
            elif first.due_at is not None and at < first.due_at:
                return decisions
            else:
                decisions.append(self._tried(first, at))
                return decisions

    def _dropped(self, telling: Telling, later: Iterable[Telling], at: float) -> list[AnyDecision] | None:
        """What follows from its being told no more; None where it still is to be told."""
        deed = telling.deed
        if not is_page(deed) and not self._following.wanted(deed):
            self.lanes.drop(telling)
            return list(self._following.settled(deed, at, arrived=False, unsure=telling.unsure))
        newer = next((one.deed for one in later if replaces(one.deed, deed)), None)
        if newer is not None:
            return self._replaced(telling, newer, at)
        incident = self._state.incidents.get(deed.incident)
        if not is_page(deed):
            return None
        if (
            deed.run
        ):  # what a run failed at, people hear of though the incident is over; what it asked, if it asks still
            return self._given_up(telling, at, f"run {deed.run} asks no more") if self._asks_no_more(deed) else None
        if incident is None:
            return None
        if not incident.is_open:
            said = f"incident {incident.id} is {incident.status} by now"
            return [*self._given_up(telling, at, said), *self._handed_on(deed, incident, at)]
        if incident.acknowledged_by and not telling.unsure and self._routes.along_a_chain(deed):
            return self._given_up(telling, at, f"{incident.acknowledged_by} has taken {incident.id} by now")
        return None

    def _overtaken(self, arrived: Telling, at: float) -> list[AnyDecision]:
        """Drops older pages that one which has arrived replaces: their answers came too late to keep their turn."""
        decisions: list[AnyDecision] = []
        for older in self.lanes.line(lane_of(arrived.deed)):
            if older.number < arrived.number and replaces(arrived.deed, older.deed):
                decisions += self._replaced(older, arrived.deed, at)
        return decisions

    def _replaced(self, telling: Telling, newer: Perform, at: float) -> list[AnyDecision]:
        self.lanes.drop(telling)
        unsure = telling.unsure or under_way(telling)
        more = self._following.settled(telling.deed, at, arrived=False, unsure=unsure)
        detail = f"{_tries(telling)}: {newer.token} is told instead"
        return [Audit(at=at, who="quell", what="page replaced", target=_about(telling.deed), detail=detail), *more]

    def _asks_no_more(self, deed: Perform) -> bool:
        """Whether a page asks for a yes that the run needs no more."""
        run = self._state.runs.get(deed.run)
        asked = run.approval if run is not None else None
        if run is None or asked is None or f"/{run.id}-{asked.step}{ASKS}" not in deed.token:
            return False
        return run.over or bool(asked.rejected_by) or len(asked.approved_by) >= asked.need

    def _handed_on(self, deed: Perform, gone: Incident, at: float) -> list[AnyDecision]:
        """A page that did not arrive before its incident became part of another, which counts as paged by it."""
        heir = heir_of(self._state, gone)
        lane = lane_of(deed).removeprefix(f"{gone.id}/")
        called = self._routes.called(lane)
        if heir is None or called is None or any(one.route == lane for one in self._state.followed.get(heir.id, ())):
            return []
        about = Matter(heir, None, at, str(deed.params.get("text") or heir.title))
        return self.told(self._routes.call(called, about, as_key(heir, gone, lane)), at)

    def _tried(self, telling: Telling, at: float) -> Perform:
        """Its next attempt. The first has the token for its key."""
        self.lanes.drop(telling)
        number = telling.attempt + 1
        key = telling.deed.token if number == 1 else f"{telling.deed.token}/{number}"
        deed = replace(telling.deed, at=at, key=key)
        self.lanes.put(replace(telling, deed=deed, attempt=number, due_at=None, since=at, not_before=0.0))
        self._following.again(telling.deed.key, deed)
        return deed

    def _given_up(self, telling: Telling, at: float, error: str) -> list[AnyDecision]:
        deed = telling.deed
        self.lanes.drop(telling)
        more = self._following.settled(deed, at, arrived=not is_page(deed), unsure=telling.unsure)
        detail = f"{_tries(telling)}: {error}"
        return [Audit(at=at, who="quell", what="page not delivered", target=_about(deed), detail=detail), *more]

    def _forget(self, at: float) -> None:
        for telling in list(self._state.telling.values()):
            if under_way(telling) and max(telling.since, telling.deed.at) + FORGET_S < at:
                self.lanes.drop(telling)


def _about(deed: Perform) -> str:
    return deed.incident or deed.token


def _tries(telling: Telling) -> str:
    return f"{telling.deed.action} after {telling.attempt} attempt{'s' * (telling.attempt != 1)}"
