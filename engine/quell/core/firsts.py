"""Alerts that are heard of for the first time and are like most: taken at little cost, with the very same outcome.

In a storm nearly everything that is new is a firing of something unknown, about which nobody knows more than what it
says itself. What becomes of that follows from its labels, its severity and its age; it is made once, as it will stand,
where the long way folds, mutes and judges it in turn. Whatever is not as plain is left for the long way, untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from quell.core.agenda import Agenda
from quell.core.chart import Chart
from quell.core.common import Alike, Common, otherwise
from quell.core.court import court_of
from quell.core.fold import SKEW_S
from quell.core.impact import AtKpis
from quell.core.mute import Muter
from quell.core.prune import Pruning
from quell.core.severity import SEVERITY_LABELS, severity_of
from quell.core.thrift import Words, begun_once
from quell.core.triage import COMPANY_S, lesser, waiting
from quell.core.verdicts import DAY_S
from quell.expressions.matchers import matching_of
from quell.expressions.sieve import Sieve
from quell.model.alert import Alert, Heard
from quell.model.decision import AlertChanged, AnyDecision
from quell.model.impact import BUSINESS_KINDS
from quell.model.records import AlertRecord
from quell.model.rulebook import Rulebook
from quell.model.state import State

MOST_SEVERITIES = 1000
"""So many words for severities are remembered with what is said of them; senders may choose any."""

Rejudge = Callable[[Iterable[str], float, list[AnyDecision]], object]
Add = Callable[[Sequence[Alert], float], None]
MAYBE_KPIS = tuple(BUSINESS_KINDS)


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
        self._lone_s = self._court.lone_s
        self._least_s = min(self._lone_s, COMPANY_S)
        mapped = [matching_of(rule.matchers) for rule in rulebook.map if rule.entity]
        self._of_triage = len(self._court.rules)
        self._of_maps = self._of_triage + len(mapped)
        asked = [*(matching for matching, _ in self._court.rules), *mapped, *muter.matchings]
        sieve = Sieve(asked, self._alike, besides=SEVERITY_LABELS)
        self.alike, self.asked = sieve.of, sieve.names
        """What follows from labels, and the names of those of them from which it does."""
        self.share, self.note_kpi = words.share, kpis.note
        self._said: dict[str, tuple[bool, Alert]] = {}
        self._arrived, self._ends, self._ahead = 0.0, 0.0, 0.0
        """Of the last that was taken: what comes together mostly has the same, which is then one object."""

    def take_all(
        self, told: Iterator[tuple[str, AlertRecord]], now: float, out: list[AnyDecision], add: Add
    ) -> tuple[str, AlertRecord] | None:
        """Takes first firings of alerts that come together; returns the first that is left for the long way.

        ``add`` puts them where their company is, before anything is asked about that.
        """
        state, resolver = self._state, self._chart.resolver
        if state.foreign or state.taken or resolver.relabels:
            return next(told, None)
        left: tuple[str, AlertRecord] | None = None
        taken: list[Alert] = []
        known, behaviours, silences = state.alerts, state.behaviour, state.silences
        of, share, begun = self.alike, self._words.share, self._muter.begun
        common: Common | None = None
        lapsing: dict[float | None, list[str]] = {}
        judged: dict[float, list[str]] = {}
        added = 0
        for mark, record in told:
            labels, left = record.labels, (mark, record)
            if not labels or record.status != "firing" or record.value is not None or mark in known:
                break
            if common is None or not common.has(record):
                common = self.common(record, now)
            if common is None or mark in behaviours:
                break
            alike = of(labels)
            if alike.ruled or now >= (until := common.until[alike.severe]):
                break  # a rule, or its age alone, tells more
            told_of = alike.mapped or record.entity
            entity = resolver.resolve(labels, record.entity or "") if told_of else resolver.unruled(labels)
            share(labels)
            mutings, affected = begun(mark, labels, alike.ways, now, silences)
            pattern = common.patterns.get(alike.severity) or common.pattern(alike)
            if mutings or record.key or record.threshold is not None:
                pattern = otherwise(pattern, mutings, record)
            alert = replace(
                pattern, fingerprint=mark, labels=labels, annotations=record.annotations, url=record.url, entity=entity
            )
            known[mark] = alert
            taken.append(alert)
            if entity is not None and entity.startswith(MAYBE_KPIS):
                self._kpis.note(alert)
            behaviours[mark] = common.behaviour
            lapsing.setdefault(common.ends_at, []).append(mark)
            if not mutings:
                judged.setdefault(until, []).append(mark)
            if affected:
                add(taken[added:-1], now)
                added = len(taken) - 1
                self._rejudge(sorted(affected), now, out)
            out.append(AlertChanged(at=now, alert=alert))
            left = None
        self.plan(lapsing, judged)
        add(taken[added:], now)
        return left

    def common(self, record: AlertRecord, now: float) -> Common | None:
        """What the next have in common that are told at the same times; None when these are over already."""
        at, seen, start, ends_at = record.at, record.seen, record.starts_at, record.ends_at
        zero = at == 0.0 or seen == 0.0 or start == 0.0 or ends_at == 0.0
        arrived, latest = at if seen is None else seen, now + SKEW_S
        if start is None:
            start = at
        start = min(start, latest)
        ahead, timeout = 0.0, False
        if ends_at is not None:
            ends_at = max(ends_at, start)
            if ends_at <= now:
                return None
            ends_at = self._ends = self._ends if ends_at == self._ends != 0.0 else ends_at
            ahead, timeout = ends_at - arrived, record.timeout
            ahead = self._ahead = self._ahead if ahead == self._ahead != 0.0 else ahead
        arrived = self._arrived = self._arrived if arrived == self._arrived != 0.0 else arrived
        behaviour = begun_once(start if start < arrived else arrived)
        (begun,) = behaviour.began
        if start == begun:
            start = begun
        waits, least = begun + self._lone_s, arrived + self._least_s  # how long a severe one waits for company
        return Common(
            record,
            zero,
            self._words.one(record.source),
            begun,
            arrived,
            ends_at,
            timeout,
            behaviour,
            (begun + DAY_S, least if least > waits else waits),
            (Heard(start, start, ends_at, timeout, arrived, record.id, ends_at, ahead),),
        )

    def plan(self, lapsing: Mapping[float | None, list[str]], judged: Mapping[float, list[str]]) -> None:
        """Puts on the agenda when which of those that were taken lapse, and are judged again."""
        for ends_at, marks in lapsing.items():
            if ends_at is not None:
                self._agenda.put_new(ends_at, "expire", marks)
                continue
            for mark in marks:
                self._pruning.alert(self._state.alerts[mark])
        for until, marks in judged.items():
            self._agenda.put_new(until, "judge", marks)

    def _alike(self, holds: Sequence[bool], labels: Mapping[str, str]) -> Alike:
        """Of alerts with such labels, of which ``holds`` says what matches them."""
        severity = severity_of(labels)
        severe, like = self._said.get(severity) or self._say(severity)
        ways = self._muter.ways(holds[self._of_maps :])
        return Alike(
            ruled=any(holds[: self._of_triage]),
            mapped=any(holds[self._of_triage : self._of_maps]),
            ways=ways,
            mutable=bool(ways.windows or ways.rules),
            severity=severity,
            severe=severe,
            like=like,
        )

    def _say(self, severity: str) -> tuple[bool, Alert]:
        """Whether a severity pages, and what becomes of an alert that says nothing else."""
        if len(self._said) >= MOST_SEVERITIES:
            self._said.clear()
        severe = severity in self._court.page_severities
        verdict = waiting(severity, self._court, 0.0) if severe else lesser(severity, self._court, 0.0)
        like = Alert(
            fingerprint="",
            source="",
            labels={},
            status="firing",
            starts_at=0.0,
            updated_at=0.0,
            onset_seen=0.0,
            severity=severity,
            handling=verdict.handling,
            reason=verdict.reason,
        )
        said = self._said[severity] = severe, like
        return said
