"""What came and went together is one, where ways are missing; what did not parts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from math import inf

import pytest

from quell.core.families import COUNT
from quell.core.folding import Occurrence
from quell.core.gaps import Gaps
from quell.core.same_spell import AT_ONCE_S, BEGAN_S, ENDED_S, Span, _one, of_one_spell
from quell.model.topology import Dependency, Entity

HERE = frozenset({3})
SERVICES = [Entity(entity=f"service/{at}") for at in range(40)]
GAPS = Gaps(
    [*SERVICES, Entity(entity="database/0")],
    [
        *(Dependency(from_=one.entity, to="database/0", type="reads") for one in SERVICES),
        *(Dependency(from_=one.entity, to="service/0", type="calls") for one in SERVICES[1:]),
        *(Dependency(from_=one.entity, to="database/0", type="runs_on") for one in SERVICES[:32]),
    ],
    lambda node: "database" if node == 40 else "service",
)
A, B, C = (1 * COUNT, 0.0), (2 * COUNT, 10.0), (3 * COUNT, 20.0)
DATABASE = (40 * COUNT, 30.0)
LONG = Span(began=0.0, ended=inf, near=HERE, size=9)
SHORT = replace(LONG, size=3)


def joined(spans: Mapping[Occurrence, Span]) -> list[list[int]]:
    return list(told(spans).values())


def told(spans: Mapping[Occurrence, Span]) -> dict[Occurrence, list[int]]:
    each = list(spans.values())
    return of_one_spell({top: [at] for at, top in enumerate(spans)}, lambda parts: each[parts[0]], GAPS)


def test_what_begins_at_once_at_neighbours_is_one_under_what_has_most_symptoms() -> None:
    assert GAPS.some
    assert told({A: SHORT, B: replace(LONG, began=AT_ONCE_S)}) == {B: [0, 1]}
    assert told({A: SHORT, B: replace(LONG, began=AT_ONCE_S + 1.0)}) == {B: [1], A: [0]}


@pytest.mark.parametrize("other", [frozenset({4}), frozenset[int]()])
def test_another_namespace_or_kind_of_trouble_is_another(other: frozenset[int]) -> None:
    assert joined({A: LONG, B: replace(SHORT, near=other)}) == [[0], [1]]
    assert joined({A: replace(LONG, ended=900.0), B: replace(SHORT, near=other, ended=900.0)}) == [[0], [1]]


def test_things_of_which_none_needs_another_are_not_one_before_they_are_over() -> None:
    gone = replace(LONG, ended=900.0)
    assert joined({DATABASE: LONG, (40 * COUNT + 1, 0.0): SHORT}) == [[0], [1]]
    assert joined({DATABASE: gone, (40 * COUNT + 1, 0.0): replace(gone, size=3)}) == [[0, 1]]


def test_what_people_are_shown_as_two_is_one_only_when_both_are_over() -> None:
    one, two = replace(LONG, shown=0), replace(SHORT, shown=1)
    assert joined({A: one, B: two}) == [[0], [1]]
    assert joined({A: one, B: replace(two, shown=0)}) == [[0, 1]]
    assert joined({A: one, B: replace(two, shown=-1)}) == [[0, 1]]
    assert joined({A: replace(one, ended=900.0), B: replace(two, ended=900.0 + ENDED_S)}) == [[0, 1]]


def test_ends_decide_what_began_at_once() -> None:
    gone = replace(LONG, ended=900.0)
    assert joined({A: gone, B: SHORT}) == [[0], [1]]
    assert joined({A: gone, B: replace(SHORT, ended=901.0 + ENDED_S)}) == [[0], [1]]
    assert joined({A: gone, B: replace(SHORT, began=BEGAN_S, ended=900.0)}) == [[0, 1]]
    assert joined({A: gone, B: replace(SHORT, began=BEGAN_S + 1.0, ended=900.0)}) == [[0], [1]]


def test_the_cause_is_what_others_need_by_what_they_are() -> None:
    assert told({A: LONG, B: SHORT, DATABASE: SHORT}) == {DATABASE: [0, 1, 2]}


def test_each_goes_with_the_largest_that_it_fits_and_not_with_what_fits_that() -> None:
    far = replace(SHORT, began=AT_ONCE_S + 30.0)
    assert joined({A: LONG, B: replace(SHORT, began=40.0, size=4), C: far}) == [[0, 1], [2]]


@pytest.mark.parametrize("seed", range(20))
def test_many_come_to_what_holding_each_against_each_comes_to(seed: int) -> None:
    chance = random.Random(seed)
    spans = {
        (node * COUNT, chance.choice((0.0, 120.0, 240.0, 241.0, chance.uniform(0.0, 2000.0)))): Span(
            began=chance.choice((0.0, 60.0, 240.0, 480.0, chance.uniform(0.0, 2000.0))),
            ended=chance.choice((inf, 900.0, 950.0, 961.0)),
            near=frozenset(chance.sample(range(4), chance.randint(0, 2))),
            size=chance.randint(0, 5),
            shown=chance.choice((-1, -1, 0, 1)),
        )
        for node in range(40)
    }
    homes: dict[Occurrence, list[Occurrence]] = {}
    for top in sorted(spans, key=lambda top: (-spans[top].size, top[1], top[0])):
        home = next((one for one in homes if _one(one, spans[one], top, spans[top], GAPS)), top)
        homes.setdefault(home, []).append(top)
    at = list(spans)
    assert sorted(joined(spans)) == sorted(sorted(map(at.index, together)) for together in homes.values())
