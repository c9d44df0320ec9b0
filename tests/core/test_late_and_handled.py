"""Data: what kind of trouble is told where words say little, how late it shows, and where it does not begin."""

from __future__ import annotations

import pytest

from core.scene import T0, Scene, rulebook
from quell.core.families import Family, family
from quell.core.graph import Graph
from quell.core.reach import key
from quell.model.alert import Alert
from quell.model.records import AlertRecord
from quell.model.rulebook import Correlate
from quell.model.topology import Dependency, Entity

WAYS = (
    ("feature/age", "pipeline/users", "derived_from"),
    ("feature/city", "pipeline/users", "derived_from"),
    ("pipeline/users", "database/lake", "reads"),
    ("feature/spent", "pipeline/spent", "derived_from"),
    ("pipeline/spent", "pipeline/users", "derived_from"),
    ("feature/visits", "pipeline/visits", "derived_from"),
    ("pipeline/visits", "pipeline/users", "derived_from"),
    ("feature/spent", "cache/online", "reads"),
    ("feature/visits", "cache/online", "reads"),
    ("feature/age", "cache/online", "reads"),
    ("feature/city", "cache/online", "reads"),
    ("model/churn", "feature/age", "uses_features"),
    ("kpi/sales", "service/shop", "measures"),
    ("service/shop", "service/prices", "calls"),
)
NAMES = sorted({name for one, other, _ in WAYS for name in (one, other)})
ENTITIES = tuple(Entity(entity=name) for name in NAMES)
DEPENDENCIES = tuple(Dependency(from_=one, to=other, type=kind) for one, other, kind in WAYS)


def alert(entity: str | None, name: str, summary: str = "") -> Alert:
    return Alert(
        fingerprint="f", source="t", labels={"alertname": name}, annotations={"summary": summary}, status="firing",
        starts_at=T0, updated_at=T0, onset_seen=T0, entity=entity,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("entity", "name", "kind"),
    [
        ("kpi/sales", "monitor-27708", Family.DATA),
        ("kpi/sales", "OrdersDown", Family.DATA),
        ("business-metric/margin", "LatencyAnomaly", Family.DATA),
        ("feature/age", "monitor-1", Family.DATA),
        ("fv/age", "monitor-1", Family.DATA),
        ("feature/age", "FeatureServingErrors", Family.FAILING),
        ("model/churn", "monitor-1", Family.FAILING),
        ("service/shop", "monitor-1", Family.FAILING),
        (None, "monitor-1", Family.FAILING),
        ("service/shop", "DurationOutlier", Family.SLOW),
        ("service/shop", "LatencyOutliers", Family.SLOW),
        ("model/churn", "PredictionErrors", Family.FAILING),
        ("model/churn", "PredictionDrift", Family.DATA),
        ("service/shop", "Predictions", Family.DATA),
        ("service/shop", "ConversionDown", Family.DATA),
    ],
)
def test_where_an_alert_fires_tells_what_its_words_leave_open(entity: str | None, name: str, kind: Family) -> None:
    assert family(alert(entity, name)) == kind
    assert family(alert(entity, "monitor-9", name)) == kind


def test_what_others_are_made_of_shows_late_there_and_nothing_else_does() -> None:
    drawn = Graph(ENTITIES, DEPENDENCIES, Correlate())
    late = {"pipeline/users", "pipeline/spent", "pipeline/visits", "feature/age"}
    assert {name for name in NAMES if drawn.shows_late(drawn.node(name))} == late
    assert not drawn.shows_late(drawn.node("service/stranger"))


def fires(entity: str, at: float, name: str, severity: str = "warning") -> AlertRecord:
    said = {"alertname": name, "severity": severity, "on": entity}
    return AlertRecord(at=T0 + at, status="firing", labels=said, entity=entity, starts_at=T0 + at, source="t")


def shown(*records: AlertRecord) -> list[tuple[str, set[str]]]:
    """The first suspect and the entities of each incident."""
    scene = Scene(rulebook(entities=ENTITIES, dependencies=DEPENDENCIES))
    for record in records:
        scene.tell(record, at=record.at - T0)
    scene.tell(at=records[-1].at - T0 + 600.0)
    return [
        (one.suspects[0].entity if one.suspects else "", set(one.entities))
        for one in scene.engine.state.incidents.values()
        if one.is_open
    ]


def test_features_that_are_stale_three_quarters_of_an_hour_later_belong_to_the_pipeline_that_failed() -> None:
    found = shown(
        fires("pipeline/users", 0.0, "DagRunFailed"),
        fires("pipeline/users", 150.0, "JobBackoffLimit"),
        fires("feature/age", 2700.0, "FeatureStale", "critical"),
        fires("feature/city", 2800.0, "FeatureStale"),
    )
    assert found == [("pipeline/users", {"pipeline/users", "feature/age", "feature/city"})]


def test_data_that_go_wrong_begin_sooner_where_they_are_made_than_where_they_are_kept() -> None:
    scene = Scene(rulebook(entities=ENTITIES, dependencies=DEPENDENCIES))
    scene.tell(fires("service/prices", 0.0, "HighErrorRate"))
    correlator = scene.engine._chart.correlator
    graph, prices = correlator.web.graph, scene.rulebook.correlate.weights.prices

    def costs(entity: str, kind: Family) -> float:
        return correlator.costs.unchanged(key(graph.node(entity), kind), T0, T0)

    assert costs("pipeline/users", Family.DATA) == prices.opening + prices.silent_opening
    assert costs("cache/online", Family.DATA) == costs("pipeline/users", Family.DATA) + prices.handled_opening
    assert costs("cache/online", Family.FAILING) == costs("pipeline/users", Family.DATA)
    assert costs("service/prices", Family.DATA) == prices.opening + prices.other_family_opening + prices.handled_opening
