"""Two kinds of trouble at one entity at the same time are one cause."""

from __future__ import annotations

from quell.core.families import COUNT
from quell.core.one_place import Span, at_one_place

HERE, THERE = 7 * COUNT, 9 * COUNT
A, B, C, D = (HERE, 0.0), (HERE + 1, 40.0), (HERE, 5_000.0), (THERE, 20.0)


def joined(spans: dict[tuple[int, float], Span]) -> dict[tuple[int, float], list[int]]:
    """By the top of each group, the places in ``spans`` of what came together under it."""
    groups = {top: [at] for at, top in enumerate(spans)}
    of = list(spans.values())
    return at_one_place(groups, lambda parts: of[parts[0]])


def test_what_began_in_turns_at_one_entity_is_one_under_what_explains_most() -> None:
    assert joined({A: (0.0, 300.0, 12), B: (40.0, 200.0, 30)}) == {B: [0, 1]}
    assert joined({A: (0.0, 300.0, 30), B: (40.0, 200.0, 30)}) == {A: [0, 1]}


def test_what_had_told_all_before_the_other_began_stays_another() -> None:
    spans = {A: (0.0, 300.0, 12), B: (301.0, 900.0, 30)}
    assert joined(spans) == {A: [0], B: [1]}


def test_entities_are_kept_apart_however_alike_their_times_are() -> None:
    assert joined({A: (0.0, 300.0, 12), D: (20.0, 280.0, 9)}) == {A: [0], D: [1]}


def test_a_chain_of_overlaps_is_one_and_what_comes_later_is_not() -> None:
    spans = {A: (0.0, 300.0, 5), B: (250.0, 600.0, 3), (HERE + 2, 550.0): (550.0, 700.0, 4), C: (5_000.0, 5_100.0, 9)}
    assert joined(spans) == {A: [0, 1, 2], C: [3]}


def test_a_long_one_still_overlaps_after_a_short_one_within_it() -> None:
    spans = {A: (0.0, 900.0, 9), B: (100.0, 110.0, 2), (HERE + 2, 500.0): (500.0, 600.0, 3)}
    assert joined(spans) == {A: [0, 1, 2]}
