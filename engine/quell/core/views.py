"""What conditions are asked over one incident or alert at one time: made once, shared by all playbooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quell.core.context import alert_context, blank, holds, incident_context, reads_alerts, top_suspect
from quell.errors import ExpressionError
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.state import State


class View:
    """The incident (or none) and the alert (or none) as they are at a time."""

    def __init__(self, state: State, incident: Incident | None, alert: Alert | None, at: float) -> None:
        self._state = state
        self._incident = incident or blank(at)
        self._alert = alert
        self._at = at
        self._bare: dict[str, Any] | None = None
        self._whole: dict[str, Any] | None = None

    def holds(self, condition: str) -> bool:
        """Whether a condition is true, no condition always is. Raises ExpressionError when it cannot be told."""
        return not condition or holds(condition, self._context(condition))

    def surely(self, condition: str) -> bool:
        """As `holds`; what cannot be told is false."""
        try:
            return self.holds(condition)
        except ExpressionError:
            return False

    def _context(self, condition: str) -> Mapping[str, Any]:
        """Without the alerts where the condition does not read them: with hundreds of them they cost the most."""
        if reads_alerts(condition):
            if self._whole is None:
                self._whole = self._made(with_alerts=True)
            return self._whole
        if self._bare is None:
            self._bare = self._made(with_alerts=False)
        return self._bare

    def _made(self, *, with_alerts: bool) -> dict[str, Any]:
        suspect = top_suspect(self._incident)
        context = incident_context(self._state, self._incident, suspect, self._at, with_alerts=with_alerts)
        if self._alert is not None:
            context["alert"] = alert_context(self._alert)
        return context
