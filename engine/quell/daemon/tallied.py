"""Pages, incidents and what did not page, counted for Prometheus as they are decided; not again by a recovery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from quell.daemon.metrics import Metrics
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision, IncidentChanged, Page
from quell.model.incident import Incident
from quell.stats.counting import OVER

MOST_REMEMBERED = 50_000
_COUNTED = "", ""
_TAKEN = frozenset({"acknowledged", "snoozed"})
_QUIET = frozenset({"updated", "suspects_changed"})


class Tallied:
    """Remembers which firings it has counted: their ends may be told more than once."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._ended: dict[tuple[str, int, float], None] = {}

    def take(self, decisions: Iterable[AnyDecision]) -> None:
        """Counts what was decided."""
        ended: Counter[tuple[str, str]] = Counter()
        for decision in decisions:
            if type(decision) is AlertChanged:  # nearly all are
                alert = decision.alert
                if alert.status != "firing" and alert.paged_at is None and alert.handling != "page":
                    ended[self._end(alert)] += 1
                continue
            match decision:
                case IncidentChanged(event=event) if event not in _QUIET:
                    self._metrics.incident_events.labels(event).inc()
                    if event == "acknowledged":
                        self._acknowledged(decision.incident, decision.at)
                case Page(quietly="listed"):
                    pass  # nobody was told
                case Page():
                    kind = "reminder" if decision.reminder else "rise" if decision.rise else "first"
                    self._metrics.pages.labels("early" if decision.quietly else kind).inc()
                case _:
                    pass
        del ended[_COUNTED]
        for (handling, code), count in ended.items():
            self._metrics.not_paged.labels(handling, code).inc(count)

    def _end(self, alert: Alert) -> tuple[str, str]:
        """How one that did not page was handled, and why; `_COUNTED` if that was told before."""
        firing = (alert.fingerprint, alert.episode, alert.onset_seen)
        if firing in self._ended:
            return _COUNTED
        self._ended[firing] = None
        if len(self._ended) > MOST_REMEMBERED:
            for old in list(self._ended)[: MOST_REMEMBERED // 2]:
                del self._ended[old]
        code, handling = alert.reason.code, alert.handling
        if code == OVER and alert.held_for:
            code, handling = alert.held_for, "hold"
        return handling, code

    def _acknowledged(self, incident: Incident, at: float) -> None:
        """Only the first time: whoever takes it after it became worse takes something else."""
        if sum(entry.what in _TAKEN for entry in incident.timeline) == 1:
            self._metrics.acknowledged_seconds.observe(max(at - incident.opened_at, 0.0))
