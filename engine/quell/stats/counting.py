"""Counts: incidents first, then alerts, runs and what people said; the figures at the end.

What is kept in between grows with incidents, rules and runs, not with alerts or events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quell.core.scores import scores
from quell.model.alert import Alert
from quell.model.decision import Audit, Perform
from quell.model.impact import IMPACTS
from quell.model.incident import Incident
from quell.model.run import Run
from quell.stats.figures import Figures, Funnel, Held, Judged, Noisy, Times
from quell.stats.incidents import Course, course_of
from quell.stats.saving import saved
from quell.stats.spans import Spans, share

MOST_RULES = 10_000
OTHERS = "(all other rules)"
FOLDED = "in_incident"
"""The code of alerts that did not page because their incident speaks for them: they are told of, not held."""
EARLY = "early"
"""The code of alerts that stand for an early sign: nobody was called."""
OVER = "over"
"""The code of alerts that ended while they were held; why they were is in ``held_for``."""
_FEEDBACK = "feedback:"
_FIRST_CAUSE = ("right_cause", "wrong_cause")


@dataclass(slots=True)
class _Rule:
    firings: int = 0
    events: int = 0
    pages: int = 0
    held: int = 0
    not_actionable: int = 0


@dataclass(slots=True)
class _Held:
    text: str = ""
    firings: int = 0
    paged_later: int = 0
    acted_on: int = 0
    said: int = 0
    wait: Spans = field(default_factory=Spans)


class Counting:
    """Told in this order: what people said, incidents, alerts, acts, runs. Times are seconds since 1970."""

    def __init__(self, since: float, until: float) -> None:
        self.since = since
        self.until = until
        self._courses: dict[str, Course] = {}
        self._said: dict[str, dict[str, str]] = {}
        """By verdict, or first cause: the last word on each target."""
        self._rules: dict[str, _Rule] = {}
        self._held: dict[tuple[str, str], _Held] = {}
        self._unheeded: list[tuple[str, str]] = []
        """Rules that paged, and the incidents over which no person did anything."""
        self._changed: set[str] = set()
        self._runs: list[Run] = []
        self._alerts = self._events = self._firing = self._folded = 0

    def audit(self, entry: Audit) -> None:
        """What somebody said of an incident or alert; the last word on it counts."""
        if not entry.what.startswith(_FEEDBACK) or not self._within(entry.at):
            return
        verdict = entry.what.removeprefix(_FEEDBACK)
        about = "first_cause" if verdict in _FIRST_CAUSE else verdict
        self._said.setdefault(about, {})[entry.target] = verdict

    def incident(self, incident: Incident) -> None:
        """One incident, as it is now."""
        if self._within(incident.opened_at):
            self._courses[incident.id] = course_of(incident)

    def alert(self, alert: Alert) -> None:
        """One firing."""
        if not self._within(alert.onset_seen):
            return
        events = max(alert.count - alert.before, 1)
        course = self._courses.get(alert.incident or "")
        if course is not None:
            course.heard(alert)
        early = course is not None and course.early
        paged = (alert.paged_at is not None or alert.handling == "page") and not early
        self._alerts += 1
        self._events += events
        self._firing += alert.firing
        rule = self._rule(alert.name)
        rule.firings += 1
        rule.events += events
        rule.pages += paged
        if paged and course is not None and not course.by_hand and course.resolved_at is not None:
            self._unheeded.append((alert.name, alert.incident or ""))
        rule.not_actionable += self._was_said("not_actionable", alert)
        self._hold(alert, rule, course, paged=paged, early=early)

    def _hold(self, alert: Alert, rule: _Rule, course: Course | None, *, paged: bool, early: bool) -> None:
        """One that did not page, or not at once."""
        code, handling = (alert.held_for, "hold") if paged else (alert.reason.code, alert.handling)
        if early and handling == "page":
            code, handling = EARLY, "digest"
        if code == OVER and alert.held_for:
            code, handling = alert.held_for, "hold"
        if code == FOLDED:
            self._folded += not paged
            return
        if not code or (paged and code == "new"):
            return
        held = self._held.setdefault((code, handling), _Held())
        held.text = held.text or ("" if paged else alert.reason.text)
        held.firings += 1
        rule.held += not paged
        if paged:
            held.paged_later += 1
            if alert.paged_at is not None:
                held.wait.add(alert.paged_at - alert.onset_seen)
        elif self._was_said("missed", alert):
            held.said += 1
        elif course is not None and course.by_hand and not course.paged_at:
            held.acted_on += 1

    def act(self, perform: Perform, state: str) -> None:
        """One act outside, and what became of it: a run is taken to have helped only if it changed something."""
        if perform.run and perform.effect == "change" and state == "done" and not perform.dry_run:
            self._changed.add(perform.run)

    def run(self, run: Run) -> None:
        """One run of a playbook."""
        if self._within(run.started_at):
            self._runs.append(run)

    def figures(self, incident: Mapping[str, Incident] | None = None, names: Iterable[str] = ()) -> Figures:
        """All of it. ``incident`` are those that runs in shadow are compared with; ``names`` are of playbooks."""
        known = incident or {}
        return Figures(
            from_time=self.since,
            to_time=self.until,
            funnel=self._funnel(),
            held=self._all_held(),
            judged=self._judged(),
            times=self._times(),
            playbooks=tuple(scores(self._runs, known.get, names)),
            saved=tuple(saved(self._runs, self._changed, self._courses)),
            noisiest=self._noisiest(),
        )

    @property
    def shadowed(self) -> set[str]:
        """Ids of the incidents that runs in shadow were for."""
        return {run.incident for run in self._runs if run.mode == "shadow" and run.incident}

    def _funnel(self) -> Funnel:
        own = [course for course in self._courses.values() if course.counts]
        every = self._courses.values()
        return Funnel(
            events=self._events,
            alerts=self._alerts,
            rules=len(self._rules),
            incidents=len(own),
            merged=sum(course.status == "merged" for course in every),
            withdrawn=sum(course.status == "withdrawn" for course in every),
            paged_incidents=sum(bool(course.paged_at) for course in every),
            pages=sum(len(course.paged_at) for course in every),
            reminders=sum(course.reminders for course in every),
            early=sum(course.early and course.counts for course in every),
            firing=self._firing,
            folded=self._folded,
            harms={name: count for name in reversed(IMPACTS) if (count := sum(one.harm == name for one in own))},
        )

    def _all_held(self) -> tuple[Held, ...]:
        found = [
            Held(
                code=code,
                handling=handling,
                text=held.text,
                firings=held.firings,
                wanted=held.paged_later + held.acted_on + held.said,
                paged_later=held.paged_later,
                acted_on=held.acted_on,
                said=held.said,
                wait=held.wait.value(),
            )
            for (code, handling), held in self._held.items()
        ]
        return tuple(sorted(found, key=lambda held: (-held.firings, held.code, held.handling)))

    def _judged(self) -> Judged:
        causes = self._said.get("first_cause", {})
        unjudged = [name for name, one in self._courses.items() if one.counts and one.suspected and name not in causes]
        return Judged(
            first_cause=share(sum(word == "right_cause" for word in causes.values()), len(causes)),
            unjudged=len(unjudged),
            wrong_merges=len(self._said.get("should_split", ())),
            of_many=sum(course.many and course.counts for course in self._courses.values()),
            wrong_splits=len(self._said.get("should_merge", ())),
            own_splits=sum(course.own_split for course in self._courses.values()),
            not_actionable=len(self._said.get("not_actionable", ())),
            missed=len(self._said.get("missed", ())),
        )

    def _times(self) -> Times:
        detect, page, acknowledge, resolve = Spans(), Spans(), Spans(), Spans()
        never = 0
        for course in self._courses.values():
            if not course.counts:
                continue
            detect.add(course.opened_at - course.first_at)
            if course.paged_at:
                page.add(min(course.paged_at) - course.first_at)
            if course.taken_at is not None:
                acknowledge.add(course.taken_at - course.first_at)
            if course.took_s is not None and course.of_people:
                resolve.add(course.took_s)
            never += bool(course.paged_at) and course.taken_at is None and course.resolved_at is not None
        spans = (detect, page, acknowledge, resolve)
        names = ("detect", "page", "acknowledge", "resolve")
        return Times(**{name: one.value() for name, one in zip(names, spans, strict=True)}, never_acknowledged=never)

    def _noisiest(self) -> tuple[Noisy, ...]:
        helped = {run.incident for run in self._runs if run.state == "done" and not run.dry and run.mode != "shadow"}
        useless = Counter(name for name, incident in self._unheeded if incident not in helped)
        found = [
            Noisy(
                rule=name or "(without a name)",
                firings=rule.firings,
                events=rule.events,
                pages=rule.pages,
                useless_pages=useless[name],
                held=rule.held,
                not_actionable=rule.not_actionable,
            )
            for name, rule in self._rules.items()
        ]
        return tuple(sorted(found, key=lambda one: (-one.useless_pages, -one.firings, one.rule)))

    def _rule(self, name: str) -> _Rule:
        known = self._rules.get(name)
        if known is None:
            known = self._rules.setdefault(name if len(self._rules) < MOST_RULES else OTHERS, _Rule())
        return known

    def _was_said(self, verdict: str, alert: Alert) -> bool:
        """Whether a person gave that verdict on an alert or its incident."""
        targets = self._said.get(verdict, {})
        return alert.fingerprint in targets or (alert.incident or "") in targets

    def _within(self, at: float) -> bool:
        return self.since <= at < self.until
