"""Alerts that join an incident which pages for them: mostly by the thousand, and with nothing more to say of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace

from quell.core.alerts import STEADY
from quell.core.continuity import Member, place_of
from quell.core.court import court_of
from quell.core.triage import IN_AN_INCIDENT
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.rulebook import Rulebook
from quell.model.state import State


class Joined(msgspec.Struct, frozen=True):
    """Decisions one after the other that tell of nothing but that: from the ``first`` to the one before ``last``.

    ``heads`` are the first alerts of each severity in each incident; whatever follows from the others follows from
    them.
    """

    first: int
    last: int
    heads: Collection[Alert]


class Joining:
    """``joined`` are the decisions of which that is known, until they have been followed up."""

    def __init__(self, rulebook: Rulebook, state: State) -> None:
        self._state = state
        self._rules = [matching.matches for matching, _ in court_of(rulebook.triage).rules]
        self.joined: deque[Joined] = deque()

    def some(
        self,
        members: Sequence[Member],
        names: Sequence[str | None],
        was: Sequence[str | None],
        now: float,
        out: list[AnyDecision],
    ) -> int:
        """Puts these where they stand now, but for the first of which there is more to say; returns how many it put."""
        state, rules, held = self._state, self._rules, IN_AN_INCIDENT
        if state.foreign:
            return 0
        alerts, incidents, known = state.alerts, state.incidents, state.habits.open
        handling, reason, until = held.handling, held.reason, held.hold_until
        first, done = len(out), 0
        heads: dict[str, dict[str, Alert]] = {}
        into, page_alert = "", None
        of_severity: dict[str, Alert] = {}
        for (mark, episode), name, stood in zip(members, names, was, strict=True):
            if name != stood:
                alert = alerts.get(mark)
                if alert is None or name is None or alert.episode != episode:
                    break
                if (mark if episode == 1 else place_of((mark, episode))) not in known:
                    break
                if name != into:
                    into, page_alert = name, incidents[name].page_alert
                    of_severity = heads.setdefault(name, {})
                if alert.status != "firing" or alert.mutings or page_alert == mark:
                    break
                # Whatever is held for one of these reasons has no rule, as those are asked first.
                if alert.reason.code not in STEADY and any(matches(alert.labels) for matches in rules):
                    break
                alert = alerts[mark] = replace(alert, incident=name, handling=handling, reason=reason, hold_until=until)
                out.append(AlertChanged(at=now, alert=alert))
                if alert.severity not in of_severity:
                    of_severity[alert.severity] = alert
            done += 1
        if len(out) > first:
            told = [alert for severities in heads.values() for alert in severities.values()]
            self.joined.append(Joined(first, len(out), told))
        return done

    def at(self, place: int) -> Joined | None:
        """What begins at this place among the decisions that are followed up."""
        joined = self.joined
        while joined and joined[0].first < place:
            joined.popleft()
        return joined.popleft() if joined and joined[0].first == place else None
