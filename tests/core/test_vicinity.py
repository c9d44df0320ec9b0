"""What begins at once in one namespace of a large estate is one outage, though nothing is known between its parts."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scene import T0, Scene, consistent, rulebook
from quell.core.vicinity import WITHIN_S, _by_distance
from quell.model.records import AlertRecord
from quell.model.state import Unit
from quell.model.topology import Dependency, Entity

LARGE, SMALL = 2000, 40
RULES = ("HighErrors", "SlowRequests", "SyntheticCheckFails")


def estate(size: int) -> Scene:
    """Two namespaces of two chains of services each, between which nothing is known, and others without any."""
    chains = [(space, chain, at) for space in ("shop", "bank") for chain in "ab" for at in range(4)]
    entities = [Entity(entity=name(*one), labels={"namespace": one[0]}) for one in chains]
    told = [
        Dependency(from_=name(space, chain, at), to=name(space, chain, at + 1), type="calls")
        for space, chain, at in chains
        if at < 3
    ]
    others = [Entity(entity=f"service/o{at:04}", labels={"namespace": f"n{at % 99}"}) for at in range(size)]
    ring = [
        Dependency(from_=one.entity, to=two.entity, type="calls")
        for one, two in zip(others[::2], others[1::2], strict=True)
    ]
    return Scene(rulebook(entities=(*entities, *others), dependencies=(*told, *ring)))


def name(space: str, chain: str, at: int) -> str:
    return f"service/{space}-{chain}{at}"


def trouble(space: str, chain: str, at: float) -> list[AlertRecord]:
    """The last of a chain fails, and then whoever calls it."""
    return [
        fires(name(space, chain, 3 - step), at + 12.0 * step, rule, space) for step in range(4) for rule in RULES[:2]
    ]


def fires(entity: str, at: float, rule: str = RULES[0], space: str = "") -> AlertRecord:
    given = {"alertname": rule, "severity": "warning", "service": entity.removeprefix("service/"), "namespace": space}
    return AlertRecord(at=T0 + at, starts_at=T0 + at, status="firing", labels=given, source="t")


def shown(scene: Scene) -> list[set[str]]:
    return sorted(({one[:-1] for one in scene.services(incident)} for incident in scene.open), key=min)


def test_two_parts_of_one_namespace_are_one_outage_and_two_namespaces_are_two() -> None:
    scene = estate(LARGE)
    scene.tell(*trouble("shop", "a", 0.0), *trouble("shop", "b", 20.0), *trouble("bank", "a", 10.0))
    scene.wait(400.0)
    assert shown(scene) == [{"bank-a"}, {"shop-a", "shop-b"}]
    (whole,) = (one for one in scene.open if len(scene.services(one)) > 4)
    assert whole.suspects[0].entity == name("shop", "a", 3)
    consistent(scene.engine)


@pytest.mark.parametrize("why", ["it was minutes apart", "it is a small estate", "much else began"])
def test_what_chance_could_have_brought_together_stays_apart(why: str) -> None:
    scene = estate(SMALL if why == "it is a small estate" else LARGE)
    apart = 2.0 * WITHIN_S if why == "it was minutes apart" else 20.0
    busy = 600 if why == "much else began" else 0
    scene.tell(
        *trouble("shop", "a", 0.0),
        *trouble("shop", "b", apart),
        *(fires(f"service/o{3 * at:04}", apart * at / 600.0, space=f"n{3 * at % 99}") for at in range(busy)),
    )
    scene.wait(600.0)
    assert [one for one in shown(scene) if "shop-a" in one or "shop-b" in one] == [{"shop-a"}, {"shop-b"}]


def test_whoever_is_known_to_depend_on_the_other_is_left_to_what_is_known() -> None:
    scene = estate(LARGE)
    scene.tell(*trouble("shop", "a", 0.0))
    assert not any(unit.near for unit in scene.engine.state.units.values())
    scene.tell(*trouble("shop", "b", 50.0))
    tied = [unit for unit in scene.engine.state.units.values() if unit.near]
    assert tied
    assert all("-b" in unit.entity and "-a" in other.entity for unit in tied for other in others(scene, unit))


def others(scene: Scene, unit: Unit) -> list[Unit]:
    return [scene.engine.state.units[other] for other, _ in unit.near]


def test_a_restart_changes_nothing_of_it() -> None:
    records = [*trouble("shop", "a", 0.0), *trouble("shop", "b", 20.0), *trouble("bank", "a", 10.0)]
    records.sort(key=lambda record: record.at)
    one, other = estate(LARGE), estate(LARGE)
    for record in records:
        one.tell(record)
        other.tell(record)
        other.restart()
    one.wait(400.0)
    other.wait(400.0)
    assert other.engine.snapshot() == one.engine.snapshot()
    one.wait(9_000.0)
    assert not one.engine.state.units


class Counted(list[tuple[float, int]]):
    """Counts how often something in it is read."""

    reads = 0

    def __getitem__(self, at):  # type: ignore[no-untyped-def,override]
        self.reads += 1
        return super().__getitem__(at)


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(0, 9))
def test_the_nearest_come_first_and_of_equals_the_lowest_number(began: list[int], at: int) -> None:
    here = sorted((float(first), number) for number, first in enumerate(began))
    assert list(_by_distance(here, float(at))) == sorted((abs(first - at), number) for first, number in here)


@pytest.mark.parametrize("at", [-1.0, 7.0, 9.0])
def test_where_thousands_began_at_once_few_are_looked_at(at: float) -> None:
    here = Counted((7.0, number) for number in range(5_000))
    assert [number for _, number in islice(_by_distance(here, at), 4)] == [0, 1, 2, 3]
    assert here.reads < 40
