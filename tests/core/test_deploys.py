"""Versions that telemetry tells of: a new one is a deploy, two side by side are one, an old one that returns is one."""

from __future__ import annotations

from quell.core.engine import Engine
from quell.model.records import AnyRecord, ChangeRecord, DependencyRecord, EntityRecord, SpanRecord
from quell.model.rulebook import Rulebook

T0 = 1_700_000_000.0


def told(version: str, at: float) -> EntityRecord:
    return EntityRecord(at=at, source="otel", entity="service/shop", labels={"version": version})


def changes(*records: AnyRecord) -> tuple[Engine, list[tuple[str, str, float]]]:
    engine = Engine(Rulebook())
    for record in records:
        engine.decide([record], record.at)
    found = [(one.previous, one.revision, one.at) for one in engine.state.changes.values()]
    return engine, found


def test_what_is_seen_for_the_first_time_is_no_deploy():
    assert changes(told("1", T0), told("1", T0 + 60))[1] == []


def test_another_version_is_a_deploy_once_however_often_both_tell_of_themselves():
    rollout = [told("2" if step % 2 else "1", T0 + 10 * step) for step in range(20)]
    engine, found = changes(told("1", T0 - 60), *rollout, told("2", T0 + 300))
    assert found == [("1", "2", T0 + 10)]
    assert engine.state.entities["service/shop"].labels["version"] == "2"


def test_a_version_that_returns_after_a_silence_was_rolled_back_to():
    _, found = changes(told("1", T0), told("2", T0 + 10), told("2", T0 + 2000), told("1", T0 + 2010))
    assert found == [("1", "2", T0 + 10), ("2", "1", T0 + 2010)]


def test_what_was_announced_is_not_told_twice():
    announced = ChangeRecord(at=T0 + 5, type="deploy", entity="service/shop", revision="2", id="ci-7")
    _, found = changes(told("1", T0), announced, told("2", T0 + 10))
    assert len(found) == 1


def test_versions_are_remembered_over_a_restart():
    engine, _ = changes(told("1", T0), told("2", T0 + 10))
    again = Engine.restored(Rulebook(), engine.snapshot())
    again.decide([told("1", T0 + 20)], T0 + 20)
    assert len(again.state.changes) == 1


def test_counted_spans_are_joined_and_not_counted():
    client = SpanRecord(at=T0, trace="t", span="a", entity="service/shop", counted=True)
    server = SpanRecord(at=T0, trace="t", span="b", parent="a", entity="service/pay", counted=True)
    engine, _ = changes(server, client)
    assert [(edge.from_, edge.to) for edge in engine.state.dependencies.values()] == [("service/shop", "service/pay")]
    assert engine.state.signals == {}


def test_edges_that_receivers_join_are_forgotten_like_those_of_spans():
    edge = DependencyRecord(at=T0, source="spans", from_="service/shop", to="service/pay", type="calls")
    engine, _ = changes(edge)
    engine.decide([], T0 + 8 * 86_400)
    assert engine.state.dependencies == {}


def test_labels_that_are_told_in_turns_settle_for_a_while() -> None:
    engine = Engine(Rulebook())
    seen = []
    for turn in range(40):
        at = T0 + turn * 30.0
        labels = {"cluster": "ab"[turn % 2], "namespace": "shop"}
        engine.decide([EntityRecord(at=at, source="otlp", entity="service/web", labels=labels)], at)
        seen.append(engine.state.entities["service/web"].labels["cluster"])
    changes = [at for at in range(1, 40) if seen[at] != seen[at - 1]]
    assert len(changes) <= 4
    assert seen[:3] == ["a", "b", "a"]
    assert Engine.restored(Rulebook(), engine.snapshot()).snapshot() == engine.snapshot()
    late = T0 + 10_000.0
    moved = {"cluster": "c", "zone": "1"}
    engine.decide([EntityRecord(at=late, source="topology", entity="service/web", labels=moved)], late)
    assert engine.state.entities["service/web"].labels == {"cluster": "c", "namespace": "shop", "zone": "1"}
