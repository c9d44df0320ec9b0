"""What everybody depends on is not blamed for an outage that merely reached its share of those."""

from __future__ import annotations

import numpy as np
import pytest

from core.scene import Scene, consistent, fires, rulebook
from quell.core.families import COUNT, Family
from quell.core.graph import Graph
from quell.core.hubs import MANY, MOST, Hubs
from quell.core.reach import Reacher, key
from quell.model.rulebook import Correlate
from quell.model.topology import Dependency, Entity

SERVICES = [f"service/s{at:03}" for at in range(400)]
HUB = "service/auth"


def estate(callers: int) -> Graph:
    calls = [Dependency(from_=name, to=HUB, type="calls") for name in SERVICES[:callers]]
    return Graph([Entity(entity=name) for name in [*SERVICES, HUB]], calls, Correlate())


def dearer(graph: Graph, troubled: list[str]) -> float:
    hubs = Hubs(graph, Reacher(graph))
    for name in troubled:
        hubs.turned(graph.number[name], alerting=True)
    causes = np.array([key(graph.number[SERVICES[0]], Family.FAILING), key(graph.number[HUB], Family.FAILING)])
    found = hubs.dearer(causes)
    if found is None:
        return 0.0
    assert found[0] == 0.0
    return float(found[1])


def test_a_hub_of_which_no_more_fail_than_elsewhere_explains_little() -> None:
    graph = estate(100)
    assert dearer(graph, SERVICES[::10]) == MOST
    assert dearer(graph, SERVICES[300:]) == 0.0  # none of its own is in trouble, and none claims it
    some = dearer(graph, SERVICES[:20] + SERVICES[100:130])
    assert some == pytest.approx(-np.log(1.0 - (30 / 300) / (20 / 100)))
    assert dearer(graph, [*SERVICES[:20], *SERVICES[100:130], HUB]) == some  # its own trouble is none elsewhere


def test_a_hub_of_which_most_fail_explains_them() -> None:
    assert dearer(estate(100), SERVICES[:80]) == 0.0
    assert dearer(estate(100), SERVICES[:80] + SERVICES[100:130]) < 0.2


def test_a_few_dependents_are_no_rate_and_all_there_are_compare_with_nobody() -> None:
    assert dearer(estate(MANY - 1), SERVICES[::10]) == 0.0
    assert dearer(estate(MANY), SERVICES[::10]) > 0.0
    assert dearer(estate(400 - MANY + 1), SERVICES[::2]) == 0.0  # too few others
    assert dearer(estate(400 - MANY), SERVICES[::2]) > 0.0
    everybody = [Dependency(from_=f"pod/{at}", to=HUB, type="calls") for at in range(100)]
    graph = Graph([Entity(entity=HUB), Entity(entity=SERVICES[0])], everybody, Correlate())
    assert dearer(graph, ["pod/1", "pod/2"]) == 0.0


def test_what_is_over_counts_no_more_and_strangers_are_no_hubs() -> None:
    graph = estate(100)
    hubs = Hubs(graph, Reacher(graph))
    for name in SERVICES[::10]:
        hubs.turned(graph.number[name], alerting=True)
    causes = np.array([key(graph.number[HUB], Family.FAILING), graph.node("service/stranger") * COUNT])
    found = hubs.dearer(causes)
    assert found is not None
    assert found.tolist() == [MOST, 0.0]
    for name in SERVICES[::10]:
        hubs.turned(graph.number[name], alerting=False)
    assert hubs.dearer(causes) is None


def test_a_lost_zone_is_not_told_as_trouble_of_what_its_services_call() -> None:
    hosts = {name: f"host/h{at // 8:02}" for at, name in enumerate(SERVICES)}
    zones = {host: f"az/z{at // 5}" for at, host in enumerate(sorted({*hosts.values()}))}
    told = [
        *(Dependency(from_=name, to=host, type="runs_on") for name, host in hosts.items()),
        *(Dependency(from_=host, to=zone, type="in_zone") for host, zone in zones.items()),
        *(Dependency(from_=name, to=HUB, type="calls") for name in SERVICES[::2]),
    ]
    names = sorted({HUB, *hosts, *zones, *zones.values()})
    scene = Scene(rulebook(entities=tuple([Entity(entity=name) for name in names]), dependencies=tuple(told)))
    lost = [name.removeprefix("service/") for name, host in hosts.items() if zones[host] == "az/z3"]
    scene.tell(*(fires(name, 12.0 + at % 20, severity="warning") for at, name in enumerate(lost)))
    scene.wait(400.0)
    (incident,) = scene.open
    assert incident.suspects[0].entity == "az/z3"
    assert scene.services(incident) == set(lost)
    consistent(scene.engine)


@pytest.mark.parametrize("first", [False, True])
def test_whom_the_graph_does_not_know_is_no_rate_whether_met_before_or_after_a_start(first: bool) -> None:
    strangers = [f"service/x{at:03}" for at in range(300)]
    calls = [Dependency(from_=name, to=HUB, type="calls") for name in SERVICES[:100]]
    graph = Graph([Entity(entity=name) for name in [*SERVICES, HUB]], calls, Correlate(), strangers if first else [])
    hubs = Hubs(graph, Reacher(graph))
    for name in (*SERVICES[:20], *SERVICES[100:130], *strangers[:90]):
        hubs.turned(graph.node(name), alerting=True)
    found = hubs.dearer(np.array([key(graph.node(HUB), Family.FAILING)]))
    assert found is not None
    assert found[0] == pytest.approx(-np.log(1.0 - (30 / 300) / (20 / 100)))


def test_a_restart_amid_strangers_changes_nothing() -> None:
    callers = [Dependency(from_=name, to=HUB, type="calls") for name in SERVICES[:100]]
    book = rulebook(entities=tuple(Entity(entity=name) for name in [*SERVICES, HUB]), dependencies=tuple(callers))
    one, other = Scene(book), Scene(book)
    told = [f"x{at:03}" for at in range(300)] + [name[8:] for name in SERVICES[:16]] + ["auth"]
    for at, name in enumerate(told):
        for scene in (one, other):
            scene.tell(fires(name, at * 0.1, severity="warning"))
        if at % 40 == 39:
            other.restart()
    for scene in (one, other.restart()):
        scene.wait(400.0)
    assert other.engine.snapshot() == one.engine.snapshot()


def behind(troubled: list[str]) -> Hubs:
    """A hub that runs on a host, on which two others run as well."""
    told = [
        *(Dependency(from_=name, to=HUB, type="calls") for name in SERVICES[:100]),
        *(Dependency(from_=name, to="host/h", type="runs_on") for name in [HUB, SERVICES[0], SERVICES[399]]),
    ]
    graph = Graph([Entity(entity=name) for name in [*SERVICES, HUB, "host/h"]], told, Correlate())
    hubs = Hubs(graph, Reacher(graph))
    for name in troubled:
        hubs.turned(graph.number[name], alerting=True)
    return hubs


def through(hubs: Hubs, name: str) -> float:
    """By how much the way from the host to a service is dearer."""
    graph = hubs.graph
    found = Reacher(graph).rows(key(graph.number[name], Family.FAILING))
    costs = hubs.dearly(found[1], hubs.places(found[0], found[1])) - found[1]
    return float(costs[np.searchsorted(found[0], key(graph.number["host/h"], Family.FAILING))])


def test_what_lies_behind_a_hub_explains_as_little_as_the_hub() -> None:
    hubs = behind(SERVICES[::10])
    assert through(hubs, SERVICES[10]) == MOST
    assert through(hubs, SERVICES[0]) == 0.0, "it calls the hub, but stands at the host itself"
    assert through(hubs, SERVICES[399]) == 0.0
    assert through(hubs, HUB) == 0.0
    assert through(behind(SERVICES[:80]), SERVICES[10]) == 0.0, "it brought most of them down"


def test_what_many_call_is_told_as_one_outage_with_its_host() -> None:
    callers = [Dependency(from_=name, to=HUB, type="calls") for name in SERVICES[:100]]
    host = Dependency(from_=HUB, to="host/h", type="runs_on")
    book = rulebook(
        entities=tuple(Entity(entity=name) for name in [*SERVICES, HUB, "host/h"]), dependencies=(*callers, host)
    )
    scene = Scene(book)
    scene.tell(*(fires(name[8:], 5.0 + at * 0.2, severity="warning") for at, name in enumerate(SERVICES[:60])))
    scene.wait(600.0)
    (incident,) = scene.open
    assert len(incident.alerts) == 60
