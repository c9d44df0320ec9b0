"""Plays a scenario: what is fed, what people do and what is expected, in order of time, on a clock of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import msgspec

from quell.config.scenario import Expect, Fed, Person, Scenario
from quell.model.decision import Perform
from quell.model.records import AnyRecord, CommandRecord, LogRecord, SampleRecord
from quell.model.rulebook import Rulebook
from quell.model.times import format_duration
from quell.trial.actions import Declared
from quell.trial.expectations import Failure, as_written, unmet
from quell.trial.machine import Kill, Machine
from quell.trial.people import NobodyMeant, commands_of, refusal
from quell.trial.world import Made, World

_LEAST_STEP_S = 0.001
"""Time goes on by as much at least, whatever is due."""
_FED, _DONE, _LOOKED = range(3)


@dataclass(slots=True)
class Played:
    """What came of it. ``log`` says what happened, a line each."""

    failures: list[Failure] = field(default_factory=list)
    effects: Counter[tuple[str, str]] = field(default_factory=Counter)
    ends: dict[str, str] = field(default_factory=dict)
    """Incidents and runs with the state they have at the end."""
    made: list[Made] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    kills: int = 0
    asked: int = 0
    """How often a person had to look what a crash had left."""


class _Player:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, rulebook: Rulebook, declared: Declared, kill: Kill | None) -> None:
        self.played = Played()
        self._scenario = scenario
        self._world = World(scenario.fakes, declared.looks, strict=scenario.strict)
        self._machine = Machine(rulebook, self._world, declared, kill=kill, log=self._log)
        self._now = scenario.clock
        self._people = 0
        self._said: dict[tuple[str, str], float | None] = {}
        """What points last said, by entity and metric or log statement."""

    def play(self) -> Played:
        self._take([], self._scenario.clock)
        for (at, kind), events in groupby(_in_order(self._scenario), key=lambda one: one[:2]):
            self._pass_until(at)
            self._do(kind, [event for _, _, event in events], at)
        played = self.played
        played.effects = self._world.effects
        past = self._machine.past
        played.ends = {f"incident {one.id}": one.status for one in past.incidents.values()}
        played.ends |= {f"run {one.id} of {one.playbook}": one.state for one in past.runs.values()}
        played.made = list(self._world.made.values())
        played.kills = self._machine.kills
        return played

    def _do(self, kind: int, events: list[Fed | Person | Expect], at: float) -> None:
        if kind == _FED:
            records: list[AnyRecord] = [event.record for event in events if isinstance(event, Fed)]
            for record in records:
                self._log_record(record, at)
            self._take(records, at)
            return
        if kind == _LOOKED:
            self._take([], at)
        for event in events:
            if isinstance(event, Person):
                self._person(event)
            elif isinstance(event, Expect):
                self.played.failures += unmet(event, self._machine, self._scenario.clock)

    def _pass_until(self, at: float) -> None:
        """Does all that is due before a time."""
        while (due := self._machine.next_due()) is not None and due < at:
            self._take([], max(due, self._now + _LEAST_STEP_S))

    def _take(self, records: list[AnyRecord], at: float) -> None:
        self._now = max(at, self._now)
        self._machine.take(records, self._now)
        while self._machine.doubts:
            self._settle_doubt(*self._machine.doubts.popitem())

    def _settle_doubt(self, run_id: str, deed: Perform) -> None:
        """A person looks what became of an act that a crash left in doubt, and says it."""
        run = self._machine.state.runs.get(run_id)
        if run is not None and run.state == "in_doubt":
            self.played.asked += 1
            verb = "approve" if self._world.took_effect(deed) else "reject"
            self._log(f"a person looked and says {verb} to {run.playbook}")
            look = CommandRecord(at=self._now, id=f"look-{deed.key}", verb=verb, target=run_id, by="who looked")
            self._machine.take([look], self._now)

    def _person(self, person: Person) -> None:
        self._people += 1
        place, after_s = person.place, person.at - self._scenario.clock
        what = f"{person.by}: {person.verb} {person.target}".rstrip()
        try:
            commands = commands_of(person, self._machine.state, self._people)
        except NobodyMeant as error:
            if person.refused is None or person.refused not in str(error):
                self.played.failures.append(Failure(place, after_s, what, "it can be done", str(error)))
            return
        for command in commands:
            self._log(f"{person.by} does {command.verb} {command.target}", person.at)
            self._take([command], person.at)
            said = refusal(command, self._machine.audits)
            if person.refused is None and said:
                self.played.failures.append(Failure(place, after_s, what, "it is done", f"refused: {said}"))
            elif person.refused is not None and (not said or person.refused not in said):
                want = f"refused: {person.refused}".rstrip(" :")
                got = f"refused: {said}" if said else "it was done"
                self.played.failures.append(Failure(place, after_s, what, want, got))

    def _log_record(self, record: AnyRecord, at: float) -> None:
        """A point that says what the one before it said is not shown."""
        if isinstance(record, SampleRecord | LogRecord):
            series = (
                record.entity,
                record.metric if isinstance(record, SampleRecord) else record.template or record.text,
            )
            said = record.value if isinstance(record, SampleRecord) else record.count
            if self._said.get(series) == said:
                return
            self._said[series] = said
        self._log(_told(record), at)

    def _log(self, text: str, at: float | None = None) -> None:
        after = format_duration((self._now if at is None else at) - self._scenario.clock)
        self.played.log.append(f"{after:>8}  {' '.join(text.split())}")


def play(scenario: Scenario, rulebook: Rulebook, declared: Declared, kill: Kill | None = None) -> Played:
    """Plays it once; ``kill`` says after which commits the machine is killed."""
    return _Player(scenario, rulebook, declared, kill).play()


def _in_order(scenario: Scenario) -> Iterator[tuple[float, int, Fed | Person | Expect]]:
    events: list[tuple[float, int, Fed | Person | Expect]] = [
        *((one.at, _FED, one) for one in scenario.feed),
        *((one.at, _DONE, one) for one in scenario.people),
        *((one.at, _LOOKED, one) for one in scenario.expects),
    ]
    last = max(one.at for one in scenario.expects)
    yield from sorted((one for one in events if one[0] <= last), key=lambda one: one[:2])


def _told(record: AnyRecord) -> str:
    plain = {
        name: value
        for name, value in msgspec.to_builtins(record).items()
        if name not in {"at", "seen", "id", "source", "starts_at", "kind"}
    }
    return f"{record.__struct_config__.tag} {as_written(plain)}"
