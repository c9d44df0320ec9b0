"""Playbooks: what the incidents' news, answers, people and time make of runs."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from quell.core.approvals import approved, refusal, rejected, stopped
from quell.core.begin import Beginnings, firing
from quell.core.blast import Estate
from quell.core.caps import Budget, Trials
from quell.core.choose import Choice
from quell.core.considered import considered
from quell.core.desk import Desk, asks, idle
from quell.core.detect.present import present_drift
from quell.core.dues import Dues
from quell.core.gate import Gate
from quell.core.graph import Graph
from quell.core.guards import Guards
from quell.core.lanes import Lanes
from quell.core.news import answer, timed
from quell.core.routes import Routes
from quell.core.runs import advance, settled_doubt
from quell.core.shelf import kept_locks
from quell.core.stand import current
from quell.core.steps import Steps, finished
from quell.model.alert import Alert
from quell.model.decision import AnyDecision, IncidentEvent, Perform
from quell.model.incident import Incident
from quell.model.playbook import Playbook
from quell.model.records import CommandRecord, StepFinished
from quell.model.rulebook import Rulebook
from quell.model.run import Run
from quell.model.state import State
from quell.model.times import format_time

KEEP_RUNS_S = 7 * 86_400.0
"""How long a run that is over is remembered at least after its incident is forgotten; guards may need it longer."""
SWEEP_S = 3600.0
RESUMED = "resumed"
"""What the daemon says when it is there again."""
RUN_VERBS = frozenset({"approve", "reject", "run", "stop", "release", "pause", "unpause", RESUMED})


class Automation:
    """Chooses and advances runs. All that it remembers is in ``state``: a new one on the same state goes on alike.

    No method raises for what a playbook, an answer or a person got wrong: that becomes a run's state or an audit.
    """

    def __init__(self, rulebook: Rulebook, state: State, graph: Callable[[], Graph] | None = None) -> None:
        self.rulebook = rulebook
        self.state = state
        self._routes = Routes(rulebook, state)
        self._desk = Desk(state, self._routes)
        self._desk.present = lambda entities: present_drift(rulebook, state, entities)
        self._paging = self._desk.paging
        estate = Estate(graph or _drawn(rulebook, state))
        guards = Guards(rulebook, state, self._desk.shelf, estate)
        budget, trials = Budget(rulebook.caps, state), Trials(rulebook.caps, state)
        self._desk.gate, self._desk.spend, self._desk.ended = (
            Gate(self._desk, guards, budget),
            budget.spend,
            trials.ended,
        )
        self._beginnings = Beginnings(self._desk, guards, estate, trials)
        self._choice = Choice(rulebook.playbooks, self._desk, self._beginnings)
        self._named = {playbook.name: playbook for playbook in rulebook.playbooks}
        self._dues = Dues(self._desk.live())
        self._desk.kept = self._dues.put
        self._next: float | None = None
        self._asked = False

    def on_incident(self, incident: Incident, event: IncidentEvent, now: float) -> list[AnyDecision]:
        """What an incident's news begins, settles or makes unneeded. ``incident`` is as it is after the event."""
        self._asked = False
        if event == "opened":
            self._forget(now)
        for run in self._desk.shelf.live_of(incident.id):
            unneeded = (run.trigger == "resolved") == incident.is_open and run.trigger not in {"command", "alert"}
            if unneeded and idle(self._desk.playbook(run), run):
                self._desk.keep(
                    stopped(run, now, f"no longer needed: incident {incident.id} is {incident.status}"), now
                )
        self._choice.on_event(incident, event, now)
        return self._desk.taken()

    @property
    def any_alert(self) -> bool:
        """Whether any playbook asks for the news of alerts."""
        return self._choice.triggers.any_alert

    def on_alert(self, alert: Alert, now: float) -> list[AnyDecision]:
        """What the news of an alert begins or settles."""
        if not self.any_alert:
            return []
        self._asked = False
        self._choice.on_alert(alert, now)
        return self._desk.taken()

    def resumed(self, now: float) -> list[AnyDecision]:
        """After the daemon was down, before time passes up to ``now``: what the clock missed comes once, or not."""
        self._asked = False
        self._paging.resumed(now)
        for name, time, again_at in self._choice.clockwork.resumed(now):
            said = (
                "it begins now, late" if again_at is not None else "that is too long ago, so it waits for the next time"
            )
            self._desk.audit(now, "quell", "missed", name, f"the daemon was down at {format_time(time)}; {said}")
        return self._desk.taken()

    def on_step_finished(self, result: StepFinished, now: float) -> list[AnyDecision]:
        """What follows from an answer; one that is not awaited (repeated, late, unknown) changes nothing."""
        self._asked = False
        if result.key in self.state.telling:
            return self._paging.answered(result, now)
        run = self.state.runs.get(result.key.partition("/")[0])
        told = answer(self._desk, run, result, now) if run is not None and not run.over else None
        if told is not None:
            self._desk.keep(told, now)
        return self._desk.taken()

    def on_command(self, command: CommandRecord, now: float) -> list[AnyDecision]:
        """Carries out the verbs that are about runs; a refusal is an audit. Other verbs: nothing."""
        self._asked = False
        if command.verb == RESUMED:
            return []  # `resumed` did what there was to do before time passed
        if command.verb in {"pause", "unpause"}:
            self._pause(command, now)
        elif command.verb == "run":
            self._run(command, now)
        elif command.verb in RUN_VERBS:
            run = self.state.runs.get(command.target)
            if run is None:
                self._refuse(command, now, f'there is no run "{command.target}"')
            elif command.verb == "release":
                self._release(run, command, now)
            elif run.over:
                self._refuse(command, now, f"run {run.id} is {run.state}")
            else:
                self._desk.keep(self._told(run, command, now), now)
        return self._desk.taken()

    def on_time(self, now: float) -> list[AnyDecision]:
        """Everything due at or before ``now``, in order, each at its own time."""
        return finished(self.passing(now))

    def passing(self, now: float) -> Steps[list[AnyDecision]]:
        """The same, a little at a time."""
        self._asked = False
        while (next_due := self._earliest()) is not None and next_due <= now:
            if self._paging.next_due() == next_due:
                for decision in self._paging.on_time(next_due):
                    self._desk.decide(decision)
                continue
            if self._choice.next_due() == next_due:
                self._forget(next_due)  # where no incident ever opens, the clock's runs must go too
                yield from self._choice.on_time(next_due, next_due)
                continue
            for name in self._dues.due(next_due):
                if self._dues.is_due(name, next_due):  # what came before may have changed it
                    run = self.state.runs[name]
                    at = max(next_due, run.updated_at)
                    self._desk.keep(timed(self._desk, run, at), at)
                    yield
        return self._desk.taken()

    def next_due(self) -> float | None:
        """When `on_time` would do something next; None: not without news. Asked at every turn, so it is remembered."""
        if not self._asked:
            # Before time is known no schedule says when it is due, so that is not remembered.
            self._next, self._asked = self._earliest(), bool(self.state.now)
        return self._next

    def _earliest(self) -> float | None:
        if not (self.state.telling or self._choice.any_due or self._desk.any_live):
            return None
        times = (self._paging.next_due(), self._choice.next_due(), self._dues.next_due())
        return min((time for time in times if time is not None), default=None)

    def pages(
        self, incident: Incident | None, alert: Alert | None, now: float, text: str, reason: str = ""
    ) -> list[AnyDecision]:
        """One deed per route that matches; ``reason`` makes the ledger key (default: the incident's version).

        A page that is answered as failed is told again by `on_time` while its incident is open, and one that must wait
        for another of its lane when that is settled.
        """
        return self.tell(self._routes.pages(incident, alert, now, text, reason), now)

    @property
    def routes(self) -> Routes:
        """Where pages go."""
        return self._routes

    @property
    def lanes(self) -> Lanes:
        """The pages under way."""
        return self._paging.lanes

    def tell(self, deeds: list[Perform], now: float) -> list[AnyDecision]:
        """Deeds that tell people are told in order, and again where they fail, as those of `pages`."""
        self._asked = False
        return self._paging.told(deeds, now)

    def routes_of(self, alert: Alert) -> tuple[object, ...]:
        """The ways that a page for an alert takes, to compare them with those of another."""
        return self._routes.taken(alert)

    def considered(self, incident: Incident, now: float) -> list[tuple[str, str]]:
        """For every playbook, by name, whether its condition holds for the incident now, and if not why not."""
        return considered(self._desk, self._choice, self.rulebook.playbooks, incident, now)

    def _told(self, run: Run, command: CommandRecord, now: float) -> Run:
        """The run after a person's word on it."""
        if command.verb == "stop":
            self._desk.audit(now, command.by, "stop", run.id, _note(command))
            return stopped(run, now, f"stopped by {command.by or 'a person'}")
        if why := _beside_the_question(run, command):
            self._refuse(command, now, why)
            return run
        if run.state == "in_doubt":
            took_effect = command.verb == "approve"
            detail = "it took effect" if took_effect else "it did not take effect"
            self._desk.audit(now, command.by, command.verb, run.id, detail)
            return settled_doubt(self._desk, run, took_effect, command.by or "a person", now)
        if command.verb == "reject":
            if asks(run):
                return rejected(self._desk, run, command, now)
            self._refuse(command, now, f"run {run.id} is {run.state} and waits for nobody's approval")
            return run
        refused = refusal(run, command, self.state.incidents.get(run.incident), now)
        if refused:
            self._refuse(command, now, refused)
            return run
        run = approved(self._desk, run, command, now)
        return advance(self._desk, run, now) if run.state == "running" else run

    def _run(self, command: CommandRecord, now: float) -> None:
        name = str(command.args.get("incident") or "")
        dry = str(command.args.get("dry") or "").lower() in {"true", "1", "yes"}
        playbook, incident = self._named.get(command.target), self.state.incidents.get(name)
        if playbook is None:
            self._refuse(command, now, f'there is no playbook "{command.target}"')
        elif incident is None and (name or _about_incidents(playbook)):
            missing = (
                f'there is no incident "{name}"' if name else f"playbook {playbook.name} runs for an incident; name one"
            )
            self._refuse(command, now, missing)
        elif playbook.mode == "off" and not dry:
            self._refuse(command, now, f"playbook {playbook.name} is off; only a dry run is possible")
        else:
            begun = self._beginnings.by_hand(playbook, incident, command.by, dry, now)
            for_incident = f" for incident {incident.id}" if incident is not None else ""
            if isinstance(begun, str):
                self._refuse(command, now, begun)
            else:
                self._desk.audit(now, command.by, "run", playbook.name, f"run {begun.id}{for_incident}")

    def _release(self, run: Run, command: CommandRecord, now: float) -> None:
        """Somebody has looked at what a stuck run left behind: others may go there again."""
        if run.state != "stuck":
            self._refuse(command, now, f"run {run.id} is {run.state}, only a stuck run keeps its locks")
        elif run.released_by:
            self._refuse(command, now, f"{run.released_by} released run {run.id} already")
        else:
            kept = ", ".join(sorted(kept_locks(run))) or "no locks"
            self._desk.audit(now, command.by, "release", run.id, "; ".join(filter(None, [kept, _note(command)])))
            self._desk.keep(replace(run, released_by=command.by or "a person"), now)

    def _pause(self, command: CommandRecord, now: float) -> None:
        """The switch for all playbooks. What is in flight is awaited; nothing further begins until it is released."""
        self._desk.audit(now, command.by, command.verb, "playbooks", _note(command))
        self.state.paused_by = (command.by or "a person") if command.verb == "pause" else ""
        if command.verb == "unpause":
            for run in self._desk.live():
                act = current(run)
                if run.state == "waiting" and act is not None and act.state == "planned":
                    self._desk.keep(advance(self._desk, run, now), now)

    def _refuse(self, command: CommandRecord, now: float, why: str) -> None:
        self._desk.audit(now, command.by, command.verb, command.target, f"refused: {why}")

    def _forget(self, now: float) -> None:
        """Runs long over whose incident is forgotten, and that no guard asks about any more, go. Looks once an hour."""
        if now < self.state.runs_swept_at + SWEEP_S:
            return
        self.state.runs_swept_at = now
        guards = [playbook.guards for playbook in self.rulebook.playbooks]
        keep_s = max([KEEP_RUNS_S, *(max(guard.cooldown_s, guard.limit_per_s) for guard in guards)])
        for run in list(self.state.runs.values()):
            gone = run.incident not in self.state.incidents and not self._fires(run)
            if run.over and not run.holds and gone and run.updated_at + keep_s < now:
                del self.state.runs[run.id]
                self._desk.shelf.drop(run)

    def _fires(self, run: Run) -> bool:
        """Whether the firing that began a run goes on: forgotten, the run would begin again."""
        alert = self.state.alerts.get(run.alert)
        return alert is not None and alert.firing and firing(alert) == run.event


def _about_incidents(playbook: Playbook) -> bool:
    """Whether a run of the playbook needs an incident, also when a person begins it."""
    return bool(playbook.on) or playbook.alert is not None


def _drawn(rulebook: Rulebook, state: State) -> Callable[[], Graph]:
    """The graph of what is known, drawn anew for each question; the engine hands over the one that it keeps."""

    def graph() -> Graph:
        entities = {entity.entity: entity for entity in rulebook.entities} | state.entities
        dependencies = [*rulebook.dependencies, *state.dependencies.values()]
        return Graph(entities.values(), dependencies, rulebook.correlate)

    return graph


def _beside_the_question(run: Run, command: CommandRecord) -> str:
    """Why a word on a run is none on what the run asks now; "" when it is, or does not say what it is about.

    A yes that comes late to an approval must not be taken for "it took effect".
    """
    about = command.args.get("answers")
    if about == "approval" and run.state == "in_doubt":
        return (
            f"run {run.id} is in doubt and asks what became of an act; look, then `quell approve {run.id} "
            f"--took-effect` or `quell reject {run.id} --no-effect`"
        )
    if about == "doubt" and run.state != "in_doubt":
        return f"run {run.id} is {run.state} and not in doubt"
    return ""


def _note(command: CommandRecord) -> str:
    return str(command.args.get("note") or "")
