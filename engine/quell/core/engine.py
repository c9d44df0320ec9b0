"""The core as one object: records and time in, decisions out.

`Engine.decide` first does all that became due up to ``now``, each at its own time, then takes the records. So it does
not matter how often it is called or how records are batched: ticks are a matter of latency, not of outcome. Records of
one call count as simultaneous and are put in an order of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import floor, isfinite
from typing import Any

import msgspec

from quell.core.agenda import Agenda
from quell.core.alerts import NOTHING_OBSERVED, Alerts
from quell.core.automation import Automation
from quell.core.commands import Commands
from quell.core.continuity import place_of
from quell.core.correlate import Correlator
from quell.core.explain import Explanation, explain, page_text, why_not
from quell.core.graph import Graph
from quell.core.incidents import Incidents
from quell.core.intake import LATEST, encoded, seen_before, sound
from quell.core.learn import learn_change, learn_dependency, learn_entity, learn_span
from quell.core.lives import Lives
from quell.core.logbook import Logbook
from quell.core.lone import Lone
from quell.core.pager import Pager
from quell.core.prune import PRUNE_EVERY_S, prune
from quell.core.rank import Ranker
from quell.core.resolve import Resolver
from quell.core.telemetry import take_log, take_sample, take_span
from quell.model.alert import Alert, fingerprint
from quell.model.decision import AlertChanged, AnyDecision, Audit, IncidentChanged, Page, RequestEvidence
from quell.model.incident import Incident
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
from quell.model.state import Group, State
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
        self._set(rulebook)

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes) -> Engine:
        """An engine that goes on from a snapshot. Raises msgspec.DecodeError when it is not one."""
        return cls(rulebook, msgspec.msgpack.decode(data, type=State))

    def snapshot(self) -> bytes:
        """The whole state as bytes; the same state gives the same bytes."""
        return _ENCODER.encode(self.state)

    def use(self, rulebook: Rulebook) -> None:
        """Goes on with another rulebook; the next `decide` first judges again by it what is known."""
        self.state.rules = None
        self._set(rulebook)

    def _set(self, rulebook: Rulebook) -> None:
        """Makes all indexes anew from the state."""
        self.rulebook = rulebook
        self._stale_graph = False
        self._build_graph()
        self._agenda = Agenda()
        self._alerts = Alerts(rulebook, self._resolver, self.state, self._agenda)
        logbook = Logbook(self.state, self._agenda)
        self._pager = Pager(rulebook, self.state, self._alerts, logbook)
        self._lives = Lives(rulebook, self.state, logbook, self._pager)
        self._lone = Lone(self.state, logbook, self._pager)
        self._incidents = Incidents(
            rulebook, self.state, alerts=self._alerts, logbook=logbook, pager=self._pager, lives=self._lives
        )
        self._automation = Automation(rulebook, self.state)
        self._commands = Commands(self.state, logbook, self._lives, self._automation)
        self._index_changes()
        self._unit_of = {place_of(member): unit.id for unit in self.state.units.values() for member in unit.alerts}
        self._plan_all()

    def next_due(self) -> float | None:
        """When `decide` without records would do something next."""
        return self._agenda.next_due()

    def decide(self, records: Sequence[AnyRecord], now: float) -> list[AnyDecision]:
        """What follows from the passing of time up to ``now`` and from the records. Never raises for their content."""
        out: list[AnyDecision] = []
        now = max(min(now, LATEST), self.state.now) if isfinite(now) else self.state.now
        self._advance(now, out)
        followed = len(out)
        for record in self._sorted(records, now, out):
            take = self._takers.get(type(record))
            if take is not None and not seen_before(self.state, record, now):
                take(record, now, out)
        self.state.now = now
        self._follow(now, out, followed)
        return out

    def explain(self, incident_id: str) -> Explanation | None:
        """Why an incident is what it is; None when there is no such incident."""
        incident = self.state.incidents.get(incident_id)
        return None if incident is None else explain(self.state, incident, self._automation)

    def why_not(self, fingerprint: str) -> str | None:
        """Why an alert did not page, or that it did; None when there is no such alert."""
        alert = self.state.alerts.get(fingerprint)
        return None if alert is None else why_not(self.state, alert)

    def _sorted(self, records: Sequence[AnyRecord], now: float, out: list[AnyDecision]) -> list[AnyRecord]:
        """The records, made sound, in an order that does not depend on how they came; people's acts keep theirs."""
        placed: list[tuple[tuple[int, float, str, bytes], AnyRecord]] = []
        for record in records:
            taken = sound(record, now)
            try:
                placed.append((_place(taken), taken))
            except ValueError as error:
                kind = type(record).__name__
                out.append(Audit(at=now, who="quell", what="record refused", target=kind, detail=str(error)))
        placed.sort(key=_by_place)
        return [record for _, record in placed]

    @property
    def graph(self) -> Graph:
        """The dependency graph as of now."""
        if self._stale_graph:
            self._build_graph()
        return self._graph

    def _build_graph(self) -> None:
        entities = {entity.entity: entity for entity in self.rulebook.entities} | self.state.entities
        dependencies = [*self.rulebook.dependencies, *self.state.dependencies.values()]
        self._graph = Graph(entities.values(), dependencies, self.rulebook.correlate.edges, self.state.strangers)
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
            if incident.is_open or incident.id in self.state.calm_at:
                self._agenda.put(self.state.calm_at.setdefault(incident.id, self.state.now), "calm", incident.id)
        self._agenda.put(self._automation.next_due(), "runs")
        if self.state.now:
            if self.state.rules != self.rulebook.version:
                self._agenda.put(self.state.now, "rules")
            self._alerts.plan_mutes(self.state.now)
            self._agenda.put((floor(self.state.now / PRUNE_EVERY_S) + 1) * PRUNE_EVERY_S, "prune")

    def _advance(self, now: float, out: list[AnyDecision]) -> None:
        if not self.state.now:
            self.state.now = now
            self.state.rules = self.rulebook.version
            self._plan_all()
        while (entry := self._agenda.take(now)) is not None:
            due, what, key = entry
            at = max(due, self.state.now)
            self.state.now = at
            before = len(out)
            self._do(what, key, at, out)
            self._follow(at, out, before)

    def _do(self, what: str, key: str, at: float, out: list[AnyDecision]) -> None:
        if what == "rules":
            self._read_rules(at, out)
        elif what == "expire":
            over = self._alerts.expire(key, at, out)
            if over is not None:
                self._lives.alert_ended(over, at)
        elif what == "mutes":
            self._alerts.remute(at, out)
        elif what == "judge":
            waiting = self.state.alerts.get(key)
            if waiting is not None and waiting.hold_until is not None and waiting.hold_until <= at:
                self._alerts.rejudge([key], at, out)
        elif what == "calm":
            self._lives.calm(key, at, out)
        elif what == "solve":
            self._solve(int(key), at, out)
        elif what == "close":
            group = self.state.groups.get(int(key))
            if group is not None and group.solve_at is not None:
                self._agenda.put(group.solve_at, "close", key)  # some may wait for what is concluded then
            elif group is not None and group.close_at <= at:
                self._forget_group(group.id)
        elif what == "runs":
            out.extend(self._automation.on_time(at))
        elif what == "prune":
            self._prune(at, out)

    def _prune(self, at: float, out: list[AnyDecision]) -> None:
        for over in self._alerts.lapse(at, out):
            self._lives.alert_ended(over, at)
        owned = len(self.state.foreign)
        self._learned(prune(self.state, at))
        self._index_changes()
        self._agenda.clear()
        self._plan_all()
        if len(self.state.foreign) < owned:
            self._alerts.judge_all(at, out)

    def _read_rules(self, at: float, out: list[AnyDecision]) -> None:
        """After a reload: alerts are placed and judged, and live groups solved, by the rules as they are now."""
        self.state.rules = self.rulebook.version
        for alert in self._alerts.place_again(at, out):
            self._correlate(alert, at)
        self._alerts.judge_all(at, out)
        for group in self.state.groups.values():
            self._correlator.reconsider(group, at)
            self._plan_group(group)

    def _index_changes(self) -> None:
        self._changes_of: dict[str, list[Change]] = {}
        for change in self.state.changes.values():
            self._changes_of.setdefault(change.entity or "", []).append(change)

    def _solve(self, group_id: int, at: float, out: list[AnyDecision]) -> None:
        if self._stale_graph:
            self._build_graph()
        group = self.state.groups.get(group_id)
        if group is None or group.solve_at is None or group.solve_at > at:
            return
        group.solve_at = None
        causes = self._correlator.solve(group, self._changes, at)
        self._incidents.settle(group, causes, self._ranker, self._changes, now=at, out=out)
        for unit in group.units:
            for mark, _ in self.state.units[unit].alerts:
                alert = self.state.alerts.get(mark)
                if alert is not None and alert.handling == "page" and alert.incident is None:
                    self._page_alone(alert, at, out)

    def _forget_group(self, group_id: int) -> None:
        if self._stale_graph:
            self._build_graph()
        group = self.state.groups[group_id]
        for unit_id in group.units:
            for member in self.state.units[unit_id].alerts:
                self.state.placed.pop(place_of(member), None)
                self._unit_of.pop(place_of(member), None)
        self._correlator.close(group)

    def _follow(self, now: float, out: list[AnyDecision], start: int) -> None:
        """What the decisions since ``start`` bring about: pages, lone incidents, playbooks, questions for evidence."""
        self._hear_again(now)
        at = start
        shown: dict[str, Incident] = {}  # as it was at each page: the page's ledger key names its version
        while at < len(out):
            decision = out[at]
            at += 1
            if isinstance(decision, IncidentChanged):
                shown[decision.incident.id] = decision.incident
                out.extend(self._automation.on_incident(decision.incident, decision.event, now))
                if decision.event in {"opened", "suspects_changed"}:
                    out.extend(self._ask(decision, now))
            elif isinstance(decision, Page):
                incident = shown[decision.incident]
                text = page_text(self.state, incident)
                out.extend(self._automation.pages(incident, self.state.alerts[decision.alert], now, text))
            elif isinstance(decision, AlertChanged):
                self._page_alone(decision.alert, now, out)
        self._agenda.put(self._automation.next_due(), "runs")

    def _page_alone(self, told: Alert, now: float, out: list[AnyDecision]) -> None:
        alert = self.state.alerts.get(told.fingerprint)
        if alert is None or not alert.firing or alert.mutings:
            return
        if alert.incident is not None:
            self._pager.page_for(alert, now, out)
        elif alert.handling == "page":
            group = self._group_of(alert)
            if group is not None and group.solve_at is not None and alert.reason.code != "rule":
                return  # what comes of its company is concluded shortly
            paged_at = self.state.behaviour.get(alert.fingerprint, NOTHING_OBSERVED).paged_at
            if paged_at is None or paged_at < alert.starts_at:  # else its page stands, whatever became of its incident
                self._lone.show(alert, self._changes, now, out)

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

    def _learned(self, changed: bool) -> None:
        self._stale_graph = self._stale_graph or changed

    def _take_alert(self, record: AlertRecord, now: float, out: list[AnyDecision]) -> None:
        if self._stale_graph:
            self._build_graph()
        mark = fingerprint(record.labels, record.source, record.key)
        known = self.state.alerts.get(mark)
        taken = self._alerts.take(mark, record, now, out)
        if taken is None:
            return
        alert, what = taken
        if known is not None and known.episode != alert.episode:
            alert = self._renumbered(known, alert, now, out)
        if not alert.firing:
            if what in {"resolved", "updated"}:  # what is stale or a repeat is no news of its end
                self._lives.alert_ended(alert, now)
        elif what in {"new", "returned"} or (known is not None and known.entity is None):
            self._correlate(alert, now)
        elif what == "flapped" and alert.incident is not None:
            self._lives.back(alert, now, out)

    def _renumbered(self, known: Alert, alert: Alert, now: float, out: list[AnyDecision]) -> Alert:
        """An alert whose present firing is another than before stands where that firing does."""
        place = place_of((alert.fingerprint, alert.episode))
        home = self.state.placed.get(place)
        if known.incident is not None and known.incident != home:
            self._lives.left(alert.fingerprint, known.incident, now, out)
        if alert.incident != home:
            alert = self.state.alerts[alert.fingerprint] = msgspec.structs.replace(alert, incident=home)
            self._alerts.rejudge([alert.fingerprint], now, out)
        self._reconsider(alert, now)
        return self.state.alerts[alert.fingerprint]

    def _correlate(self, alert: Alert, now: float) -> None:
        """Puts a firing where its group is, once."""
        place = place_of((alert.fingerprint, alert.episode))
        if place in self._unit_of:
            return
        group = self._correlator.add(alert, now)
        if group is not None:
            self._unit_of[place] = next(unit for unit in reversed(group.fresh) if self._holds(unit, alert))
            self._plan_group(group)

    def _holds(self, unit: int, alert: Alert) -> bool:
        return (alert.fingerprint, alert.episode) in self.state.units[unit].alerts

    def _plan_group(self, group: Group) -> None:
        self._agenda.put(group.solve_at, "solve", str(group.id))
        self._agenda.put(group.close_at, "close", str(group.id))

    def _group_of(self, alert: Alert) -> Group | None:
        unit = self.state.units.get(self._unit_of.get(place_of((alert.fingerprint, alert.episode)), 0))
        return None if unit is None else self.state.groups[unit.group]

    def _reconsider(self, alert: Alert, now: float) -> None:
        """What is concluded about the group of an alert is to be concluded anew."""
        group = self._group_of(alert)
        if group is not None:
            self._correlator.reconsider(group, now)
            self._plan_group(group)

    def _hear_again(self, now: float) -> None:
        """What was muted counts from now on: with company it is an incident, and must not page alone."""
        for mark in self._alerts.unmuted:
            alert = self.state.alerts.get(mark)
            if alert is not None and alert.firing and alert.incident is None:
                self._correlate(alert, now)
                self._reconsider(alert, now)
        self._alerts.unmuted.clear()

    def _take_change(self, record: ChangeRecord, now: float, _out: list[AnyDecision]) -> None:
        if self._stale_graph:
            self._build_graph()
        change, known = learn_change(self.state, record, self._resolver)
        if known is not None:
            self._changes_of[known.entity or ""].remove(known)
        self._changes_of.setdefault(change.entity or "", []).append(change)
        for group in self.state.groups.values():
            if change.entity and any(self.state.units[unit].entity == change.entity for unit in group.units):
                self._correlator.reconsider(group, now)
                self._agenda.put(group.solve_at, "solve", str(group.id))

    def _take_span(self, record: SpanRecord, now: float, _out: list[AnyDecision]) -> None:
        if f"{record.trace}/{record.span}" not in self.state.spans:
            take_span(self.state, record)
        self._learned(learn_span(self.state, record, now))

    def _take_incident(self, record: IncidentRecord, now: float, out: list[AnyDecision]) -> None:
        key = f"{record.source}/{record.id or record.entity or record.title}"
        known = self.state.foreign.get(key)
        if known is not None and known.at > record.at:
            return  # told late: what is known is newer
        self.state.foreign[key] = record
        self._alerts.judge_all(now, out)

    def _take_feedback(self, record: FeedbackRecord, now: float, out: list[AnyDecision]) -> None:
        self._commands.feedback(record, now, out)

    def _take_command(self, record: CommandRecord, now: float, out: list[AnyDecision]) -> None:
        if self._commands.take(record, now, out):
            self._alerts.judge_all(now, out)

    def _take_step_finished(self, record: StepFinished, now: float, out: list[AnyDecision]) -> None:
        out.extend(self._automation.on_step_finished(record, now))


def _place(record: AnyRecord) -> tuple[int, float, str, bytes]:
    """What a record is sorted by. Raises ValueError for one that nothing could keep."""
    at, content = _ORDER.get(type(record), len(_ORDER)), encoded(record)
    if type(record) in _UNORDERED:
        return (at, 0.0, "", b"")
    if isinstance(record, AlertRecord):
        identity = record.key or "\x00".join(f"{name}={value}" for name, value in sorted(record.labels.items()))
        return (at, record.at, f"{identity}\x00{record.status}", content)
    return (at, record.at, record.id, content)


def _by_place(placed: tuple[tuple[int, float, str, bytes], AnyRecord]) -> tuple[int, float, str, bytes]:
    return placed[0]
