"""Runs the core over records: the same engine as the daemon's, time taken from the records, nothing performed.

Records with one arrival time are one turn. After the last line the engine gets ``settle_s`` more, as a daemon would
still look at the last alerts within its next solve.

Nothing is performed. A playbook that acts by itself runs dry, as in shadow mode: each step is answered with what it
would do, and one that must read something outside fails and says so. One that proposes is proposed, and waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from quell.core.detect.telling import SOURCE as DETECTORS
from quell.core.engine import Engine
from quell.model.alert import Handling, Reason, fingerprint
from quell.model.decision import AlertChanged, AnyDecision, IncidentChanged, Perform, RunChanged
from quell.model.incident import Incident
from quell.model.records import AlertRecord, AnyRecord, StepFinished, Tick
from quell.model.rulebook import Rulebook
from quell.model.run import Run

SETTLE_S = 15.0
"""Longer than the core's grid of solving, so that the last alerts are judged too."""

Episode = tuple[str, int]
"""A fingerprint and the number of its firing: what one incident holds."""


@dataclass(frozen=True, slots=True)
class AlertOutcome:
    """What became of one firing alert record; ``fingerprint`` and ``episode`` say which alert it was part of.

    An alert that a detector found has no record; its name is ``detect/`` with its key and episode.
    """

    record: str
    fingerprint: str
    episode: int
    incident: str | None
    verdict: Handling
    reason: Reason


@dataclass(frozen=True, slots=True)
class IncidentOutcome:
    """An incident as it last was. ``shown_at`` is the core's time when it was first opened."""

    incident: Incident
    shown_at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after the last line. ``ended_at`` is the time the engine was advanced to (None: no records)."""

    alerts: Sequence[AlertOutcome]
    incidents: Sequence[IncidentOutcome]
    runs: Sequence[Run]
    records: int
    ended_at: float | None


@dataclass(slots=True)
class _Fate:
    """What was last said of an episode."""

    incident: str | None
    verdict: Handling
    reason: Reason


@dataclass(slots=True)
class Follower:
    """Keeps what decisions say about alerts, incidents and runs, for results after the last line."""

    fates: dict[Episode, _Fate] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    shown_at: dict[str, float] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    found: dict[Episode, str] = field(default_factory=dict)
    """What detectors found, by name."""

    def follow(self, decisions: Iterable[AnyDecision]) -> None:
        """Takes in one turn's decisions, in order."""
        for decision in decisions:
            if isinstance(decision, AlertChanged):
                alert = decision.alert
                episode = alert.fingerprint, alert.episode
                self.fates[episode] = _Fate(alert.incident, alert.handling, alert.reason)
                if alert.source == DETECTORS:
                    self.found[episode] = f"{DETECTORS}/{alert.key}/{alert.episode}"
            elif isinstance(decision, IncidentChanged):
                incident = decision.incident
                self.incidents[incident.id] = incident
                self.shown_at.setdefault(incident.id, decision.at)
            elif isinstance(decision, RunChanged):
                self.runs[decision.run.id] = decision.run

    def survivor(self, incident_id: str | None) -> str | None:
        """The incident that an id stands for now: itself, or what it was merged into."""
        passed: set[str] = set()
        while incident_id is not None and incident_id not in passed:
            passed.add(incident_id)
            incident = self.incidents.get(incident_id)
            if incident is None or incident.merged_into is None:
                break
            incident_id = incident.merged_into
        return incident_id


class Replay:
    """One run of an engine over records; feed turns, then ask for the outcome."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.engine = Engine(in_shadow(rulebook))
        self.follower = Follower()
        self._firing: list[tuple[str, Episode]] = []
        self._records = 0
        self._now: float | None = None

    def turn(self, records: Sequence[AnyRecord], now: float) -> None:
        """One pass of the core over records that arrived at ``now``."""
        self._decide(records, now)
        self._records += len(records)
        known = self.engine.state.alerts
        for record in records:
            if isinstance(record, AlertRecord) and record.status == "firing":
                mark = fingerprint(record.labels, record.source, record.key)
                alert = known.get(mark)
                self._firing.append((record.id, (mark, alert.episode if alert else 1)))

    def settle(self, settle_s: float) -> None:
        """Lets time pass without news."""
        if self._now is not None and settle_s > 0:
            self._decide([], self._now + settle_s)

    def _decide(self, records: Sequence[AnyRecord], now: float) -> None:
        """One pass, and one more for the answers to every deed that it asked for."""
        self._now = now
        while True:
            decisions = self.engine.decide(records, now)
            self.follower.follow(decisions)
            records = [
                answer_to(decision, now) for decision in decisions if isinstance(decision, Perform) and decision.run
            ]
            if not records:
                return

    def outcome(self) -> Outcome:
        """What became of everything so far."""
        follower = self.follower
        return Outcome(
            alerts=[
                *(self._alert_outcome(record, episode) for record, episode in self._firing),
                *(self._alert_outcome(name, episode) for episode, name in follower.found.items()),
            ],
            incidents=[
                IncidentOutcome(incident, follower.shown_at[name]) for name, incident in follower.incidents.items()
            ],
            runs=list(follower.runs.values()),
            records=self._records,
            ended_at=self._now,
        )

    def _alert_outcome(self, record: str, episode: Episode) -> AlertOutcome:
        fate = self.follower.fates.get(episode)
        if fate is None:
            nothing = Reason(code="not_seen", text="the engine said nothing about this alert")
            return AlertOutcome(record, *episode, None, "hold", nothing)
        return AlertOutcome(record, *episode, self.follower.survivor(fate.incident), fate.verdict, fate.reason)


def in_shadow(rulebook: Rulebook) -> Rulebook:
    """The rulebook with playbooks that act by themselves running dry."""
    playbooks = tuple(
        msgspec.structs.replace(playbook, mode="shadow") if playbook.mode == "enforce" else playbook
        for playbook in rulebook.playbooks
    )
    return msgspec.structs.replace(rulebook, playbooks=playbooks)


def answer_to(deed: Perform, now: float) -> StepFinished:
    """What a replay says of a deed that nobody does; before an act things are taken to be other than it wants them."""
    if deed.effect == "read" and deed.key.split("/")[2:3] == ["before"]:
        return StepFinished(at=now, key=deed.key, outcome="done", output={"already": False})
    if deed.effect == "read":
        error = f"{deed.action}: nothing outside is asked during a replay"
        return StepFinished(at=now, key=deed.key, outcome="failed", failure="refused", error=error)
    return StepFinished(at=now, key=deed.key, outcome="done", sentence=f"{deed.action} would be done")


def replay(records: Iterable[AnyRecord], rulebook: Rulebook, *, settle_s: float = SETTLE_S) -> Outcome:
    """Feeds ``records`` in the order given to a new engine and says what became of them."""
    return replayed(records, rulebook, settle_s=settle_s).outcome()


def replayed(records: Iterable[AnyRecord], rulebook: Rulebook, *, settle_s: float = SETTLE_S) -> Replay:
    """The run after ``records`` in the order given, with the engine as it is then."""
    run = Replay(rulebook)
    for arrived, now in turns(records):
        run.turn(arrived, now)
    run.settle(settle_s)
    return run


def turns(records: Iterable[AnyRecord]) -> Iterator[tuple[Sequence[AnyRecord], float]]:
    """Records as the core gets them: those that arrived together, and when.

    A record that claims an earlier arrival than the one before it arrives together with that one. A tick begins a turn:
    what stands behind it and arrived before it was decided over then, and keeps the arrival of its own.
    """
    waiting: list[AnyRecord] = []
    now, ticked = 0.0, False
    for record in records:
        arrived, tick = record.arrived, isinstance(record, Tick)
        if waiting and (arrived > now or tick):
            yield waiting, now
            waiting = []
        if arrived > now or tick:
            ticked = tick
        now = max(now, arrived)
        waiting.append(record if arrived >= now or ticked else msgspec.structs.replace(record, seen=now))
    if waiting:
        yield waiting, now
