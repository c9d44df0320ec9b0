"""Who is near whom where ways are missing: by namespace and time, and never into a group that takes in no more."""

from __future__ import annotations

import random

import pytest

from core.scene import rulebook
from quell.core.fellows import ROOM, Fellows
from quell.core.graph import Graph
from quell.core.same_spell import AT_ONCE_S
from quell.model.state import State, Unit
from quell.model.topology import Dependency, Entity

SERVICES = [Entity(entity=f"service/{at}", labels={"namespace": f"n{at % 3}"}) for at in range(60)]
HALF = [Dependency(from_=one.entity, to="host/one", type="runs_on") for one in SERVICES[:45]]


def graph() -> Graph:
    book = rulebook(entities=tuple(SERVICES), dependencies=tuple(HALF))
    found = Graph(book.entities, book.dependencies, book.correlate)
    assert found.gaps.some
    return found


def unit(number: int, first: float, service: int, group: int = 0) -> Unit:
    return Unit(id=number, entity=f"service/{service}", family=0, first=first, onset=first, last=first, group=group)


@pytest.mark.parametrize("seed", range(20))
def test_the_nearest_stand_for_all_that_began_so_near(seed: int) -> None:
    chance, state = random.Random(seed), State()
    fellows = Fellows(graph(), state, lambda _: False)
    for number in range(1, 200):
        new = unit(number, float(chance.randrange(0, 6_000, 10)), chance.randrange(60))
        near = {
            one.group
            for one in state.units.values()
            if abs(one.first - new.first) <= ROOM * AT_ONCE_S and int(one.entity[8:]) % 3 == int(new.entity[8:]) % 3
        }
        beside = fellows.beside(new)
        assert {state.units[other].group for other in beside} == near
        assert len(beside) <= 16
        for one in state.units.values():
            if one.group in near:
                one.group = min(near)
        new.group = min(near, default=number)
        state.units[number] = new
        fellows.add(new)
    for one in list(state.units.values()):
        fellows.drop(one)
    assert not fellows.beside(unit(999, 100.0, 1))


def test_a_group_that_takes_in_no_more_gets_none_by_time_alone() -> None:
    state = State()
    state.units = {1: unit(1, 10.0, 0, group=1), 2: unit(2, 10.0, 3, group=2)}
    fellows = Fellows(graph(), state, lambda group: group == 1)
    assert fellows.beside(unit(3, 20.0, 6)) == {2}
