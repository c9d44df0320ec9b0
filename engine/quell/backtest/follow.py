"""Follows the core through a history; nothing is performed.

Playbooks that act by themselves run dry, and what they want done is answered as `quell.backtest.answers` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from quell.backtest.answers import Answers
from quell.backtest.course import Case, Course, Firing, Planned, Span, Told
from quell.core.engine import Engine
from quell.core.severity import severity_of
from quell.model.alert import Alert, fingerprint
from quell.model.decision import AlertChanged, AnyDecision, IncidentChanged, Page, Perform, RunChanged
from quell.model.incident import Incident, Suspect
from quell.model.playbook import Mode
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    CommandRecord,
    DependencyRecord,
    EntityRecord,
    Tick,
)
from quell.model.rulebook import Rulebook
from quell.model.run import Run
from quell.replay.run import in_shadow, turns

_LASTING = (EntityRecord, DependencyRecord)
_FORGOTTEN_S = 43_200.0
"""The core keeps what is over for a day; what returns so much later, as the same firing, had been forgotten."""
_SILENCING = frozenset({"silence", "expire_silence"})


def within(records: Iterable[AnyRecord], span: Span) -> Iterator[AnyRecord]:
    """The records that matter for a span: all of it and of the time to warm up, and what lasts from before.

    Where there are more behind its end, the time up to that end has passed without news.
    """
    from_ = span.since - span.warm_up_s
    latest = 0.0
    for record in records:
        latest = max(latest, record.arrived)
        if latest >= span.until:
            yield Tick(at=span.until)
            return
        if latest >= from_ or lasts(record):
            yield record


def lasts(record: AnyRecord) -> bool:
    """Whether a record counts for long after it arrived: it tells of the estate, or silences."""
    return isinstance(record, _LASTING) or (isinstance(record, CommandRecord) and record.verb in _SILENCING)


@dataclass(slots=True)
class _Seen:
    """A firing while it is followed."""

    alert: Alert
    at: float
    counts: bool


@dataclass(slots=True)
class _Kept:
    """What decisions said, by id; ``shown_at`` is when an incident was first told of."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    shown_at: dict[str, float] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    pages: list[tuple[Page, int, str]] = field(default_factory=list)


class Follower:
    """Feeds an engine turn by turn. A firing that comes after the core forgot the alert is another firing."""

    def __init__(self, rulebook: Rulebook, span: Span, answers: Answers) -> None:
        self._engine = Engine(in_shadow(rulebook))
        self._modes: dict[str, Mode] = {playbook.name: playbook.mode for playbook in rulebook.playbooks}
        self._version = rulebook.version
        self._alarming = frozenset(severity.lower() for severity in rulebook.triage.page_severities)
        self._span = span
        self._answers = answers
        self._firings: list[_Seen] = []
        self._current: dict[str, int] = {}
        self._heard: list[tuple[str, float, int]] = []
        self._kept = _Kept()
        self._records = 0
        self._from: float | None = None
        self._to: float | None = None
        self._now: float | None = None

    def run(self, records: Iterable[AnyRecord], settle_s: float) -> None:
        """All of it, and ``settle_s`` more."""
        for arrived, now in turns(within(records, self._span)):
            self._pass(now)
            self._turn(arrived, now)
        if self._now is not None and settle_s > 0:
            end = self._now + settle_s
            self._pass(end)
            self._decide((), end)

    def _pass(self, until: float) -> None:
        """Lets time pass as it does for a daemon: what is wanted meanwhile is answered at once, not at the next record.

        Without playbooks nothing is wanted, and the core comes to the same by itself.
        """
        while self._modes and self._now is not None:
            due = self._engine.next_due()
            if due is None or not self._now < due < until:
                return
            self._decide((), due)

    def _turn(self, records: Sequence[AnyRecord], now: float) -> None:
        self._decide(records, now)
        if now < self._span.since:
            return
        marks = (
            fingerprint(record.labels, record.source, record.key)
            for record in records
            if isinstance(record, AlertRecord) and record.status == "firing"
        )
        self._from = now if self._from is None else self._from
        self._to = now
        self._records += sum(not isinstance(record, Tick) for record in records)
        self._heard += [(mark, now, self._current[mark]) for mark in marks if mark in self._current]

    def _decide(self, records: Sequence[AnyRecord], now: float) -> None:
        self._now = now
        while True:
            decisions = self._engine.decide(records, now)
            self._follow(decisions)
            records = [self._answers.to(each, now) for each in decisions if isinstance(each, Perform) and each.run]
            if not records:
                return

    def _follow(self, decisions: Sequence[AnyDecision]) -> None:
        paging: list[Page] = []
        for decision in decisions:
            if isinstance(decision, AlertChanged):
                self._alert(decision.alert, decision.at)
            elif isinstance(decision, IncidentChanged):
                self._kept.incidents[decision.incident.id] = decision.incident
                self._kept.shown_at.setdefault(decision.incident.id, decision.at)
            elif isinstance(decision, RunChanged):
                self._kept.runs[decision.run.id] = decision.run
            elif isinstance(decision, Page) and not decision.reminder and not decision.quietly:
                paging.append(decision)
        for page in paging:  # only now are all alerts known that began together with them
            alert = self._engine.state.alerts.get(page.alert)
            if page.alert in self._current:
                severity = alert.severity if alert is not None else ""
                self._kept.pages.append((page, self._current[page.alert], severity))

    def _alert(self, alert: Alert, at: float) -> None:
        mark = alert.fingerprint
        index = self._current.get(mark)
        if index is None or _is_another(self._firings[index].alert, alert):
            self._current[mark] = len(self._firings)
            self._firings.append(_Seen(alert, at, at >= self._span.since))
        else:
            self._firings[index].alert = alert

    # What became of it

    def course(self) -> Course:
        """Everything so far, of the span."""
        members: dict[str, list[int]] = {}
        for index, seen in enumerate(self._firings):
            incident = self._survivor(seen.alert.incident)
            if incident is not None:
                members.setdefault(incident, []).append(index)
        kept, since = self._kept, self._span.since
        pages = [
            Told(at=page.at, incident=page.incident, firing=index, severity=severity, why=page.reason, rise=page.rise)
            for page, index, severity in kept.pages
            if page.at >= since
        ]
        paged = {page.incident for page in pages}
        cases = [
            self._case(incident, members.get(name, []))
            for name, incident in kept.incidents.items()
            if (name in paged or incident.status not in {"merged", "withdrawn"})
            and (kept.shown_at[name] >= since or name in paged or incident.updated_at >= since)
        ]
        return Course(
            rules=self._version,
            records=self._records,
            from_=self._from,
            to=self._to,
            firings=tuple(self._firing(seen) for seen in self._firings),
            heard=tuple(self._heard),
            pages=tuple(sorted(pages, key=lambda page: (page.at, page.incident, page.rise))),
            cases=tuple(sorted(cases, key=lambda case: (case.at, case.id))),
            runs=tuple(
                sorted(
                    (self._planned(run) for run in kept.runs.values() if run.started_at >= since),
                    key=lambda run: (run.at, run.id),
                )
            ),
            alarms=sum(seen.counts and severity_of(seen.alert.labels) in self._alarming for seen in self._firings),
        )

    def _survivor(self, name: str | None) -> str | None:
        passed: set[str] = set()
        while name is not None and name not in passed:
            passed.add(name)
            incident = self._kept.incidents.get(name)
            if incident is None or incident.merged_into is None:
                break
            name = incident.merged_into
        return name

    def _firing(self, seen: _Seen) -> Firing:
        alert = seen.alert
        last = self._firings[self._current[alert.fingerprint]] is seen
        now = self._engine.state.alerts.get(alert.fingerprint) if last else None
        lasting = now is not None and now.firing
        return Firing(
            mark=alert.fingerprint,
            at=seen.at,
            name=alert.name,
            labels=alert.labels,
            severity=alert.severity,
            incident=self._survivor(alert.incident),
            verdict=alert.handling,
            code=alert.reason.code,
            why=alert.reason.text,
            lasts=lasting,
            held_until=now.hold_until if lasting and now is not None and alert.handling == "hold" else None,
        )

    def _case(self, incident: Incident, firings: Sequence[int]) -> Case:
        first = incident.suspects[0] if incident.suspects and not incident.no_clear_cause else None
        return Case(
            id=incident.id,
            title=incident.title,
            status=incident.status,
            at=self._kept.shown_at[incident.id],
            severity=incident.severity,
            cause="" if first is None else _shown(first),
            confidence=first.confidence if first else 0.0,
            firings=tuple(firings),
        )

    def _planned(self, run: Run) -> Planned:
        return Planned(
            id=run.id,
            playbook=run.playbook,
            incident=self._survivor(run.incident) or "",
            mode=self._modes.get(run.playbook, run.mode),
            state=run.state,
            why=run.why,
            at=run.started_at,
            steps=tuple((step.id, step.do, step.state) for step in run.steps),
        )


def _is_another(before: Alert, alert: Alert) -> bool:
    """Whether an alert fires anew. The core counts firings, and begins again once it has forgotten the alert."""
    if before.episode != alert.episode:
        return True
    return not before.firing and before.ends_at is not None and alert.starts_at > before.ends_at + _FORGOTTEN_S


def _shown(suspect: Suspect) -> str:
    return f"{suspect.kind} {suspect.change} of {suspect.entity}" if suspect.change else suspect.entity
