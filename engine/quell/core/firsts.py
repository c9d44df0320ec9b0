"""Alerts that are heard of for the first time and are like most: taken at little cost, with the very same outcome.

In a storm nearly everything that is new is a firing of something unknown, about which nobody knows more than what it
says itself. What becomes of that follows from its labels, its severity and its age; it is made once, as it will stand,
where the long way folds, mutes and judges it in turn. Whatever is not as plain is left for the long way, untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from quell.core.agenda import Agenda
from quell.core.chart import Chart
from quell.core.court import court_of
from quell.core.fold import SKEW_S
from quell.core.impact import AtKpis
from quell.core.mute import Muter, Ways
from quell.core.prune import Pruning
from quell.core.severity import SEVERITY_LABELS, severity_of
from quell.core.thrift import Words, begun_once
from quell.core.triage import COMPANY_S, lesser, waiting
from quell.core.verdicts import DAY_S, muted
from quell.expressions.matchers import matching_of
from quell.expressions.sieve import Sieve
from quell.model.alert import Alert, Handling, Heard, Reason
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.records import AlertRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State

MOST_SEVERITIES = 1000
"""So many words for severities are remembered with what is said of them; senders may choose any."""

Rejudge = Callable[[Iterable[str], float, list[AnyDecision]], object]


class _Alike(NamedTuple):
    """What all alerts have in common whose labels are alike where rules and severities look.

    ``ruled``: a rule of triage is about them, ``mapped``: a map rule is. ``severe``: they page; ``handling`` and
    ``reason`` are what becomes of one that says nothing else.
    """

    ruled: bool
    mapped: bool
    ways: Ways
    severity: str
    severe: bool
    handling: Handling
    reason: Reason


class Firsts:
    """Works on ``state.alerts`` and ``state.behaviour`` with the parts of `quell.core.alerts.Alerts`."""

    def __init__(
        self,
        rulebook: Rulebook,
        chart: Chart,
        state: State,
        *,
        agenda: Agenda,
        pruning: Pruning,
        muter: Muter,
        words: Words,
        rejudge: Rejudge,
        kpis: AtKpis,
    ) -> None:
        self._chart = chart
        self._state = state
        self._agenda = agenda
        self._pruning = pruning
        self._muter = muter
        self._words = words
        self._rejudge = rejudge
        self._kpis = kpis
        self._court = court_of(rulebook.triage)
        mapped = [matching_of(rule.matchers) for rule in rulebook.map if rule.entity]
        self._of_triage = len(self._court.rules)
        self._of_maps = self._of_triage + len(mapped)
        asked = [*(matching for matching, _ in self._court.rules), *mapped, *muter.matchings]
        self._sieve = Sieve(asked, self._alike, besides=SEVERITY_LABELS)
        self._said: dict[str, tuple[bool, Handling, Reason]] = {}
        self._arrived, self._ends, self._ahead = 0.0, 0.0, 0.0
        """Of the last that was taken: what comes together mostly has the same, which is then one object."""

    def take(self, mark: str, record: AlertRecord, now: float, out: list[AnyDecision]) -> Alert | None:
        """Takes the first firing of the alert ``mark``; returns it, or None when it is left for the long way."""
        state, labels = self._state, record.labels
        resolver = self._chart.resolver
        if (
            not labels
            or record.status != "firing"
            or record.value is not None
            or mark in state.alerts
            or mark in state.behaviour
            or state.foreign
            or state.taken
            or resolver.relabels
        ):
            return None
        at, ends_at = record.at, record.ends_at
        arrived = at if record.seen is None else record.seen
        start = min(at if record.starts_at is None else record.starts_at, now + SKEW_S)
        ahead, timeout = 0.0, False
        if ends_at is not None:
            ends_at = max(ends_at, start)
            if ends_at <= now:
                return None  # it is over already
            ends_at = self._ends = self._ends if ends_at == self._ends != 0.0 else ends_at
            ahead, timeout = ends_at - arrived, record.timeout
            ahead = self._ahead = self._ahead if ahead == self._ahead != 0.0 else ahead
        arrived = self._arrived = self._arrived if arrived == self._arrived != 0.0 else arrived
        begun = start if start < arrived else arrived
        ruled, mapped, ways, severity, severe, handling, reason = self._sieve.of(labels)
        if ruled:
            return None
        until: float | None
        until = due = self._until(begun, arrived) if severe else begun + DAY_S
        if now >= due:
            return None  # its age alone tells more
        behaviour = begun_once(begun)
        if start == begun:
            start = behaviour.began[0]
        (begun,) = behaviour.began
        told = mapped or record.entity
        entity = resolver.resolve(labels, record.entity or "") if told else resolver.unruled(labels)
        self._words.share(labels)
        mutings, affected = self._muter.begun(mark, labels, ways, now, state.silences)
        if mutings:
            handling, reason, until = "muted", muted(mutings), None
        alert = Alert(
            fingerprint=mark,
            source=self._words.one(record.source),
            labels=labels,
            status="firing",
            starts_at=begun,
            updated_at=arrived,
            onset_seen=arrived,
            annotations=record.annotations,
            ends_at=ends_at,
            timeout=timeout,
            key=record.key,
            url=record.url,
            threshold=record.threshold,
            record=record.id,
            entity=entity,
            severity=severity,
            mutings=mutings,
            handling=handling,
            reason=reason,
            hold_until=until,
            heard=(Heard(start, start, ends_at, timeout, arrived, record.id, ends_at, ahead),),
        )
        state.alerts[mark] = alert
        if entity is not None:
            self._kpis.note(alert)
        state.behaviour[mark] = behaviour
        if ends_at is None:
            self._pruning.alert(alert)
        else:
            self._agenda.put(ends_at, "expire", mark)
        if until is not None:
            self._agenda.put(until, "judge", mark)
        if affected:
            self._rejudge(sorted(affected), now, out)
        out.append(AlertChanged(at=now, alert=alert))
        return alert

    def _alike(self, holds: Sequence[bool], labels: Mapping[str, str]) -> _Alike:
        """Of alerts with such labels, of which ``holds`` says what matches them."""
        severity = severity_of(labels)
        severe, handling, reason = self._said.get(severity) or self._say(severity)
        return _Alike(
            ruled=any(holds[: self._of_triage]),
            mapped=any(holds[self._of_triage : self._of_maps]),
            ways=self._muter.ways(holds[self._of_maps :]),
            severity=severity,
            severe=severe,
            handling=handling,
            reason=reason,
        )

    def _until(self, begun: float, arrived: float) -> float:
        """How long a severe one waits for company."""
        lone_s = self._court.lone_s
        return max(begun + lone_s, arrived + min(lone_s, COMPANY_S))

    def _say(self, severity: str) -> tuple[bool, Handling, Reason]:
        """Whether a severity pages, and what becomes of an alert that says nothing else."""
        if len(self._said) >= MOST_SEVERITIES:
            self._said.clear()
        severe = severity in self._court.page_severities
        verdict = waiting(severity, self._court, 0.0) if severe else lesser(severity, self._court, 0.0)
        said = self._said[severity] = severe, verdict.handling, verdict.reason
        return said
