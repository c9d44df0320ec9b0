"""A daemon without a network: the core, a journal, snapshots, a ledger and who performs what it holds.

It can be killed after every commit. What is in memory is then gone; a start takes the last snapshot, decides again over
the journal since, and takes up what the ledger holds unsettled by what each action declares about being repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from quell.config.scenario import Answer
from quell.core.automation import RESUMED
from quell.core.engine import Engine
from quell.core.stand import awaiting, current
from quell.model.decision import AnyDecision, Audit, Perform
from quell.model.records import AnyRecord, CommandRecord, StepFinished
from quell.model.rulebook import Rulebook
from quell.model.state import State
from quell.trial.actions import Declared
from quell.trial.past import Past
from quell.trial.world import World, call_line, sentence_of

SNAPSHOT_EVERY = 2
"""So much is journalled between two snapshots, so that a start has both a snapshot and a journal to read."""

Moment = Literal["accepted", "decided", "begun", "acted"]
"""After which commit a kill comes: records in the journal, a turn with its intents, an act marked as begun; or once
an act is done, before its answer is in the journal."""
Kill = Callable[[Moment, str, Perform | None], bool]
"""Whether to kill at a moment; the text names the record, turn or act."""


_AFTER = {"accepted": "the journal took", "decided": "the turn of", "begun": "the beginning of", "acted": "the end of"}


class _Killed(Exception):
    """The process is gone."""


@dataclass(slots=True)
class Entry:
    """An entry of the ledger."""

    deed: Perform
    state: Literal["intended", "begun", "settled"] = "intended"


@dataclass(slots=True)
class _Flight:
    """An act under way: its answer comes at ``at``."""

    at: float
    number: int
    deed: Perform
    answer: Answer | None = None


class Machine:
    """Takes records and lets time pass. ``kill`` says at which moments it is killed; None never."""

    def __init__(
        self, rulebook: Rulebook, world: World, declared: Declared, *, kill: Kill | None, log: Callable[[str], None]
    ) -> None:
        self.world = world
        self.past = Past()
        self.audits: list[Audit] = []
        """Of the last `take`."""
        self.doubts: dict[str, Perform] = {}
        """Acts that a start left in doubt, by run: a person is to look."""
        self.kills = 0
        self._rulebook = rulebook
        self._declared = declared
        self._kill = kill
        self._log = log
        self._engine = Engine(rulebook)
        self._snapshot: bytes | None = None
        self._journal: list[tuple[Sequence[AnyRecord], float]] = []
        self._ledger: dict[str, Entry] = {}
        self._flights: list[_Flight] = []
        self._number = 0

    @property
    def state(self) -> State:
        """What the core remembers; read only."""
        return self._engine.state

    def not_run(self) -> list[str]:
        """For each open incident and playbook without a run for it, why there is none."""
        state = self._engine.state
        began = {(run.incident, run.playbook) for run in state.runs.values()}
        return [
            f"{name}: {why}"
            for incident in list(state.incidents.values())
            if incident.is_open and (explanation := self._engine.explain(incident.id)) is not None
            for name, why in explanation.playbooks
            if (incident.id, name) not in began
        ]

    def next_due(self) -> float | None:
        """When something happens without news: a timer of the core, or an answer."""
        times = [flight.at for flight in self._flights]
        due = self._engine.next_due()
        return min([*times, *([] if due is None else [due])], default=None)

    def take(self, records: Sequence[AnyRecord], now: float) -> None:
        """Records arrive at ``now``; afterwards all that is due by then has been done."""
        self.audits = []
        self._surviving(lambda: self._accept(records, now), now)
        while (flight := self._next_flight(now)) is not None:
            self._surviving(lambda flight=flight: self._perform(flight, now), now)  # type: ignore[misc]

    def _surviving(self, work: Callable[[], None], now: float) -> None:
        """Does the work; after a kill everything is taken up again, which may be killed again."""
        try:
            work()
        except _Killed:
            self._restart(now)

    def _at(self, moment: Moment, what: str, deed: Perform | None = None) -> None:
        if self._kill is not None and self._kill(moment, what, deed):
            self.kills += 1
            self._log(f"killed after {_AFTER[moment]} {what}")
            raise _Killed

    def _accept(self, records: Sequence[AnyRecord], now: float) -> None:
        if records:
            self._journal.append((records, now))
            for record in records:
                if isinstance(record, StepFinished) and record.key in self._ledger:
                    self._ledger[record.key].state = "settled"
            self._at("accepted", records[0].id)
        self._commit(self._engine.decide(records, now), live=True)
        self._at("decided", f"{now:.3f}/{records[0].id if records else ''}")

    def _commit(self, decisions: Sequence[AnyDecision], *, live: bool) -> None:
        for decision in decisions:
            said = self.past.follow(decision)
            if said and live:
                self._log(said)
            if isinstance(decision, Audit):
                self.audits.append(decision)
            elif isinstance(decision, Perform) and decision.key not in self._ledger:
                self._ledger[decision.key] = Entry(decision)
                if live:
                    self._submit(decision)
        if live:
            self._save()

    def _save(self) -> None:
        """A snapshot, if it is time for one; nobody reads it where nothing is killed."""
        if self._kill is not None and (self._snapshot is None or len(self._journal) >= SNAPSHOT_EVERY):
            self._snapshot, self._journal = self._engine.snapshot(), []

    def _submit(self, deed: Perform, now: float | None = None) -> None:
        self._number += 1
        at = max(deed.due_at or deed.at, deed.at if now is None else now)
        self._flights.append(_Flight(at, self._number, deed))

    def _next_flight(self, now: float) -> _Flight | None:
        due = [flight for flight in self._flights if flight.at <= now]
        return min(due, key=lambda flight: (flight.at, flight.number), default=None)

    def _perform(self, flight: _Flight, now: float) -> None:
        """The act is begun and tried, or its answer comes."""
        deed = flight.deed
        if flight.answer is None and not awaited(self.state, deed):
            self._flights.remove(flight)
            error = f"superseded: not begun before run {deed.run} went on without it"
            self._hand_in(deed, Answer(fail="refused", error=error), now)
            return
        if flight.answer is None:
            unfit = "" if deed.action in self.world.named else self._declared.unfit(deed)
            if unfit:
                flight.answer = self.world.refused(deed, now, unfit)
            else:
                self._ledger[deed.key].state = "begun"
                self._at("begun", deed.key, deed)
                flight.answer = self.world.called(deed, now)
                self._log(call_line(deed, flight.answer))
            late = flight.answer.fail == "timeout" or flight.answer.takes_s >= deed.timeout_s
            if late and flight.answer.takes_s:
                flight.answer = Answer(fail="timeout")
            takes_s = deed.timeout_s if late else flight.answer.takes_s
            # A call that a crash cut off, and that is made again, is answered when the first was to be.
            flight.at = self.world.made[deed.key].at + takes_s
            if flight.at > now:
                return
        self._flights.remove(flight)
        self._at("acted", deed.key, deed)
        self._hand_in(deed, flight.answer, now)

    def _hand_in(self, deed: Perform, answer: Answer, now: float) -> None:
        self._accept([finished(deed, answer, now)], now)

    def _restart(self, now: float) -> None:
        """A new process: snapshot, journal, then what the ledger holds unsettled."""
        self._flights = []
        try:
            if self._snapshot is None:
                self._engine = Engine(self._rulebook)
            else:
                self._engine = Engine.restored(self._rulebook, self._snapshot)
            for records, at in self._journal:
                self._commit(self._engine.decide(records, at), live=False)
            self._commit(self._engine.decide(self._return(now), now), live=False)
            self._save()
            self._reconcile(now)
        except _Killed:
            self._restart(now)

    def _return(self, now: float) -> list[AnyRecord]:
        """Journals that nobody was there, where the clock may have missed something, as the daemon does."""
        if all(playbook.schedule is None for playbook in self._rulebook.playbooks):
            return []
        record = CommandRecord(at=now, source="quell", verb=RESUMED, by="quell")
        self._journal.append(([record], now))
        return [record]

    def _reconcile(self, now: float) -> None:
        for entry in list(self._ledger.values()):
            deed = entry.deed
            if entry.state == "settled":
                continue
            known = entry.state == "intended" or deed.dry_run
            if known or (deed.repeat != "never" and awaited(self.state, deed)):
                self._submit(deed, now)
            else:
                if deed.run:
                    self.doubts[deed.run] = deed
                error = "quell stopped while this was being done; nobody knows whether it was"
                record = StepFinished(at=now, id=f"{deed.key}=in_doubt", key=deed.key, outcome="in_doubt", error=error)
                self._accept([record], now)


def finished(deed: Perform, answer: Answer, now: float) -> StepFinished:
    """The record of an answer, as the daemon words it."""
    source = deed.action.partition(".")[0]
    if not answer.fail:
        return StepFinished(
            at=now,
            source=source,
            id=f"{deed.key}=done",
            key=deed.key,
            outcome="done",
            sentence=sentence_of(deed, answer),
            output=dict(answer.output),
        )
    failure, error = str(answer.fail), answer.error
    if failure == "lost":
        failure = "timeout" if deed.repeat == "never" else "unreachable"
        error = error or f"{deed.action} was asked and did not answer"
    elif failure == "timeout":
        error = error or f"{deed.action} did not finish within {deed.timeout_s:g} s"
    return StepFinished(
        at=now,
        source=source,
        id=f"{deed.key}=failed",
        key=deed.key,
        outcome="failed",
        failure=failure,
        error=error or f"{deed.action}: {failure}",
        retry_after_s=answer.retry_after_s,
        unknown=answer.fail in {"lost", "timeout"} and deed.effect != "read" and not deed.dry_run,
    )


def awaited(state: State, deed: Perform) -> bool:
    """Whether the core waits for this very attempt; a page is always waited for."""
    if not deed.run or not deed.key.startswith(f"{deed.run}/"):
        return True
    run = state.runs.get(deed.run)
    there = awaiting(run, deed.key) if run is not None and not run.over else None
    act = current(there) if there is not None else None
    return act is not None and (act.state != "in_doubt" or deed.repeat != "never")
