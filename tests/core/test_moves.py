"""A move of the search for causes is carried out whole: what opens stays while what it makes needless is closed."""

from __future__ import annotations

import numpy as np

from quell.core.cover import Cover
from quell.core.families import COUNT
from quell.core.problem import Symptoms

NO_ROWS = np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)

PARENT, LEFT, RIGHT = COUNT, 2 * COUNT, 3 * COUNT


def symptoms(claims: dict[int, dict[int, float]], units: int) -> Symptoms:
    """By cause and unit the cost of the way; all began at once, and each is worth five nats."""
    rows = [(unit, cost) for cause in sorted(claims) for unit, cost in sorted(claims[cause].items())]
    return Symptoms(
        onsets=np.zeros(units),
        ends=np.full(units, np.inf),
        stood=np.full(units, -1),
        live=np.zeros(units, dtype=bool),
        held=np.zeros(units, dtype=bool),
        weight=np.full(units, 5.0),
        own=np.arange(10, 10 + units) * COUNT,
        keys=np.array(sorted(claims)),
        starts=np.cumsum([0, *(len(claims[cause]) for cause in sorted(claims))]),
        unit=np.array([unit for unit, _ in rows]),
        cost=np.array([cost for _, cost in rows]),
        lag=np.zeros(len(rows)),
    )


def solved(opening: dict[int, float], cost: float, before: tuple[int, ...] = ()) -> set[int]:
    """The causes of six units: one that costs this much more to each than the two that have three each."""
    claims = {
        PARENT: dict.fromkeys(range(6), cost),
        LEFT: dict.fromkeys(range(3), 0.0),
        RIGHT: dict.fromkeys(range(3, 6), 0.0),
    }
    cover = Cover(
        symptoms(claims, 6),
        lambda key, _began: opening[key],
        lambda _key: NO_ROWS,
        floor=opening.__getitem__,
        before=[(key, 0.0) for key in before],
    )
    return {cause.key for cause in cover.solve()}


def test_one_cause_takes_the_place_of_two_though_it_pays_for_nothing_beside_them():
    prices = {PARENT: 5.0, LEFT: 4.0, RIGHT: 4.0}
    assert solved(prices, 0.2) == {PARENT}
    assert solved(prices, 0.2, before=(LEFT, RIGHT)) == {PARENT}


def test_what_is_open_stays_where_another_is_hardly_better():
    assert solved({PARENT: 5.0, LEFT: 4.0, RIGHT: 4.0}, 0.45, before=(LEFT, RIGHT)) == {LEFT, RIGHT}
    assert solved({PARENT: 9.0, LEFT: 4.0, RIGHT: 4.0}, 0.2, before=(LEFT, RIGHT)) == {LEFT, RIGHT}
