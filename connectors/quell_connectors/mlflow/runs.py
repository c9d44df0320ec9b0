"""A run of MLflow: what it was made with, what it read, what it measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from quell.errors import BadPayload
from quell.model.provenance import Column
from quell.sdk.payload import decode
from quell_connectors.mlflow.translate import moment

T = TypeVar("T")
MOST = 50
"""Parameters, and as many metrics and datasets, that are told of one run."""
_UNNAMED = "dataset"
"""What MLflow calls a dataset that nobody has given a name."""
_COMMIT, _USER = "mlflow.source.git.commit", "mlflow.user"


class _Pair(msgspec.Struct, frozen=True):
    key: str
    value: str | None = None


class _Metric(msgspec.Struct, frozen=True):
    key: str
    value: float | str | None = None


class _Data(msgspec.Struct, frozen=True):
    params: Sequence[_Pair] = ()
    tags: Sequence[_Pair] = ()
    metrics: Sequence[_Metric] = ()


class _Info(msgspec.Struct, frozen=True):
    run_id: str
    end_time: int | str | None = None
    start_time: int | str | None = None
    user_id: str | None = None


class _Dataset(msgspec.Struct, frozen=True):
    name: str = ""
    digest: str = ""
    source: str | None = None
    schema: str | None = None


class _Input(msgspec.Struct, frozen=True):
    dataset: _Dataset
    tags: Sequence[_Pair] = ()


class _Inputs(msgspec.Struct, frozen=True):
    dataset_inputs: Sequence[_Input] = ()


class _Run(msgspec.Struct, frozen=True):
    info: _Info
    data: _Data = _Data()
    inputs: _Inputs = _Inputs()


class _Answer(msgspec.Struct, frozen=True):
    run: _Run


class _ColumnSpec(msgspec.Struct, frozen=True):
    name: str | None = None
    type: object = None


class _SchemaText(msgspec.Struct, frozen=True):
    mlflow_colspec: Sequence[_ColumnSpec] = ()


class _SourceText(msgspec.Struct, frozen=True):
    uri: str = ""
    url: str = ""
    path: str = ""
    table_name: str = ""
    delta_table_name: str = ""


class DatasetRead(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that a run has read; ``version`` is MLflow's digest of it."""

    name: str
    version: str
    columns: list[Column]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run. ``ended_at`` is in seconds, None while it goes on."""

    run_id: str
    ended_at: float | None
    user: str
    commit: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    datasets: list[DatasetRead]


def run_of(body: bytes) -> Run:
    """Raises `BadPayload`."""
    raw = decode(body, _Answer).run
    tags = {one.key: one.value or "" for one in raw.data.tags}
    return Run(
        run_id=raw.info.run_id,
        ended_at=moment(raw.info.end_time) or moment(raw.info.start_time),
        user=tags.get(_USER) or raw.info.user_id or "",
        commit=tags.get(_COMMIT, ""),
        tags=tags,
        params={one.key: one.value or "" for one in raw.data.params[:MOST]},
        metrics=_metrics(raw.data.metrics),
        datasets=[_dataset(one.dataset) for one in raw.inputs.dataset_inputs[:MOST]],
    )


def _metrics(found: Sequence[_Metric]) -> dict[str, float]:
    """Those that are numbers; MLflow writes NaN and the infinities as text."""
    told = {one.key: one.value for one in found[:MOST]}
    return {name: value for name, value in told.items() if isinstance(value, float) and isfinite(value)}


def _dataset(raw: _Dataset) -> DatasetRead:
    source = _read(raw.source, _SourceText, _SourceText())
    name = raw.name if raw.name != _UNNAMED else ""
    place = urlsplit(source.uri or source.url or source.path)
    name = name or source.table_name or source.delta_table_name or place.path.strip("/") or place.netloc or _UNNAMED
    columns = [
        Column(name=one.name, type=one.type if isinstance(one.type, str) else "object")
        for one in _read(raw.schema, _SchemaText, _SchemaText()).mlflow_colspec
        if one.name
    ]
    return DatasetRead(name=name[:400], version=raw.digest, columns=columns)


def _read(text: str | None, shape: type[T], otherwise: T) -> T:
    """JSON within JSON; what other kinds of datasets write there is passed over."""
    try:
        return decode(text.encode(), shape) if text else otherwise
    except BadPayload:
        return otherwise


def first_of(tags: Mapping[str, str], names: Sequence[str]) -> str:
    """The value of the first tag that is set."""
    return next((tags[name] for name in names if tags.get(name)), "")
