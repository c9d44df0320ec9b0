"""Sends a story through the real OpenLineage client: a load, features, a training. Run by the client's own Python.

``python openlineage_events.py URL [TOKEN]`` posts to ``URL``/api/v1/lineage; a path instead of a URL writes a file.
The story: every night raw payments are loaded, features made of them, a model trained; on the second night (02:05) the
amounts come in cents, the test of the loaded table fails and the training fails; on the third all goes well again.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import attr
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    Dataset,
    DatasetEvent,
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
)
from openlineage.client.facet_v2 import (
    JobFacet,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    data_quality_metrics_input_dataset,
    dataset_version_dataset,
    error_message_run,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    ownership_dataset,
    ownership_job,
    parent_run,
    schema_dataset,
    source_code_location_job,
    tags_dataset,
)
from openlineage.client.serde import Serde
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpCompression, HttpConfig, HttpTransport

NIGHT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
DB, FEAST, AIRFLOW = "postgres://db:5432", "shop", "airflow"
RAW, LOADED, FEATURES, SCORES = "shop.public.payments", "warehouse.payments", "payment_stats", "training.fraud"


@attr.define
class FeatureView(JobFacet):
    """As Feast writes it."""

    name: str
    entities: list[str]
    features: list[str]
    owner: str


def columns(amount: str, unit: str) -> dict[str, Any]:
    """The facets of the raw table."""
    field, fields = schema_dataset.SchemaDatasetFacetFields, schema_dataset.SchemaDatasetFacet
    tag = tags_dataset.TagsDatasetFacetFields(key="unit", value=unit, source="DBA", field="amount")
    return {
        "schema": fields(fields=[field(name="id", type="bigint"), field(name="amount", type=amount)]),
        "tags": tags_dataset.TagsDatasetFacet(tags=[tag]),
    }


def at(night: int, minutes: float) -> datetime:
    """A time of a night."""
    return NIGHT + timedelta(days=night, minutes=minutes)


def run_of(night: int, job: int, began: datetime, facets: dict[str, Any]) -> Run:
    """A run whose id holds when it began, as that of version 7 does."""
    milliseconds = int(began.timestamp() * 1000)
    return Run(str(UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | night << 8 | job)), facets)


def load(night: int, state: RunState, minutes: float) -> RunEvent:
    """The task of an Airflow DAG that loads the raw table."""
    cents = night == 1
    location = source_code_location_job.SourceCodeLocationJobFacet(
        type="git", url="https://git.example/etl/load.py", version="8f3c2d1" if night < 2 else "a41b90c"
    )
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=str(UUID(int=night + 1))), job=parent_run.Job(namespace=AIRFLOW, name="etl")
    )
    nominal = nominal_time_run.NominalTimeRunFacet(nominalStartTime=at(night, 0).isoformat())
    raw = InputDataset(
        DB, RAW, facets=columns("double", "cents" if cents else "EUR"),
        inputFacets={"dataQualityMetrics": data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
            rowCount=1000,
            columnMetrics={"amount": data_quality_metrics_input_dataset.ColumnMetrics(
                nullCount=20, count=980, sum=49_000.0 * (100 if cents else 1), min=0.5, max=900.0,
            )},
        )},
    )  # fmt: skip
    from_amount = column_lineage_dataset.InputField(namespace=DB, name=RAW, field="amount")
    test = data_quality_assertions_dataset.Assertion(
        assertion="between",
        success=not cents,
        column="amount",
        severity="error",
        expected="0..1000",
        actual="max 90000",
    )
    loaded = OutputDataset(
        DB, LOADED,
        facets={
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=str(41 + night)),
            "ownership": ownership_dataset.OwnershipDatasetFacet(
                owners=[ownership_dataset.Owner(name="team:data-platform")]
            ),
            "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(
                fields={"amount": column_lineage_dataset.Fields(inputFields=[from_amount])}
            ),
            "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                assertions=[test]
            ),
        },
        outputFacets={"outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=1000, size=64_000
        )},
    )  # fmt: skip
    facets = {
        "jobType": job_type_job.JobTypeJobFacet(processingType="BATCH", integration="AIRFLOW", jobType="TASK"),
        "ownership": ownership_job.OwnershipJobFacet(owners=[ownership_job.Owner(name="data-platform")]),
        "sourceCodeLocation": location,
    }
    return RunEvent(
        eventType=state,
        eventTime=at(night, minutes).isoformat(),
        run=run_of(night, 1, at(night, 5), {"parent": parent, "nominalTime": nominal}),
        job=Job(AIRFLOW, "etl.load_payments", facets),
        inputs=[raw],
        outputs=[loaded] if state is RunState.COMPLETE else [],
        producer="https://quell.example/tests",
    )


def features(night: int) -> RunEvent:
    """A feature view, as Feast tells of it: the key is an input, too."""
    view = FeatureView(name=FEATURES, entities=["user_id"], features=["amount_mean"], owner="features@shop.example")
    field = schema_dataset.SchemaDatasetFacetFields(name="amount_mean", type="Float64")
    return RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=at(night, 20).isoformat(),
        run=run_of(night, 2, at(night, 15), {}),
        job=Job(FEAST, f"feature_view_{FEATURES}", {"feast_featureView": view}),
        inputs=[InputDataset(FEAST, LOADED), InputDataset(FEAST, "user_id")],
        outputs=[OutputDataset(FEAST, FEATURES, facets={"schema": schema_dataset.SchemaDatasetFacet(fields=[field])})],
        producer="https://github.com/feast-dev/feast",
    )


def training(night: int, state: RunState) -> RunEvent:
    """The training reads the loaded table and fails on the second night."""
    error = error_message_run.ErrorMessageRunFacet(
        message="ValueError: amount out of range\n  in train.py", programmingLanguage="python"
    )
    return RunEvent(
        eventType=state,
        eventTime=at(night, 60).isoformat(),
        run=run_of(night, 3, at(night, 30), {"errorMessage": error} if state is RunState.FAIL else {}),
        job=Job(FEAST, "train_fraud"),
        inputs=[InputDataset(DB, LOADED)],
        outputs=[OutputDataset(DB, SCORES)] if state is RunState.COMPLETE else [],
        producer="https://quell.example/tests",
    )


def story() -> list[RunEvent | JobEvent | DatasetEvent]:
    """In order of time."""
    return [
        DatasetEvent(
            eventTime=at(0, -5).isoformat(),
            dataset=Dataset(DB, RAW, facets=columns("double", "EUR")),
            producer="https://quell.example/tests",
        ),
        JobEvent(
            eventTime=at(0, -5).isoformat(),
            job=Job(FEAST, "train_fraud"),
            inputs=[InputDataset(DB, LOADED)],
            outputs=[OutputDataset(DB, SCORES)],
            producer="https://quell.example/tests",
        ),
        load(0, RunState.START, 5), load(0, RunState.COMPLETE, 10), features(0), training(0, RunState.COMPLETE),
        load(1, RunState.START, 5), load(1, RunState.COMPLETE, 10), features(1), training(1, RunState.FAIL),
        load(2, RunState.COMPLETE, 10), features(2), training(2, RunState.COMPLETE),
    ]  # fmt: skip


def main(target: str, token: str) -> None:
    """Sends the story, every other event compressed, or writes it to a file."""
    if not target.startswith("http"):
        lines = ",\n".join(Serde.to_json(event) for event in story())
        Path(target).write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        return
    for number, event in enumerate(story()):
        config = HttpConfig(
            url=target,
            auth=ApiKeyTokenProvider({"apiKey": token}),
            compression=HttpCompression.GZIP if number % 2 else None,
        )
        OpenLineageClient(transport=HttpTransport(config)).emit(event)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
