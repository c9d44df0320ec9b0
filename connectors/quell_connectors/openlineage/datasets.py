"""A dataset of an event to records: the entity, its columns and version, what was measured and tested of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from quell.errors import BadPayload
from quell.model.provenance import Column
from quell.model.records import (
    AlertRecord,
    AnyRecord,
    ChangeRecord,
    DependencyRecord,
    EntityRecord,
    SamplesRecord,
    VersionRecord,
)
from quell_connectors.openlineage.facets import Reading
from quell_connectors.openlineage.names import Names, column, owner_of
from quell_connectors.openlineage.shapes import (
    Assertion,
    Assertions,
    ColumnLineage,
    Dataset,
    DatasetType,
    DatasetVersion,
    Facets,
    Field,
    Lifecycle,
    Ownership,
    QualityMetrics,
    Schema,
    Statistics,
    Tags,
)
from quell_connectors.openlineage.wholes import whole_of

MOST_COLUMNS = 2_000
MOST_COLUMN_EDGES = 2_000
MOST_ASSERTIONS = 500
_DEEP = 8


@dataclass(frozen=True, slots=True)
class Read:
    """A dataset as an ``input``, an ``output`` or by itself (``dataset``), and of what kind of entity it is."""

    dataset: Dataset
    role: str
    kind: str = "dataset"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """Who tells of a dataset, of which run and code it came, and what it was made of."""

    by: str
    run: str
    commit: str
    inputs: Mapping[str, str]


class Teller:
    """Makes records of one event."""

    def __init__(self, names: Names, source: str, *, at: float, seen: float, reading: Reading, columns: bool) -> None:
        self._names = names
        self.source = source
        self.at = at
        self.seen = seen
        self.reading = reading
        self._columns = columns
        self._entities: dict[tuple[str, str], str] = {}
        """By namespace and name what the datasets of the event are called here."""

    def name(self, read: Read) -> str:
        """The entity. Raises `BadPayload`."""
        dataset = read.dataset
        kind = read.kind
        if kind == "dataset":
            told = self.reading.facet(dataset.facets, "datasetType", DatasetType, dataset.name)
            kind = "model" if told is not None and told.dataset_type.upper() == "MODEL" else kind
        if kind == "feature":
            return self._names.of(kind, dataset.namespace, dataset.name.removeprefix("online_store_"))
        entity = self._names.of(kind, dataset.namespace, whole_of(dataset, self._names, self.reading).name)
        self._entities[dataset.namespace, dataset.name] = entity
        return entity

    def pipeline(self, namespace: str, name: str) -> str:
        """The entity of a job. Raises `BadPayload`."""
        return self._names.of("pipeline", namespace, self.job(name))

    def job(self, name: str) -> str:
        """The name of a job without that of its run."""
        return self._names.whole(name).name if self._names.whole(name).partition else name

    def version(self, read: Read) -> str:
        """What the producer calls the state of the dataset that was read or written, else which partition it was."""
        facets = read.dataset.facets
        for key in ("version", "datasetVersion"):
            told = self.reading.facet(facets, key, DatasetVersion, read.dataset.name)
            if told is not None:
                return told.dataset_version
        return whole_of(read.dataset, self._names, self.reading).partition if read.kind == "dataset" else ""

    def edge(self, from_: str, to: str, kind: str) -> DependencyRecord:
        """``from_`` depends on ``to``."""
        return DependencyRecord(
            at=self.at, seen=self.seen, source=self.source, from_=from_, to=to, type=kind, learned="lineage"
        )

    def dataset(self, read: Read, *, by: str, run: str, commit: str, inputs: Mapping[str, str]) -> list[AnyRecord]:
        """Everything that an event says of a dataset. Raises `BadPayload` for a name that is none."""
        if not self._names.wanted(read.dataset.namespace):
            return []
        entity = self.name(read)
        told = _Told(by=by, run=run, commit=commit, inputs=inputs)
        records: list[AnyRecord] = [self._entity(read, entity)]
        records += self._version(read, entity, told)
        records += self._lifecycle(read, entity, told)
        records += self._column_lineage(read, entity)
        records += self._measured(read, entity)
        return records + self._tested(read, entity)

    def _entity(self, read: Read, entity: str) -> EntityRecord:
        dataset = read.dataset
        owners = self.reading.facet(dataset.facets, "ownership", Ownership, dataset.name)
        return EntityRecord(
            at=self.at,
            seen=self.seen,
            source=self.source,
            entity=entity,
            labels={"dataset_namespace": dataset.namespace[:256]} if "://" in dataset.namespace else {},
            owner=owner_of(owners.owners[0].name)[:256] if owners is not None and owners.owners else "",
            learned="lineage",
        )

    def _version(self, read: Read, entity: str, told: _Told) -> list[VersionRecord]:
        version, columns = self.version(read), self._schema(read)
        if not version and not columns:
            return []
        return [
            VersionRecord(
                at=self.at,
                seen=self.seen,
                source=self.source,
                entity=entity,
                version=version,
                by=told.by,
                run=told.run,
                commit=told.commit,
                inputs={name: found for name, found in told.inputs.items() if name != entity},
                columns=columns,
                learned="lineage",
            )
        ]

    def _schema(self, read: Read) -> list[Column]:
        dataset = read.dataset
        schema = self.reading.facet(dataset.facets, "schema", Schema, dataset.name)
        if schema is None or not schema.fields:
            return []
        tags = self.reading.facet(dataset.facets, "tags", Tags, dataset.name)
        units = {
            tag.field: tag.value
            for tag in (tags.tags if tags is not None and tags.tags else ())
            if tag.field and tag.value and tag.key.lower() in {"unit", "units", "uom"}
        }
        found = [_with_unit(one, units) for one in _flat(schema.fields, "", _DEEP)]
        if len(found) > MOST_COLUMNS:
            self.reading.refuse(f"{dataset.name} has {len(found)} columns; {MOST_COLUMNS} are taken", b"")
        return found[:MOST_COLUMNS]

    def _lifecycle(self, read: Read, entity: str, told: _Told) -> list[ChangeRecord]:
        """Dropped, emptied, renamed, altered; that a run creates or overwrites what it writes is no news."""
        dataset = read.dataset
        found = self.reading.facet(dataset.facets, "lifecycleStateChange", Lifecycle, dataset.name)
        state = found.lifecycle_state_change.upper() if found is not None else ""
        if found is None or state not in {"ALTER", "DROP", "RENAME", "TRUNCATE"}:
            return []
        if state == "ALTER" and "schema" in (dataset.facets or {}):
            return []  # the columns tell better what
        part = whole_of(dataset, self._names, self.reading).partition if read.kind == "dataset" else ""
        if part and state in {"DROP", "RENAME"}:
            return []  # old partitions go every day
        before = found.previous_identifier.name if found.previous_identifier is not None else ""
        deed = {"ALTER": "altered", "DROP": "dropped", "RENAME": "renamed", "TRUNCATE": "emptied"}[state]
        return [
            ChangeRecord(
                at=self.at,
                seen=self.seen,
                source=self.source,
                id=f"{state.lower()}/{entity}/{told.run or f'{self.at:.0f}'}",
                type="data" if state in {"DROP", "TRUNCATE"} else "schema",
                entity=entity,
                author=told.by,
                commit=told.commit,
                summary=f"{f'{part} of ' if part else ''}{entity} was {deed}{f', before {before}' if before else ''}",
            )
        ]

    def _column_lineage(self, read: Read, entity: str) -> list[AnyRecord]:
        dataset = read.dataset
        if not self._columns or "columnLineage" not in (dataset.facets or {}):
            return []
        lineage = self.reading.facet(dataset.facets, "columnLineage", ColumnLineage, dataset.name)
        edges: dict[tuple[str, str, str], None] = {}
        for name, made in sorted((lineage.fields or {}).items()) if lineage is not None else ():
            here = column(entity, name)
            edges[here, entity, "column_of"] = None
            for one in made.input_fields or ():
                if not self._names.wanted(one.namespace):
                    continue
                try:
                    there = self._entities.get((one.namespace, one.name)) or self._names.of(
                        "dataset", one.namespace, self._names.whole(one.name).name
                    )
                except BadPayload as error:
                    self.reading.refuse(f"facet columnLineage of {dataset.name}: {error}", b"")
                    continue
                edges[column(there, one.field), there, "column_of"] = None
                edges[here, column(there, one.field), "derived_from"] = None
        if len(edges) > MOST_COLUMN_EDGES:
            self.reading.refuse(f"{dataset.name}: lineage of {len(edges)} columns; {MOST_COLUMN_EDGES} are taken", b"")
        return [self.edge(*edge) for edge in list(edges)[:MOST_COLUMN_EDGES] if edge[0] != edge[1]]

    def _measured(self, read: Read, entity: str) -> list[SamplesRecord]:
        dataset, values = read.dataset, dict[str, float | None]()
        for facets, key in _places(dataset, "dataQualityMetrics"):
            found = self.reading.facet(facets, key, QualityMetrics, dataset.name)
            if found is not None:
                values |= _metrics(found)
        for facets, key in ((dataset.output_facets, "outputStatistics"), (dataset.input_facets, "inputStatistics")):
            told = self.reading.facet(facets, key, Statistics, dataset.name)
            if told is not None and key == "outputStatistics":
                values |= {"rows_written": told.row_count, "bytes_written": told.size}
            elif told is not None:
                values |= {"rows_read": told.row_count, "bytes_read": told.size}
        known: dict[str, list[float | None]] = {
            name: [value] for name, value in values.items() if value is not None and isfinite(value)
        }
        if not known:
            return []
        return [
            SamplesRecord(at=self.at, seen=self.seen, source=self.source, entity=entity, times=[self.at], values=known)
        ]

    def _tested(self, read: Read, entity: str) -> list[AlertRecord]:
        dataset, tests = read.dataset, list[Assertion]()
        for facets, key in _places(dataset, "dataQualityAssertions"):
            found = self.reading.facet(facets, key, Assertions, dataset.name)
            tests += (found.assertions or ()) if found is not None else ()
        if len(tests) > MOST_ASSERTIONS:
            self.reading.refuse(f"{dataset.name}: {len(tests)} assertions; {MOST_ASSERTIONS} are taken", b"")
        return [self._test(entity, test) for test in tests[:MOST_ASSERTIONS]]

    def _test(self, entity: str, test: Assertion) -> AlertRecord:
        labels = {"alertname": "DataQualityAssertionFailed", "assertion": (test.name or test.assertion)[:256]}
        labels |= {"column": test.column[:256]} if test.column else {}
        labels["severity"] = "warning" if (test.severity or "").lower() in {"warn", "warning"} else "high"
        of = f"{entity}, column {test.column}" if test.column else entity
        holds = "holds" if test.success else "does not hold"
        told = f", expected {test.expected[:80]}" if test.expected else ""
        told += f", found {test.actual[:80]}" if test.actual else ""
        return AlertRecord(
            at=self.at,
            seen=self.seen,
            source=self.source,
            status="resolved" if test.success else "firing",
            key=f"assertion/{entity}/{test.column or ''}/{test.name or test.assertion}"[:1000],
            labels=labels,
            annotations={"summary": f"{test.name or test.assertion} {holds} for {of}{told}"[:1000]},
            entity=entity,
        )


def _with_unit(told: Column, units: Mapping[str, str]) -> Column:
    """The column with the unit that a tag gives it."""
    unit = units.get(told.name)
    return Column(name=told.name, type=told.type, unit=unit, about=told.about) if unit else told


def _flat(fields: Iterable[Field], under: str, deep: int) -> list[Column]:
    """Columns, and those within them as ``outer.inner``."""
    found: list[Column] = []
    for one in fields:
        name = f"{under}{one.name}"
        found.append(Column(name=name, type=one.type or "", about=one.description or ""))
        if one.fields and deep:
            found += _flat(one.fields, f"{name}.", deep - 1)
    return found


def _places(dataset: Dataset, key: str) -> list[tuple[Facets | None, str]]:
    """Producers put tests and metrics of data in either place."""
    return [(dataset.facets, key), (dataset.input_facets, key), (dataset.output_facets, key)]


def _metrics(found: QualityMetrics) -> dict[str, float | None]:
    values = {"row_count": found.row_count, "bytes": found.bytes, "file_count": found.file_count}
    for name, told in list((found.column_metrics or {}).items())[:MOST_COLUMNS]:
        values |= {
            f"{name}.distinct_count": told.distinct_count,
            f"{name}.min": told.min,
            f"{name}.max": told.max,
        }
        rows = found.row_count or told.count
        if told.null_count is not None and rows:
            values[f"{name}.null_share"] = told.null_count / rows
        if told.sum is not None and told.count:
            values[f"{name}.mean"] = told.sum / told.count
    return values
