"""Events and facets as OpenLineage writes them; what is not read here is not looked at."""

from __future__ import annotations

import msgspec

Facets = dict[str, msgspec.Raw]
"""By key; each is read on its own, so that a strange one spoils no other."""


class _Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Names in camel case."""


class Job(_Shape, frozen=True):
    """A job: its name is unique within its namespace."""

    namespace: str
    name: str
    facets: Facets | None = None


class Run(_Shape, frozen=True):
    """A run of a job."""

    run_id: str
    facets: Facets | None = None


class Dataset(_Shape, frozen=True):
    """A dataset that was read or written, or that an event speaks of."""

    namespace: str
    name: str
    facets: Facets | None = None
    input_facets: Facets | None = None
    output_facets: Facets | None = None


class Event(_Shape, frozen=True):
    """A RunEvent (``run`` and ``job``), a JobEvent (``job``) or a DatasetEvent (``dataset``)."""

    event_time: str
    event_type: str | None = None
    run: Run | None = None
    job: Job | None = None
    dataset: Dataset | None = None
    inputs: list[msgspec.Raw] | None = None
    outputs: list[msgspec.Raw] | None = None
    producer: str = ""


class Field(_Shape, frozen=True):
    """A column; ``fields`` are those within it."""

    name: str
    type: str | None = None
    description: str | None = None
    fields: list[Field] | None = None


class Schema(_Shape, frozen=True):
    """Facet ``schema``."""

    fields: list[Field] | None = None


class Tag(_Shape, frozen=True):
    """A tag of a dataset, or of one of its columns (``field``)."""

    key: str
    value: str | None = None
    field: str | None = None


class Tags(_Shape, frozen=True):
    """Facet ``tags``."""

    tags: list[Tag] | None = None


class Owner(_Shape, frozen=True):
    """``team:data`` or a name."""

    name: str


class Ownership(_Shape, frozen=True):
    """Facet ``ownership``."""

    owners: list[Owner] | None = None


class DatasetVersion(_Shape, frozen=True):
    """Facet ``version`` (datasetVersion)."""

    dataset_version: str


class DatasetType(_Shape, frozen=True):
    """Facet ``datasetType``: TABLE, VIEW, TOPIC, MODEL."""

    dataset_type: str


class InputField(_Shape, frozen=True):
    """A column that another is made of."""

    namespace: str
    name: str
    field: str


class Made(_Shape, frozen=True):
    """What a column is made of."""

    input_fields: list[InputField] | None = None


class ColumnLineage(_Shape, frozen=True):
    """Facet ``columnLineage``."""

    fields: dict[str, Made] | None = None


class PreviousIdentifier(_Shape, frozen=True):
    """What a dataset was called before."""

    name: str = ""


class Lifecycle(_Shape, frozen=True):
    """Facet ``lifecycleStateChange``."""

    lifecycle_state_change: str
    previous_identifier: PreviousIdentifier | None = None


class Symlink(_Shape, frozen=True):
    """Another name of a dataset; of type TABLE it is the one in a catalog."""

    name: str
    type: str = ""


class Symlinks(_Shape, frozen=True):
    """Facet ``symlinks``."""

    identifiers: list[Symlink] | None = None


class Level(_Shape, frozen=True):
    """One of the things, from the largest on, that a dataset lies in; the last is itself."""

    type: str
    name: str


class Hierarchy(_Shape, frozen=True):
    """Facet ``hierarchy``."""

    hierarchy: list[Level] | None = None


class Condition(_Shape, frozen=True):
    """What part of a dataset was meant: type location, partition, compare or binary."""

    type: str = ""


class Subset(_Shape, frozen=True):
    """Facet ``subset`` of an input or an output."""

    input_condition: Condition | None = None
    output_condition: Condition | None = None


class ColumnMetrics(_Shape, frozen=True):
    """Of one column."""

    null_count: float | None = None
    distinct_count: float | None = None
    sum: float | None = None
    count: float | None = None
    min: float | None = None
    max: float | None = None


class QualityMetrics(_Shape, frozen=True):
    """Facet ``dataQualityMetrics``."""

    row_count: float | None = None
    bytes: float | None = None
    file_count: float | None = None
    column_metrics: dict[str, ColumnMetrics] | None = None


class Statistics(_Shape, frozen=True):
    """Facets ``outputStatistics`` and ``inputStatistics``."""

    row_count: float | None = None
    size: float | None = None
    file_count: float | None = None


class Assertion(_Shape, frozen=True):
    """A test of a dataset."""

    assertion: str
    success: bool
    column: str | None = None
    severity: str | None = None
    name: str | None = None
    expected: str | None = None
    actual: str | None = None


class Assertions(_Shape, frozen=True):
    """Facet ``dataQualityAssertions``."""

    assertions: list[Assertion] | None = None


class ParentJob(_Shape, frozen=True):
    """The job that runs this one."""

    namespace: str
    name: str


class Parent(_Shape, frozen=True):
    """Facet ``parent``."""

    job: ParentJob


class JobType(_Shape, frozen=True):
    """Facet ``jobType``."""

    integration: str = ""
    job_type: str | None = None


class SourceLocation(_Shape, frozen=True):
    """Facet ``sourceCodeLocation``; ``version`` is the commit."""

    url: str | None = None
    version: str | None = None


class SourceCode(_Shape, frozen=True):
    """Facet ``sourceCode``."""

    source_code: str = ""


class NominalTime(_Shape, frozen=True):
    """Facet ``nominalTime``."""

    nominal_start_time: str | None = None
    nominal_end_time: str | None = None


class ErrorMessage(_Shape, frozen=True):
    """Facet ``errorMessage``."""

    message: str = ""


class _TaskInstance(msgspec.Struct, frozen=True):
    duration: float | None = None


class AirflowTask(msgspec.Struct, frozen=True, rename="camel"):
    """Airflow's own facet ``airflow`` of a run."""

    task_instance: _TaskInstance | None = None


class _DagRun(msgspec.Struct, frozen=True):
    start_date: str | None = None


class AirflowDagRun(msgspec.Struct, frozen=True, rename="camel"):
    """Airflow's own facet ``airflowDagRun`` of a run."""

    dag_run: _DagRun | None = None


class FeastView(msgspec.Struct, frozen=True):
    """Feast's own facet ``feast_featureView`` of a job."""

    name: str = ""
    entities: list[str] | None = None
    owner: str = ""


class FeastService(msgspec.Struct, frozen=True):
    """Feast's own facet ``feast_featureService`` of a job."""

    name: str = ""
    feature_views: list[str] | None = None
    owner: str = ""


class FeastMaterialization(msgspec.Struct, frozen=True):
    """Feast's own facet ``feast_materialization`` of a run."""

    feature_views: list[str] | None = None
