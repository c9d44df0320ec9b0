"""A lone alert at what things like a cause need tells where that cause began, where ways are missing."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from quell.core.families import COUNT
from quell.core.folding import Occurrence
from quell.core.gaps import Gaps
from quell.core.origins import ENDED_NEAR_S, Lone, with_origins
from quell.core.same_spell import AT_ONCE_S, Span
from quell.model.topology import Dependency, Entity

SERVICES = [Entity(entity=f"service/{at}") for at in range(40)]
GAPS = Gaps(
    [*SERVICES, Entity(entity="database/0")],
    [
        *(Dependency(from_=one.entity, to="database/0", type="reads") for one in SERVICES),
        *(Dependency(from_=one.entity, to="database/0", type="runs_on") for one in SERVICES[:32]),
    ],
    lambda node: "database" if node >= 40 else "service",
)
TOP = (1 * COUNT, 30.0)
SPAN = Span(began=30.0, ended=inf, near=frozenset({4}), size=6)
ALERT = Lone(key=41 * COUNT, began=0.0, ended=inf, near=4)


def told(*lone: Lone, span: Span = SPAN, top: Occurrence = TOP, now: float = 5_000.0) -> dict[Occurrence, list[int]]:
    return with_origins({top: [0, 2]}, lambda _parts: span, lone, GAPS, now)


def test_a_service_fails_because_of_the_database_that_spoke_just_before_it() -> None:
    assert told(ALERT) == {(ALERT.key, 0.0): [0, 2]}
    assert told() == {TOP: [0, 2]}


@pytest.mark.parametrize(
    "other",
    [
        replace(ALERT, key=2 * COUNT),
        replace(ALERT, near=5),
        replace(ALERT, began=SPAN.began - AT_ONCE_S - 1.0),
        replace(ALERT, ended=900.0),
    ],
    ids=["another service", "another namespace", "long before", "over while the rest goes on"],
)
def test_it_is_no_origin_if_it_is(other: Lone) -> None:
    assert told(other) == {TOP: [0, 2]}


def test_what_is_over_must_have_ended_with_it() -> None:
    over = replace(SPAN, ended=900.0)
    assert told(replace(ALERT, ended=900.0 + ENDED_NEAR_S), span=over) == {(ALERT.key, 0.0): [0, 2]}
    assert told(replace(ALERT, ended=901.0 + ENDED_NEAR_S), span=over) == {TOP: [0, 2]}
    assert told(ALERT, span=over) == {TOP: [0, 2]}
    assert told(ALERT, span=over, now=900.0 + ENDED_NEAR_S) == {(ALERT.key, 0.0): [0, 2]}


def test_a_database_does_not_fail_because_of_another() -> None:
    top = (40 * COUNT, 30.0)
    assert told(ALERT, top=top) == {top: [0, 2]}


def test_the_nearest_in_time_is_it_and_of_one_cause_only() -> None:
    nearer, other = replace(ALERT, key=42 * COUNT, began=20.0), (3 * COUNT, 31.0)
    assert told(ALERT, nearer) == {(nearer.key, 20.0): [0, 2]}
    both = with_origins({TOP: [0], other: [1]}, lambda _parts: SPAN, [ALERT], GAPS, 90.0)
    assert both == {(ALERT.key, 0.0): [0], other: [1]}


class Began(float):
    """A time that counts how often it is told from another."""

    asked = 0

    def __sub__(self, other: float) -> float:
        Began.asked += 1
        return float(self) - other


def test_of_thousands_only_those_that_began_with_a_cause_are_held_against_it() -> None:
    groups = {(1 * COUNT, 1_000.0 * at): [at] for at in range(50)}
    lone = [Lone(key=(41 + at) * COUNT, began=Began(10.0 * at), ended=inf, near=4) for at in range(5_000)]
    found = with_origins(groups, lambda parts: replace(SPAN, began=1_000.0 * parts[0]), lone, GAPS, 90_000.0)
    assert [(41 + 100 * at) * COUNT for at in range(50)] == [key for key, _ in found]
    assert Began.asked < 5_000
