"""However many alerts a group has, nobody waits for more than a piece of a look at it: counted in what it reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.scene import T0, rulebook
from quell.core import (
    columns,
    conclude,
    continuity,
    correlate,
    endings,
    folding,
    groups,
    incidents,
    lives,
    neighbours,
    newcomers,
    owners,
    posing,
    prune,
    remains,
    roll,
    slots,
    steps,
    web,
)
from quell.core.engine import Engine
from quell.model.decision import AnyDecision
from quell.model.records import AlertRecord, AnyRecord
from quell.model.state import State
from quell.model.topology import Dependency, Entity

SERVICES, EACH = 200, 12
FEW = 40
"""Alerts in one piece, instead of thousands."""
SLICE = 25
MOST = 11
"""Times that a piece may read as many as it is to read: some ask for an alert and for where it stands, and again."""
PIECES = (
    (slots, ("TOGETHER", "TAKEN_TOGETHER", "ASKED_TOGETHER")),
    (groups, ("SIFTED_TOGETHER",)),
    (prune, ("TOGETHER",)),
    (roll, ("TAKEN_TOGETHER", "ASKED_TOGETHER")),
    (continuity, ("TOLD_TOGETHER",)),
    (newcomers, ("READ_TOGETHER",)),
    (remains, ("ASKED_TOGETHER",)),
    (incidents, ("TOLD_TOGETHER", "PUT_TOGETHER")),
    (lives, ("ASKED",)),
    (steps, ("ASKED",)),
    (correlate, ("NARROWED_TOGETHER",)),
    (posing, ("PACKED_TOGETHER",)),
    (columns, ("READ_TOGETHER",)),
    (web, ("RESTS_TOGETHER",)),
    (owners, ("LARGE", "TOGETHER")),
    (folding, ("ASKED_TOGETHER", "TRIED_TOGETHER", "ALONE_TOGETHER")),
    (endings, ("ASKED_TOGETHER",)),
    (conclude, ("TOGETHER",)),
)


class Counted(dict[str, Any]):
    """Counts how often it is read."""

    def __init__(self, reads: list[int]) -> None:
        super().__init__()
        self._reads = reads

    def get(self, key: str, default: Any = None) -> Any:
        self._reads[0] += 1
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._reads[0] += 1
        return super().__getitem__(key)


def _engine(reads: list[int]) -> Engine:
    """Services that call one before them, each on a host of ten; what is read of its state is counted."""
    services = tuple(Entity(entity=f"service/s{at}") for at in range(SERVICES))
    edges = [Dependency(from_=f"service/s{at}", to=f"host/h{at % 10}", type="runs_on") for at in range(SERVICES)]
    edges += [Dependency(from_=f"service/s{at}", to=f"service/s{at // 2}", type="calls") for at in range(1, SERVICES)]
    state = State(alerts=Counted(reads), placed=Counted(reads))
    return Engine(rulebook(entities=services, dependencies=tuple(edges)), state)


def _told(at: float, first: int, last: int, *, over: bool = False) -> list[AnyRecord]:
    return [
        AlertRecord(
            at=T0 + at,
            status="resolved" if over else "firing",
            labels={
                "alertname": "Slow",
                "service": f"s{number % SERVICES}",
                "instance": f"i{number}",
                "severity": "critical" if number % 3 else "warning",
            },
            starts_at=T0 + number % 50,
            ends_at=T0 + at - 1.0 if over else T0 + 20_000.0,
        )
        for number in range(first, last)
    ]


def _course() -> Iterator[tuple[float, list[AnyRecord]]]:
    """Alerts, more of them, ends of a third, then of all, and time until they are forgotten."""
    many = SERVICES * EACH
    yield 60.0, _told(60.0, 0, many)
    yield from ((60.0 + 10.0 * step, []) for step in range(1, 5))
    yield 101.0, _told(101.0, many, many + many // 4)
    yield from ((101.0 + 10.0 * step, []) for step in range(1, 5))
    yield 150.0, _told(150.0, 0, many // 3, over=True)
    yield from ((150.0 + 20.0 * step, []) for step in range(1, 30))
    yield 800.0, _told(800.0, 0, many + many // 4, over=True)
    yield from ((800.0 + 100.0 * step, []) for step in range(1, 10))
    yield from ((3600.0 * hour, []) for hour in (1, 2, 24, 27, 28, 30, 24 * 9))


def _ran(engine: Engine, reads: list[int]) -> tuple[list[AnyDecision], list[int], int]:
    """What is decided, how much was read in each piece, and how many firings a group had at most."""
    out: list[AnyDecision] = []
    found: list[int] = []
    largest = 0
    for at, records in _course():
        for start in range(0, max(len(records), 1), SLICE):
            reads[0] = 0
            for piece in engine.parts(records[start : start + SLICE], T0 + at):
                out += piece
                found.append(reads[0])
                reads[0] = 0
        units, groups = engine.state.units, engine.state.groups.values()
        largest = max([largest, *(sum(len(units[one].alerts) for one in group.units) for group in groups)])
    return out, found, largest


def test_no_piece_reads_more_of_a_large_group_and_what_is_decided_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MOST", FEW)  # so many others an alert is judged by in one piece
    reads = [0]
    whole = _engine(reads)
    decided, before, largest = _ran(whole, reads)
    for module, names in PIECES:
        for name in names:
            monkeypatch.setattr(module, name, min(FEW, getattr(module, name)))
    cut = _engine(reads)
    again, found, _ = _ran(cut, reads)
    assert again == decided
    assert cut.snapshot() == whole.snapshot()
    assert largest >= SERVICES * EACH
    assert not whole.state.alerts, "all are forgotten in the end"
    assert max(before) > MOST * FEW
    assert max(found) <= MOST * FEW
