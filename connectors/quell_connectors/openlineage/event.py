"""An event to records: the job, what it reads and writes, how its run ended."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from quell.errors import BadPayload
from quell.model.records import AnyRecord, DependencyRecord, EntityRecord, VersionRecord
from quell.sdk.connector import Rejected
from quell.sdk.moments import read_moment
from quell.sdk.payload import decode
from quell_connectors.openlineage.datasets import Read, Teller
from quell_connectors.openlineage.facets import Reading
from quell_connectors.openlineage.names import Names, owner_of
from quell_connectors.openlineage.runs import Ending
from quell_connectors.openlineage.shapes import (
    Dataset,
    Event,
    FeastMaterialization,
    FeastService,
    FeastView,
    Job,
    JobType,
    Ownership,
    Parent,
    SourceCode,
    SourceLocation,
)

MOST_DATASETS = 500
"""Inputs, and as many outputs, of one event."""
_OVER = frozenset({"COMPLETE", "FAIL", "ABORT"})


@dataclass(frozen=True, slots=True)
class Feast:
    """Which datasets of an event are feature views, as Feast says; entities are keys and no data."""

    views: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    owner: str = ""


class Reader:
    """Reads single events. Pure: what it needs to know of the past the core knows."""

    def __init__(self, names: Names, *, source: str, columns: bool, severity: str) -> None:
        self._names = names
        self._source = source
        self._columns = columns
        self._severity = severity

    def read(self, body: bytes, now: float) -> tuple[list[AnyRecord], list[Rejected]]:
        """The records of an event and the parts of it that cannot be read. Raises `BadPayload` when none can."""
        event = decode(body, Event)
        try:
            at = read_moment(event.event_time) or now
        except ValueError as error:
            raise BadPayload(f"eventTime: {error}", body, "eventTime") from error
        teller = Teller(self._names, self._source, at=at, seen=now, reading=Reading(), columns=self._columns)
        if event.dataset is not None:
            records = teller.dataset(Read(event.dataset, "dataset"), by="", run="", commit="", inputs={})
        elif event.job is not None:
            records = self._of_job(event, event.job, teller)
        else:
            raise BadPayload("neither a run, a job nor a dataset event: it has no job and no dataset", body)
        return records, teller.reading.rejected

    def _of_job(self, event: Event, job: Job, teller: Teller) -> list[AnyRecord]:
        if not self._names.wanted(job.namespace):
            return []
        pipeline = teller.pipeline(job.namespace, job.name)
        whose = f"job {job.name}"
        kind = teller.reading.facet(job.facets, "jobType", JobType, whose) or JobType()
        feast = _feast(event, job, teller.reading)
        records: list[AnyRecord] = [
            EntityRecord(
                at=teller.at,
                seen=teller.seen,
                source=self._source,
                entity=pipeline,
                labels=_labels(job, kind),
                owner=feast.owner or _owner(job, teller.reading),
                learned="lineage",
            )
        ]
        records += self._parent(event, job, pipeline, teller)
        inputs = self._datasets(event.inputs, "input", feast, teller)
        outputs = self._datasets(event.outputs, "output", feast, teller)
        run = event.run.run_id if event.run is not None else ""
        location = teller.reading.facet(job.facets, "sourceCodeLocation", SourceLocation, whose) or SourceLocation()
        records += self._code(job, pipeline, location, teller)
        read: dict[str, str] = {}
        for one in inputs:
            records += teller.dataset(one, by=pipeline, run="", commit="", inputs={})
            records.append(teller.edge(pipeline, teller.name(one), "fed_by"))
            read[teller.name(one)] = teller.version(one)
        over = event.event_type in _OVER or event.event_type is None
        for one in outputs:
            told = read if over else {}
            records += teller.dataset(one, by=pipeline, run=run, commit=location.version or "", inputs=told)
            records.append(teller.edge(teller.name(one), pipeline, "produced_by"))
        return records + Ending(teller, pipeline, kind, self._severity).records(event, job)

    def _parent(self, event: Event, job: Job, pipeline: str, teller: Teller) -> list[DependencyRecord]:
        """A DAG is what its tasks are."""
        facets = event.run.facets if event.run is not None else None
        parent = teller.reading.facet(facets, "parent", Parent, f"job {job.name}")
        if parent is None or not self._names.wanted(parent.job.namespace):
            return []
        whole = teller.pipeline(parent.job.namespace, parent.job.name)
        return [] if whole == pipeline else [teller.edge(whole, pipeline, "has_task")]

    def _code(self, job: Job, pipeline: str, location: SourceLocation, teller: Teller) -> list[VersionRecord]:
        """The version of the job's code: its commit, else a digest of the source that the event brings along."""
        version = location.version or ""
        if not version:
            source = teller.reading.facet(job.facets, "sourceCode", SourceCode, f"job {job.name}")
            if source is None or not source.source_code:
                return []
            text = source.source_code.encode("utf-8", "surrogatepass")
            version = f"source-{hashlib.sha256(text).hexdigest()[:12]}"
        return [
            VersionRecord(
                at=teller.at,
                seen=teller.seen,
                source=self._source,
                entity=pipeline,
                version=version,
                commit=location.version or "",
                url=location.url or "",
                learned="lineage",
            )
        ]

    def _datasets(self, parts: Sequence[msgspec.Raw] | None, role: str, feast: Feast, teller: Teller) -> list[Read]:
        listed = list(parts or ())
        if len(listed) > MOST_DATASETS:
            reason = f"{len(listed)} {role}s; the first {MOST_DATASETS} are taken"
            teller.reading.refuse(reason, bytes(listed[MOST_DATASETS]))
        found: dict[str, Read] = {}
        for part in listed[:MOST_DATASETS]:
            try:
                dataset = decode(bytes(part), Dataset)
                kind = _kind(dataset, feast, role)
                one = Read(dataset, role, kind)
                if kind and self._names.wanted(dataset.namespace):
                    entity = teller.name(one)
                    if entity not in found or dataset.name > found[entity].dataset.name:
                        found[entity] = one  # of several partitions the one whose name comes last, mostly the latest
            except BadPayload as error:
                teller.reading.refuse(f"{role}: {error}", bytes(part))
        return list(found.values())


def _kind(dataset: Dataset, feast: Feast, role: str) -> str:
    """What a dataset is in the graph; "" for a key of Feast, which is no data."""
    if dataset.name in feast.keys and not (dataset.facets or {}).keys() - {"feast_entity", "schema", "documentation"}:
        return "" if role == "input" else "dataset"
    if dataset.name in feast.views or dataset.name.removeprefix("online_store_") in feast.views:
        return "feature"
    return "dataset"


def _feast(event: Event, job: Job, reading: Reading) -> Feast:
    whose = f"job {job.name}"
    view = reading.facet(job.facets, "feast_featureView", FeastView, whose)
    if view is not None:
        return Feast(frozenset({view.name}), frozenset(view.entities or ()), owner_of(view.owner))
    service = reading.facet(job.facets, "feast_featureService", FeastService, whose)
    if service is not None:
        return Feast(frozenset({service.name, *(service.feature_views or ())}), owner=owner_of(service.owner))
    facets = event.run.facets if event.run is not None else None
    made = reading.facet(facets, "feast_materialization", FeastMaterialization, whose)
    return Feast(frozenset(made.feature_views or ())) if made is not None else Feast()


def _labels(job: Job, kind: JobType) -> dict[str, str]:
    labels = {
        "job_namespace": job.namespace[:256],
        "integration": kind.integration.lower()[:64],
        "job_type": (kind.job_type or "").lower()[:64],
    }
    return {name: value for name, value in labels.items() if value}


def _owner(job: Job, reading: Reading) -> str:
    owners = reading.facet(job.facets, "ownership", Ownership, f"job {job.name}")
    return owner_of(owners.owners[0].name)[:256] if owners is not None and owners.owners else ""
