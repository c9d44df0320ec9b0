"""What the OpenLineage receiver declares."""

from __future__ import annotations

from quell.sdk.spec import Option, Spec

LINEAGE = "/api/v1/lineage"
"""Where OpenLineage clients post to unless they are told otherwise."""

SPEC = Spec(
    name="openlineage",
    summary="Takes OpenLineage events of Airflow, Spark, dbt, Feast and others: lineage, schemas, runs, data quality.",
    options=(
        Option(
            name="namespaces",
            type="mapping",
            summary=(
                "What stands before the names of a namespace's jobs and datasets, by namespace; null leaves all of it "
                "out. Names of other namespaces stand as they are."
            ),
            example='{"postgres://staging:5432": "staging/", sandbox: null}',
        ),
        Option(
            name="columns",
            type="boolean",
            summary="Whether column lineage becomes dependencies between columns (column/DATASET.COLUMN).",
            default=True,
        ),
        Option(
            name="partitions",
            type="boolean",
            summary=(
                "Whether each partition is a dataset of its own. If not, what is by its name a date, hour, UUID or "
                "number of a run is a version of the dataset that it belongs to, and of a job one of its runs."
            ),
            default=False,
        ),
        Option(
            name="severity",
            type="text",
            summary="Of the alert that a failed run is; one that was stopped is a warning.",
            default="high",
        ),
    ),
    paths=(LINEAGE,),
)
