"""What parts from an incident that people are shown does so only once that lasts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quell.core.conclude import Cause
from quell.core.continuity import Cluster, Member
from quell.core.partings import APART_S, partings
from quell.model.state import State

CAUSE = Cause(key=0, began=0.0, units=(0,), net=9.0, folded=(), parts=((0, 0.0),), rivals=lambda: ())
WHOLE: list[Member] = [("a", 1), ("b", 1), ("c", 1)]
PART: list[Member] = [("x", 1), ("y", 1)]
STOOD: dict[Member, str | None] = dict.fromkeys([*WHOLE, *PART], "INC-1")


def state(*, is_open: bool = True, crowd: bool = False, merged: str = "") -> State:
    known = SimpleNamespace(is_open=is_open, crowd=crowd, status="open" if is_open else "resolved")
    gone = {merged: SimpleNamespace(is_open=False, crowd=False, status="merged")} if merged else {}
    return cast("State", SimpleNamespace(incidents={"INC-1": known, **gone}))


def story(*parts: tuple[str, list[Member]]) -> list[tuple[Cluster, str]]:
    return [(Cluster(CAUSE, tuple(members)), name) for name, members in parts]


def test_a_part_waits_where_it_is_until_it_has_stood_apart_for_long_enough() -> None:
    told = story(("INC-1", WHOLE), ("INC-2", PART))
    since, waiting = partings(state(), told, STOOD, {}, 100.0)
    assert waiting == {"INC-2": "INC-1"}
    later, still = partings(state(), told, STOOD, since, 100.0 + APART_S - 1.0)
    assert (later, still) == (since, waiting)
    assert partings(state(), told, STOOD, since, 100.0 + APART_S) == (since, {})


def test_a_part_that_is_joined_by_what_began_before_it_does_not_wait_anew() -> None:
    since, _ = partings(state(), story(("INC-1", WHOLE), ("INC-2", PART)), STOOD, {}, 100.0)
    more, stood = story(("INC-1", WHOLE), ("INC-2", [("late", 1), *PART])), STOOD | {("late", 1): None}
    since, waiting = partings(state(), more, stood, since, 160.0)
    assert (since, waiting) == ({"late": 100.0}, {"INC-2": "INC-1"})
    assert partings(state(), more, stood, since, 100.0 + APART_S) == (since, {})


def test_what_grows_together_again_begins_anew_when_it_parts_next() -> None:
    since, _ = partings(state(), story(("INC-1", WHOLE), ("INC-2", PART)), STOOD, {}, 100.0)
    since, _ = partings(state(), story(("INC-1", WHOLE + PART)), STOOD, since, 200.0)
    assert since == {}
    _, waiting = partings(state(), story(("INC-1", WHOLE), ("INC-2", PART)), STOOD, since, 100.0 + APART_S)
    assert waiting == {"INC-2": "INC-1"}


def test_what_was_merged_into_it_and_would_part_again_waits_as_well() -> None:
    known, told = state(merged="INC-2"), story(("INC-1", WHOLE), ("INC-2", PART))
    since, waiting = partings(known, told, STOOD, {}, 100.0)
    assert waiting == {"INC-2": "INC-1"}
    assert partings(known, told, STOOD, since, 100.0 + APART_S) == (since, {})


@pytest.mark.parametrize("stood", ["nowhere", "resolved", "crowd", "not told"])
def test_what_stood_in_nothing_that_goes_on_is_shown_at_once(stood: str) -> None:
    before = dict.fromkeys([*WHOLE, *PART], None) if stood == "nowhere" else STOOD
    told = story(("INC-2", PART)) if stood == "not told" else story(("INC-1", WHOLE), ("INC-2", PART))
    known = state(is_open=stood != "resolved", crowd=stood == "crowd")
    assert partings(known, told, before, {}, 100.0) == ({}, {})


def test_a_part_that_is_taken_half_from_two_waits_as_well() -> None:
    known = cast("State", SimpleNamespace(incidents=dict.fromkeys(
        ("INC-1", "INC-3"), SimpleNamespace(is_open=True, crowd=False, status="open")
    )))  # fmt: skip
    half: list[Member] = [("u", 1), ("v", 1)]
    stood = STOOD | dict.fromkeys([*half, ("w", 1)], "INC-3") | {("new", 1): None}
    others = ("INC-1", WHOLE), ("INC-3", [("w", 1)])
    since, waiting = partings(known, story(*others, ("INC-2", PART + half)), stood, {}, 100.0)
    assert waiting == {"INC-2": "INC-3"}
    assert partings(known, story(*others, ("INC-2", PART + half)), stood, since, 100.0 + APART_S) == (since, {})
    mostly_new = story(*others, ("INC-2", [("x", 1), ("u", 1), ("new", 1), ("new2", 1), ("new3", 1)]))
    stood |= {("new2", 1): None, ("new3", 1): None}
    assert partings(known, mostly_new, stood, {}, 100.0) == ({}, {})


@given(st.lists(st.floats(0.0, 60.0), min_size=1, max_size=20))
def test_however_often_it_is_looked_at_the_wait_is_the_same(steps: list[float]) -> None:
    told, now = story(("INC-1", WHOLE), ("INC-2", PART)), 0.0
    since: dict[str, float] = {}
    for step in [0.0, *steps]:
        now += step
        since, waiting = partings(state(), told, STOOD, since, now)
        assert bool(waiting) == (now < APART_S)
