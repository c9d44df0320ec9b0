"""What an entity does to others while its trouble goes on is no outage of its own, however late it is told."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from core.scene import T0, Scene, ends, fires
from quell.core import correlate
from quell.core.families import Family
from quell.core.ongoing import OTHER_NATS, SAME_NATS, ways
from quell.core.problem import Open, Problem, Symptoms
from quell.core.reach import key
from quell.model.records import DependencyRecord, EntityRecord

PLACED = ("stock", "price", "tax", "stamps")
CALLED = tuple(f"book-{number}" for number in range(6))
WAYS = (
    *((f"service/{name}", "host/h1", "runs_on") for name in PLACED),
    *(("service/front", f"service/{name}", "calls") for name in (*PLACED[:2], *CALLED)),
)


def lost_host(
    late: float, *, well_from: float | None = None, fails: tuple[str, ...] = ("HighErrorRate", "JourneyFails")
) -> Scene:
    """A host is lost, who calls what it held fails, and whom that one calls is told to get no work so much later."""
    scene = Scene()
    names = sorted({name for one, other, _ in WAYS for name in (one, other)})
    scene.tell(
        *(EntityRecord(at=T0 - 60, entity=name) for name in names),
        *(DependencyRecord(at=T0 - 60, from_=one, to=other, type=kind) for one, other, kind in WAYS),
        at=-60.0,
    )
    scene.tell(
        fires("h1", 0.0, "HostDown", entity="host/h1"),
        *(fires(name, 5.0 + number, "ServiceDown") for number, name in enumerate(PLACED)),
        *(fires("front", 40.0 + 5.0 * number, name) for number, name in enumerate(fails)),
    )  # fmt: skip
    if well_from is not None:
        scene.tell(*(ends("front", well_from, name) for name in fails))
    scene.tell(*(fires(name, late + 10.0 * at, "NoRequestsReceived") for at, name in enumerate(CALLED)))
    scene.wait(late + 400.0)
    return scene


@pytest.mark.parametrize("late", [120.0, 420.0, 600.0, 900.0])
def test_who_gets_no_work_while_a_caller_fails_is_part_of_what_made_that_one_fail(late: float) -> None:
    scene = lost_host(late)
    assert scene.services(scene.incident) == {"h1", "front", *PLACED, *CALLED}
    assert scene.incident.suspects[0].entity == "host/h1"
    assert len(scene.pages) == 1


def test_so_it_is_in_a_large_group_where_only_some_causes_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlate, "LARGE_GROUP", 3)
    monkeypatch.setattr(correlate, "FRESH_CAUSES", 2)
    scene = lost_host(600.0, fails=("HighLatency",))
    assert scene.services(scene.incident) == {"h1", "front", *PLACED, *CALLED}


@pytest.mark.parametrize(
    ("late", "well_from"),
    [
        (600.0, 240.0),  # it was well again: what comes then is new
        (1500.0, None),  # no rule waits so long
    ],
)
def test_what_begins_after_that_is_shown_by_itself(late: float, well_from: float | None) -> None:
    scene = lost_host(late, well_from=well_from)
    assert len(scene.incidents) == 2
    first, second = sorted(scene.incidents, key=lambda one: one.opened_at)
    assert scene.services(second) >= set(CALLED)
    assert first.suspects[0].entity == "host/h1"


def test_why_those_are_part_of_it_to_whom_no_way_leads_is_said() -> None:
    scene, chain = Scene(), tuple(f"hop-{number}" for number in range(9))
    ways = (
        *((f"service/{name}", "host/h1", "runs_on") for name in PLACED),
        *((f"service/{chain[0]}", f"service/{name}", "calls") for name in PLACED[:2]),
        *((f"service/{one}", f"service/{other}", "calls") for other, one in pairwise((*chain, "front"))),
        *(("service/front", f"service/{name}", "calls") for name in CALLED),
    )
    scene.tell(
        *(EntityRecord(at=T0 - 60, entity=name) for name in sorted({name for way in ways for name in way[:2]})),
        *(DependencyRecord(at=T0 - 60, from_=one, to=other, type=kind) for one, other, kind in ways),
        at=-60.0,
    )
    scene.tell(
        fires("h1", 0.0, "HostDown", entity="host/h1"),
        *(fires(name, 5.0 + number, "ServiceDown") for number, name in enumerate(PLACED)),
        *(fires(name, 20.0 + 6.0 * number) for number, name in enumerate((*chain, "front"))),
    )
    scene.tell(*(fires(name, 600.0 + 10.0 * at, "NoRequestsReceived") for at, name in enumerate(CALLED)))
    scene.wait(1000.0)
    assert scene.services(scene.incident) >= set(CALLED)
    assert "does not explain 6 of the 21 symptoms, such as service/book-0" in scene.text()
    said = "trouble that it brought about goes on at service/front: what that does to others later is part of it"
    assert scene.text().count(said) == 1


def posed(units: list[tuple[int, float, float]]) -> Problem:
    """Units as (key, onset, end), each claimed by itself at no cost, and by key 4 for two nats."""
    keys = sorted({4, *(one for one, _, _ in units)})
    rows = [
        (owner, unit, 0.0 if owner == one else 2.0)
        for owner in keys
        for unit, (one, _, _) in enumerate(units)
        if owner in {one, 4}
    ]
    starts = [sum(owner < one for owner, _, _ in rows) for one in keys]
    none = np.zeros(len(units), dtype=np.bool_)
    return Problem(
        Symptoms(
            onsets=np.array([onset for _, onset, _ in units]), ends=np.array([end for _, _, end in units]),
            stood=np.full(len(units), -1), live=none, held=none, weight=np.full(len(units), 4.0),
            own=np.array([one for one, _, _ in units]),
            keys=np.array(keys), starts=np.array([*starts, len(rows)]),
            unit=np.array([unit for _, unit, _ in rows]), cost=np.array([cost for _, _, cost in rows]),
            lag=np.zeros(len(rows)),
        )
    )  # fmt: skip


def opened(problem: Problem, *causes: tuple[int, float]) -> list[Open]:
    found = []
    for number, (one, began) in enumerate(causes):
        at = problem.index(one)
        assert at is not None
        found.append(Open(at, began, problem.line(at, began), 5.0, number))
    return found


@pytest.mark.parametrize(
    ("family", "end", "began", "nats"),
    [
        (Family.FAILING, np.inf, 300.0, SAME_NATS),
        (Family.SLOW, np.inf, 300.0, OTHER_NATS),
        (Family.FAILING, 290.0, 300.0, None),  # over before
        (Family.FAILING, np.inf, 40.0, None),  # it may have begun with it
        (Family.FAILING, np.inf, 901.0, None),  # too long ago
        (Family.DATA, np.inf, 300.0, None),  # what data do takes hours anyway
    ],
)
def test_a_way_leads_to_who_explains_what_went_on_there(
    family: Family, end: float, began: float, nats: float | None
) -> None:
    there, cause = key(5, family), key(5, Family.FAILING)
    problem = posed([(there, 10.0, end), (cause, began, np.inf)])
    chosen = opened(problem, (4, 0.0), (cause, began))
    found = ways(problem, chosen, np.array([0, 1]))
    if nats is None:
        assert found == {}
    else:
        keys, costs, lags = found[cause]
        assert (keys.tolist(), costs.tolist(), lags.tolist()) == ([4], [nats], [began])


def test_what_nothing_explains_or_the_cause_itself_leads_nowhere() -> None:
    cause = key(5, Family.FAILING)
    problem = posed([(cause, 10.0, np.inf), (cause, 300.0, np.inf)])
    chosen = opened(problem, (4, 0.0), (cause, 300.0))
    for owners in ([-1, 1], [1, 1]):
        assert ways(problem, chosen, np.array(owners)) == {}
