"""Who gets no work any more: what could have kept it away, against the arrows and through what only hands it on."""

from __future__ import annotations

from math import log

import pytest

from core.scene import T0, Scene, fires
from quell.core.families import Family, family
from quell.core.graph import Graph
from quell.core.reach import FEW_SENDERS, Reacher, key
from quell.model.alert import Alert
from quell.model.records import DependencyRecord, EntityRecord
from quell.model.rulebook import Correlate, EdgeKind
from quell.model.topology import Dependency, Entity

SHOP = (
    ("service/front", "service/orders", "calls"),
    ("service/orders", "queue/placed", "produces"),
    ("service/books", "queue/placed", "consumes"),
    ("service/books", "database/ledger", "reads"),
    ("service/books", "host/h1", "runs_on"),
)


def graph(ways: tuple[tuple[str, str, str], ...] = SHOP, settings: Correlate | None = None) -> Graph:
    names = sorted({name for one, other, _ in ways for name in (one, other)})
    entities = [Entity(entity=name) for name in names]
    return Graph(
        entities, [Dependency(from_=one, to=other, type=kind) for one, other, kind in ways], settings or Correlate()
    )


def reached(drawn: Graph, entity: str, kind: Family) -> dict[tuple[str, Family], float]:
    found = Reacher(drawn).reach(key(drawn.node(entity), kind))
    return {
        (drawn.name(one // 4), Family(one % 4)): cost for one, (cost, _) in zip(found.keys, found.claims, strict=True)
    }


def alert(name: str, summary: str = "") -> Alert:
    return Alert(
        fingerprint="f", source="t", labels={"alertname": name}, annotations={"summary": summary}, status="firing",
        starts_at=0.0, updated_at=0.0, onset_seen=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "summary", "kind"),
    [
        ("NoRequestsReceived", "", Family.IDLE),
        ("NoDatabaseOperations", "", Family.IDLE),
        ("NoKafkaMessages", "", Family.IDLE),
        ("OrderThroughputZero", "", Family.IDLE),
        ("Volume", "throughput is zero on books", Family.IDLE),
        ("Volume", "request rate absent", Family.IDLE),
        ("NoFreeConnections", "", Family.SLOW),
        ("RequestsFail", "", Family.FAILING),
        ("ReplicaDown", "no standby answers", Family.FAILING),
    ],
)
def test_words_tell_that_work_stopped(name: str, summary: str, kind: Family) -> None:
    assert family(alert(name, summary)) == kind


def test_work_that_a_queue_hands_on_stops_when_its_sender_fails() -> None:
    found = reached(graph(), "service/books", Family.IDLE)
    assert found["service/orders", Family.FAILING] < 3.0
    assert ("queue/placed", Family.IDLE) in found
    assert ("service/books", Family.FAILING) in found
    assert ("database/ledger", Family.FAILING) not in {one for one in found if found[one] < 1.0}


def test_only_who_gets_no_work_looks_at_who_sends_it() -> None:
    for kind in (Family.FAILING, Family.SLOW, Family.DATA):
        assert not any(name == "service/orders" for name, _ in reached(graph(), "queue/placed", kind))


def test_who_is_placed_somewhere_or_takes_from_a_queue_sends_it_no_work() -> None:
    assert not any(name == "service/books" for name, _ in reached(graph(), "host/h1", Family.IDLE))
    assert not any(name == "service/books" for name, _ in reached(graph(), "queue/placed", Family.IDLE))


def test_what_a_team_says_of_a_type_leaves_who_sends_work() -> None:
    told = Correlate(edges={"calls": EdgeKind(p=0.5, lag_s=5.0), "runs_on": EdgeKind(p=0.5, lag_s=5.0)})
    drawn = graph(settings=told)
    assert reached(drawn, "service/orders", Family.IDLE)["service/front", Family.FAILING] == pytest.approx(-log(0.27))
    assert not any(name == "service/books" for name, _ in reached(drawn, "host/h1", Family.IDLE))


@pytest.mark.parametrize(("senders", "looked_at"), [(FEW_SENDERS, True), (FEW_SENDERS + 1, False)])
def test_where_many_send_work_none_of_them_keeps_it_away(senders: int, looked_at: bool) -> None:
    drawn = graph(tuple((f"service/s{number}", "service/hub", "calls") for number in range(senders)))
    assert (("service/s0", Family.FAILING) in reached(drawn, "service/hub", Family.IDLE)) is looked_at


def test_consumers_without_work_belong_to_the_silent_sender() -> None:
    scene = Scene()
    ways = (*SHOP[:3], ("service/mail", "queue/placed", "consumes"), ("service/edge", "service/front", "calls"))
    names = sorted({name for one, other, _ in ways for name in (one, other)})
    scene.tell(
        *(EntityRecord(at=T0 - 60, entity=name) for name in names),
        *(DependencyRecord(at=T0 - 60, from_=one, to=other, type=kind) for one, other, kind in ways),
        at=-60.0,
    )
    scene.tell(
        fires("front", 20.0, "HighErrorRate"), fires("edge", 30.0, "HighErrorRate"),
        fires("books", 120.0, "NoMessagesReceived", "warning"),
        fires("books", 125.0, "NoDatabaseOperations", "warning"),
        fires("mail", 130.0, "NoMessagesReceived", "warning"),
    )  # fmt: skip
    scene.wait(300.0)
    assert scene.services(scene.incident) == {"front", "edge", "books", "mail"}
    assert scene.incident.suspects[0].entity == "service/orders"
