"""What begins beside trouble that still spreads is shown by itself only once it has stood for a minute."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quell.core.conclude import Cause
from quell.core.continuity import Cluster, Member
from quell.core.newcomers import KNOWN_S, SPREADS, SPREADS_S, WAIT_S, newcomers
from quell.model.state import State

RACK, AWAY = 7, 9
NOW = 1000.0
WHOLE: list[Member] = [(f"w{number}", 1) for number in range(SPREADS)]
PART: list[Member] = [("x", 1), ("y", 1), ("z", 1)]
BEFORE: dict[Member, str | None] = dict.fromkeys(WHOLE, "INC-1") | dict.fromkeys(PART, None)


def cause(key: int, began: float, maker: int, cost: float) -> Cause:
    above = np.array([maker]), np.array([cost]), np.array([10.0])
    return Cause(key=key, began=began, units=(0,), net=9.0, folded=(), parts=(), rivals=lambda: (), above=lambda: above)


def state(*, heard: float = NOW, paged: float | None = 0.0, is_open: bool = True) -> State:
    known = SimpleNamespace(is_open=is_open, crowd=False, paged_at=paged)
    alerts = {mark: SimpleNamespace(onset_seen=heard) for mark, _ in WHOLE}
    return cast("State", SimpleNamespace(incidents={"INC-1": known}, alerts=alerts))


def story(
    *, maker: int = RACK, began: float = NOW, cost: float = 1.0, part: list[Member] = PART
) -> list[tuple[Cluster, str]]:
    whole = Cluster(cause(1, NOW, RACK, 1.0), tuple(WHOLE))
    return [(whole, "INC-1"), (Cluster(cause(2, began, maker, cost), tuple(part)), "INC-2")]


def test_a_cause_beside_trouble_that_spreads_is_shown_once_it_has_stood_for_a_minute() -> None:
    since, waiting = newcomers(state(), story(), BEFORE, {}, NOW)
    assert (since, waiting) == (dict.fromkeys("xyz", NOW), frozenset({"INC-2"}))
    assert newcomers(state(), story(), BEFORE, since, NOW + WAIT_S - 1.0) == (since, waiting)
    assert newcomers(state(), story(), BEFORE, since, NOW + WAIT_S) == ({}, frozenset())


def test_what_nothing_could_have_made_with_it_is_shown_at_once() -> None:
    assert newcomers(state(), story(maker=AWAY), BEFORE, {}, NOW) == ({}, frozenset())
    assert newcomers(state(), story(began=NOW - 3600.0), BEFORE, {}, NOW) == ({}, frozenset())
    assert newcomers(state(), story(cost=4.5), BEFORE, {}, NOW) == ({}, frozenset())


def test_a_cause_that_its_neighbour_could_have_made_itself_waits() -> None:
    assert newcomers(state(), story(maker=1), BEFORE, {}, NOW)[1] == {"INC-2"}


def test_nobody_waits_for_what_spreads_no_more_or_called_nobody() -> None:
    for known in (state(heard=NOW - SPREADS_S), state(paged=None), state(is_open=False)):
        assert newcomers(known, story(), BEFORE, {}, NOW) == ({}, frozenset())


def test_what_people_know_already_does_not_wait() -> None:
    stood = BEFORE | {("x", 1): "INC-1"}
    assert newcomers(state(), story(), stood, {}, NOW) == ({}, frozenset())


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=20))
def test_however_often_it_is_looked_at_and_whatever_joins_it_the_wait_is_the_same(steps: list[float]) -> None:
    since: dict[str, float] = {}
    now, part, before = NOW, list(PART), dict(BEFORE)
    for number, step in enumerate([0.0, *steps]):
        now += step
        part = [(f"a{number}", 1), *part]
        before[part[0]] = None
        since, waiting = newcomers(state(heard=now), story(part=part), before, since, now)
        assert bool(waiting) == (now < NOW + WAIT_S)
        if not waiting:
            return


def test_whoever_is_left_when_others_join_the_whole_does_not_wait_anew() -> None:
    before, since, now = dict(BEFORE), dict[str, float](), NOW
    for left in (PART, PART[1:], PART[2:]):
        since, waiting = newcomers(state(heard=now), story(part=left), before, since, now)
        assert bool(waiting) == (now < NOW + WAIT_S)
        before[left[0]] = "INC-1"
        now += 30.0


def test_what_is_too_little_for_a_look_does_not_wait_anew() -> None:
    since, waiting = newcomers(state(), story(), BEFORE, {}, NOW)
    assert waiting
    for nothing_new in (story()[:1], [*story()[:1], (Cluster(cause(3, NOW, AWAY, 1.0), (("a", 1),)), "INC-3")]):
        now = NOW + WAIT_S / 2
        still, waiting = newcomers(state(heard=now), nothing_new, BEFORE | {("a", 1): None}, since, now)
        assert (still, waiting) == (since, frozenset())
        now = NOW + WAIT_S
        assert newcomers(state(heard=now), story(), BEFORE, still, now) == ({}, frozenset())
    assert newcomers(state(), story()[:1], BEFORE, since, NOW + KNOWN_S) == ({}, frozenset())
    assert newcomers(state(), story()[:1], BEFORE | dict.fromkeys(PART, "INC-1"), since, NOW) == ({}, frozenset())
