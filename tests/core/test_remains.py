"""What parts from an incident that people are shown, and is too little for one of its own, stays in it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

import pytest

from core.scene import Scene, ends, fires
from quell.core.conclude import Cause
from quell.core.continuity import Cluster, Member
from quell.core.remains import ASKED_TOGETHER, remains
from quell.core.steps import finished
from quell.model.state import State

CAUSE = Cause(key=0, began=0.0, units=(0,), net=9.0, folded=(), parts=((0, 0.0),), rivals=lambda: ())
WHOLE: list[Member] = [("a", 1), ("b", 1), ("c", 1)]
PART: list[Member] = [("x", 1), ("y", 1)]
STOOD: dict[Member, str | None] = dict.fromkeys([*WHOLE, *PART], "INC-1")


def kept(
    known: State, all_of_them: list[Cluster], story: list[tuple[Cluster, str]], before: Mapping[Member, str | None]
) -> dict[str, list[Member]]:
    return finished(remains(known, all_of_them, story, before))


def state(*, is_open: bool = True, crowd: bool = False) -> State:
    return cast("State", SimpleNamespace(incidents={"INC-1": SimpleNamespace(is_open=is_open, crowd=crowd)}))


def clusters(*members: list[Member]) -> list[Cluster]:
    return [Cluster(CAUSE, tuple(one)) for one in members]


def test_what_is_too_little_to_be_shown_stays_where_most_of_it_stood() -> None:
    whole, part = clusters(WHOLE, [*PART, ("new", 1)])
    stood = STOOD | {("new", 1): None}
    assert kept(state(), [whole, part], [(whole, "INC-1")], stood) == {"INC-1": PART}


def test_what_is_told_by_itself_leaves() -> None:
    whole, part = clusters(WHOLE, PART)
    assert kept(state(), [whole, part], [(whole, "INC-1"), (part, "INC-2")], STOOD) == {}


@pytest.mark.parametrize("stood", ["nowhere", "resolved", "crowd", "not told", "half of it"])
def test_nothing_stays_in_what_does_not_go_on(stood: str) -> None:
    whole, part = clusters(WHOLE, PART)
    before = STOOD | dict.fromkeys(PART[: {"nowhere": 2, "half of it": 1}.get(stood, 0)], None)
    story = [] if stood == "not told" else [(whole, "INC-1")]
    assert kept(state(is_open=stood != "resolved", crowd=stood == "crowd"), [whole, part], story, before) == {}


def test_many_are_asked_a_few_at_a_time() -> None:
    others = [[(f"{at}/{number}", 1) for number in range(ASKED_TOGETHER)] for at in range(5)]
    *told, part = clusters(*others, PART)
    story = [(one, f"INC-{at}") for at, one in enumerate(told)]
    steps = remains(state(), [*told, part], story, STOOD)
    assert len(list(steps)) == len(told)


def test_an_end_takes_nothing_out_of_an_incident_that_is_too_little_for_one_of_its_own() -> None:
    scene = Scene()
    scene.tell(
        fires("frontend", 15.0, "HighRequestLatency", "warning"),
        fires("frontend", 45.0, "DatabaseFailover"),
        fires("checkout", 45.0, "QueueFull"),
        fires("payments", 60.0, "DatabaseFailover", "warning"),
        fires("checkout", 75.0, "HighRequestLatency"),
        fires("ledger", 120.0, "QueueFull"),
    )
    scene.wait(250.0)
    assert len(scene.incident.alerts) == 6
    scene.tell(ends("payments", 285.0, "DatabaseFailover", "warning"))
    scene.wait(600.0)
    scene.restart()
    scene.wait(3600.0)
    assert len(scene.incident.alerts) == 6
    assert scene.alert("ledger", "QueueFull").incident == scene.incident.id
    assert {page.incident for page in scene.pages} == {scene.incident.id}, "people were told of all of it"
