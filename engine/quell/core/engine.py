"""The core as one object: records and time in, decisions out.

`Engine.decide` first does all that became due up to ``now``, each at its own time, then takes the records. So it does
not matter how often it is called or how records are batched: ticks are a matter of latency, not of outcome. Records of
one call count as simultaneous and are put in an order of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, isfinite

from quell.core.again import Repeats
from quell.core.agenda import Agenda
from quell.core.ahead import Ahead
from quell.core.alerts import Alerts
from quell.core.automation import RESUMED, Automation
from quell.core.chart import Chart
from quell.core.clocks import Clocks
from quell.core.commands import Commands
from quell.core.consequences import Consequences
from quell.core.detect.detector import Detector
from quell.core.elsewhere import Elsewhere
from quell.core.escalate import Escalation
from quell.core.explain import Explanation, explain, why_not
from quell.core.flocks import Flocks
from quell.core.following import Following
from quell.core.graph import Graph
from quell.core.groups import Groups
from quell.core.habits import Observer
from quell.core.hearing import Hearing
from quell.core.hearsay import Hearsay
from quell.core.incidents import Incidents
from quell.core.intake import LATEST
from quell.core.joining import Joining
from quell.core.lives import Lives
from quell.core.logbook import Logbook
from quell.core.lone import Lone
from quell.core.opening import opened
from quell.core.order import in_order
from quell.core.pager import Pager
from quell.core.people import People
from quell.core.prune import PRUNE_EVERY_S, Pruning
from quell.core.standing import Standing
from quell.core.steps import ASKED, TOGETHER, Steps, finished
from quell.core.surroundings import Surroundings
from quell.core.takers import Takers
from quell.core.writing import written
from quell.model.decision import AnyDecision
from quell.model.records import AlertRecord, AnyRecord, CallRecord, CommandRecord
from quell.model.rulebook import Rulebook
from quell.model.state import Group, State

MOST_ENTRIES = 200_000
"""With so many entries on the agenda most are stale: it is written anew."""


class Engine:
    """Owns a state. Not for use from more than one thread at a time."""

    def __init__(self, rulebook: Rulebook, state: State | None = None) -> None:
        self.state = State() if state is None else state
        self._set(rulebook)

    @classmethod
    def restored(cls, rulebook: Rulebook, data: bytes | memoryview) -> Engine:
        """An engine that goes on from a snapshot. Raises msgspec.DecodeError when it is not one."""
        return cls(rulebook, opened(data))

    def snapshot(self) -> bytes:
        """The whole state as bytes; the same state gives the same bytes."""
        return b"".join(self.written())

    def written(self) -> Iterator[bytes | memoryview]:
        """The bytes of a snapshot in small pieces, of the state as it is now.

        They may be asked for later and by another thread, while deciding goes on.
        """
        return written(self.state)

    def use(self, rulebook: Rulebook) -> None:
        """Goes on with another rulebook; the next `decide` first judges again by it what is known."""
        self.state.rules = None
        reweigh = rulebook.correlate.weights != self.rulebook.correlate.weights
        self._set(rulebook)
        if reweigh:
            self._chart.correlator.reweigh()

    def _set(self, rulebook: Rulebook) -> None:
        """Makes all indexes anew from the state."""
        self.rulebook = rulebook
        self.state.declared = {entity.entity: entity for entity in rulebook.entities}
        self._agenda = Agenda()
        self._pruning = Pruning(rulebook, self.state)
        self._chart = Chart(rulebook, self.state)
        self._groups = Groups(self.state, self._agenda, self._chart)
        surroundings = Surroundings(rulebook, self.state, self._groups)
        self._alerts = Alerts(
            rulebook, self._chart, self.state, agenda=self._agenda, pruning=self._pruning, surroundings=surroundings
        )
        logbook = Logbook(self.state, self._agenda, self._pruning, rulebook.triage.calm_s, kpis=self._alerts.kpis)
        self._repeats = Repeats(self.state, self._chart)
        self._flocks = Flocks(self.state, self._chart, self._alerts.firsts, self._alerts.muter)
        self._automation = Automation(rulebook, self.state, lambda: self.graph)
        self._pager = Pager(rulebook, self.state, self._alerts, logbook, self._agenda, routes=self._automation.routes)
        self._lives = Lives(rulebook, self.state, logbook, self._pager)
        following = Following(self.state, self._automation.routes, self._automation.lanes)
        self._escalation = Escalation(self.state, self._automation, logbook, self._agenda, pager=self._pager)
        self._lone = Lone(
            rulebook,
            self.state,
            alerts=self._alerts,
            chart=self._chart,
            logbook=logbook,
            pager=self._pager,
            automation=self._automation,
            reconsider=self._groups.reconsider,
        )
        self._hearing = Hearing(self.state, self._agenda, self._chart, self._groups, self._lone)
        self._standing = Standing(self.state)
        self.ahead = Ahead(self._standing, self._chart)
        joining = Joining(rulebook, self.state)
        self._incidents = Incidents(
            rulebook,
            self.state,
            alerts=self._alerts,
            logbook=logbook,
            pager=self._pager,
            lives=self._lives,
            standing=self._standing,
            joining=joining,
        )
        self._observer = Observer(self.state)
        self._people = People(
            self.state,
            alerts=self._alerts,
            logbook=logbook,
            pager=self._pager,
            agenda=self._agenda,
            reconsider=self._groups.reconsider,
        )
        self._consequences = Consequences(
            self.state,
            self._agenda,
            alerts=self._alerts,
            groups=self._groups,
            lone=self._lone,
            lives=self._lives,
            pager=self._pager,
            following=following,
            escalation=self._escalation,
            automation=self._automation,
            hearing=self._hearing,
            observer=self._observer,
            joining=joining,
        )
        self._detector = Detector(rulebook, self.state, self._agenda, self._found)
        self._clocks = Clocks(self.state, self._found)
        self._hearsay = Hearsay(self.state, self._agenda, self._hear_call)
        self._takers = Takers(
            self.state,
            chart=self._chart,
            groups=self._groups,
            alerts=self._alerts,
            lives=self._lives,
            commands=Commands(
                self.state,
                logbook,
                self._lives,
                self._automation,
                self._alerts,
                people=self._people,
                elsewhere=Elsewhere(self.state, self._lives, logbook, following),
            ),
            automation=self._automation,
            pruning=self._pruning,
            repeats=self._repeats,
            detector=self._detector,
            hearsay=self._hearsay,
        )
        self._plan_all()

    def next_due(self) -> float | None:
        """When `decide` without records would do something next."""
        return self._agenda.next_due()

    def decide(self, records: Sequence[AnyRecord], now: float) -> list[AnyDecision]:
        """What follows from the passing of time up to ``now`` and from the records. Never raises for their content."""
        return [decision for part in self.parts(records, now) for decision in part]

    def parts(self, records: Sequence[AnyRecord], now: float) -> Iterator[list[AnyDecision]]:
        """The same in pieces of work of a few milliseconds, as far as it can be cut: what comes out is the same.

        Between two pieces others may read the state; nothing else of the engine is to be called before the last.
        """
        out: list[AnyDecision] = []
        now = max(min(now, LATEST), self.state.now) if isfinite(now) else self.state.now
        if self.state.now and _tell_of_return(records):
            out.extend(self._automation.resumed(now))
            self._detector.resumed(now)
            self._agenda.put(self._automation.next_due(), "runs")
        for _ in self._advance(now, out):
            yield []
        followed = len(out)
        rest = self._repeats.take(records, now, out)
        flock = self._flocks.take(self._repeats.new, now, out, self._groups.add_all)
        if flock is None:
            ordered = in_order(rest, now, out, identities=self._repeats.identities, clocks=self._clocks)
            self._takers.take(ordered, now, out)
        self._clocks.tell(now, out)
        self._hearing.plan()
        self.state.now = now
        for _ in self._consequences.follow(now, out, followed, flock):
            yield []
        yield from self.ahead.read()
        yield out

    def explain(self, incident_id: str) -> Explanation | None:
        """Why an incident is what it is; None when there is no such incident."""
        incident = self.state.incidents.get(incident_id)
        return None if incident is None else explain(self.state, incident, self._automation, self.graph)

    def why_not(self, fingerprint: str) -> str | None:
        """Why an alert did not page, or that it did; None when there is no such alert."""
        alert = self.state.alerts.get(fingerprint)
        return None if alert is None else why_not(self.state, alert)

    @property
    def graph(self) -> Graph:
        """The dependency graph as of now."""
        self._chart.renew()
        return self._chart.graph

    def _found(self, record: AlertRecord, now: float, out: list[AnyDecision]) -> None:
        """A detector found something."""
        self._takers.own(record, now, out)

    def _hear_call(self, record: CallRecord, now: float) -> None:
        """What callers told of calls is all that is known of them."""
        self._takers.count_call(record, now)

    def _plan_all(self) -> None:
        finished(self._planning())

    def _planning(self) -> Steps[None]:
        for number, (mark, alert) in enumerate(self.state.alerts.items(), start=1):
            if alert.firing:
                self._agenda.put(alert.ends_at, "expire", mark)
                self._agenda.put(alert.hold_until, "judge", mark)
            if not number % ASKED:
                yield
        for group in self.state.groups.values():
            self._groups.plan(group)
        for incident in self.state.incidents.values():
            if incident.is_open or incident.id in self.state.calm_at:
                self._agenda.put(self.state.calm_at.setdefault(incident.id, self.state.now), "calm", incident.id)
            self._pager.reminders.plan(incident)
            self._people.plan(incident)
        self._escalation.plan()
        self._agenda.put(self._automation.next_due(), "runs")
        self._hearing.plan()
        self._detector.plan()
        self._hearsay.plan()
        if self.state.now:
            if self.state.rules != self.rulebook.version:
                self._agenda.put(self.state.now, "rules")
            self._alerts.plan_mutes(self.state.now)
            self._agenda.put(_next_prune(self.state.now), "prune")

    def _advance(self, now: float, out: list[AnyDecision]) -> Iterator[None]:
        """Does what is due up to ``now``; pauses within what is long."""
        if not self.state.now:
            self.state.now = now
            self.state.rules = self.rulebook.version
            self._plan_all()
        done = 0
        while (entry := self._agenda.take(now)) is not None:
            due, what, key = entry
            at = max(due, self.state.now)
            self.state.now = at
            before = len(out)
            if what == "detect":
                yield from self._detector.judge(key, at, out)
            elif what == "solve":
                yield from self._solve(int(key), at, out)
            elif what == "review":
                yield from self._review(int(key), at, out)
            elif what == "runs":
                out.extend((yield from self._automation.passing(at)))
            elif what == "rest" and self._standing.give_up(int(key), at):
                yield from self._groups.rest(int(key))
            elif what == "prune":
                yield from self._prune(at, out)
            elif what == "calm":
                yield from self._lives.calm(key, at, out)
            else:
                self._do(what, key, at, out)
            yield from self._consequences.follow(at, out, before)
            done += 1
            if what == "judge" or not done % TOGETHER:  # to be judged one by one each asks after all of its group
                yield

    def _do(self, what: str, key: str, at: float, out: list[AnyDecision]) -> None:
        if what == "rules":
            self._read_rules(at, out)
        elif what == "heed":
            self._hearsay.heed(key, at)
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
        elif what == "remind":
            self._pager.remind(key, at, out)
        elif what == "climb":
            self._escalation.on_time(key, at, out)
        elif what == "wake":
            self._people.wake(key, at, out)
        elif what == "hear":
            self._hearing.hear(at, out)
        elif what == "close":
            self._groups.close(int(key), at)

    def _prune(self, at: float, out: list[AnyDecision]) -> Steps[None]:
        for over in self._alerts.lapse(at, out):
            self._lives.alert_ended(over, at)
        self._detector.sweep(at, out)
        yield
        owned = len(self.state.foreign)
        self._observer.sweep(self.graph, at)
        yield
        self._chart.learned((yield from self._pruning.prune(at)))
        yield
        self._detector.forgotten(self._pruning.gone)
        self._alerts.kpis.sweep()
        self._chart.index_changes(self._pruning.unsaid)
        yield from self._lone.sweep()
        self._escalation.sweep()
        if len(self._agenda) > MOST_ENTRIES:
            self._agenda.clear()
            yield from self._planning()
        else:
            self._agenda.put(_next_prune(at), "prune")
        if len(self.state.foreign) < owned:
            self._alerts.judge_all(at, out)

    def _read_rules(self, at: float, out: list[AnyDecision]) -> None:
        """After a reload: alerts are placed and judged, and live groups solved, by the rules as they are now."""
        self.state.rules = self.rulebook.version
        for alert in self._alerts.place_again(at, out):
            self._groups.add(alert, at)
        self._detector.reread(at, out)
        self._alerts.judge_all(at, out)
        self._groups.reconsider_all(at)

    def _solve(self, group_id: int, at: float, out: list[AnyDecision]) -> Steps[None]:
        self._chart.renew()
        group = self.state.groups.get(group_id)
        if group is None or group.solve_at is None or group.solve_at > at:
            return
        group.solve_at = None
        yield from self._groups.sift(group, at)
        yield
        yield from self._conclude(group, at, out, search=True)

    def _review(self, group_id: int, at: float, out: list[AnyDecision]) -> Steps[None]:
        """Something ended: what belongs to which cause is concluded anew."""
        self._chart.renew()
        group = self._groups.review(group_id, at)
        if group is not None:
            yield
            yield from self._conclude(group, at, out, search=False)

    def _conclude(self, group: Group, at: float, out: list[AnyDecision], *, search: bool) -> Steps[None]:
        self._chart.weigh_changes(at)
        causes = yield from self._chart.correlator.solving(group, self._chart.changes, at, search=search)
        yield
        yield from self._incidents.settle(group, causes, self._chart.ranker, self._chart.changes, now=at, out=out)
        yield
        self._groups.part(group, at)
        yield from self._consequences.settle_alone(self._standing.nowhere(group), at, out)
        self._agenda.put((yield from self._standing.rest(group, at)), "rest", str(group.id))


def _tell_of_return(records: Sequence[AnyRecord]) -> bool:
    for record in records:  # noqa: SIM110 - a loop takes half the time of any()
        if type(record) is CommandRecord and record.verb == RESUMED:
            return True
    return False


def _next_prune(now: float) -> float:
    return (floor(now / PRUNE_EVERY_S) + 1) * PRUNE_EVERY_S
