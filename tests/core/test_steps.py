"""Time passes a little at a time: others may look in between, and what comes of it is the same."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, outage, rulebook
from quell.core.cover import Cover
from quell.core.engine import Engine
from quell.core.steps import Steps, finished
from quell.model.decision import AnyDecision
from quell.model.records import AlertRecord, AnyRecord
from quell.model.topology import Dependency, Entity

MANY = 150
LONGEST_STEP = 40
"""Causes weighed in one step at most, of more than a thousand."""


def _estate() -> Engine:
    """Many services, each on a host of ten, and each calls one before it."""
    services = [Entity(entity=f"service/s{at}") for at in range(MANY)]
    edges = [Dependency(from_=f"service/s{at}", to=f"host/h{at % 10}", type="runs_on") for at in range(MANY)]
    edges += [Dependency(from_=f"service/s{at}", to=f"service/s{at // 2}", type="calls") for at in range(1, MANY)]
    return Engine(rulebook(entities=tuple(services), dependencies=tuple(edges)))


def _trouble(chance: random.Random) -> list[AnyRecord]:
    return [
        AlertRecord(
            at=T0,
            status="firing",
            labels={"alertname": chance.choice(("Slow", "Down")), "service": f"s{at}", "severity": "critical"},
            starts_at=T0 - chance.randrange(600),
        )
        for at in range(MANY)
    ]


def _look(engine: Engine) -> None:
    """What readers do."""
    engine.next_due()
    engine.snapshot()
    _ = engine.graph
    for name in engine.state.incidents:
        engine.explain(name)
    for mark in list(engine.state.alerts)[:5]:
        engine.why_not(mark)


@settings(max_examples=2, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_who_looks_in_between_changes_nothing(chance: random.Random) -> None:
    whole, looked_at = _estate(), _estate()
    records = _trouble(chance)
    for told, now in ((records, T0), ([], T0 + 30.0), (outage(40.0), T0 + 60.0), ([], T0 + 4000.0)):
        out: list[AnyDecision] = []
        for number, piece in enumerate(looked_at.parts(told, now)):
            out += piece
            if not number % 29:
                _look(looked_at)
        assert out == whole.decide(told, now)
    assert looked_at.snapshot() == whole.snapshot()
    assert whole.state.incidents


def test_an_estate_in_trouble_is_solved_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, weighed = _estate(), [0]
    way = Cover._move

    def counted(cover: Cover, cause: int) -> object:
        weighed[0] += 1
        return way(cover, cause)

    monkeypatch.setattr(Cover, "_move", counted)
    engine.decide(_trouble(random.Random(1)), T0)
    before, most = 0, 0
    for _ in engine.parts([], T0 + 30.0):
        most, before = max(most, weighed[0] - before), weighed[0]
    assert weighed[0] > 3 * LONGEST_STEP
    assert 0 < most <= LONGEST_STEP


def test_all_at_once_returns_what_is_found() -> None:
    def steps() -> Steps[int]:
        yield
        return 7

    assert finished(steps()) == 7
