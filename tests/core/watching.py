"""An engine with detectors, fed with telemetry by the clock; what it said is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quell.core.engine import Engine
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.detect import DetectRule
from quell.model.records import AnyRecord, SampleRecord
from quell.model.rulebook import Rulebook

T0 = 1_772_352_000.0
"""A Sunday, 08:00 UTC."""
CHECKOUT = "service/checkout"


def sample(at: float, value: float | None, metric: str = "latency", entity: str = CHECKOUT) -> SampleRecord:
    """One point, so many seconds after `T0`."""
    return SampleRecord(at=T0 + at, entity=entity, metric=metric, value=value)


class Watched:
    """An engine that is told things at their times."""

    def __init__(self, *rules: DetectRule, rulebook: Rulebook | None = None) -> None:
        self.rulebook = rulebook or Rulebook(version="1", detect=rules)
        self.engine = Engine(self.rulebook)
        self.decisions: list[AnyDecision] = self.engine.decide([], T0)

    def tell(self, at: float, *records: AnyRecord) -> None:
        """Tells records, so many seconds after `T0`."""
        self.decisions += self.engine.decide(records, T0 + at)

    def feed(
        self, values: Iterable[float | None], metric: str = "latency", *, every: float = 60.0, start: float = 0.0
    ) -> None:
        """One value each ``every`` seconds, told as it is measured; None is none."""
        for number, value in enumerate(values):
            at = start + number * every
            self.tell(at, *([sample(at, value, metric)] if value is not None else []))

    def wait(self, until: float) -> None:
        """Lets time pass."""
        self.decisions += self.engine.decide([], T0 + until)

    @property
    def alerts(self) -> list[Alert]:
        """The alerts of detectors, in order of their beginning."""
        return sorted(self.engine.state.alerts.values(), key=lambda alert: (alert.starts_at, alert.fingerprint))

    @property
    def firing(self) -> list[Alert]:
        """Those that fire now."""
        return [alert for alert in self.alerts if alert.firing]

    def course(self) -> list[tuple[float, str, str]]:
        """When each alert began and ended to be told: (seconds after `T0`, alertname and entity, status)."""
        return course(self.decisions)


def course(decisions: Sequence[AnyDecision]) -> list[tuple[float, str, str]]:
    """The changes of status of alerts, in order."""
    told: dict[str, str] = {}
    found = []
    for decision in decisions:
        if isinstance(decision, AlertChanged) and told.get(decision.alert.fingerprint) != decision.alert.status:
            told[decision.alert.fingerprint] = decision.alert.status
            name = f"{decision.alert.labels.get('alertname', '')} {decision.alert.entity}"
            found.append((decision.at - T0, name, decision.alert.status))
    return found
