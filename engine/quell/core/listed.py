"""What an incident says of its alerts: which they are, how grave, where, and by which rules."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from quell.core.severity import worst
from quell.core.titles import title
from quell.model.alert import Alert
from quell.model.impact import LABEL
from quell.model.incident import Suspect


class Listed(Protocol):
    """Alerts in order of onset."""

    @property
    def marks(self) -> tuple[str, ...]: ...
    @property
    def severity(self) -> str: ...
    def alerts(self) -> Sequence[Alert]: ...
    def entities(self) -> tuple[str, ...]: ...
    def title(self, suspects: Sequence[Suspect]) -> str: ...
    def fires(self) -> bool: ...
    def harms(self) -> Collection[tuple[str, str]]:
        """What they say that they harm, and where they are."""

    def firsts(self) -> Sequence[Alert]:
        """The first of each rule, in their order."""


class OfAlerts:
    """What these alerts come to, each asked for itself."""

    def __init__(
        self, alerts: Sequence[Alert], marks: tuple[str, ...] | None = None, severity: str | None = None
    ) -> None:
        self._alerts = alerts
        self.marks = tuple([alert.fingerprint for alert in alerts]) if marks is None else marks
        self.severity = worst(alert.severity for alert in alerts if alert.severity) if severity is None else severity

    def alerts(self) -> Sequence[Alert]:
        """All of them."""
        return self._alerts

    def entities(self) -> tuple[str, ...]:
        """Where they are, each place once."""
        return tuple(dict.fromkeys(alert.entity for alert in self._alerts if alert.entity))

    def title(self, suspects: Sequence[Suspect]) -> str:
        """The title of their incident."""
        return title(suspects, self._alerts)

    def fires(self) -> bool:
        """Whether any of them fires."""
        return any(alert.firing for alert in self._alerts)

    def harms(self) -> Collection[tuple[str, str]]:
        """What they say that they harm, and where they are."""
        return {(alert.labels.get(LABEL, ""), alert.entity or "") for alert in self._alerts}

    def firsts(self) -> Sequence[Alert]:
        """The first of each rule, in their order."""
        found: dict[str, Alert] = {}
        for alert in self._alerts:
            found.setdefault(alert.name, alert)
        return list(found.values())
