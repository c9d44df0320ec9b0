"""What Airflow knows of lineage and runs: DAGs and owners, data they read and write, runs that ended, their code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from quell.model.records import (
    AlertRecord,
    AnyRecord,
    DependencyRecord,
    EntityRecord,
    SampleRecord,
    SamplesRecord,
    VersionRecord,
)
from quell.model.times import format_duration, format_time
from quell.sdk.connector import Pulled
from quell.sdk.http import path_part
from quell.sdk.moments import read_moment
from quell.sdk.partitions import whole
from quell_connectors.airflow.client import Client
from quell_connectors.airflow.translate import Asset, Dag, Run

OVERLAP_S = 120.0
"""Runs that ended so long before the last one are asked for again: they may show up late. Ids tell repeats."""
FIRST_S = 86400.0
"""So far back runs are asked for at first."""
REFRESH_S = 3600.0
"""What did not change is told again after this time, so that edges show that somebody still says so."""
_DATABASES = frozenset({"postgres", "postgresql", "mysql", "snowflake", "bigquery", "mssql", "redshift", "trino"})


class Cursor(msgspec.Struct, frozen=True):
    """``ended_at`` of the last run that was told, ``well_at`` the last success by DAG, ``digest`` of what was told."""

    ended_at: float = 0.0
    well_at: dict[str, float] = {}
    digest: str = ""
    told_at: float = 0.0
    dags: list[str] = []


class Watch:
    """Asks Airflow for what is new."""

    def __init__(self, client: Client, options: Mapping[str, Any], source: str) -> None:
        self._client = client
        self._url = str(options["url"]).rstrip("/")
        self._severity = str(options.get("severity") or "high")
        self._source = source

    async def pull(self, cursor: str | None, now: float) -> Pulled:
        """Raises what the client raises; then nothing of this pull counts as told."""
        before = _cursor_of(cursor)
        dags, assets = await self._client.dags(), await self._client.assets()
        since = before.ended_at - OVERLAP_S if before.ended_at else now - FIRST_S
        runs = [run for run in await self._client.ended_since(format_time(since)) if run.ended and run.dag_id]
        digest = _digest(dags, assets)
        changed = digest != before.digest or now - before.told_at >= REFRESH_S
        records: list[AnyRecord] = self._lineage(dags, assets, before, now) if changed else []
        known, well_at = {dag.dag_id for dag in dags}, dict(before.well_at)
        for run in runs:
            ended = min(_moment(run.end_date) or now, now)
            records += self._ended(run, ended, now)
            if run.state == "success":
                well_at[run.dag_id] = max(ended, well_at.get(run.dag_id, 0.0))
        well_at = {dag: at for dag, at in sorted(well_at.items()) if dag in known}
        records += [
            self._age(dag, well_at[dag.dag_id], now) for dag in dags if dag.dag_id in well_at and not dag.paused
        ]
        after = Cursor(
            ended_at=max([before.ended_at, *(min(_moment(run.end_date) or 0.0, now) for run in runs)]) or since,
            well_at=well_at,
            digest=digest,
            told_at=now if changed else before.told_at,
            dags=sorted(known),
        )
        return Pulled(records, msgspec.json.encode(after, order="deterministic").decode())

    def _lineage(self, dags: Sequence[Dag], assets: Sequence[Asset], before: Cursor, now: float) -> list[AnyRecord]:
        records: list[AnyRecord] = [self._dag(dag, now) for dag in dags]
        records += [
            EntityRecord(at=now, seen=now, source=self._source, entity=f"pipeline/{gone}", removed=True)
            for gone in sorted(set(before.dags) - {dag.dag_id for dag in dags})
        ]
        for asset in assets:
            dataset = f"dataset/{dataset_name(asset)}"
            labels = {"uri": asset.uri[:500]} if asset.uri else {}
            records.append(
                EntityRecord(at=now, seen=now, source=self._source, entity=dataset, labels=labels, learned="lineage")
            )
            records += [self._edge(dataset, f"pipeline/{dag}", "produced_by", now) for dag in asset.written_by]
            records += [self._edge(f"pipeline/{dag}", dataset, "fed_by", now) for dag in asset.read_by]
        return records

    def _dag(self, dag: Dag, now: float) -> EntityRecord:
        labels = {"dag_id": dag.dag_id, "integration": "airflow", "paused": str(dag.paused).lower()}
        if dag.schedule:
            labels["schedule"] = dag.schedule[:256]
        if dag.tags:
            labels["tags"] = ",".join(tag.name for tag in dag.tags)[:256]
        owners = [owner for owner in dag.owners if owner != "airflow"]  # Airflow's own default says nothing
        return EntityRecord(
            at=now,
            seen=now,
            source=self._source,
            entity=f"pipeline/{dag.dag_id}",
            labels=labels,
            owner=", ".join(owners)[:256],
            learned="lineage",
        )

    def _edge(self, from_: str, to: str, kind: str, now: float) -> DependencyRecord:
        return DependencyRecord(at=now, seen=now, source=self._source, from_=from_, to=to, type=kind, learned="lineage")

    def _ended(self, run: Run, ended: float, now: float) -> list[AnyRecord]:
        """An alert or its end, the duration, and the version of the code that ran."""
        dag = f"pipeline/{run.dag_id}"
        began = _moment(run.start_date)
        took = max(ended - began, 0.0) if began is not None else None
        records: list[AnyRecord] = self._code(run, dag, ended, now)
        values: dict[str, list[float | None]] = {"run_failed": [0.0 if run.state == "success" else 1.0]}
        if took is not None:
            values["run_duration_s"] = [round(took, 3)]
        records.append(
            SamplesRecord(
                at=ended,
                seen=now,
                source=self._source,
                id=f"{dag}/{run.dag_run_id}/{ended:.3f}",
                entity=dag,
                times=[ended],
                values=values,
            )
        )
        deed = "went well" if run.state == "success" else "failed"
        after = f" after {format_duration(took)}" if took is not None else ""
        records.append(
            AlertRecord(
                at=ended,
                seen=now,
                source=self._source,
                id=f"{dag}/{run.dag_run_id}/{ended:.3f}",
                status="resolved" if run.state == "success" else "firing",
                key=f"run/{run.dag_id}",
                labels={
                    "alertname": "PipelineRunFailed",
                    "pipeline": run.dag_id,
                    "dag_id": run.dag_id,
                    "severity": self._severity,
                },
                annotations={"summary": f"run {run.dag_run_id} of DAG {run.dag_id} {deed}{after}"},
                entity=dag,
                url=f"{self._url}/dags/{path_part(run.dag_id)}",
            )
        )
        return records

    def _code(self, run: Run, dag: str, ended: float, now: float) -> list[AnyRecord]:
        """Airflow 3 says which version of the DAG ran; the one that ran last of several counts."""
        versions = sorted(run.dag_versions or (), key=lambda one: one.version_number)
        if not versions:
            return []
        code = versions[-1]
        return [
            VersionRecord(
                at=min(_moment(code.created_at) or ended, ended),
                seen=now,
                source=self._source,
                entity=dag,
                version=code.bundle_version or f"v{code.version_number}",
                commit=code.bundle_version or "",
                url=code.bundle_url or "",
                labels={"dag_version": str(code.version_number)},
                learned="lineage",
            )
        ]

    def _age(self, dag: Dag, well_at: float, now: float) -> SampleRecord:
        return SampleRecord(
            at=now,
            seen=now,
            source=self._source,
            entity=f"pipeline/{dag.dag_id}",
            metric="last_success_age_s",
            value=round(max(now - well_at, 0.0), 3),
            unit="s",
        )


def dataset_name(asset: Asset) -> str:
    """The name of an asset as OpenLineage would have it, so that both mean one dataset; of a partition that of all."""
    return whole(_named(asset)).name


def _named(asset: Asset) -> str:
    if asset.name and asset.name != asset.uri:
        return asset.name.strip("/")[:500] or "dataset"
    parts = urlsplit(asset.uri)
    path = parts.path.strip("/")
    if parts.scheme in _DATABASES:
        inner = path.replace("/", ".")
        named = f"{parts.netloc}.{inner}" if parts.scheme in {"bigquery", "snowflake"} and parts.netloc else inner
        return named[:500] or "dataset"
    return (path or parts.netloc or asset.uri.strip("/"))[:500] or "dataset"


def _digest(dags: Sequence[Dag], assets: Sequence[Asset]) -> str:
    told = msgspec.json.encode([list(dags), list(assets)], order="deterministic")
    return hashlib.sha256(told).hexdigest()[:16]


def _cursor_of(text: str | None) -> Cursor:
    try:
        return msgspec.json.decode(text.encode(), type=Cursor) if text else Cursor()
    except msgspec.DecodeError:
        return Cursor()


def _moment(text: str | None) -> float | None:
    try:
        return read_moment(text)
    except ValueError:
        return None
