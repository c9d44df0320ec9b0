"""Airflow as a source: DAGs and the data between them, runs that ended, the code that ran."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from connectors.pretend_airflow import PASSWORD, USER, PretendAirflow
from connectors.wire import Wire, acting, served
from core.scene import rulebook
from quell.core.engine import Engine
from quell.errors import Unreachable
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    DependencyRecord,
    EntityRecord,
    SampleRecord,
    SamplesRecord,
    VersionRecord,
)
from quell.model.times import format_time
from quell.sdk.connector import Context, Pulled
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, run
from quell_connectors.airflow import Airflow
from quell_connectors.airflow.translate import Asset
from quell_connectors.airflow.watch import REFRESH_S, dataset_name

ETL, TRAIN = "pipeline/etl", "pipeline/train"
Work = Callable[[PretendAirflow, "Place"], Awaitable[None]]


class Place:
    """A source that watches, from one pull to the next."""

    def __init__(self, url: str, wire: Wire, **options: Any) -> None:
        self.source: Any = Airflow({"url": url, "watch": True, **options}, Context("src", wire))
        self.cursor: str | None = None
        self.now = NOW

    async def pull(self, after: float = 60.0) -> list[AnyRecord]:
        self.now += after
        pulled: Pulled = await self.source.pull(self.cursor, self.now)
        self.cursor = pulled.cursor
        return list(pulled.records)


def ended(airflow: PretendAirflow, dag: str, name: str, state: str, at: float, code: int = 0) -> None:
    version = {"version_number": code, "bundle_version": f"c{code}", "bundle_url": f"https://git.example/c{code}",
               "created_at": format_time(at - 900), "id": "x", "dag_id": dag}  # fmt: skip
    airflow.runs.setdefault(dag, {})[name] = {
        "dag_run_id": name, "dag_id": dag, "state": state, "start_date": format_time(at - 90),
        "end_date": format_time(at), "run_type": "scheduled", **({"dag_versions": [version]} if code else {}),
    }  # fmt: skip


def watched(work: Work, major: int = 3, **options: Any) -> None:
    async def inner() -> None:
        airflow, wire = PretendAirflow(major), Wire()
        airflow.paused = {"etl": False, "train": False}
        writes, reads = {"dag_id": "etl", "task_id": "load"}, {"dag_id": "train"}
        asset = {"uri": "s3://lake/payments", "producing_tasks": [writes]}
        airflow.assets = [
            {**asset, "consuming_dags": [reads]} if major == 2
            else {**asset, "name": "s3://lake/payments", "scheduled_dags": [reads], "consuming_tasks": []}
        ]  # fmt: skip
        async with served(airflow) as url:
            try:
                await work(airflow, Place(url, wire, user=USER, password=Secret(PASSWORD), **options))
            finally:
                await wire.http.close()

    run(inner())


def of(records: list[AnyRecord], kind: type, **wanted: Any) -> list[Any]:
    return [
        one for one in records
        if isinstance(one, kind) and all(getattr(one, name) == value for name, value in wanted.items())
    ]  # fmt: skip


@pytest.mark.parametrize("major", [2, 3])
def test_dags_and_the_data_between_them_are_told(major: int) -> None:
    async def work(airflow: PretendAirflow, place: Place) -> None:
        records = await place.pull()
        assert {(one.from_, one.type, one.to) for one in of(records, DependencyRecord)} == {
            ("dataset/payments", "produced_by", ETL), (TRAIN, "fed_by", "dataset/payments"),
        }  # fmt: skip
        (etl,) = of(records, EntityRecord, entity=ETL)
        assert (etl.owner, etl.labels["paused"], etl.labels["tags"]) == ("", "false", "ml")
        assert of(await place.pull(), DependencyRecord) == []
        assert len(of(await place.pull(REFRESH_S), DependencyRecord)) == 2
        del airflow.paused["train"]
        (gone,) = of(await place.pull(), EntityRecord, removed=True)
        assert gone.entity == TRAIN

    watched(work, major)


@pytest.mark.parametrize("major", [2, 3])
def test_runs_that_fail_are_alerts_until_one_goes_well(major: int) -> None:
    async def work(airflow: PretendAirflow, place: Place) -> None:
        engine = Engine(rulebook())
        ended(airflow, "etl", "r1", "success", NOW - 600)
        engine.decide(await place.pull(), place.now)
        ended(airflow, "etl", "r2", "failed", place.now)
        airflow.runs["etl"]["r3"] = {
            **airflow.runs["etl"]["r2"],
            "dag_run_id": "r3",
            "state": "running",
            "end_date": None,
        }
        records = await place.pull()
        (alert,) = of(records, AlertRecord, status="firing")
        assert alert.annotations["summary"] == "run r2 of DAG etl failed after 1m30s"
        assert (alert.entity, alert.labels["severity"]) == (ETL, "high")
        engine.decide(records, place.now)
        assert [one.firing for one in engine.state.alerts.values()] == [True]
        engine.decide(await place.pull(), place.now)
        ended(airflow, "etl", "r3", "success", place.now)
        engine.decide(await place.pull(), place.now)
        assert [(one.firing, one.episode) for one in engine.state.alerts.values()] == [(False, 1)]

    watched(work, major)


def test_durations_and_the_age_of_the_last_success_are_samples() -> None:
    async def work(airflow: PretendAirflow, place: Place) -> None:
        ended(airflow, "etl", "r1", "success", NOW)
        records = await place.pull()
        (told,) = of(records, SamplesRecord)
        assert (told.times, told.values) == ([NOW], {"run_failed": [0.0], "run_duration_s": [90.0]})
        assert [(one.metric, one.value) for one in of(records, SampleRecord)] == [("last_success_age_s", 60.0)]
        assert [one.value for one in of(await place.pull(), SampleRecord)] == [120.0]
        airflow.paused["etl"] = True
        assert of(await place.pull(), SampleRecord) == []

    watched(work)


def test_newer_code_is_a_deploy_once_it_has_run() -> None:
    async def work(airflow: PretendAirflow, place: Place) -> None:
        engine = Engine(rulebook())
        ended(airflow, "etl", "r1", "success", NOW, code=4)
        first = await place.pull()
        (version,) = of(first, VersionRecord)
        assert (version.version, version.at, version.url) == ("c4", NOW - 900, "https://git.example/c4")
        engine.decide(first, place.now)
        ended(airflow, "etl", "r2", "failed", place.now + 1000, code=5)
        engine.decide(await place.pull(2000.0), place.now)
        (change,) = engine.state.changes.values()
        assert (change.type, change.entity, change.previous, change.revision) == ("deploy", ETL, "c4", "c5")

    watched(work)


def test_more_than_a_page_is_read_and_an_outage_loses_nothing() -> None:
    async def work(airflow: PretendAirflow, place: Place) -> None:
        airflow.paused |= {f"d{at:03}": False for at in range(150)}
        for at in range(150):
            ended(airflow, f"d{at:03}", "r", "failed", NOW + at / 10)
        airflow.faults = ["", "", "", "", "", "", 503]
        with pytest.raises(Unreachable):
            await place.pull()
        records = await place.pull()
        assert len(of(records, EntityRecord)) == 153
        assert len(of(records, AlertRecord, status="firing")) == 150

    watched(work)


def test_a_source_that_does_not_watch_asks_nothing() -> None:
    async def work(airflow: PretendAirflow, place: Place) -> None:
        assert await place.pull() == []
        assert airflow.requests == []

    watched(work, watch=False)


@pytest.mark.parametrize(("uri", "name", "meant"), [
    ("s3://lake/a/payments/", "s3://lake/a/payments/", "a/payments"),
    ("postgres://db:5432/shop/public/p", "", "shop.public.p"),
    ("bigquery://proj/ds/t", "", "proj.ds.t"), ("s3://lake", "payments", "payments"), ("s3://lake", "", "lake"),
])  # fmt: skip
def test_assets_are_called_as_openlineage_calls_them(uri: str, name: str, meant: str) -> None:
    assert dataset_name(Asset(uri=uri, name=name)) == meant


async def watches_a_real_one(url: str, three: bool, **who: Any) -> None:
    """What a real Airflow tells: an asset between two DAGs, a run that failed."""
    async with acting(Airflow, url, **{**who, "timeout": 30.0}) as (act, wire):
        triggered = await act("trigger", call_key="lineage/1", dag="etl")
        place = Place(url, wire, timeout=30.0, **who)
        place.now = time.time()
        records = await place.pull(0.0)
        assert {(one.from_, one.type, one.to) for one in of(records, DependencyRecord)} == {
            ("dataset/payments", "produced_by", ETL), ("pipeline/features", "fed_by", "dataset/payments"),
        }  # fmt: skip
        assert of(records, EntityRecord, entity=ETL)[0].owner == "data"
        assert of(records, AlertRecord, entity=ETL) == []
        await act("pause", call_key="lineage/2", dag="etl", stop_runs=True)
        place.now = time.time()
        records = await place.pull(1.0)
        (alert,) = of(records, AlertRecord, entity=ETL)
        assert (alert.status, triggered.output["run_id"] in alert.annotations["summary"]) == ("firing", True)
        assert bool(of(records, VersionRecord, entity=ETL)) is three
