"""What each kind of record brings about: alerts are judged and grouped, topology learned, people's acts done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from quell.core.again import Repeats
from quell.core.alerts import Alerts
from quell.core.automation import Automation
from quell.core.chart import Chart
from quell.core.commands import Commands
from quell.core.continuity import place_of
from quell.core.deploys import deployed, steady
from quell.core.detect.detector import Detector
from quell.core.groups import Groups
from quell.core.hearsay import Hearsay
from quell.core.intake import seen_before
from quell.core.learn import SPAN_SOURCE, edge_key, learn_change, learn_dependency, learn_entity, learn_span
from quell.core.lives import Lives
from quell.core.provenance import learn_version, moved
from quell.core.prune import Pruning
from quell.core.telemetry import ERROR_SEVERITIES, take_call, take_log, take_sample, take_samples, take_span
from quell.core.totals import grown
from quell.model.alert import Alert, fingerprint
from quell.model.decision import AnyDecision
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CallRecord,
    ChangeRecord,
    CommandRecord,
    DependencyRecord,
    DistributionRecord,
    EntityRecord,
    FeedbackRecord,
    IncidentRecord,
    LogRecord,
    SampleRecord,
    SamplesRecord,
    SpanRecord,
    StepFinished,
    TotalsRecord,
    VersionRecord,
)
from quell.model.state import State


class Takers:
    """One taker for each kind of record; a kind without one says nothing to the core."""

    def __init__(
        self,
        state: State,
        *,
        chart: Chart,
        groups: Groups,
        alerts: Alerts,
        lives: Lives,
        commands: Commands,
        automation: Automation,
        pruning: Pruning,
        repeats: Repeats,
        detector: Detector,
        hearsay: Hearsay,
    ) -> None:
        self._state = state
        self._chart = chart
        self._groups = groups
        self._alerts = alerts
        self._lives = lives
        self._commands = commands
        self._automation = automation
        self._pruning = pruning
        self._repeats = repeats
        self._hearsay = hearsay
        self._detector = detector
        self._by_kind: dict[type, Callable[[Any, float, list[AnyDecision]], object]] = {
            AlertRecord: self._alert,
            ChangeRecord: self._change,
            EntityRecord: self._entity,
            DependencyRecord: self._dependency,
            SampleRecord: lambda record, now, _out: take_sample(state, record, now),
            SamplesRecord: lambda record, now, _out: take_samples(state, record, now),
            LogRecord: self._log,
            CallRecord: self._call,
            SpanRecord: self._span,
            TotalsRecord: self._totals,
            VersionRecord: self._version,
            IncidentRecord: self._incident,
            FeedbackRecord: commands.feedback,
            CommandRecord: self._command,
            StepFinished: self._step_finished,
        }
        if detector.active:
            self._by_kind |= self._detecting(detector)

    def own(self, record: AlertRecord, now: float, out: list[AnyDecision]) -> None:
        """Takes an alert that the core itself found."""
        self._take_alert(fingerprint(record.labels, record.source, record.key), record, now, out)

    def count_call(self, record: CallRecord, now: float) -> None:
        """Counts calls, whoever told of them."""
        take_call(self._state, record, now)
        if self._detector.active:
            self._detector.call(record, now)

    def _detecting(self, detector: Detector) -> dict[type, Callable[[Any, float, list[AnyDecision]], None]]:
        """The takers of telemetry where there are detectors to see it as well."""
        state = self._state

        def sample(record: SampleRecord, now: float, _out: list[AnyDecision]) -> None:
            take_sample(state, record, now)
            detector.sample(record, now)

        def samples(record: SamplesRecord, now: float, _out: list[AnyDecision]) -> None:
            take_samples(state, record, now)
            detector.samples(record, now)

        def log(record: LogRecord, now: float, _out: list[AnyDecision]) -> None:
            failing = record.severity.lower() in ERROR_SEVERITIES
            detector.log(record, take_log(state, record, now), now, failing=failing)

        def span(record: SpanRecord, now: float, out: list[AnyDecision]) -> None:
            if not record.counted and f"{record.trace}/{record.span}" not in state.spans:
                detector.span(record, now)
            self._span(record, now, out)

        def entity(record: EntityRecord, now: float, out: list[AnyDecision]) -> None:
            if self._entity(record, now, out) or record.removed:
                detector.entity(record, now, out)

        def version(record: VersionRecord, now: float, out: list[AnyDecision]) -> None:
            known = record.entity in state.entities
            self._version(record, now, out)
            if not known and record.entity:  # what is told of it counts from now on, and not what rules declare
                detector.entity(EntityRecord(at=record.at, entity=record.entity), now, out)

        return {
            SampleRecord: sample,
            SamplesRecord: samples,
            LogRecord: log,
            SpanRecord: span,
            EntityRecord: entity,
            VersionRecord: version,
            DistributionRecord: lambda record, now, _out: detector.distribution(record, now),
        }

    def take(self, records: Sequence[AnyRecord], now: float, out: list[AnyDecision]) -> None:
        """Takes records in this order; alerts that come one after the other without ids together."""
        alerts: list[AlertRecord] = []
        for record in records:
            if type(record) is AlertRecord and not record.id:
                alerts.append(record)
                continue
            if alerts:
                self._take_alerts(alerts, now, out)
                alerts = []
            taker = self._by_kind.get(type(record))
            if taker is not None and not (record.id and seen_before(self._state, record, now)):
                taker(record, now, out)
        if alerts:
            self._take_alerts(alerts, now, out)

    def _alert(self, record: AlertRecord, now: float, out: list[AnyDecision]) -> None:
        self._take_alerts([record], now, out)

    def _take_alerts(self, records: Sequence[AlertRecord], now: float, out: list[AnyDecision]) -> None:
        """Most of what is new is taken together; what is not as plain is taken by itself between."""
        self._chart.renew()
        mark_of, take_firsts = self._repeats.mark_of, self._alerts.firsts.take_all
        told = iter([(mark_of(record), record) for record in records])
        while (left := take_firsts(told, now, out, self._groups.add_all)) is not None:
            self._take_alert(*left, now, out)

    def _take_alert(self, mark: str, record: AlertRecord, now: float, out: list[AnyDecision]) -> None:
        self._chart.renew()
        known = self._state.alerts.get(mark)
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
            self._groups.add(alert, now)
        elif what == "flapped" and alert.incident is not None:
            self._lives.back(alert, now, out)

    def _renumbered(self, known: Alert, alert: Alert, now: float, out: list[AnyDecision]) -> Alert:
        """An alert whose present firing is another than before stands where that firing does."""
        place = place_of((alert.fingerprint, alert.episode))
        home = self._state.placed.get(place)
        if known.incident is not None and known.incident != home:
            self._lives.left(alert.fingerprint, known.incident, now, out)
        if alert.incident != home:
            alert = self._state.alerts[alert.fingerprint] = msgspec.structs.replace(alert, incident=home)
            self._alerts.rejudge([alert.fingerprint], now, out)
        self._groups.reconsider(alert, now)
        return self._state.alerts[alert.fingerprint]

    def _change(self, record: ChangeRecord, now: float, _out: list[AnyDecision]) -> None:
        self._chart.renew()
        if record.type in {"model", "prompt"}:
            told = moved(self._state, record)
            if told is None:
                return  # an alias that points there already, as somebody else told before
            record = told
        change, known = learn_change(self._state, record, self._chart.resolver)
        self._chart.note_change(change, known)
        self._pruning.change(change)
        if change.entity:
            self._groups.reconsider_at(change.entity, now)

    def _version(self, record: VersionRecord, now: float, out: list[AnyDecision]) -> None:
        if record.entity and record.entity not in self._state.entities:  # a name alone might be taken for another's
            here = EntityRecord(
                at=record.at, seen=record.seen, source=record.source, entity=record.entity, learned=record.learned
            )
            self._learn(here)
        for change in learn_version(self._state, record):
            self._change(change, now, out)

    def _totals(self, record: TotalsRecord, now: float, out: list[AnyDecision]) -> None:
        told = grown(self._state, record, now)
        if told is not None:
            self._by_kind[SamplesRecord](told, now, out)

    def _call(self, record: CallRecord, now: float, _out: list[AnyDecision]) -> None:
        if record.by_caller:
            self._hearsay.hold(record, now)
        else:
            self._hearsay.own(record)
            self.count_call(record, now)

    def _log(self, record: LogRecord, now: float, _out: list[AnyDecision]) -> None:
        take_log(self._state, record, now)

    def _entity(self, record: EntityRecord, now: float, out: list[AnyDecision]) -> bool:
        """Returns whether the graph differs now."""
        record, change = deployed(self._state, steady(self._state, record))
        changed = self._learn(record)
        if change is not None:
            self._change(change, now, out)
        return changed

    def _learn(self, record: EntityRecord) -> bool:
        changed = learn_entity(self._state, record)
        self._chart.learned(changed)
        if record.removed:
            self._pruning.removed(record.entity)
        elif record.learned:
            self._pruning.entity(record.entity)
        return changed

    def _dependency(self, record: DependencyRecord, _now: float, _out: list[AnyDecision]) -> None:
        self._chart.learned(learn_dependency(self._state, record))
        if record.removed:
            self._pruning.removed(edge_key(record.from_, record.to, record.type))
        elif record.learned or record.source == SPAN_SOURCE:
            self._pruning.dependency(edge_key(record.from_, record.to, record.type))

    def _span(self, record: SpanRecord, now: float, _out: list[AnyDecision]) -> None:
        if not record.counted and f"{record.trace}/{record.span}" not in self._state.spans:
            take_span(self._state, record, now)
        learned = learn_span(self._state, record, now)
        self._chart.learned(bool(learned))
        for key in learned:
            self._pruning.dependency(key)

    def _incident(self, record: IncidentRecord, now: float, out: list[AnyDecision]) -> None:
        key = f"{record.source}/{record.id or record.entity or record.title}"
        known = self._state.foreign.get(key)
        if known is not None and known.at > record.at:
            return  # told late: what is known is newer
        self._state.foreign[key] = record
        self._alerts.judge_all(now, out)

    def _command(self, record: CommandRecord, now: float, out: list[AnyDecision]) -> None:
        if self._commands.take(record, now, out):
            self._alerts.judge_all(now, out)

    def _step_finished(self, record: StepFinished, now: float, out: list[AnyDecision]) -> None:
        out.extend(self._automation.on_step_finished(record, now))
