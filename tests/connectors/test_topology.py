from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, never_chokes, posted
from quell.errors import BadPayload
from quell.model.records import DependencyRecord, EntityRecord
from quell.sdk.connector import Received
from quell.sdk.testkit import NOW
from quell_connectors.topology import TopologyFile

CATALOGUE = {
    "name": "estate",
    "nodes": [
        {"id": "svc/shop/cart", "kind": "service", "name": "cart", "namespace": "shop", "cluster": "eu1",
         "replicas": 2, "team": "payments"},
        {"id": "host/n1", "kind": "host", "name": "n1", "instance": "10.0.0.1:9100", "zone": "a", "rack": "r1"},
    ],
    "edges": [{"src": "svc/shop/cart", "dst": "host/n1", "type": "runs_on", "weight": 0.5},
              {"src": "host/n1", "dst": "svc/shop/cart"}],
}  # fmt: skip


def received(body: Any) -> Received:
    got: Received = built(TopologyFile).receive(posted(body), NOW)
    return got


def test_a_node_keeps_its_id_and_its_other_names_become_labels() -> None:
    cart, host, *_ = received(CATALOGUE).records

    assert cart == EntityRecord(
        at=NOW,
        seen=NOW,
        source="src",
        entity="svc/shop/cart",
        labels={"kind": "service", "name": "cart", "namespace": "shop", "cluster": "eu1"},
        owner="payments",
    )
    assert isinstance(host, EntityRecord)
    assert host.labels == {"kind": "host", "name": "n1", "instance": "10.0.0.1:9100", "zone": "a", "rack": "r1"}


def test_edges_may_make_a_cycle() -> None:
    *_, runs, back = received(CATALOGUE).records

    assert runs == DependencyRecord(
        at=NOW, seen=NOW, source="src", from_="svc/shop/cart", to="host/n1", type="runs_on", weight=0.5
    )
    assert isinstance(back, DependencyRecord)
    assert (back.from_, back.to, back.type, back.weight) == ("host/n1", "svc/shop/cart", "depends_on", 1.0)


def test_quell_s_own_words_are_read_too() -> None:
    got = received({
        "entities": [{"entity": "model/fraud", "labels": {"namespace": "ml"}, "owner": "ml", "tier": 1},
                     {"kind": "kpi", "name": "approvals"}, {"entity": "host/old", "removed": True}],
        "dependencies": [{"from": "kpi/approvals", "to": "model/fraud", "type": "measures", "confidence": 0.9}],
    })  # fmt: skip

    model, kpi, old, edge = got.records
    assert isinstance(model, EntityRecord)
    assert (model.entity, model.owner, model.tier, model.labels) == ("model/fraud", "ml", 1, {"namespace": "ml"})
    assert isinstance(kpi, EntityRecord)
    assert kpi.entity == "kpi/approvals"
    assert isinstance(old, EntityRecord)
    assert old.removed
    assert isinstance(edge, DependencyRecord)
    assert edge.confidence == 0.9


def test_a_part_that_cannot_be_read_is_put_aside() -> None:
    many = {str(n): "" for n in range(99)}
    got = received({"nodes": [{"id": "a/b"}, {"id": 7}, {"name": "x"}, {"id": "a/c", "labels": many}],
                    "edges": [{"src": "a/b"}, {"src": "a/b", "dst": "a/d", "weight": 7}]})  # fmt: skip

    assert [entry.reason for entry in got.rejected] == [
        "id: expected text, got a number",
        "a node has neither an id nor kind and name",
        'node "a/c": 99 labels; at most 64 are taken',
        "an edge lacks one of its ends; write src and dst, or from and to",
        'edge "a/b" → "a/d": weight 7 is not between 0 and 1',
    ]
    assert (len(got.records), got.reply.status) == (1, 200)


@pytest.mark.parametrize("body", [b"", b"{", {}, {"nodes": []}, {"nodes": 7}, [], b"\xff"])
def test_a_document_without_a_topology_is_refused(body: Any) -> None:
    with pytest.raises(BadPayload):
        received(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(body=st.dictionaries(st.sampled_from(["nodes", "edges", "entities"]), st.lists(JSON) | JSON) | JSON)
def test_any_json_is_answered(body: Any) -> None:
    never_chokes(built(TopologyFile), posted(body))
