"""Names of partitions and runs, and the data set or job that they belong to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import built, posted
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    ChangeRecord,
    DependencyRecord,
    EntityRecord,
    VersionRecord,
)
from quell.sdk.monitor import Subject
from quell.sdk.partitions import whole
from quell_connectors.airflow.translate import Asset
from quell_connectors.airflow.watch import dataset_name
from quell_connectors.openlineage import OpenLineage

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("name", "found", "part"),
    [
        ("orders_20260102", "orders", "20260102"),
        ("orders-2026-01-02T05:00:00+00:00", "orders", "2026-01-02T05:00:00+00:00"),
        ("p.d.events$20260102", "p.d.events", "20260102"),
        ("orders_202601", "orders", "202601"),
        ("orders_2026-W05", "orders", "2026-W05"),
        ("logs-2026.01.02", "logs", "2026.01.02"),
        ("orders_20260102.csv.gz", "orders.csv.gz", "20260102"),
        ("20260102_orders.csv", "orders.csv", "20260102"),
        ("lake/orders/dt=2026-01-02/hour=05", "lake/orders", "dt=2026-01-02/hour=05"),
        (
            "lake/orders/dt=2026-01-02/part-00000-x.c000.parquet",
            "lake/orders",
            "dt=2026-01-02/part-00000-x.c000.parquet",
        ),
        ("lake/orders/2026/01/02/05", "lake/orders", "2026/01/02/05"),
        ("exports/2026-01-02/orders.csv", "exports/orders.csv", "2026-01-02"),
        ("exports/2026-01-02.csv", "exports", "2026-01-02.csv"),
        ("orders/550e8400-e29b-41d4-a716-446655440000", "orders", "550e8400-e29b-41d4-a716-446655440000"),
        ("orders_0123456789abcdef0123456789abcdef", "orders", "0123456789abcdef0123456789abcdef"),
        ("orders_1767312000", "orders", "1767312000"),
        ("orders_run_17", "orders", "run_17"),
        ("orders/runs/17", "orders", "runs/17"),
        ("orders_20260102_run_3", "orders", "20260102_run_3"),
        ("etl.manual__2026-01-02T00:00:00+00:00", "etl", "manual__2026-01-02T00:00:00+00:00"),
    ],
)
def test_what_is_a_partition_by_its_name_belongs_to_the_whole(name: str, found: str, part: str) -> None:
    assert whole(name) == (found, part)


@pytest.mark.parametrize(
    "name",
    [
        "orders", "shop.public.payments", "table_v2", "sales_2024", "top_100", "iso_3166", "covid_19", "customers_1",
        "orders_20261301", "20260102", "dt=2026-01-02", "2026/01/02", "a/b/c", "x/12345/out", "deadbeefdeadbeef",
        "sha_abcdefabcdefabcd", "", "/", "_", "orders_", "gpt-4", "s3://bucket/orders",
    ],
)  # fmt: skip
def test_other_names_are_what_they_are(name: str) -> None:
    assert whole(name) == (name, "")


@given(st.text(alphabet="ab_-./=$ @TZ:0123456789é", max_size=200))
def test_a_whole_is_its_own_whole_has_a_letter_and_nothing_is_slow(name: str) -> None:
    found = whole(name)
    assert found.name == name or (found.partition and any(map(str.isalpha, found.name)))
    assert len(found.name) <= len(name)


@pytest.mark.parametrize("piece", ["a_", "2026-01-02_", "a/", "_", "1", "a=b/", "/2026/01", "a.b", "-0", "T00:00"])
def test_long_names_cost_little(piece: str) -> None:
    began = time.process_time()
    whole((piece * 500)[:500])
    assert time.process_time() - began < 0.1


def event(outputs: Sequence[Any], inputs: Sequence[Any] = (), job: str = "etl") -> dict[str, Any]:
    return {
        "eventTime": "2026-09-20T00:00:00Z", "eventType": "COMPLETE", "producer": "p",
        "run": {"runId": "r-1"}, "job": {"namespace": "n", "name": job},
        "inputs": list(inputs), "outputs": list(outputs),
    }  # fmt: skip


def records(body: dict[str, Any], **options: Any) -> list[AnyRecord]:
    return list(built(OpenLineage, **options).receive(posted(body, "/api/v1/lineage"), NOW).records)


def data(name: str, facets: Any = None, **more: Any) -> dict[str, Any]:
    return {"namespace": "s3://lake", "name": name, "facets": facets or {}, **more}


def entities(found: list[AnyRecord]) -> set[str]:
    return {one.entity for one in found if isinstance(one, EntityRecord)}


def test_a_partition_that_is_written_is_a_version_of_its_dataset() -> None:
    found = records(
        event([data("orders/dt=2026-09-20")], [data("raw/2026-09-18"), data("raw/2026-09-20"), data("raw/2026-09-19")])
    )
    assert entities(found) == {"pipeline/etl", "dataset/orders", "dataset/raw"}
    assert [(one.entity, one.version) for one in found if isinstance(one, VersionRecord)] == [
        ("dataset/raw", "2026-09-20"),
        ("dataset/orders", "dt=2026-09-20"),
    ]
    made = next(one for one in found if isinstance(one, VersionRecord) and one.entity == "dataset/orders")
    assert made.inputs == {"dataset/raw": "2026-09-20"}
    assert {(one.from_, one.to) for one in found if isinstance(one, DependencyRecord)} == {
        ("pipeline/etl", "dataset/raw"), ("dataset/orders", "pipeline/etl"),
    }  # fmt: skip
    told = [one for one in found if isinstance(one, (EntityRecord, DependencyRecord, VersionRecord))]
    assert {one.learned for one in told} == {"lineage"}


def test_a_job_with_the_name_of_its_run_is_one_job_and_its_alert_ends() -> None:
    first = records(event([], job="etl.manual__2026-09-19T00:00:00+00:00"))
    second = records(event([], job="etl.manual__2026-09-20T00:00:00+00:00"))
    keys = {one.key for one in (*first, *second) if isinstance(one, AlertRecord)}
    assert (entities([*first, *second]), keys) == ({"pipeline/etl"}, {"run/n/etl"})


def test_each_partition_is_a_dataset_of_its_own_where_that_is_wanted() -> None:
    found = records(event([data("orders/dt=2026-09-20")]), partitions=True)
    assert entities(found) == {"pipeline/etl", "dataset/orders/dt=2026-09-20"}


@pytest.mark.parametrize(
    ("dataset", "entity"),
    [
        (
            data("db.orders.p7", {"hierarchy": {"hierarchy": [
                {"type": "DATABASE", "name": "db"}, {"type": "TABLE", "name": "orders"},
                {"type": "PARTITION", "name": "p7"},
            ]}}),
            "dataset/db.orders",
        ),
        (
            data("db.orders_20260920", {"hierarchy": {"hierarchy": [
                {"type": "DATABASE", "name": "db"}, {"type": "TABLE", "name": "orders_20260920"},
            ]}}),
            "dataset/db.orders_20260920",
        ),
        (
            data("elsewhere", {"hierarchy": {"hierarchy": [
                {"type": "TABLE", "name": "orders"}, {"type": "PARTITION", "name": "p7"},
            ]}}),
            "dataset/orders",
        ),
        (
            data("lake/orders/dt=2026-09-20", {"symlinks": {"identifiers": [
                {"namespace": "hive://h", "name": "shop.orders", "type": "TABLE"},
            ]}}),
            "dataset/shop.orders",
        ),
        (
            data("lake/orders", {"symlinks": {"identifiers": [
                {"namespace": "hive://h", "name": "shop.orders", "type": "TABLE"},
            ]}}),
            "dataset/lake/orders",
        ),
        (
            data("orders_20260920", outputFacets={"subset": {"outputCondition": {
                "type": "partition", "partitions": [{"dimensions": {"dt": "2026"}}]}}}),
            "dataset/orders_20260920",
        ),
        (data("orders_20260920", {"hierarchy": {"hierarchy": "broken"}}), "dataset/orders"),
    ],
)  # fmt: skip
def test_what_the_producer_says_of_partitions_counts_more_than_names(dataset: dict[str, Any], entity: str) -> None:
    assert entities(records(event([dataset]))) == {"pipeline/etl", entity}


def test_columns_lead_to_the_whole() -> None:
    lineage = {"fields": {"a": {"inputFields": [
        {"namespace": "s3://lake", "name": "raw/2026-09-19", "field": "b"},
        {"namespace": "s3://lake", "name": "seen/dt=1", "field": "c"},
    ]}}}  # fmt: skip
    linked = {"symlinks": {"identifiers": [{"namespace": "h", "name": "shop.seen", "type": "TABLE"}]}}
    found = records(event([data("orders/dt=2026-09-20", {"columnLineage": lineage})], [data("seen/dt=1", linked)]))
    assert {one.to for one in found if isinstance(one, DependencyRecord) and one.type == "derived_from"} == {
        "column/raw.b", "column/shop.seen.c",
    }  # fmt: skip


def test_that_old_partitions_go_is_no_change_of_the_dataset() -> None:
    def changes(name: str, state: str) -> list[str]:
        found = records(event([data(name, {"lifecycleStateChange": {"lifecycleStateChange": state}})]))
        return [one.summary for one in found if isinstance(one, ChangeRecord)]

    assert changes("orders/dt=2026-09-20", "DROP") == []
    assert changes("orders", "DROP") == ["dataset/orders was dropped"]
    assert changes("orders/dt=2026-09-20", "TRUNCATE") == ["dt=2026-09-20 of dataset/orders was emptied"]


def test_airflow_and_monitors_mean_the_same_dataset() -> None:
    assert dataset_name(Asset(uri="s3://lake/orders/dt=2026-09-20")) == "orders"
    assert Subject(dataset="orders_20260920").data == "dataset/orders"
    assert Subject(dataset="orders_20260920").labels == {"dataset": "orders_20260920"}
