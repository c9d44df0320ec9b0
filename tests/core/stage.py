"""A stage for playbooks: a state with one incident, a clock that is set by hand, and people who answer."""

from __future__ import annotations

from typing import Any

import msgspec

from quell.core.automation import Automation
from quell.model.alert import Alert
from quell.model.decision import AnyDecision, Audit, IncidentEvent, Perform
from quell.model.incident import Incident, Suspect
from quell.model.mute import Matcher
from quell.model.playbook import Deed, Guards, Place, Playbook, Step
from quell.model.records import CommandRecord, StepFinished
from quell.model.rulebook import Route, Rulebook
from quell.model.run import Run
from quell.model.state import State
from quell.model.topology import Change, Entity

T0 = 1_700_000_000.0
PLACE = Place(file="playbooks/test.yaml", line=1)
PAGER = Route(name="on-call", action="pager.call", params={"who": "${incident.id}"})


def step(name: str, do: str = "argocd.rollback", **given: Any) -> Step:
    return Step(id=name, do=do, place=PLACE, **given)


def undo(do: str = "argocd.sync", **given: Any) -> Deed:
    return Deed(do=do, **given)


def playbook(*steps: Step, name: str = "rollback", **given: Any) -> Playbook:
    given = {"mode": "enforce", "on": ("opened",), **given}
    return Playbook(name=name, place=PLACE, steps=steps or (step("act", with_={"app": "${suspect.service}"}),), **given)


def suspect(service: str = "checkout", change: str | None = "c1", **given: Any) -> Suspect:
    given = {"kind": "deploy", "confidence": 0.9, **given}
    return Suspect(entity=f"service/{service}", change=change, **given)


def incident(name: str = "INC-1", **given: Any) -> Incident:
    given = {"severity": "critical", "status": "open", "suspects": (suspect(),), "alerts": ("a1",), **given}
    return Incident(id=name, title=f"trouble {name}", opened_at=T0, updated_at=T0, **given)


def state() -> State:
    """What is known before anything happens: an alert, an entity and the deploy of it."""
    alert = Alert(
        fingerprint="a1",
        source="test",
        labels={"alertname": "HighErrors", "service": "checkout", "team": "payments"},
        status="firing",
        starts_at=T0,
        updated_at=T0,
        onset_seen=T0,
        entity="service/checkout",
        severity="critical",
    )
    change = Change(id="c1", at=T0 - 600, type="deploy", entity="service/checkout", revision="v9", previous="v8")
    return State(
        now=T0,
        alerts={"a1": alert},
        changes={"c1": change},
        entities={"service/checkout": Entity(entity="service/checkout", owner="payments")},
    )


class Stage:
    """Feeds one `Automation` and keeps every decision, in order."""

    def __init__(self, *playbooks: Playbook, routes: tuple[Route, ...] = (PAGER,)) -> None:
        self.rulebook = Rulebook(playbooks=playbooks, routes=routes)
        self.state = state()
        self.automation = Automation(self.rulebook, self.state)
        self.now = T0
        self.decisions: list[AnyDecision] = []

    def _kept(self, decisions: list[AnyDecision]) -> list[AnyDecision]:
        self.decisions += decisions
        return decisions

    def at(self, offset_s: float) -> Stage:
        """Lets time pass up to so many seconds after the beginning, with its timers."""
        self.now = T0 + offset_s
        self._kept(self.automation.on_time(self.now))
        return self

    def news(self, about: Incident | None = None, event: IncidentEvent = "opened") -> list[AnyDecision]:
        about = about or incident()
        self.state.incidents[about.id] = about
        return self._kept(self.automation.on_incident(about, event, self.now))

    def answer(self, key: str = "", outcome: str = "done", **given: Any) -> list[AnyDecision]:
        """The answer to the last intent, or to the one named."""
        result = StepFinished(at=self.now, key=key or self.performs[-1].key, outcome=outcome, **given)
        return self._kept(self.automation.on_step_finished(result, self.now))

    def fail(self, failure: str = "refused", error: str = "no such application") -> list[AnyDecision]:
        return self.answer(outcome="failed", failure=failure, error=error)

    def say(self, verb: str, target: str = "", by: str = "ana", **args: Any) -> list[AnyDecision]:
        target = target or (self.run.id if verb in {"approve", "reject", "stop"} else "")
        command = CommandRecord(at=self.now, verb=verb, target=target, by=by, args=args)
        return self._kept(self.automation.on_command(command, self.now))

    def restart(self) -> Stage:
        """Another process on the snapshot of this one."""
        self.state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=State)
        self.automation = Automation(self.rulebook, self.state)
        return self

    @property
    def performs(self) -> list[Perform]:
        return [one for one in self.decisions if isinstance(one, Perform)]

    @property
    def keys(self) -> list[str]:
        """Ledger keys without the run's id."""
        return [one.key.removeprefix(f"{one.run}/") if one.run else one.key for one in self.performs]

    @property
    def audits(self) -> list[str]:
        return [f"{one.who} {one.what} {one.target}: {one.detail}" for one in self.decisions if isinstance(one, Audit)]

    @property
    def runs(self) -> list[Run]:
        return list(self.state.runs.values())

    @property
    def run(self) -> Run:
        """The newest run."""
        return self.runs[-1]

    @property
    def states(self) -> list[str]:
        return [one.state for one in self.run.steps]


def matcher(name: str, value: str) -> Matcher:
    return Matcher(name=name, value=value)


__all__ = ["Guards", "Stage", "incident", "matcher", "playbook", "state", "step", "suspect", "undo"]
