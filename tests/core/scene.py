"""A scene for the whole core: two small estates that share nothing, and an engine that is told what happens there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from quell.core.engine import Engine
from quell.model.alert import Alert, fingerprint
from quell.model.decision import AnyDecision, Audit, IncidentChanged, Page, Perform
from quell.model.incident import Incident
from quell.model.mute import Matcher
from quell.model.playbook import Place, Playbook, Step
from quell.model.records import AlertRecord, AnyRecord, ChangeRecord, CommandRecord, StepFinished
from quell.model.rulebook import Route, Rulebook
from quell.model.topology import Dependency, Entity

T0 = 1_700_000_000.0
SHOP = {
    "frontend": ["checkout", "catalog"],
    "checkout": ["payments", "cart"],
    "payments": ["ledger"],
    "cart": ["cache"],
}
LAB = {"dashboard": ["reports"], "reports": ["warehouse"], "warehouse": ["disk"]}
PAGER = Route(name="on-call", action="pager.call")


def _entities(namespace: str, needs: dict[str, list[str]]) -> list[Entity]:
    names = sorted({*needs, *(name for needed in needs.values() for name in needed)})
    return [Entity(entity=f"service/{name}", labels={"namespace": namespace}) for name in names]


def _edges(needs: dict[str, list[str]]) -> list[Dependency]:
    return [
        Dependency(from_=f"service/{name}", to=f"service/{needed}", type="calls")
        for name, all_needed in needs.items()
        for needed in all_needed
    ]


def rulebook(**given: Any) -> Rulebook:
    known: dict[str, Any] = {
        "entities": (*_entities("shop", SHOP), *_entities("lab", LAB)),
        "dependencies": (*_edges(SHOP), *_edges(LAB)),
        "routes": (PAGER,),
    }
    return Rulebook(**{**known, **given})


def labels(service: str, name: str = "HighErrorRate", severity: str = "critical", /, **more: str) -> dict[str, str]:
    namespace = "lab" if service in {*LAB, "warehouse", "disk"} else "shop"
    return {"alertname": name, "service": service, "namespace": namespace, "severity": severity, **more}


def fires(
    service: str, at: float = 0.0, name: str = "HighErrorRate", severity: str = "critical", **given: Any
) -> AlertRecord:
    """A firing of an alert of a service, so many seconds after the beginning."""
    more = given.pop("labels", {})
    record = AlertRecord(
        at=T0 + at, status="firing", labels=labels(service, name, severity, **more), starts_at=T0 + at, source="prom"
    )
    return _with(record, given)


def ends(service: str, at: float, name: str = "HighErrorRate", severity: str = "critical", **given: Any) -> AlertRecord:
    """Its resolution."""
    more = given.pop("labels", {})
    record = AlertRecord(
        at=T0 + at, status="resolved", labels=labels(service, name, severity, **more), ends_at=T0 + at, source="prom"
    )
    return _with(record, given)


def _with(record: AlertRecord, given: dict[str, Any]) -> AlertRecord:
    return AlertRecord(**{**{name: getattr(record, name) for name in record.__struct_fields__}, **given})


def deploy(service: str, at: float, name: str = "", **given: Any) -> ChangeRecord:
    given = {"type": "deploy", "revision": "v9", "previous": "v8", "author": "ana", **given}
    return ChangeRecord(at=T0 + at, id=name or f"deploy-{service}", entity=f"service/{service}", **given)


def says(verb: str, target: str = "", at: float = 0.0, by: str = "ana", **args: Any) -> CommandRecord:
    return CommandRecord(at=T0 + at, verb=verb, target=target, by=by, args=args)


def silence(
    name: str, at: float, until: float, *matchers: Matcher, starts: float | None = None, by: str = "ana"
) -> CommandRecord:
    """The command that makes a silence; without matchers it covers namespace shop."""
    told = [
        {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal}
        for one in matchers or (Matcher(name="namespace", value="shop"),)
    ]
    begins = at if starts is None else starts
    given = {
        "id": name, "matchers": told, "starts_at": T0 + begins, "ends_at": T0 + until, "updated_at": T0 + at,
        "created_by": by, "comment": "planned work",
    }  # fmt: skip
    return says("silence", name, at, by, silence=given)


def matcher(name: str, value: str) -> Matcher:
    return Matcher(name=name, value=value)


def playbook(name: str = "ticket", **given: Any) -> Playbook:
    place = Place(file="playbooks/test.yaml", line=1)
    steps = (Step(id="open", do="ticket.open", place=place, with_={"title": "${incident.title}"}, effect="tell"),)
    return Playbook(**{"name": name, "place": place, "steps": steps, "mode": "enforce", **given})


def outage(at: float = 0.0, *, of: Iterable[str] = ("ledger", "payments", "checkout", "frontend")) -> list[AlertRecord]:
    """A fault that travels upwards, an alert every twelve seconds."""
    return [fires(service, at + 12.0 * step) for step, service in enumerate(of)]


class Scene:
    """Feeds one `Engine`, lets its timers run, answers its deeds, and keeps every decision in order."""

    def __init__(self, book: Rulebook | None = None) -> None:
        self.rulebook = rulebook() if book is None else book
        self.engine = Engine(self.rulebook)
        self.decisions: list[AnyDecision] = []
        self.at = 0.0

    def tell(self, *records: AnyRecord, at: float | None = None) -> list[AnyDecision]:
        """One call with all these records; without ``at`` each at its own time, in order of time."""
        if at is not None:
            return self._decide(records, at)
        found: list[AnyDecision] = []
        for record in sorted(records, key=lambda record: record.arrived):
            found += self._decide((record,), record.arrived - T0)
        return found

    def wait(self, until: float) -> list[AnyDecision]:
        """Lets time pass up to so many seconds after the beginning."""
        return self._decide((), until)

    def _decide(self, records: Sequence[AnyRecord], at: float) -> list[AnyDecision]:
        self.at = max(self.at, at)
        decisions = self.engine.decide(records, T0 + self.at)
        answers = [
            StepFinished(at=T0 + self.at, key=one.key, outcome="done") for one in decisions if isinstance(one, Perform)
        ]
        self.decisions += decisions
        return decisions + self._decide(answers, at) if answers else decisions

    def restart(self) -> Scene:
        """Another process on the snapshot of this one."""
        self.engine = Engine.restored(self.rulebook, self.engine.snapshot())
        return self

    @property
    def incidents(self) -> list[Incident]:
        return list(self.engine.state.incidents.values())

    @property
    def open(self) -> list[Incident]:
        return [one for one in self.incidents if one.is_open]

    @property
    def incident(self) -> Incident:
        """The only incident."""
        (only,) = self.incidents
        return only

    @property
    def pages(self) -> list[Page]:
        """What people were told first, without reminders."""
        return [one for one in self.decisions if isinstance(one, Page) and not one.reminder]

    @property
    def reminders(self) -> list[Page]:
        return [one for one in self.decisions if isinstance(one, Page) and one.reminder]

    @property
    def calls(self) -> list[Perform]:
        return [one for one in self.decisions if isinstance(one, Perform)]

    @property
    def events(self) -> list[str]:
        return [one.event for one in self.decisions if isinstance(one, IncidentChanged)]

    @property
    def audits(self) -> list[str]:
        return [f"{one.who} {one.what} {one.target}: {one.detail}" for one in self.decisions if isinstance(one, Audit)]

    def alert(self, service: str, name: str = "HighErrorRate", severity: str = "critical", **more: str) -> Alert:
        return self.engine.state.alerts[fingerprint(labels(service, name, severity, **more))]

    def services(self, incident: Incident) -> set[str]:
        """The services whose alerts an incident lists."""
        return {self.engine.state.alerts[mark].labels["service"] for mark in incident.alerts}

    def text(self) -> str:
        explanation = self.engine.explain(self.incident.id)
        assert explanation is not None
        return explanation.text


def consistent(engine: Engine) -> None:
    """What must hold at any time: an alert is in one open incident at most, and says so itself."""
    state = engine.state
    member: dict[str, str] = {}
    for incident in state.incidents.values():
        if incident.is_open:
            for mark in incident.alerts:
                assert mark not in member, f"{mark} is in {member[mark]} and in {incident.id}"
                member[mark] = incident.id
    for mark, alert in state.alerts.items():
        incident = state.incidents.get(alert.incident or "")
        if incident is not None and incident.is_open:
            assert member.get(mark) == incident.id, f"{mark} says {incident.id}, which does not list it"
        else:
            assert mark not in member, f"{mark} says {alert.incident} and is listed by {member[mark]}"
