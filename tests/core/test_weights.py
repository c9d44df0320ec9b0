"""Weights in force decide, are part of a snapshot's rules, and hold from the moment at which they are taken up."""

from __future__ import annotations

import msgspec
import pytest

from core.scene import T0, fires, outage, rulebook
from quell.core.edges import WAYS, travel
from quell.core.engine import Engine
from quell.daemon.saved import opened, packed
from quell.model.rulebook import Correlate, EdgeKind, Rulebook
from quell.model.topology import Dependency, Entity
from quell.model.weights import DEFAULT, Noise, Passage, Travel, Weights

replace = msgspec.structs.replace
DEAR = replace(DEFAULT, prices=replace(DEFAULT.prices, opening=19.0))
NOISY = replace(DEFAULT, noise=Noise(failing=4.0))
UNSURE = replace(DEFAULT, confidence=replace(DEFAULT.confidence, constant=-9.0))
STRICT = replace(DEFAULT, prices=replace(DEFAULT.prices, least_net=20.0))
APART = replace(DEFAULT, travel=Travel(request=(Passage("data", "data", 0.5, 600.0),)))


def weighed(weights: Weights) -> Rulebook:
    return rulebook(correlate=Correlate(weights=weights))


def decided(engine: Engine, at: float = 0.0) -> list[bytes]:
    out = engine.decide(outage(at), T0 + at + 40.0)
    out += engine.decide([], T0 + at + 120.0)
    return [msgspec.msgpack.encode(one) for one in out]


def grouped(engine: Engine) -> list[int]:
    return [len(one.alerts) for one in engine.state.incidents.values() if len(one.alerts) > 1]


def test_what_ships_shows_the_outage() -> None:
    engine = Engine(weighed(DEFAULT))
    decided(engine)
    assert grouped(engine) == [4]


@pytest.mark.parametrize("weights", [DEAR, NOISY, STRICT, APART])
def test_other_weights_decide_otherwise(weights: Weights) -> None:
    engine = Engine(weighed(weights))
    decided(engine)
    assert grouped(engine) == []


@pytest.mark.parametrize("by_itself", [0.0, 20.0])
def test_what_a_cause_costs_by_itself_hides_none_that_is_not(by_itself: float) -> None:
    """What is late waits for who makes it, so it costs what the like of it do."""
    prices = replace(DEFAULT.prices, made_opening=0.0, made_by_itself=by_itself)
    needs = tuple(Dependency(from_=f"model/m{n}", to="feature/f", type="uses_features") for n in range(4))
    engine = Engine(rulebook(correlate=Correlate(weights=replace(DEFAULT, prices=prices)), dependencies=needs))
    late = [fires(f"m{n}", 60.0, "DataStale", entity=f"model/m{n}") for n in range(4)]
    engine.decide([fires("f", 0.0, "FeatureStale", entity="feature/f"), *late], T0 + 61.0)
    engine.decide([], T0 + 300.0)
    assert grouped(engine) == [5]


@pytest.mark.parametrize("more", [0.0, 1e-300, 0.25])
def test_many_rules_of_an_entity_are_worth_what_each_adds(more: float) -> None:
    engine = Engine(weighed(replace(DEFAULT, prices=replace(DEFAULT.prices, more_names=more))))
    for n in range(12):
        engine.decide([fires("cart", 0.0, f"Rule{n}")], T0 + 1.0)
        (unit,) = engine.state.units.values()
        assert unit.weight == pytest.approx(DEFAULT.prices.evidence + n * more)


def test_confidence_is_by_the_weights() -> None:
    sure, unsure = Engine(weighed(DEFAULT)), Engine(weighed(UNSURE))
    decided(sure)
    decided(unsure)
    (first,), (second,) = (engine.state.incidents.values() for engine in (sure, unsure))
    assert not first.no_clear_cause
    assert second.no_clear_cause
    assert second.suspects[0].entity == first.suspects[0].entity


def test_a_snapshot_keeps_them_and_goes_on_as_before() -> None:
    engine = Engine(weighed(UNSURE))
    engine.decide(outage()[:2], T0 + 14.0)
    saved = opened(b"".join(packed(engine.rulebook, [engine.snapshot()])))
    assert saved.rulebook is not None
    assert saved.rulebook.correlate.weights == UNSURE
    again = Engine.restored(saved.rulebook, saved.state)
    assert decided(again) == decided(engine)
    assert again.snapshot() == engine.snapshot()


def test_a_rulebook_of_before_there_were_weights_has_those_that_ship() -> None:
    told = msgspec.to_builtins(rulebook())
    del told["correlate"]["weights"]
    assert msgspec.convert(told, Rulebook).correlate.weights == DEFAULT


def test_weights_that_are_taken_up_hold_for_what_is_known_already() -> None:
    engine = Engine(weighed(NOISY))
    engine.decide(outage()[:3], T0 + 30.0)
    before = [unit.weight for unit in engine.state.units.values()]
    engine.use(weighed(DEFAULT))
    assert [unit.weight for unit in engine.state.units.values()] == pytest.approx([one + 4.0 for one in before])
    engine.decide(outage()[3:], T0 + 40.0)
    engine.decide([], T0 + 120.0)
    assert grouped(engine) == [4]


def test_weights_that_are_taken_up_hold_in_large_groups_as_well() -> None:
    """There only what is new is searched for causes: with other weights everything is."""
    many = [f"s{at}" for at in range(260)]
    estate = {
        "entities": tuple(Entity(entity=f"service/{name}", labels={"namespace": "shop"}) for name in [*many, "hub"]),
        "dependencies": tuple(Dependency(from_=f"service/{name}", to="service/hub", type="calls") for name in many),
    }
    engine = Engine(rulebook(**estate, correlate=Correlate(weights=replace(DEAR, noise=Noise(failing=9.0)))))
    engine.decide([fires("hub", 0.0), *(fires(name, 10.0) for name in many)], T0 + 20.0)
    engine.decide([], T0 + 200.0)
    assert grouped(engine) == []
    engine.use(rulebook(**estate, correlate=Correlate(weights=DEFAULT)))
    engine.decide([], T0 + 400.0)
    assert grouped(engine) == [261]


def test_a_type_that_a_team_describes_comes_before_the_table() -> None:
    told = Correlate(edges={"calls": EdgeKind(p=0.3, lag_s=7.0)}, weights=APART)
    assert travel("calls", told).p[0][0] == 0.3
    assert travel("calls", Correlate(weights=APART)).p[0][0] == 0.0
    assert travel("never heard of", Correlate()).p[0][0] == 0.75


def test_every_type_has_its_table() -> None:
    assert set(WAYS.values()) | {"request"} == set(DEFAULT.travel.__struct_fields__)
