"""What some groups led to, gathered into one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision, Audit, IncidentChanged, Perform, RequestEvidence, RunChanged
from quell.model.incident import Incident
from quell.model.run import Run
from quell.store.port import Turn


class Outcome:
    """The last word on each incident and run, every intent and audit entry, in the order they were decided.

    ``over`` has the last word on each alert that is over, by fingerprint and episode; it is kept with the snapshot.
    """

    def __init__(self, told: Callable[[Perform], str] | None = None) -> None:
        """``told`` says an intent in one line, for the audit trail."""
        self._told = told
        self.questions: list[RequestEvidence] = []
        self.over: dict[tuple[str, int], Alert] = {}
        self._incidents: dict[str, Incident] = {}
        self._runs: dict[str, Run] = {}
        self._intents: list[Perform] = []
        self._audits: list[Audit] = []

    def add(self, decisions: Iterable[AnyDecision]) -> None:
        """Keeps what was decided."""
        for decision in decisions:
            if type(decision) is AlertChanged:  # nearly all are
                alert = decision.alert
                if alert.status != "firing":
                    self.over[alert.fingerprint, alert.episode] = alert
                continue
            match decision:
                case IncidentChanged():
                    self._incidents[decision.incident.id] = decision.incident
                case RunChanged():
                    self._runs[decision.run.id] = decision.run
                case Perform():
                    self._intents.append(decision)
                case Audit():
                    self._audits.append(decision)
                case RequestEvidence():
                    self.questions.append(decision)
                case _:
                    pass

    @property
    def incidents(self) -> list[Incident]:
        """The last word on each incident."""
        return list(self._incidents.values())

    @property
    def runs(self) -> list[Run]:
        """The last word on each run."""
        return list(self._runs.values())

    @property
    def anything(self) -> bool:
        """Whether there is something to commit."""
        return bool(self._incidents or self._runs or self._intents or self._audits)

    def turn(self, seq: int) -> Turn:
        """The commit, covering groups up to ``seq``."""
        return Turn(
            seq=seq,
            incidents=list(self._incidents.values()),
            runs=list(self._runs.values()),
            intents=self._intents,
            audits=self._audits,
            said={} if self._told is None else {deed.key: self._told(deed) for deed in self._intents},
        )
