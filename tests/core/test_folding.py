"""Causes fold into what made them, at the right one of several times that it happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from quell.core import folding
from quell.core.folding import AGAIN_S, APART, ASKED_TOGETHER, OVER_S, Occurrence, Own, Spell, occurrences
from quell.core.reach import Claim, Rows
from quell.core.steps import finished

HOST, WEB, APP = 1, 2, 3
CLAIMS = {WEB: {HOST: (0.1, 15.0)}, APP: {HOST: (0.1, 15.0)}, HOST: {}}


def ways(claims: Mapping[int, Mapping[int, Claim]]) -> Callable[[int], Rows]:
    def rows(key: int) -> Rows:
        found = np.array([*claims[key].values()], dtype=np.float64).reshape(-1, 2)
        return np.array([*claims[key]], dtype=np.int64), found[:, 0], found[:, 1]

    return rows


def folded(
    opened: Mapping[Occurrence, float],
    claims_of: Callable[[int], Rows],
    opening: Callable[[int, float], float],
    over: Mapping[Occurrence, float] | None = None,
    **more: Any,
) -> dict[Occurrence, Occurrence]:
    return finished(folding.folded(opened, claims_of, opening, over, **more))


def costly(_key: int, _began: float) -> float:
    return 100.0


def test_what_comes_again_soon_is_the_same_and_hours_later_another():
    soon = 600.0
    later = soon + AGAIN_S
    opened = [(WEB, later + 120.0, later + 130.0), (WEB, 0.0, 100.0), (WEB, soon, soon), (APP, 50.0, 50.0)]
    assert occurrences(opened) == [(WEB, later + 120.0), (WEB, 0.0), (WEB, 0.0), (APP, 50.0)]


def test_how_long_a_cause_shows_decides_when_it_is_over():
    assert occurrences([(WEB, 0.0, 9000.0), (WEB, 9000.0 + AGAIN_S, 9000.0 + AGAIN_S)]) == [(WEB, 0.0), (WEB, 0.0)]


def test_what_comes_again_after_it_was_over_is_another_and_what_flaps_is_not():
    opened = [(WEB, 0.0, 600.0), (WEB, 1000.0 + OVER_S, 1000.0 + OVER_S), (WEB, 1001.0 + OVER_S, 1001.0 + OVER_S)]
    first, again, too = ((one[0], one[1]) for one in opened)
    fresh = [Spell(), Spell()]
    assert occurrences(opened, [Spell(1000.0), *fresh]) == [first, first, first]
    assert occurrences(opened, [Spell(999.0), *fresh]) == [first, again, again]
    assert occurrences([opened[0], opened[2]], [Spell(1000.0), Spell()]) == [first, too]
    assert occurrences(opened, [Spell(), *fresh]) == [first, first, first]


def test_what_comes_again_joins_what_people_hold_open_unless_it_was_told_apart():
    opened = [(WEB, 0.0, 600.0), (WEB, 3000.0, 3000.0)]
    whole, apart = [(WEB, 0.0), (WEB, 0.0)], [(WEB, 0.0), (WEB, 3000.0)]
    held = Spell(1000.0, incident=7, live=True)
    assert occurrences(opened, [held, Spell()]) == whole
    assert occurrences(opened, [held, Spell(incident=7, live=True)]) == whole
    assert occurrences(opened, [held, Spell(incident=8, live=True)]) == apart
    assert occurrences(opened, [held, Spell(3100.0, incident=8)]) == apart
    assert occurrences(opened, [held._replace(live=False), Spell()]) == apart


def test_each_child_folds_into_the_occurrence_that_made_it():
    opened = {(HOST, 0.0): 5.0, (HOST, 20_000.0): 5.0, (WEB, 15.0): 5.0, (APP, 20_015.0): 5.0}
    assert folded(opened, ways(CLAIMS), costly) == {
        (WEB, 15.0): (HOST, 0.0),
        (APP, 20_015.0): (HOST, 20_000.0),
    }


def test_what_nothing_made_at_its_time_stays_apart():
    assert folded({(HOST, 0.0): 5.0, (WEB, 40_000.0): 5.0}, ways(CLAIMS), costly) == {}


def test_several_ways_to_one_cause_count_once_by_the_best():
    found = np.array([APP, HOST, HOST]), np.array([0.5, 1.0, 2.0]), np.array([300.0, 300.0, 300.0])
    none = np.array([], dtype=np.int64), np.array([]), np.array([])
    opened = {(HOST, 0.0): 6.0, (APP, 0.0): 6.0, (WEB, 300.0): 6.0}
    assert folded(opened, lambda key: found if key == WEB else none, costly) == {(WEB, 300.0): (APP, 0.0)}


def test_what_shows_in_waves_made_what_fits_any_of_them():
    opened = {(HOST, 0.0): 5.0, (WEB, 1015.0): 5.0}
    assert folded(opened, ways(CLAIMS), costly) == {}
    assert folded(opened, ways(CLAIMS), costly, waves={(HOST, 0.0): [0.0, 990.0]}) == {(WEB, 1015.0): (HOST, 0.0)}
    assert folded(opened, ways(CLAIMS), costly, waves={(HOST, 0.0): [0.0, 5000.0]}) == {}


def test_a_silent_parent_is_opened_if_it_saves_more_than_it_costs():
    opened = {(WEB, 15.0): 6.0, (APP, 15.0): 6.0}
    assert folded(opened, ways(CLAIMS), lambda _key, _began: 5.0) == {
        (WEB, 15.0): (HOST, 0.0),
        (APP, 15.0): (HOST, 0.0),
    }
    assert folded(opened, ways(CLAIMS), costly) == {}


def test_nothing_folds_into_its_own_part():
    claims = {WEB: {APP: (0.1, 0.0)}, APP: {WEB: (0.1, 0.0)}}
    parents = folded({(WEB, 0.0): 5.0, (APP, 0.0): 5.0}, ways(claims), costly)
    assert len(parents) == 1


class Says(Own):
    """Own alerts of the host that are worth this much, whenever it began."""

    def __init__(self, nats: float) -> None:
        self._nats = nats

    def most(self, key: int) -> float:
        return self._nats if key == HOST else 0.0

    def gain(self, key: int, _began: float) -> float:
        return self.most(key)


@pytest.mark.parametrize(("nats", "folds"), [(0.0, False), (1.0, False), (4.2, True)])
@pytest.mark.parametrize("floor", [None, lambda _key: 5.0])
def test_own_alerts_pay_in_part_for_a_parent(nats: float, folds: bool, floor: Callable[[int], float] | None):
    found = folded({(WEB, 15.0): 5.0}, ways(CLAIMS), lambda _key, _began: 5.0, floor=floor, own=Says(nats))
    assert found == ({(WEB, 15.0): (HOST, 0.0)} if folds else {})


def test_ends_tell_what_belongs_to_a_cause_that_is_open():
    opened = {(HOST, 0.0): 5.0, (WEB, 215.0): 5.0}
    assert folded(opened, ways(CLAIMS), costly, dict.fromkeys(opened, 1000.0)) == {(WEB, 215.0): (HOST, 0.0)}
    assert folded(opened, ways(CLAIMS), costly) == {(WEB, 215.0): (HOST, 0.0)}
    late = {(HOST, 0.0): 5.0, (WEB, 415.0): 5.0}
    assert folded(late, ways(CLAIMS), costly, dict.fromkeys(late, 1000.0)) == {(WEB, 415.0): (HOST, 0.0)}
    assert folded(late, ways(CLAIMS), costly) == {}


def test_what_people_have_been_shown_as_two_stays_two_unless_much_speaks_for_one():
    near = 2.0 + 0.1 + APART
    for price, held, folds in (
        (near - 0.1, {HOST: 1, WEB: 2}, False),
        (near + 0.1, {HOST: 1, WEB: 2}, True),
        (near - 0.1, {HOST: 1, WEB: 1}, True),
        (near - 0.1, {HOST: 1}, True),
        (near - 0.1, {WEB: 2}, True),
    ):
        opened = {(HOST, 0.0): 5.0, (WEB, 15.0): price}
        shown = {one: held[one[0]] for one in opened if one[0] in held}
        assert bool(folded(opened, ways(CLAIMS), costly, held=shown)) == folds


def test_a_silent_parent_is_where_people_know_most_of_it():
    opened = {(WEB, 15.0): 3.9, (APP, 15.0): 8.0}
    known = {(WEB, 15.0): 1, (APP, 15.0): 2}
    assert folded(opened, ways(CLAIMS), lambda _key, _began: 5.0, held=known) == {(APP, 15.0): (HOST, 0.0)}
    assert set(folded(opened, ways(CLAIMS), lambda _key, _began: 5.0)) == set(opened)


def test_many_fold_a_few_at_a_time():
    many = 10 * ASKED_TOGETHER
    hosts = {key: {HOST - 10 * (key % 3): (0.1, 15.0)} for key in range(100, 100 + many)}
    asked: list[int] = []

    def claims_of(key: int) -> Rows:
        asked.append(key)
        return ways(hosts)(key)

    opened = {(key, 15.0): 5.0 for key in hosts}
    steps, most, before = folding.folded(opened, claims_of, lambda _key, _began: 5.0), 0, 0
    found: dict[Occurrence, Occurrence] = {}
    pieces = 0
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found = done.value
            break
        pieces, most, before = pieces + 1, max(most, len(asked) - before), len(asked)
    assert most == ASKED_TOGETHER
    assert pieces > many / ASKED_TOGETHER + 3 * many / 3 / folding.ALONE_TOGETHER / 2
    assert found == {one: (HOST - 10 * (one[0] % 3), 0.0) for one in opened}
