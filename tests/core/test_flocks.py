"""New alerts that come together are taken column by column as they are taken one after the other."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.scene import T0, matcher, rulebook, silence
from core.test_firsts import NAMES, SERVICES, SEVERITIES, rules_or_none
from quell.core import correlate
from quell.core.engine import Engine
from quell.core.flocks import Flocks, Taken
from quell.core.inhibition import Inhibition, Part
from quell.model.decision import AnyDecision
from quell.model.records import AlertRecord, AnyRecord, EntityRecord
from quell.model.rulebook import InhibitRule, Rulebook

Told = tuple[list[AnyRecord], float]
SAID = ("", "p99 latency is high", "12 connections refused", "5 replicas of 7 are down")


def _labels(chance: random.Random, number: int) -> dict[str, str]:
    labels = {"alertname": chance.choice(NAMES), "instance": f"10.0.0.{number}"}
    if chance.random() < 0.8:
        labels["service"] = chance.choice(SERVICES)
    if chance.random() < 0.7:
        labels["severity"] = chance.choice(SEVERITIES)
    if chance.random() < 0.2:
        labels["team"] = chance.choice("ab")
    if chance.random() < 0.1:
        labels["kpi"] = "revenue"
    items = list(labels.items())
    chance.shuffle(items)
    return dict(items)


def _flock(chance: random.Random, now: float) -> list[AnyRecord]:
    """Some that are new, of a few times, or of which some are known."""
    times = [
        (now - chance.choice((0.0, 0.0, 5.0, 700.0)), chance.choice((None, now + 300.0, now + 60.0))) for _ in range(3)
    ][: chance.choice((1, 1, 2, 3))]
    count, told = chance.choice((1, 2, 5, 25)), list[AnyRecord]()
    for number in chance.sample(range(chance.choice((30, 30_000))), count):
        start, end = chance.choice(times)
        said = chance.choice(SAID)
        told.append(
            AlertRecord(
                at=start,
                seen=now,
                source="p",
                status="firing",
                labels=_labels(chance, number),
                annotations={"summary": said} if said else {},
                starts_at=start,
                ends_at=end,
                timeout=end == now + 60.0,
                url=chance.choice(("", "u")),
            )
        )
    if chance.random() < 0.1:
        odd: dict[str, Any] = chance.choice(
            ({"value": 1.0}, {"key": "k"}, {"id": "i"}, {"status": "resolved"}, {"entity": "host/x"}, {"labels": {}})
        )
        told[0] = msgspec.structs.replace(told[0], **odd)
    return told


def _story(chance: random.Random) -> list[Told]:
    now, story = T0, list[Told]()
    for _ in range(16):
        now += chance.choice((0.0, 0.5, 1.0, 20.0, 700.0))
        records = _flock(chance, now)
        if chance.random() < 0.05:
            records.append(silence("s", now - T0, now - T0 + 100.0, matcher("service", "payments")))
        if chance.random() < 0.1:
            records.append(EntityRecord(at=now, entity=f"service/{chance.choice(SERVICES)}"))
        if story and chance.random() < 0.2:
            again = [msgspec.structs.replace(one, seen=now) for one in story[-1][0] if isinstance(one, AlertRecord)]
            records += again[: chance.choice((1, 3, 25))]
        story.append((records, now))
    return story


@pytest.fixture(autouse=True)
def _flocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.core.flocks.LEAST", 1)


def _lived(engine: Engine, story: list[Told]) -> tuple[list[AnyDecision], bytes]:
    out = [decision for records, now in story for decision in engine.decide(records, now)]
    return out, engine.snapshot()


def _one_after_the_other(book: Rulebook) -> Engine:
    engine = Engine(book)
    engine._flocks.take = lambda *_: None  # type: ignore[method-assign]
    return engine


def _noting(engine: Engine) -> list[Taken | None]:
    """What is taken together from now on, or is not."""
    found: list[Taken | None] = []
    take = engine._flocks.take

    def noted(*given: Any) -> Taken | None:
        found.append(take(*given))
        return found[-1]

    engine._flocks.take = noted  # type: ignore[method-assign]
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_a_flock_ends_where_its_alerts_do_one_after_the_other(chance: random.Random) -> None:
    book, story = rules_or_none(chance), _story(chance)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(story), type=list[Told])
    assert _lived(Engine(book), story) == _lived(_one_after_the_other(book), again)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_values_with_the_same_hash_are_told_apart_in_a_flock(chance: random.Random) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quell.core.inhibition.hash", len, raising=False)
        patch.setattr("quell.core.mute.hash", len, raising=False)
        book, story = rules_or_none(chance), _story(chance)
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(story), type=list[Told])
        assert _lived(Engine(book), story) == _lived(_one_after_the_other(book), again)


def test_most_of_what_is_new_is_a_flock() -> None:
    engine, chance = Engine(rulebook()), random.Random(5)
    found = _noting(engine)
    for step in range(40):
        engine.decide([one for one in _flock(chance, T0 + step) if not getattr(one, "key", "")], T0 + step)
    assert sum(one is not None for one in found) > 25


def _told(labels: dict[str, str], now: float = T0) -> AlertRecord:
    return AlertRecord(at=now, seen=now, status="firing", labels=labels, starts_at=now)


def test_who_inhibits_another_of_those_that_come_is_not_taken_with_it() -> None:
    rule = InhibitRule(
        name="r",
        source=(matcher("severity", "critical"),),
        target=(matcher("severity", "warning"),),
        equal=("service",),
    )
    engine = Engine(rulebook(inhibit=(rule,)))
    found = _noting(engine)
    for services in (("a", "b"), ("c", "c"), ("d", "a")):
        told = [{"severity": "critical", "service": services[0]}, {"severity": "warning", "service": services[1]}]
        engine.decide([_told(labels) for labels in told], T0)
    assert [one is not None for one in found] == [True, False, False]
    muted = {alert.labels["service"] for alert in engine.state.alerts.values() if alert.handling == "muted"}
    assert muted == {"c", "a"}


def test_many_targets_of_one_inhibition_are_a_flock() -> None:
    rule = InhibitRule(name="r", source=(matcher("severity", "critical"),), target=(matcher("severity", "warning"),))
    engine = Engine(rulebook(inhibit=(rule,)))
    found = _noting(engine)
    for start in (0, 20):
        told = [{"severity": "warning", "n": str(number)} for number in range(start, start + 20)]
        engine.decide([_told(labels) for labels in told], T0)
    assert all(one is not None for one in found)
    engine.decide([_told({"severity": "critical"})], T0)
    assert sum(alert.handling == "muted" for alert in engine.state.alerts.values()) == 40


def test_a_flock_of_many_that_inhibit_nobody_costs_what_its_alerts_do() -> None:
    rule = InhibitRule(name="r", source=(matcher("severity", "critical"),), target=(matcher("severity", "warning"),))
    inhibition, compared = Inhibition(rule, {}), []

    class Place(int):
        """The hash of values; remembers that it was compared."""

        __hash__ = int.__hash__

        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return int(self) == other

    source, target = Part(inhibition, True, False), Part(inhibition, False, True)
    coming = [(Place(number), (), f"{number}", source) for number in range(1, 401)]
    coming += [(Place(0), (), f"t{number}", target) for number in range(2)]
    assert inhibition.apart(coming)
    assert len(compared) < 10 * len(coming)


def test_what_joins_another_kind_of_trouble_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlate, "MOST_LIVE", 1)
    engine, other = Engine(rulebook()), _one_after_the_other(rulebook())
    other._alerts.firsts.take_all = lambda told, *_: next(told, None)  # type: ignore[method-assign]
    for name, count in (("HighErrorRate", 1), ("QueueReplicasBehind", 4)):
        labels = [{"alertname": name, "service": "ledger", "n": str(number)} for number in range(count)]
        assert engine.decide([_told(one) for one in labels], T0) == other.decide([_told(one) for one in labels], T0)
    assert engine.snapshot() == other.snapshot()
    (unit,) = engine.state.units.values()
    assert len(unit.alerts) == 5
    assert not unit.itself


def test_the_labels_looked_at_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.core.flocks.MOST", 3)
    engine, other = Engine(rulebook()), _one_after_the_other(rulebook())
    for number in range(40):
        named = {"alertname": NAMES[number % 4], f"label{number % 5}": "x", "severity": f"s{number % 7}"}
        told = [_told({**named, "service": str(at)} | {"n": str(number)}) for at in range(2)]
        assert engine.decide(told, T0) == other.decide(told, T0)
    assert len(engine._flocks._shapes) <= 3
    assert isinstance(engine._flocks, Flocks)
