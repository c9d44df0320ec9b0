"""The core as one object: records and time in, decisions out.

`Engine.decide` first does all that became due up to ``now``, each at its own time, then takes the records. So it does
not matter how often it is called or how records are batched: ticks are a matter of latency, not of outcome. Records of
one call count as simultaneous and are put in an order of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import floor
from typing import Any

import msgspec

from quell.core.agenda import Agenda
from quell.core.alerts import Alerts
from quell.core.automation import Automation
from quell.core.commands import Commands
from quell.core.correlate import Correlator
from quell.core.explain import Explanation, explain, page_text
from quell.core.graph import Graph
from quell.core.incidents import Incidents
from quell.core.learn import learn_change, learn_dependency, learn_entity, learn_span
from quell.core.prune import PRUNE_EVERY_S, prune
from quell.core.rank import Ranker
from quell.core.resolve import Resolver
from quell.core.telemetry import take_log, take_sample, take_span
from quell.model.alert import Alert
from quell.model.decision import AlertChanged, AnyDecision, IncidentChanged, Page, RequestEvidence
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    ChangeRecord,
    CommandRecord,
    DependencyRecord,
    EntityRecord,
    FeedbackRecord,
    IncidentRecord,
    LogRecord,
    SampleRecord,
    SpanRecord,
    StepFinished,
)
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.model.topology import Change

EVIDENCE_BEFORE_S = 3600.0
_ORDER = {
    kind: at
    for at, kind in enumerate((
        EntityRecord, DependencyRecord, SpanRecord, SampleRecord, LogRecord, ChangeRecord, IncidentRecord,
        AlertRecord, FeedbackRecord, CommandRecord, StepFinished,
    ))
}  # fmt: skip
_UNORDERED = frozenset({CommandRecord, StepFinished, FeedbackRecord})
_ENCODER = msgspec.msgpack.Encoder()


class Engine:
    """Owns a state. Not for use from more than one thread at a time."""

    def __init__(self, rulebook: Rulebook, state: State | None = None) -> None:
        self.state = State() if state is None else state
        self._takers: dict[type, Callable[[Any, float, list[AnyDecision]], None]] = {
            AlertRecord: self._take_alert,
            ChangeRecord: self._take_change,
            EntityRecord: lambda record, _now, _out: self._learned(learn_entity(self.state, record)),
            DependencyRecord: lambda record, _now, _out: self._learned(learn_dependency(self.state, record)),
            SampleRecord: lambda record, _now, _out: take_sample(self.state, record),
            LogRecord: lambda record, _now, _out: take_log(self.state, record),
            SpanRecord: self._take_span,
            IncidentRecord: self._take_incident,
            FeedbackRecord: self._take_feedback,
            CommandRecord: self._take_command,
            StepFinished: self._take_step_finished,
        }
        self.use(rulebook)

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes) -> Engine:
        """An engine that goes on from a snapshot. Raises msgspec.DecodeError when it is not one."""
        return cls(rulebook, msgspec.msgpack.decode(data, type=State))

    def snapshot(self) -> bytes:
        """The whole state as bytes; the same state gives the same bytes."""
        return _ENCODER.encode(self.state)

    def use(self, rulebook: Rulebook) -> None:
        """Goes on with another rulebook: all indexes are made anew from the state."""
        self.rulebook = rulebook
        self._stale_graph = False
        self._build_graph()
        self._agenda = Agenda()
        self._alerts = Alerts(rulebook, self._resolver, self.state, self._agenda)
        self._incidents = Incidents(rulebook, self.state, self._agenda, self._alerts)
        self._automation = Automation(rulebook, self.state)
        self._commands = Commands(self.state, self._incidents, self._automation)
        self._changes_of: dict[str, list[Change]] = {}
        for change in self.state.changes.values():
            self._changes_of.setdefault(change.entity or "", []).append(change)
        self._plan_all()

    def next_due(self) -> float | None:
        """When `decide` without records would do something next."""
        return self._agenda.next_due()

    def decide(self, records: Sequence[AnyRecord], now: float) -> list[AnyDecision]:
        """What follows from the passing of time up to ``now`` and from the records. Never raises for their content."""
        out: list[AnyDecision] = []
        now = max(now, self.state.now)
        self._advance(now, out)
        followed = len(out)
        for record in sorted(records, key=_place):
            take = self._takers.get(type(record))
            if take is not None and not self._seen(record, now):
                take(record, now, out)
        self.state.now = now
        self._follow(now, out, followed)
        return out

    def explain(self, incident_id: str) -> Explanation | None:
        """Why an incident is what it is; None when there is no such incident."""
        incident = self.state.incidents.get(incident_id)
        return None if incident is None else explain(self.state, incident, self._automation)

    @property
    def graph(self) -> Graph:
        """The dependency graph as of now."""
        if self._stale_graph:
            self._build_graph()
        return self._graph

    def _build_graph(self) -> None:
        entities = {entity.entity: entity for entity in self.rulebook.entities} | self.state.entities
        dependencies = [*self.rulebook.dependencies, *self.state.dependencies.values()]
        self._graph = Graph(entities.values(), dependencies, self.rulebook.correlate.edges)
        self._resolver = Resolver(entities.values(), self.rulebook.map)
        self._correlator = Correlator(self._graph, self.rulebook.correlate, self.state)
        self._ranker = Ranker(self._graph, self._correlator, self.state)
        if self._stale_graph:
            self._alerts.remap(self._resolver)
        self._stale_graph = False

    def _plan_all(self) -> None:
        for mark, alert in self.state.alerts.items():
            if alert.firing:
                self._agenda.put(alert.ends_at, "expire", mark)
                self._agenda.put(alert.hold_until, "judge", mark)
        for group in self.state.groups.values():
            self._agenda.put(group.solve_at, "solve", str(group.id))
            self._agenda.put(group.close_at, "close", str(group.id))
        for incident in self.state.incidents.values():
            if incident.is_open:
                self._agenda.put(self.state.now, "calm", incident.id)
        self._agenda.put(self._automation.next_due(), "runs")
        if self.state.now:
            self._alerts.plan_mutes(self.state.now)
            self._agenda.put((floor(self.state.now / PRUNE_EVERY_S) + 1) * PRUNE_EVERY_S, "prune")

    def _advance(self, now: float, out: list[AnyDecision]) -> None:
        if not self.state.now:
            self.state.now = now
            self._plan_all()
        while (entry := self._agenda.take(now)) is not None:
            due, what, key = entry
            at = max(due, self.state.now)
            self.state.now = at
            before = len(out)
            self._do(what, key, at, out)
            self._follow(at, out, before)

    def _do(self, what: str, key: str, at: float, out: list[AnyDecision]) -> None:
        if what == "expire":
            over = self._alerts.expire(key, at, out)
            if over is not None:
                self._incidents.alert_ended(over, at)
        elif what == "mutes":
            self._alerts.remute(at, out)
        elif what == "judge":
            self._alerts.rejudge([key], at, out)
        elif what == "calm":
            self._incidents.calm(key, at, out)
        elif what == "solve":
            self._solve(int(key), at, out)
        elif what == "close":
            group = self.state.groups.get(int(key))
            if group is not None and group.close_at <= at:
                self._forget_group(group.id)
        elif what == "runs":
            out.extend(self._automation.on_time(at))
        elif what == "prune":
            prune(self.state, at)
            self._changes_of = {}
            for change in self.state.changes.values():
                self._changes_of.setdefault(change.entity or "", []).append(change)
            self._agenda.put(at + PRUNE_EVERY_S, "prune")

    def _solve(self, group_id: int, at: float, out: list[AnyDecision]) -> None:
        if self._stale_graph:
            self._build_graph()
        group = self.state.groups.get(group_id)
        if group is None or group.solve_at is None or group.solve_at > at:
            return
        group.solve_at = None
        causes = self._correlator.solve(group, self._changes, at)
        self._incidents.settle(group, causes, self._ranker, self._changes, now=at, out=out)

    def _forget_group(self, group_id: int) -> None:
        if self._stale_graph:
            self._build_graph()
        group = self.state.groups[group_id]
        for unit_id in group.units:
            for mark, episode in self.state.units[unit_id].alerts:
                self.state.placed.pop(f"{mark}/{episode}", None)
        self._correlator.close(group)

    def _follow(self, now: float, out: list[AnyDecision], start: int) -> None:
        """What the decisions since ``start`` bring about: pages, lone incidents, playbooks, questions for evidence."""
        at = start
        while at < len(out):
            decision = out[at]
            at += 1
            if isinstance(decision, IncidentChanged):
                out.extend(self._automation.on_incident(decision.incident, decision.event, now))
                if decision.event in {"opened", "suspects_changed"}:
                    out.extend(self._ask(decision, now))
            elif isinstance(decision, Page):
                incident = self.state.incidents[decision.incident]
                text = page_text(self.state, incident)
                out.extend(self._automation.pages(incident, self.state.alerts[decision.alert], now, text))
            elif isinstance(decision, AlertChanged):
                self._page_alone(decision.alert, now, out)
        self._agenda.put(self._automation.next_due(), "runs")

    def _page_alone(self, told: Alert, now: float, out: list[AnyDecision]) -> None:
        alert = self.state.alerts.get(told.fingerprint)
        if alert is None or alert.handling != "page" or not alert.firing or alert.mutings:
            return
        if alert.incident is None:
            self._incidents.lone(alert, now, out)
        else:
            self._incidents.page_by_rule(alert, now, out)

    def _ask(self, decision: IncidentChanged, now: float) -> list[AnyDecision]:
        """Evidence on the first two suspects."""
        return [
            RequestEvidence(
                at=now, incident=decision.incident.id, entity=suspect.entity, from_=now - EVIDENCE_BEFORE_S, to=now
            )
            for suspect in decision.incident.suspects[:2]
        ]

    def _changes(self, entity: str) -> Iterable[Change]:
        return self._changes_of.get(entity, ())

    def _seen(self, record: AnyRecord, now: float) -> bool:
        """Whether this very record was taken before; remembers it."""
        if not record.id:
            return False
        key = f"{record.source}\x00{record.__class__.__name__}\x00{record.id}"
        if key in self.state.seen_ids:
            return True
        self.state.seen_ids[key] = now
        return False

    def _learned(self, changed: bool) -> None:
        self._stale_graph = self._stale_graph or changed

    def _take_alert(self, record: AlertRecord, now: float, out: list[AnyDecision]) -> None:
        if self._stale_graph:
            self._build_graph()
        taken = self._alerts.take(record, now, out)
        if taken is None:
            return
        alert, what = taken
        if what in {"new", "returned"} and alert.firing:
            group = self._correlator.add(alert, now)
            if group is not None:
                self._agenda.put(group.solve_at, "solve", str(group.id))
                self._agenda.put(group.close_at, "close", str(group.id))
        elif not alert.firing:
            self._incidents.alert_ended(alert, now)

    def _take_change(self, record: ChangeRecord, now: float, _out: list[AnyDecision]) -> None:
        if self._stale_graph:
            self._build_graph()
        change = learn_change(self.state, record, self._resolver)
        self._changes_of.setdefault(change.entity or "", []).append(change)
        for group in self.state.groups.values():
            if change.entity and any(self.state.units[unit].entity == change.entity for unit in group.units):
                self._correlator.reconsider(group, now)
                self._agenda.put(group.solve_at, "solve", str(group.id))

    def _take_span(self, record: SpanRecord, now: float, _out: list[AnyDecision]) -> None:
        take_span(self.state, record)
        self._learned(learn_span(self.state, record, now))

    def _take_incident(self, record: IncidentRecord, now: float, out: list[AnyDecision]) -> None:
        key = record.id or f"{record.source}/{record.entity or record.title}"
        if record.status == "open":
            self.state.foreign[key] = record
        else:
            self.state.foreign.pop(key, None)
        self._alerts.remute(now, out)

    def _take_feedback(self, record: FeedbackRecord, now: float, out: list[AnyDecision]) -> None:
        self._commands.feedback(record, now, out)

    def _take_command(self, record: CommandRecord, now: float, out: list[AnyDecision]) -> None:
        if self._commands.take(record, now, out):
            self._alerts.remute(now, out)

    def _take_step_finished(self, record: StepFinished, now: float, out: list[AnyDecision]) -> None:
        out.extend(self._automation.on_step_finished(record, now))


def _place(record: AnyRecord) -> tuple[int, float, str, str]:
    """An order for simultaneous records that does not depend on how they came; people's acts keep theirs."""
    at = _ORDER.get(type(record), len(_ORDER))
    if type(record) in _UNORDERED:
        return (at, 0.0, "", "")
    if isinstance(record, AlertRecord):
        identity = record.key or "\x00".join(f"{name}={value}" for name, value in sorted(record.labels.items()))
        return (at, record.at, identity, record.status)
    return (at, record.at, record.id, repr(record))
