"""What conditions are asked over one incident or alert at one time: made once, shared by all playbooks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from quell.core.context import COSTLY, Parts, alert_context, asked, blank, explained, incident_context, top_suspect
from quell.errors import ExpressionError
from quell.expressions.conditions import Facts
from quell.expressions.on_demand import OnDemand
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.state import State

_WORD = re.compile(r"\w+")


def words_of(conditions: Iterable[str]) -> frozenset[str]:
    """Every word of some conditions: what has another name none of them can read."""
    return frozenset(word for text in conditions for word in _WORD.findall(text))


class View:
    """The incident (or none) and the alert (or none) as they are at a time.

    ``words`` are all that the conditions to be asked consist of; without them they may be any.
    """

    def __init__(
        self,
        state: State,
        incident: Incident | None,
        alert: Alert | None,
        at: float,
        words: frozenset[str] | None = None,
    ) -> None:
        self._state = state
        self._incident = incident or blank(at)
        self._alert = alert
        self._at = at
        self._words = words
        self._made: dict[Parts, Facts] = {}

    def holds(self, text: str) -> bool:
        """Whether a condition is true, no condition always is. Raises ExpressionError when it cannot be told."""
        if not text:
            return True
        condition, parts = asked(text)
        facts = self._facts(parts) if parts else None
        try:
            return condition.holds_over(facts) if facts is not None else condition.holds(self._lean)
        except ExpressionError as error:
            raise explained(error, facts.context if facts is not None else self._lean) from None

    def surely(self, text: str) -> bool:
        """As `holds`; what cannot be told is false."""
        if not text:
            return True
        try:
            condition, parts = asked(text)
            return condition.holds_over(self._facts(parts)) if parts else condition.holds(self._lean)
        except ExpressionError:
            return False

    @cached_property
    def _lean(self) -> OnDemand:
        """For conditions that ask for nothing costly: the evaluator is handed only the few fields that each reads."""
        return self._context(with_alerts=False)

    def _context(self, *, with_alerts: bool) -> OnDemand:
        suspect = top_suspect(self._incident)
        context = incident_context(self._state, self._incident, suspect, self._at, with_alerts=with_alerts)
        if self._alert is not None:
            context["alert"] = alert_context(self._alert)
        return context

    def _facts(self, parts: Parts) -> Facts:
        """Without what a condition does not read: alerts above all, with hundreds of them they cost the most."""
        return self._made.get(parts) or self._facts_with(parts)

    def _facts_with(self, parts: Parts) -> Facts:
        context = self._context(with_alerts=not parts.isdisjoint({"alerts", "incident.alerts"}))
        alerts = context["alerts"]
        if self._words is not None and alerts:
            read = [name for name in alerts[0] if name in self._words]
            alerts = [{name: alert[name] for name in read} for alert in alerts]
        context["alerts"] = alerts
        for root in COSTLY:
            if isinstance(context[root], OnDemand):
                asked_for = {part.rpartition(".")[2] for part in parts if part.startswith(root)}
                context[root] = context[root].only(asked_for, self._words)
        context["incident"]["alerts"] = alerts if "incident.alerts" in parts else []
        found = self._made[parts] = Facts(context)
        return found
