"""Where an entity stands by its own labels, when nobody told it as a dependency."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from core.scene import Scene, fires, rulebook
from quell.core.graph import Graph
from quell.core.placements import implied
from quell.model.rulebook import Correlate
from quell.model.topology import Dependency, Entity

ZONE = Entity(entity="az/a", labels={"cluster": "one", "zone": "a"})
RACK = Entity(entity="rack/r1", labels={"cluster": "one", "zone": "a"})
HOST = Entity(entity="host/h1", labels={"cluster": "one", "zone": "a", "rack": "r1"})
SERVICE = Entity(entity="service/shop/cart", labels={"cluster": "one", "zone": "a"})


def told(*entities: Entity, known: tuple[Dependency, ...] = ()) -> set[tuple[str, str, str]]:
    return {(one.from_, one.to, one.type) for one in implied(entities, known)}


def test_labels_name_the_nearest_place_that_is_known() -> None:
    assert told(ZONE, RACK, HOST, SERVICE) == {
        ("host/h1", "rack/r1", "in_rack"),
        ("rack/r1", "az/a", "in_zone"),
        ("service/shop/cart", "az/a", "in_zone"),
    }
    assert told(ZONE, HOST) == {("host/h1", "az/a", "in_zone")}
    assert told(RACK, HOST) == {("host/h1", "rack/r1", "in_rack")}
    assert told(HOST) == set()


def test_whoever_is_told_to_stand_somewhere_gets_no_other_place() -> None:
    elsewhere = Dependency(from_="host/h1", to="rack/r2", type="in_rack")
    assert ("host/h1", "rack/r1", "in_rack") not in told(ZONE, RACK, Entity(entity="rack/r2"), HOST, known=(elsewhere,))
    calls = Dependency(from_="service/shop/cart", to="service/shop/stock", type="calls")
    assert ("service/shop/cart", "az/a", "in_zone") in told(ZONE, SERVICE, known=(calls,))


def test_a_place_of_that_name_in_another_cluster_is_another() -> None:
    other = Entity(entity="rack/r1", labels={"cluster": "two"})
    assert told(other, HOST) == set()
    assert told(Entity(entity="rack/r1"), HOST) == {("host/h1", "rack/r1", "in_rack")}


def test_of_places_of_one_name_here_and_in_no_cluster_the_first_by_name_is_meant() -> None:
    here, other = (Entity(entity=f"rack/{one}/r1", labels={"name": "r1", "cluster": one}) for one in ("one", "two"))
    first, last = (Entity(entity=f"rack/{one}/r1", labels={"name": "r1"}) for one in ("any", "some"))
    assert told(here, last, other, HOST) == {("host/h1", "rack/one/r1", "in_rack")}
    assert told(first, here, other, HOST) == {("host/h1", "rack/any/r1", "in_rack")}
    assert told(here, other, Entity(entity="host/h2", labels={"rack": "r1"})) == set()


def test_places_of_one_name_in_other_clusters_are_not_asked_one_by_one() -> None:
    zones = [Entity(entity=f"zone/{at:03}/a", labels={"name": "a", "cluster": f"c{at:03}"}) for at in range(300)]
    hosts = [Entity(entity=f"host/{at:03}", labels={"zone": "a", "cluster": f"c{at:03}"}) for at in range(300)]
    asked = 0

    class Counted(dict[str, str]):
        def get(self, *given: str) -> str | None:  # type: ignore[override]
            nonlocal asked
            asked += 1
            return super().get(*given)

    found = told(*(replace(one, labels=Counted(one.labels)) for one in (*zones, *hosts)))
    assert found == {(f"host/{at:03}", f"zone/{at:03}/a", "in_zone") for at in range(300)}
    assert asked < 30 * len(zones + hosts)


@pytest.mark.parametrize("value", ["", "unknown"])
def test_labels_that_name_nothing_known_imply_nothing(value: str) -> None:
    assert (
        told(
            Entity(entity="az/a"),
            Entity(entity="rack/r1"),
            Entity(entity="host/h2", labels={"zone": value, "rack": value}),
        )
        == set()
    )


def test_the_graph_walks_such_placements_and_believes_them_less_than_what_is_told() -> None:
    graph = Graph([ZONE, RACK, HOST], [], Correlate())
    ((rack, _, weight),) = graph.out[graph.node("host/h1")]
    assert graph.name(rack) == "rack/r1"
    assert 0.0 < weight < 1.0


def test_a_rack_that_is_lost_explains_hosts_that_only_say_where_they_stand() -> None:
    hosts = [Entity(entity=f"host/h{at}", labels={"rack": "r1", "namespace": "x"}) for at in range(6)]
    scene = Scene(rulebook(entities=(Entity(entity="rack/r1"), *hosts), dependencies=()))
    scene.tell(*(fires("", 4.0 * at, "NodeDown", labels={"node": f"h{at}", "service": ""}) for at in range(6)), at=30.0)
    scene.wait(300.0)
    assert len(scene.incident.alerts) == 6
    assert scene.incident.suspects[0].entity == "rack/r1"
