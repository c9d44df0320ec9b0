"""From labels to entities: rules first, then the graph in the labels' namespace, else an entity of its own."""

from __future__ import annotations

import pytest

from quell.core.resolve import Resolver
from quell.model.mute import Matcher
from quell.model.rulebook import MapRule
from quell.model.topology import Entity

ENTITIES = (
    Entity(entity="deployment/shop/cart", labels={"name": "cart", "namespace": "shop"}),
    Entity(entity="deployment/lab/cart", labels={"name": "cart", "namespace": "lab"}),
    Entity(entity="service/checkout", labels={"namespace": "shop"}),
    Entity(entity="host/n1", labels={"instance": "10.0.0.1:9100", "hostname": "node-one"}),
    Entity(entity="model/fraud", labels={"namespace": "ml"}),
    Entity(entity="service/fraud", labels={"namespace": "ml"}),
    Entity(entity="service/twin", labels={"cluster": "east"}),
    Entity(entity="svc/twin", labels={"cluster": "west"}),
    Entity(entity="crane/big"),
)
RULES = (
    MapRule(
        name="topics", matchers=(Matcher(name="topic", value=".+", is_regex=True),), entity="queue/${labels.topic}"
    ),
    MapRule(name="missing", matchers=(Matcher(name="alertname", value="Lag"),), entity="queue/${labels.nowhere}"),
    MapRule(name="bare", matchers=(Matcher(name="alertname", value="Bare"),), entity="${labels.thing}"),
    MapRule(name="known", matchers=(Matcher(name="alertname", value="Known"),), entity="crane/${labels.thing}"),
    MapRule(name="team", matchers=(Matcher(name="team", value=""),), set_labels={"team": "core"}),
)
RESOLVER = Resolver(ENTITIES, RULES)


@pytest.mark.parametrize(
    ("labels", "entity"),
    [
        ({"topic": "orders"}, "queue/orders"),
        ({"topic": "checkout"}, "service/checkout"),
        ({"alertname": "Lag", "service": "checkout"}, "service/checkout"),
        ({"alertname": "Bare", "thing": "noslash", "service": "checkout"}, "service/checkout"),
        ({"alertname": "Known", "thing": "big"}, "crane/big"),
        ({"alertname": "Known", "thing": "fraud"}, "model/fraud"),
        ({"service": "service/checkout"}, "service/checkout"),
        ({"service": "cart", "namespace": "shop"}, "deployment/shop/cart"),
        ({"service": "cart", "namespace": "lab"}, "deployment/lab/cart"),
        ({"service": "cart", "namespace": "elsewhere"}, "deployment/lab/cart"),
        ({"model": "fraud"}, "model/fraud"),
        ({"service": "twin", "cluster": "west"}, "svc/twin"),
        ({"pod": "cart-7d9f8b6c5-x2x4z", "namespace": "shop"}, "deployment/shop/cart"),
        ({"pod": "cart-0", "namespace": "shop"}, "deployment/shop/cart"),
        ({"instance": "10.0.0.1:9100"}, "host/n1"),
        ({"instance": "node-one.example.net:9100"}, "host/n1"),
        ({"instance": "checkout:8080"}, "service/checkout"),
        ({"weird": "big"}, "crane/big"),
        ({"weird": "cart"}, None),
        ({"alertname": "big"}, None),
        ({"service": "unheard"}, "service/unheard"),
        ({"dag_id": "nightly"}, "pipeline/nightly"),
        ({"pod": "unheard-7d9f8b6c5-x2x4z"}, "service/unheard"),
        ({"pod_name": "lone"}, "service/lone"),
        ({"instance": "10.9.9.9:80"}, "host/10.9.9.9:80"),
        ({"job": "batch"}, "service/batch"),
        ({"severity": "critical"}, None),
        ({}, None),
    ],
)
def test_labels_name_an_entity(labels: dict[str, str], entity: str | None):
    assert RESOLVER.resolve(labels) == entity


@pytest.mark.parametrize(
    ("hint", "entity"),
    [
        ("service/checkout", "service/checkout"),
        ("svc/checkout", "service/checkout"),
        ("robot/r2", "robot/r2"),
        ("r2", "r2"),
    ],
)
def test_what_the_sender_names_is_believed(hint: str, entity: str):
    assert RESOLVER.resolve({"service": "fraud"}, hint) == entity


def test_rules_set_labels_and_leave_others_alone():
    assert RESOLVER.relabelled({"a": "1"}) == {"a": "1", "team": "core"}
    known = {"a": "1", "team": "payments"}
    assert RESOLVER.relabelled(known) is known
