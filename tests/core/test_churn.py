"""What a change says depends on how often things are changed: rare changes say much, frequent ones little."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.scene import Scene, deploy, outage
from quell.core.churn import DOUBT_S, LEAST, MOST, USUAL_S, WITHIN_S, Churn
from quell.model.records import ChangeRecord

DAY = 86_400.0
NOW = 20 * DAY


def every(interval_s: float, *, for_s: float) -> Churn:
    """Something was changed each ``interval_s``, somewhere, for so long until now."""
    return Churn(NOW - interval_s * at for at in range(int(for_s / interval_s) + 1))


def test_nothing_changed_says_nothing() -> None:
    assert Churn().more(10, NOW) == 0.0
    assert every(3600.0, for_s=DAY).more(0, NOW) == 0.0


def test_at_the_usual_rate_a_change_says_what_the_weights_say() -> None:
    assert every(USUAL_S / 50, for_s=DAY).more(50, NOW) == pytest.approx(0.0, abs=0.05)


def test_half_the_rate_is_worth_the_logarithm_of_two_once_it_is_known() -> None:
    told_s = WITHIN_S - 3600.0
    more = every(2 * USUAL_S / 500, for_s=told_s).more(500, NOW)
    assert more == pytest.approx(log((told_s + DOUBT_S) / (told_s / 2 + DOUBT_S)), abs=0.02)
    assert 0.6 < more < log(2)


def test_it_is_bounded_both_ways() -> None:
    assert every(1.0, for_s=3600.0).more(3, NOW) == LEAST
    assert every(DAY, for_s=2 * DAY).more(100_000, NOW) == MOST


def test_a_first_change_says_no_less_than_usual_wherever_it_is() -> None:
    for entities in (1, 8, 1_000):
        assert Churn([NOW - 60.0]).more(entities, NOW) >= 0.0


def test_changes_of_the_future_and_of_long_ago_do_not_count() -> None:
    recent = [NOW - 3600.0 * at for at in range(1, 10)]
    others = [NOW + 60.0, NOW + DAY, NOW - WITHIN_S - 1.0, NOW - 9 * DAY]
    assert Churn(recent + others).more(20, NOW) == Churn(recent).more(20, NOW)


@given(st.lists(st.tuples(st.floats(0.0, NOW), st.none() | st.integers(0, 30)), max_size=30), st.integers(1, 1_000))
def test_told_one_by_one_is_as_known_at_once(told: list[tuple[float, int | None]], entities: int) -> None:
    churn, times = Churn(), list[float]()
    for at, instead in told:
        known = times.pop(instead) if instead is not None and instead < len(times) else None
        churn.tell(at, known)
        times.append(at)
    assert churn.more(entities, NOW) == Churn(times).more(entities, NOW)


def first_suspect(*changes: ChangeRecord) -> str:
    """Who is suspected where ``payments`` and what needs it fail just after silent ``ledger`` was changed."""
    scene = Scene()
    guilty = deploy("ledger", -60.0, name="guilty")
    scene.tell(*sorted([*changes, guilty], key=lambda change: change.at))
    scene.tell(*outage(of=("payments", "checkout", "frontend")))
    scene.wait(120.0)
    return scene.incident.suspects[0].entity


def test_a_rare_change_outweighs_that_what_was_changed_is_silent() -> None:
    assert first_suspect(deploy("disk", -40 * 3600.0)) == "service/ledger"


def test_where_something_is_changed_all_the_time_it_does_not() -> None:
    others = [deploy("cache", -600.0 * at, name=f"change-{at}") for at in range(1, 60)]
    assert first_suspect(*others) == "service/payments"
