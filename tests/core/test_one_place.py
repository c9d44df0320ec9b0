"""Two kinds of trouble at one entity at the same time are one cause."""

from __future__ import annotations

import numpy as np

from quell.core.families import COUNT
from quell.core.one_place import at_one_place

HERE, THERE = 7 * COUNT, 9 * COUNT
A, B, C, D = (HERE, 0.0), (HERE + 1, 40.0), (HERE, 5_000.0), (THERE, 20.0)


def joined(onsets: dict[tuple[int, float], list[float]]) -> dict[tuple[int, float], list[int]]:
    """By the top of each group, the places in ``onsets`` of what came together under it."""
    of = [np.array(sorted(one)) for one in onsets.values()]
    return at_one_place({top: [at] for at, top in enumerate(onsets)}, lambda parts: of[parts[0]])


def spread(first: float, last: float, count: int) -> list[float]:
    return np.linspace(first, last, count).tolist()


def test_what_came_about_together_at_one_entity_is_one_under_what_explains_most() -> None:
    assert joined({A: spread(0, 300, 12), B: spread(40, 280, 30)}) == {B: [0, 1]}
    assert joined({A: spread(0, 300, 30), B: spread(40, 280, 30)}) == {A: [0, 1]}


def test_an_early_sign_hours_before_does_not_make_an_outage_another() -> None:
    assert joined({A: [-5_000.0, *spread(0, 300, 12)], B: spread(10, 320, 30)}) == {B: [0, 1]}


def test_what_had_told_all_before_the_other_began_stays_another() -> None:
    assert joined({A: spread(0, 300, 12), B: spread(301, 900, 30)}) == {A: [0], B: [1]}


def test_what_smoulders_for_hours_is_another_than_an_outage_that_comes_upon_it() -> None:
    assert joined({A: spread(0, 20_000, 12), B: spread(9_000, 9_300, 30)}) == {A: [0], B: [1]}


def test_entities_are_kept_apart_however_alike_their_times_are() -> None:
    assert joined({A: spread(0, 300, 12), D: spread(0, 300, 9)}) == {A: [0], D: [1]}


def test_each_goes_with_all_that_any_of_its_own_came_about_with() -> None:
    other = (HERE + 2, 150.0)
    onsets = {A: spread(0, 300, 7), B: spread(120, 420, 5), other: spread(260, 560, 4), C: spread(5_000, 5_100, 9)}
    assert joined(onsets) == {A: [0, 1, 2], C: [3]}


def test_what_has_no_symptoms_of_its_own_stays_as_it_is() -> None:
    assert joined({A: [], B: spread(0, 10, 3)}) == {A: [0], B: [1]}
