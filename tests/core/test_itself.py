"""What crashes is not put down to what it asks, but to itself or to where it stands."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from core.scene import T0, Scene, consistent, fires, rulebook
from quell.core.engine import Engine
from quell.core.families import Family, of_itself
from quell.core.graph import Graph
from quell.core.itself import DEARER, Itself
from quell.core.reach import key
from quell.model.alert import Alert
from quell.model.records import AlertRecord
from quell.model.rulebook import Correlate
from quell.model.state import Unit
from quell.model.topology import Dependency, Entity

PLACED = [
    Dependency(from_="service/shop", to="host/h1", type="runs_on"),
    Dependency(from_="host/h1", to="rack/r1", type="in_rack"),
    Dependency(from_="service/shop", to="database/stock", type="reads"),
    Dependency(from_="database/stock", to="host/h2", type="runs_on"),
    Dependency(from_="job/nightly", to="database/stock", type="reads"),
    Dependency(from_="service/astray", to="database/stock", type="reads"),
]


def saying(name: str, summary: str = "") -> Alert:
    return Alert(
        fingerprint="a", source="", labels={"alertname": name}, status="firing", starts_at=T0, updated_at=T0,
        onset_seen=T0, annotations={"summary": summary},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "summary", "itself"),
    [
        ("KubePodCrashLooping", "", True),
        ("pod.restarts", "", True),
        ("KubePodNotReady", "", True),
        ("RolloutFailed", "", True),
        ("ServiceDown", "", False),  # a check that asks what the service asks says so as well
        ("CertificateExpired", "", True),
        ("monitor-17", "Pod shop-7f does not start: back-off", True),
        ("monitor-17", "shop answers 5xx", False),
        ("HighErrorRate", "the pod of shop restarts", False),  # its name says what it is about
        ("monitor-17", "nightly-54 failed: BackoffLimitExceeded", False),
        ("HighRequestLatency", "", False),
        ("CertificateExpiresSoon", "CertificateExpiresSoon on shop", False),
        ("monitor-17", "The certificate of shop is expiring in 20 days", False),
        ("OOMKilled", "", True),
        ("PodEvicted", "", True),
        ("ImagePullBackOff", "", True),
        ("KubeDeploymentRolloutStuck", "", True),
        ("TLSHandshakeErrors", "", True),
        ("UpstreamTLSHandshakeErrors", "", False),  # of what it asks
        ("monitor-17", "upstream payments is not ready, requests fail", False),
        ("ReadinessOfDependencyFails", "", False),
        ("SessionTokenExpired", "", False),  # neither of these is a process
        ("QueriesKilled", "", False),
        ("monitor-17", "400 keys evicted a second", False),
        ("monitor-17", "requests fail after 5 retries with back-off", False),
        ("ErrorsAfterRollout", "", False),
    ],
)
def test_what_speaks_of_a_process_itself(name: str, summary: str, itself: bool) -> None:
    assert of_itself(saying(name, summary)) is itself


def dearer(entity: str, cause: str, *, itself: bool = True) -> float:
    names = sorted({end for edge in PLACED for end in (edge.from_, edge.to)})
    graph = Graph([Entity(entity=name) for name in names], PLACED, Correlate())
    other = Unit(id=1, entity="service/shop", family=0, first=T0, onset=T0, last=T0, group=0)
    unit = Unit(id=2, entity=entity, family=0, first=T0, onset=T0, last=T0, group=0, itself=itself)
    causes = np.array([key(graph.node(cause), Family.FAILING)] * 2)
    known = Itself(graph)
    found = known.dearer([other, unit], np.array([0, 1]), causes)
    if found is None:
        return 0.0
    assert found[0] == 0.0  # the other is not broken itself
    return float(found[1])


def test_what_it_asks_is_dearer_and_where_it_stands_is_not() -> None:
    assert dearer("service/shop", "database/stock") == DEARER
    assert dearer("service/shop", "host/h2") == DEARER  # where what it asks stands
    assert [dearer("service/shop", one) for one in ("service/shop", "host/h1", "rack/r1")] == [0.0, 0.0, 0.0]
    assert dearer("service/shop", "database/stock", itself=False) == 0.0


def test_it_may_stand_anywhere_if_nobody_knows_where() -> None:
    assert dearer("service/astray", "host/h2") == 0.0
    assert dearer("service/astray", "database/stock") == DEARER


def test_nothing_is_dearer_where_no_dependency_is_known() -> None:
    assert dearer("service/stranger", "database/stock") == 0.0


def test_a_job_ends_with_an_error_when_what_it_asks_fails() -> None:
    assert dearer("job/nightly", "database/stock") == 0.0


HOST = [f"s{at}" for at in range(5)]


def beside_a_lost_host(name: str) -> Scene:
    """A host is lost, and so is what runs there; a shop that asks one of these by way of another fails."""
    told = (
        *(Dependency(from_=f"service/{one}", to="host/h1", type="runs_on") for one in HOST),
        Dependency(from_="service/shop", to="service/mid", type="calls"),
        Dependency(from_="service/mid", to="service/s0", type="calls"),
        Dependency(from_="service/shop", to="host/h2", type="runs_on"),
        Dependency(from_="service/front", to="service/shop", type="calls"),
    )
    names = sorted({end for edge in told for end in (edge.from_, edge.to)})
    scene = Scene(rulebook(entities=tuple(Entity(entity=one) for one in names), dependencies=told))
    scene.tell(
        *(fires(one, 3.0 * at, "PodNotReady") for at, one in enumerate(HOST)),
        fires("shop", 24.0),
        fires("front", 36.0),
        fires("front", 50.0, "LogErrors"),
        fires("shop", 60.0, name),
    )
    scene.wait(600.0)
    consistent(scene.engine)
    return scene


def test_who_fails_by_what_it_asks_is_part_of_that_and_who_crashes_is_not() -> None:
    scene = beside_a_lost_host("ErrorBudgetBurns")
    assert [one.suspects[0].entity for one in scene.open] == ["host/h1"]
    scene = beside_a_lost_host("PodCrashLooping")
    own = next(one for one in scene.open if one.suspects[0].entity == "service/shop")
    assert scene.services(own) == {"shop", "front"}
    (told,) = [one.text for one in own.suspects[0].evidence if one.code == "broken_itself"]
    assert told.endswith("says that it is broken itself, as what it asks seldom makes it")
    assert [scene.services(one) for one in scene.open if one != own] == [set(HOST)]


def test_of_a_job_nobody_is_told_that_what_it_asks_seldom_breaks_it() -> None:
    told = (
        Dependency(from_="job/nightly", to="database/stock", type="reads"),
        Dependency(from_="service/front", to="job/nightly", type="calls"),
    )
    names = ("database/stock", "job/nightly", "service/front")
    scene = Scene(rulebook(entities=tuple(Entity(entity=one) for one in names), dependencies=told))
    scene.tell(
        fires("nightly", 0.0, "PodCrashLooping", entity="job/nightly"),
        fires("front", 10.0),
        fires("front", 12.0, "LogErrors"),
    )
    scene.wait(900.0)
    first = scene.incident.suspects[0]
    assert first.entity == "job/nightly"
    (said,) = [one.text for one in first.evidence if one.code == "alerts_itself"]
    assert said == "job/nightly alerts itself, 10s before any other"


def test_pods_that_are_not_ready_are_put_to_the_host_that_was_lost() -> None:
    services = [f"s{at}" for at in range(5)]
    told = tuple(Dependency(from_=f"service/{name}", to="host/h1", type="runs_on") for name in services)
    entities = tuple(Entity(entity=name) for name in ("host/h1", *(f"service/{name}" for name in services)))
    scene = Scene(rulebook(entities=entities, dependencies=told))
    scene.tell(*(fires(name, 3.0 * at, "PodNotReady") for at, name in enumerate(services)))
    scene.wait(400.0)
    assert scene.incident.suspects[0].entity == "host/h1"


@pytest.mark.parametrize("seed", range(4))
def test_a_restart_changes_nothing_whenever_it_was_told(seed: int) -> None:
    chance = Random(seed)
    needs = [(at, chance.randrange(max(0, at - 6), at), "calls") for at in range(1, 30)]
    stands = [(at, 100 + at % 4, "runs_on") for at in range(0, 30, 2)]
    edges = tuple(Dependency(from_=f"service/s{a}", to=f"service/s{b}", type=how) for a, b, how in needs + stands)
    engine = Engine(rulebook(entities=(), dependencies=edges))
    broken = 0
    for number in range(120):
        at = T0 + 20.0 * number
        name = chance.choice(("HighErrorRate", "PodCrashLooping", "PodNotReady", "Slow"))
        labels = {"alertname": name, "n": str(number), "severity": "warning"}
        entity = f"service/s{chance.randrange(30)}"
        engine.decide([AlertRecord(at=at, status="firing", labels=labels, entity=entity, starts_at=at)], at)
        broken += any(unit.itself and len(unit.alerts) > 1 for unit in engine.state.units.values())
    assert broken > 50
    again = Engine.restored(engine.rulebook, engine.snapshot())
    later = T0 + 4000.0
    assert again.decide([], later) == engine.decide([], later)
    assert again.snapshot() == engine.snapshot()
