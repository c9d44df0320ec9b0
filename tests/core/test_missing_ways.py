"""Where the graph leaves dependencies out, neighbours' trouble that comes and goes together is one incident."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from core.scene import Scene, consistent, ends, fires, rulebook, says
from quell.model.rulebook import Rulebook
from quell.model.topology import Dependency, Entity

LEFT = ("ledger", "payments", "checkout")
RIGHT = ("cache", "cart", "orders")
"""Chains of one namespace between which no way is known."""


def book(*, stand: int = 60) -> Rulebook:
    """Of sixty services elsewhere so many are known to stand at a host."""
    ours = [Entity(entity=f"service/{name}", labels={"namespace": "shop"}) for name in (*LEFT, *RIGHT)]
    others = [Entity(entity=f"service/other-{at}", labels={"namespace": "other"}) for at in range(60)]
    calls = [
        Dependency(from_=f"service/{name}", to=f"service/{needed}", type="calls")
        for chain in (LEFT, RIGHT)
        for needed, name in pairwise(chain)
    ]
    places = [Dependency(from_=one.entity, to="host/one", type="runs_on") for one in others[:stand]]
    # What the tests are about stands somewhere, so that only the others tell what is left out.
    ours_stand = [Dependency(from_=one.entity, to=f"host/of-{one.entity[8:]}", type="runs_on") for one in ours]
    return rulebook(entities=(*ours, *others), dependencies=(*calls, *places, *ours_stand))


def both(scene: Scene, apart: float) -> None:
    """Two outages that begin so far apart."""
    told = [(service, 12.0 * step) for step, service in enumerate(LEFT)]
    told += [(service, apart + 12.0 * step) for step, service in enumerate(RIGHT)]
    for service, at in sorted(told, key=lambda one: one[1]):
        scene.tell(fires(service, at))


def over(scene: Scene, chain: tuple[str, ...], at: float) -> None:
    for step, service in enumerate(chain):
        scene.tell(ends(service, at + 5.0 * step))


def together(scene: Scene) -> list[set[str]]:
    """Who is listed together in incidents that stand for themselves."""
    consistent(scene.engine)
    stand = [one for one in scene.incidents if one.status not in {"merged", "withdrawn"}]
    return sorted((scene.services(one) for one in stand), key=sorted)


WHOLE, APART = [{*LEFT, *RIGHT}], [{*RIGHT}, {*LEFT}]


def test_what_begins_at_once_is_one_incident_and_one_page() -> None:
    scene = Scene(book(stand=45))
    both(scene, 20.0)
    scene.wait(300.0)
    assert together(scene) == WHOLE
    assert len(scene.pages) == 1


def test_people_are_told_that_ways_are_missing() -> None:
    scene = Scene(book(stand=45))
    both(scene, 20.0)
    scene.wait(300.0)
    assert "such as service/cache (about 23% of all dependencies are not known)" in scene.text()


def test_where_the_graph_leaves_nothing_out_it_is_two() -> None:
    scene = Scene(book())
    both(scene, 20.0)
    over(scene, LEFT, 900.0)
    over(scene, RIGHT, 910.0)
    scene.wait(2_000.0)
    assert together(scene) == APART


def test_what_does_not_end_with_the_other_parts_from_it() -> None:
    scene = Scene(book(stand=45))
    both(scene, 20.0)
    over(scene, LEFT, 600.0)
    scene.wait(1_000.0)
    assert together(scene) == APART
    assert scene.services(scene.open[-1]) == {*RIGHT}


def test_what_people_were_shown_as_two_is_one_when_it_ended_together() -> None:
    scene = Scene(book(stand=45))
    both(scene, 200.0)
    scene.wait(600.0)
    assert together(scene) == APART
    over(scene, LEFT, 900.0)
    over(scene, RIGHT, 920.0)
    scene.wait(1_100.0)
    assert together(scene) == WHOLE
    assert "merged" in scene.events


def test_a_database_that_says_so_once_is_named_and_its_alert_is_in_the_incident() -> None:
    given = book(stand=45)
    store = Entity(entity="database/store", labels={"namespace": "shop"})
    asks = [Dependency(from_=f"service/other-{at}", to=store.entity, type="reads") for at in range(3)]
    stands = Dependency(from_=store.entity, to="host/of-store", type="runs_on")
    given = rulebook(entities=(*given.entities, store), dependencies=(*given.dependencies, *asks, stands))
    scene = Scene(given)
    scene.tell(fires("store", 0.0, "Failover", "warning", labels={"database": "store", "service": ""}))
    for step, service in enumerate(LEFT):
        scene.tell(fires(service, 15.0 + 12.0 * step))
    scene.wait(300.0)
    assert scene.incident.suspects[0].entity == "database/store"
    assert len(scene.incident.alerts) == 4


@pytest.mark.parametrize("apart", [20.0, 200.0])
def test_a_restart_at_any_time_changes_nothing(apart: float) -> None:
    scene, again = Scene(book(stand=45)), Scene(book(stand=45))
    for one in (scene, again):
        both(one, apart)
    for at in range(300, 1_500, 40):
        for one in (scene, again.restart()):
            if at == 900:
                over(one, LEFT, 900.0)
                over(one, RIGHT, 910.0)
            one.wait(float(at))
    assert again.engine.snapshot() == scene.engine.snapshot()
    assert together(again) == WHOLE


def parts(acked: bool, *, still: bool = False, remind_after_s: float = 1800.0) -> Scene:
    """The outage that people were called for is over, unless it is `still` there in part; the other goes on."""
    given = book(stand=45)
    triage = msgspec.structs.replace(given.triage, remind_after_s=remind_after_s)
    scene = Scene(msgspec.structs.replace(given, triage=triage))
    down = ("ledger", "payments")
    scene.tell(*(fires(service, float(at), "Down") for at, service in enumerate(down)))
    both(scene, 20.0)
    scene.wait(200.0)
    assert together(scene) == WHOLE
    assert len(scene.pages) == 1
    if acked:
        scene.tell(says("ack", scene.incident.id, 250.0))
    over(scene, LEFT, 600.0)
    scene.tell(*(ends(service, 615.0, "Down") for service in down[still:]))
    for at in range(640, 1_600, 60):
        scene.wait(float(at))
        scene.restart()
    return scene


@pytest.mark.parametrize(("acked", "remind_after_s"), [(True, 1800.0), (True, 0.0), (False, 0.0)])
def test_what_goes_on_when_all_that_people_took_is_over_pages_once(acked: bool, remind_after_s: float) -> None:
    scene = parts(acked, remind_after_s=remind_after_s)
    assert together(scene) == APART
    (goes_on,) = scene.open
    first, second = scene.pages
    assert (scene.services(goes_on), second.incident) == ({*RIGHT}, goes_on.id)
    assert second.incident != first.incident


def test_what_goes_on_stands_under_a_page_that_nobody_has_answered_and_of_which_people_are_reminded() -> None:
    scene = parts(acked=False)
    assert together(scene) == APART
    assert len(scene.pages) == 1
    scene.wait(2_000.0)
    assert [one.incident for one in scene.reminders] == [scene.open[0].id]


def test_where_nobody_is_reminded_what_goes_on_pages_though_some_of_the_rest_does_too() -> None:
    scene = parts(acked=True, still=True, remind_after_s=0.0)
    assert len(scene.open) == len(scene.pages) == 2


def test_nobody_is_called_again_while_what_people_took_goes_on() -> None:
    assert len(parts(acked=True, still=True).pages) == 1
