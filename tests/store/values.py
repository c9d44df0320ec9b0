"""Small values of the model for the store's tests."""

from typing import Any

from quell.model.decision import Audit, Perform
from quell.model.incident import Incident
from quell.model.records import AlertRecord, StepFinished
from quell.model.run import Run
from quell.store.port import Accepted, Store, Turn


def alert(n: int = 0, **fields: Any) -> AlertRecord:
    labels = {"alertname": "HighErrors", "service": f"svc-{n}"}
    return AlertRecord(**{"at": 1000.0 + n, "id": f"a{n}", "status": "firing", "labels": labels, **fields})


def accepted(*numbers: int, now: float = 1000.0, **fields: Any) -> Accepted:
    return Accepted(now=now, records=[alert(n) for n in numbers], **fields)


def perform(key: str, at: float = 1000.0, run: str = "run-1", **fields: Any) -> Perform:
    given = {"action": "ticket.open", "params": {"title": "x"}, "effect": "tell", "repeat": "keyed", **fields}
    return Perform(at=at, key=key, run=run, **given)


def finished(key: str, outcome: str = "done", **fields: Any) -> StepFinished:
    return StepFinished(at=1001.0, key=key, outcome=outcome, **fields)


def audit(at: float, what: str = "ack", **fields: Any) -> Audit:
    return Audit(**{"at": at, "who": "ada", "what": what, "target": "INC-1", **fields})


def incident(name: str = "INC-1", **fields: Any) -> Incident:
    given = {"title": "checkout fails", "status": "open", "opened_at": 1000.0, "updated_at": 1000.0, **fields}
    return Incident(id=name, **given)


def run(name: str = "run-1", **fields: Any) -> Run:
    given = {"playbook": "open-ticket", "incident": "INC-1", "state": "running", "mode": "enforce", **fields}
    return Run(**{"id": name, "why": "opened", "started_at": 1000.0, "updated_at": 1000.0, **given})


def seqs_of(store: Store, after: int = 0) -> list[int]:
    return [group.seq for group in store.groups_after(after)]


def turn_with_intents(seq: int, *keys: str, **fields: Any) -> Turn:
    return Turn(seq=seq, intents=[perform(key, **fields) for key in keys])
