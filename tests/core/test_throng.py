"""A group that very many alerts join is looked at sooner than the grid has it, whatever the deliveries and restarts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from core.scene import T0, fires, rulebook
from core.test_engine_properties import Play
from core.test_roll import crowd
from quell.core import throng
from quell.core.engine import Engine
from quell.model.decision import AnyDecision, IncidentChanged
from quell.model.records import AnyRecord
from quell.model.topology import Dependency

Turns = Sequence[tuple[float, list[AnyRecord]]]


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throng, "SIZES", tuple(throng.sizes(100)))


def stream(seconds: int, each: int) -> list[tuple[float, list[AnyRecord]]]:
    """So many alerts a second, told in halves, then silence."""
    told = [(0.5 * half, crowd(half * each // 2, each // 2, 0.5 * half)) for half in range(2 * seconds)]
    return [*told, *[(seconds + 7.0 * turn, []) for turn in range(12)]]


def course(turns: Turns, *, at_once: int = 10**9, restart: bool = False) -> tuple[list[AnyDecision], bytes]:
    engine = Play().engine
    found = []
    for at, records in turns:
        for start in range(0, max(len(records), 1), at_once):
            found += engine.decide(records[start : start + at_once], T0 + at)
        if restart:
            engine = Engine.restored(engine.rulebook, engine.snapshot())
    return found, engine.snapshot()


def looks(turns: Turns, *, at_once: int = 10**9) -> list[float]:
    """When incidents changed."""
    return sorted({one.at - T0 for one in course(turns, at_once=at_once)[0] if isinstance(one, IncidentChanged)})


def test_what_many_join_is_looked_at_within_seconds() -> None:
    at = [0.0, *looks(stream(9, 200))]
    assert max(later - sooner for sooner, later in pairwise(at) if later <= 10.0) <= throng.SHORTLY_S + 1


def test_what_few_join_is_looked_at_on_the_grid() -> None:
    assert looks(stream(9, 8))[0] == 10.0


def test_a_burst_is_decided_over_before_it_is_looked_at() -> None:
    assert looks([(0.04 * part, crowd(20 * part, 20, 0.0)) for part in range(50)]) == []


def test_many_units_are_looked_at_on_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throng, "MOST_UNITS", 1)
    assert looks(stream(9, 200))[0] == 10.0


def test_when_it_is_looked_at_does_not_depend_on_how_deliveries_are_cut() -> None:
    assert looks(stream(6, 160), at_once=7) == looks(stream(6, 160))


def test_what_another_group_brings_joins_as_well() -> None:
    needs = tuple(Dependency(from_="service/front", to=f"service/{name}", type="calls") for name in ("left", "right"))
    sides = [fires(name, 1.0, labels={"instance": f"i{n}"}) for name in ("left", "right") for n in range(70)]
    between = fires("front", 1.0)

    def due(*turns: list[AnyRecord]) -> list[float | None]:
        engine = Engine(rulebook(dependencies=needs))
        for records in turns:
            engine.decide(records, T0 + 1.0)
        return [group.solve_at for group in engine.state.groups.values()]

    assert due(sides) == [T0 + 10.0, T0 + 10.0]
    assert due(sides, [between]) == due([between], sides) == due([between, *sides]) == [T0 + 1.0 + throng.SHORTLY_S]


def test_restarts_change_nothing() -> None:
    assert course(stream(6, 160), restart=True) == course(stream(6, 160))
