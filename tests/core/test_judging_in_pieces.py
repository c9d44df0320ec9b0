"""Judging many series pauses now and then, and what comes out is the same."""

from __future__ import annotations

import pytest

from core.scene import rulebook
from quell.core.detect.detector import A_LOOK, PIECE
from quell.core.engine import Engine
from quell.model.decision import AnyDecision
from quell.model.detect import Compare, DetectRule, Threshold
from quell.model.mute import Matcher
from quell.model.records import SamplesRecord

BEGIN = 1_700_000_040.0
SERIES = 1_000
SIDES = tuple(Matcher(name="name", value=f"s{side}.*", is_regex=True) for side in "01")
THRESHOLD = DetectRule(name="high", metric="load", when=Threshold(above=990.0))
COMPARE = DetectRule(
    name="worse", metric="load", when=Compare(canary=SIDES[:1], baseline=SIDES[1:], over_s=300.0, volume=3.0)
)


def told(minute: int, value: float = 0.0) -> list[SamplesRecord]:
    at = BEGIN + 60.0 * minute + 5.0
    return [
        SamplesRecord(at=at, entity=f"service/s{number}", times=[at, at + 9.0], values={"load": [number + value, 1.0]})
        for number in range(SERIES)
    ]


@pytest.mark.parametrize("rule", [THRESHOLD, COMPARE])
def test_pieces_come_to_what_one_turn_comes_to(rule: DetectRule) -> None:
    book = rulebook(entities=(), dependencies=(), detect=(rule,))
    one, other = Engine(book), Engine(book)
    decided: list[AnyDecision] = []
    for minute in range(3):
        now = BEGIN + 60.0 * minute + 20.0
        assert one.decide(told(minute, 1e3), now) == other.decide(told(minute, 1e3), now)
        pieces = list(one.parts([], now + 50.0))
        whole = other.decide([], now + 50.0)
        assert [decision for piece in pieces for decision in piece] == whole
        assert SERIES * A_LOOK / PIECE < len(pieces) < 300
        assert one.snapshot() == other.snapshot()
        decided += whole
    assert decided or rule is COMPARE


def test_what_was_told_counts_as_work_and_so_does_a_condition_that_is_dear() -> None:
    book = rulebook(entities=(), dependencies=(), detect=(THRESHOLD,))
    engine = Engine(book)
    at = BEGIN + 5.0
    times = [at + number / 100.0 for number in range(900)]
    for number in range(60):
        record = SamplesRecord(at=at, entity=f"service/s{number}", times=times, values={"load": [1.0] * len(times)})
        engine.decide([record], BEGIN + 20.0)
    assert len(list(engine.parts([], BEGIN + 61.0))) >= 60 * 900 / PIECE


def test_without_anything_due_there_is_one_part() -> None:
    engine = Engine(rulebook(entities=(), dependencies=()))
    assert [*engine.parts([], BEGIN)] == [[]]
