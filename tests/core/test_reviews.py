"""What is looked at again because something ended: nobody who is needed is forgotten, and nothing hangs on luck."""

from __future__ import annotations

import pytest

from core.scene import T0, Scene, consistent, ends, fires, outage, rulebook, says
from quell.core.correlate import ENDED_AFTER_S
from quell.core.lives import TRUST_S
from quell.model.topology import Dependency, Entity

INFO = ("ledger", "payments", "checkout", "cart")


@pytest.mark.parametrize("began", [40.0, 400.0, 700.0])
def test_who_was_paged_by_what_fires_on_finds_it_in_an_open_incident(began: float) -> None:
    scene = Scene()
    scene.tell(*(fires(one, 12.0 * at, severity="info") for at, one in enumerate(INFO)))
    scene.tell(fires("frontend", began, "HighLatency"), fires("frontend", began, "SlowRequests", "warning"))
    scene.wait(900.0)
    assert len(scene.pages) == 1
    scene.tell(ends("frontend", 1000.0, "SlowRequests", "warning"))
    scene.tell(*(ends(one, 2000.0 + 5.0 * at, severity="info") for at, one in enumerate(INFO)))
    for until in (2100.0, 2400.0, 5600.0):
        scene.wait(until)
        consistent(scene.engine)
        paging = scene.alert("frontend", "HighLatency")
        (incident,) = scene.open
        assert (paging.incident, paging.handling) == (incident.id, "page")
    assert len(scene.pages) == 1
    assert scene.reminders
    scene.tell(ends("frontend", 5700.0, "HighLatency"))
    scene.wait(7200.0)
    assert not scene.open


def test_what_began_since_a_large_group_was_searched_still_finds_its_cause_after_a_look_at_ends() -> None:
    leaves = tuple(f"leaf{number}" for number in range(280))
    needs = {leaf: ["hub"] for leaf in leaves} | {"x": ["hub", "y"], "y": ["z"], "w": ["z"], "v": ["z"]}
    names = sorted({*needs, "hub", "z"})
    scene = Scene(
        rulebook(
            entities=tuple(Entity(entity=f"service/{name}", labels={"namespace": "shop"}) for name in names),
            dependencies=tuple(
                Dependency(from_=f"service/{name}", to=f"service/{other}", type="calls")
                for name, others in needs.items()
                for other in others
            ),
        )
    )
    scene.tell(fires("hub"), *(fires(leaf, 10.0) for leaf in leaves), at=10.0)
    scene.tell(ends(leaves[0], 41.0))
    (group,) = scene.engine.state.groups.values()
    scene.wait(121.0)
    scene.tell(
        *(fires(name, 121.0, "Down", "warning") for name in "zwv"),
        fires("y", 121.0, "Slow", "warning"),
        fires("x", 121.0, "Slow", "warning"),
        at=121.0,
    )
    assert group.review_at is not None
    assert group.solve_at is not None
    assert group.review_at < group.solve_at
    scene.wait(300.0)
    assert {incident.suspects[0].entity for incident in scene.open} == {"service/hub", "service/z"}
    assert len(scene.pages) == 2


@pytest.mark.parametrize("bridge", ["checkout", "payments"])
def test_a_look_that_a_group_was_due_comes_though_the_group_joins_another(bridge: str) -> None:
    scene = Scene()
    scene.tell(fires("ledger"), fires("cart", 1.0), ends("cart", 20.0))
    assert len(scene.engine.state.groups) == 2
    other = "payments" if bridge == "checkout" else "checkout"
    scene.tell(fires(other, 30.0, "Aaa"), fires(bridge, 30.0, "Zzz"), at=30.0)
    (group,) = scene.engine.state.groups.values()
    assert group.review_at is not None
    scene.wait(group.review_at - T0)
    assert group.review_at is None


def test_what_ended_just_before_a_look_is_looked_at_in_its_own_time() -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(900.0)
    (group,) = scene.engine.state.groups.values()
    scene.tell(ends("ledger", 900.0))
    first = group.review_at
    assert first is not None
    last = first - T0 - 5.0
    scene.tell(ends("payments", last))
    assert group.review_at == first
    scene.wait(first - T0)
    assert group.review_at is not None
    assert first < group.review_at
    assert group.review_at >= T0 + last + ENDED_AFTER_S
    scene.restart()
    (group,) = scene.engine.state.groups.values()
    scene.wait(last + 200.0)
    assert group.review_at is None


@pytest.mark.parametrize("restarts", [False, True])
def test_what_was_resolved_by_hand_and_fires_on_pages_again_though_more_that_is_over_joined_it(restarts: bool) -> None:
    scene = Scene()
    scene.tell(*outage())
    scene.wait(60.0)
    scene.tell(says("resolve", scene.incident.id, 60.0))
    scene.tell(fires("payments", 62.0, "HighLatency"), ends("payments", 63.0, "HighLatency"))
    scene.wait(300.0)
    assert len(scene.incident.alerts) == 5
    if restarts:
        scene.restart()
    assert (scene.open, len(scene.pages)) == ([], 1)
    scene.wait(60.0 + TRUST_S)
    assert scene.open
    assert len(scene.pages) == 2


def test_what_was_merged_and_stands_apart_again_just_as_it_was_is_open_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quell.core.folding.APART", 0.0)  # else these stay two all along
    scene = Scene()
    told = [
        fires("checkout", 61.0, "HighLatency"),
        fires("payments", 312.0, "DataStale"),
        ends("checkout", 838.0, "HighLatency"),
        fires("ledger", 1038.0, "HighLatency", "warning"),
        fires("ledger", 1241.0, "SlowQueries", "warning"),
        fires("frontend", 1271.0, "DataStale", "warning"),
        fires("ledger", 1284.0, "HighErrorRate", "warning"),
        fires("checkout", 2071.0, "HighLatency"),
        fires("cart", 2640.0, "DataQuality"),
        ends("ledger", 3795.0, "HighLatency", "warning"),
        ends("frontend", 3805.0, "DataStale", "warning"),
        ends("cart", 5827.0, "DataQuality"),
    ]
    scene.tell(*told)
    for until in range(5830, 7000, 60):
        scene.wait(float(until))
        consistent(scene.engine)
        home = scene.engine.state.incidents[scene.alert("payments", "DataStale").incident or ""]
        assert home.is_open
    assert [entry.what for entry in home.timeline if entry.what in {"merged", "split"}] == ["merged", "split"]
