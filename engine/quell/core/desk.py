"""Where runs are kept while one call of `quell.core.automation` works: the state, and the decisions so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec.structs import replace

from quell.core.chronicle import entry
from quell.core.context import run_context
from quell.core.detect.present import PresentDrift
from quell.core.logbook import noted
from quell.core.paging import Paging
from quell.core.routes import Routes
from quell.core.shelf import Shelf
from quell.core.stand import acts_of, current
from quell.expressions.on_demand import OnDemand
from quell.model.decision import AnyDecision, Audit, IncidentChanged, Perform, RunChanged
from quell.model.playbook import Playbook
from quell.model.run import Run, StepRun
from quell.model.state import State

Gate = Callable[[Run, StepRun, float], Run | None]

__all__ = ["Desk", "asks", "current", "idle"]


class Desk:
    """The runs that are not over, and what was decided since `taken` was last called."""

    def __init__(self, state: State, routes: Routes) -> None:
        self.state = state
        self.routes = routes
        self.paging = Paging(state, routes)
        self.shelf = Shelf(state.runs)
        self.gate: Gate = lambda _run, _act, _at: None
        self.spend: Callable[[float], None] = lambda _at: None
        self.present: Callable[[Collection[str]], list[PresentDrift]] = lambda _entities: []
        self.ended: Callable[[Playbook, Run], None] = lambda _playbook, _run: None
        self.kept: Callable[[Run], None] = lambda _run: None
        self._live = {name for name, run in state.runs.items() if not run.over}
        self._decisions: list[AnyDecision] = []

    def taken(self) -> list[AnyDecision]:
        """The decisions, in order, which are then the caller's."""
        decisions, self._decisions = self._decisions, []
        return decisions

    def decide(self, decision: AnyDecision) -> None:
        """Adds one decision."""
        self._decisions.append(decision)
        if isinstance(decision, Perform) and decision.effect == "change" and not decision.dry_run:
            self.spend(decision.at)

    def audit(self, at: float, who: str, what: str, target: str, detail: str = "") -> None:
        """Adds one row to the trail."""
        self.decide(Audit(at=at, who=who, what=what, target=target, detail=detail))

    def note(self, run: Run, what: str, text: str, at: float) -> bool:
        """Adds an entry to the timeline of the run's incident; False when that is forgotten."""
        incident = self.state.incidents.get(run.incident)
        if incident is None:
            return False
        incident = noted(incident, at, what, text, f"{run.playbook} ({run.id})")
        incident = replace(incident, version=incident.version + 1, updated_at=max(at, incident.updated_at))
        self.state.incidents[incident.id] = incident
        self.decide(IncidentChanged(at=at, incident=incident, event="updated"))
        return True

    def page(self, run: Run, at: float, reason: str, text: str, *, only: str = "") -> int:
        """Tells people about a run through its incident's routes, and gives how many; the trail says so too.

        A dry run tells nobody. ``only`` names the one route to take, whatever it matches.
        """
        deeds = self.routes.pages(
            self.state.incidents.get(run.incident),
            self.state.alerts.get(run.alert),
            at,
            text,
            f"{run.id}-{reason}",
            only=only,
        )
        deeds = [replace(deed, run=run.id, dry_run=run.dry) for deed in deeds]
        self._decisions.extend(self.paging.told(deeds, at))
        told = f"{'would tell' if run.dry else 'told'} {len(deeds)} route{'s' * (len(deeds) != 1)}"
        how = told if deeds else "no route matches, so nobody was told"
        self.audit(at, "quell", "escalate", run.id, f"{text}; {how}")
        return len(deeds)

    @property
    def any_live(self) -> bool:
        """Whether there is any run that is not over."""
        return bool(self._live)

    def live(self) -> list[Run]:
        """Runs that are not over, by id."""
        return [self.state.runs[name] for name in sorted(self._live)]

    def playbook(self, run: Run) -> Playbook:
        """The playbook as it was when the run began."""
        return self.state.begun[run.id]

    def context(self, run: Run, at: float, result: Mapping[str, Any] | None = None) -> OnDemand:
        """What the run's expressions see now."""
        return run_context(self.state, self.playbook(run), run, at, result)

    def open(self, run: Run, playbook: Playbook) -> None:
        """Makes a new run known; `keep` tells of it."""
        self.state.begun[run.id] = playbook

    def keep(self, run: Run, at: float) -> None:
        """Takes the run as it now is; a run that did not change is not told of."""
        before = self.state.runs.get(run.id)
        if before == run:
            return
        run = replace(run, updated_at=max(at, run.updated_at))
        self.state.runs[run.id] = run
        self.shelf.put(run)
        self.kept(run)
        if run.over:
            self._live.discard(run.id)
            begun = self.state.begun.pop(run.id, None)
            if begun is not None:
                self.ended(begun, run)
        else:
            self._live.add(run.id)
        self.decide(RunChanged(at=at, run=run))
        happened = entry(before, run)
        if happened is not None:
            self.note(run, *happened, at)


def asks(run: Run) -> bool:
    """Whether the run waits for people to approve it or its step."""
    act = current(run)
    in_step = run.state == "waiting" and act is not None and act.do == "approve" and act.state == "waiting"
    return run.approval is not None and (run.state == "proposed" or in_step)


def idle(playbook: Playbook, run: Run) -> bool:
    """Whether the run waits for people and can be called off: for an approval, or held back, before it changed a thing.

    One that changed something is not called off: what it asks for may be to take that back.
    """
    changing = {step.id for step in playbook.steps if step.effect == "change"}
    if any(act.state == "done" and not act.left and act.id.partition("/")[0] in changing for act in acts_of(run)):
        return False
    held_back = run.state == "waiting" and run.phase == "steps" and not any(act.tries for act in acts_of(run))
    return asks(run) or held_back
