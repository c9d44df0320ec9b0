"""A restart long after changes nothing: of what was forgotten, and of what new rules said of what fires."""

from __future__ import annotations

import pytest

from core.scene import T0, deploy, fires, matcher, outage, rulebook
from quell.core import prune
from quell.core.engine import Engine
from quell.model.decision import AnyDecision
from quell.model.records import AlertRecord
from quell.model.rulebook import InhibitRule, MapRule

DAY_S = 90_000.0


def odd(number: int, at: float) -> AlertRecord:
    """Something at a host of which nobody told."""
    labels = {"alertname": "Odd", "instance": f"10.0.0.{number}", "severity": "info"}
    return AlertRecord(
        at=T0 + at, status="firing", labels=labels, starts_at=T0 + at, ends_at=T0 + at + 60.0, source="p"
    )


@pytest.mark.parametrize(("few", "dropped"), [(1, True), (50, True), (1000, False)])
def test_entities_of_which_nobody_told_are_the_same_after_a_restart(
    few: int, dropped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "FEW_STRANGERS", few)
    told: list[tuple[list[AnyDecision], bytes]] = []
    for restart in (False, True):
        engine = Engine(rulebook())
        for number in range(200):
            engine.decide([odd(number, number / 10.0)], T0 + number / 10.0)
        engine.decide([], T0 + DAY_S)
        assert (not engine.state.strangers) is dropped
        if restart:
            engine = Engine.restored(engine.rulebook, engine.snapshot())
        decisions = engine.decide([odd(3, DAY_S + 1.0), deploy("checkout", DAY_S + 1.0)], T0 + DAY_S + 1.0)
        decisions += engine.decide([deploy("ledger", DAY_S + 20.0)], T0 + DAY_S + 20.0)
        for record in outage(DAY_S + 30.0):
            decisions += engine.decide([record], record.at)
        decisions += engine.decide([], T0 + DAY_S + 400.0)
        told.append((decisions, bytes(engine.snapshot())))
    assert told[0] == told[1]


@pytest.mark.parametrize("restart", [False, True])
def test_who_is_inhibited_follows_labels_that_new_rules_set(restart: bool) -> None:
    inhibit = (InhibitRule(name="down", source=(matcher("team", "a"),), target=(matcher("severity", "warning"),)),)
    sets = MapRule(name="set", matchers=(matcher("zone", "z1"),), set_labels={"team": "a"})
    before, after = rulebook(inhibit=inhibit, version="0"), rulebook(inhibit=inhibit, map=(sets,), version="1")
    engine = Engine(before)
    engine.decide([fires("ledger", 0.0, "Down", labels={"zone": "z1"})], T0)
    engine.use(after)
    engine.decide([], T0 + 1.0)
    if restart:
        engine = Engine.restored(after, engine.snapshot())
    engine.decide([fires("cache", 2.0, "Slow", "warning")], T0 + 2.0)
    late = next(one for one in engine.state.alerts.values() if one.labels["service"] == "cache")
    assert (late.handling, late.reason.code) == ("muted", "inhibition")
