"""Chunks of a frame to findings: every chunk's numbers are points, and the last chunk says what is wrong now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quell.errors import BadPayload
from quell.sdk.moments import read_moment
from quell.sdk.monitor import Check, Finding, Score, Subject, Unread
from quell.sdk.parts import expected, number_of, optional_number

_ALERT = "_alert"
_METHODS = ("kolmogorov_smirnov", "jensen_shannon", "wasserstein", "hellinger", "chi2", "l_infinity")
_WHOLE = ("reconstruction_error", "domain_classifier_auroc")
_YES, _NO = frozenset({"true", "1", "1.0"}), frozenset({"false", "0", "0.0"})


@dataclass(frozen=True, slots=True)
class Series:
    """What a group of columns is about: ``metric`` as samples name it, ``feature`` "" when it is no column's."""

    prefix: str
    metric: str
    name: str
    entity: str
    feature: str = ""


def findings_of(
    rows: list[Mapping[str, Any]], subject: Subject, predictions: Collection[str], now: float
) -> Iterator[Finding]:
    """Raises `BadPayload` when no column of the frame says whether something is wrong."""
    names = [name for name in rows[0] if name.endswith(_ALERT)] if rows else []
    if not names:
        raise BadPayload(
            "not a result of NannyML: expected columns such as roc_auc_value and roc_auc_alert; write the frame with "
            "to_df(multilevel=False)",
            field="columns",
        )
    analysed = [(index, row) for index, row in enumerate(rows) if row.get("chunk_period") != "reference"]
    for name in names:
        series = _series(name.removesuffix(_ALERT), subject, predictions)
        points, last = [], None
        for index, row in analysed:
            place = f"row {index}, {series.prefix}"
            try:
                value = number_of(_cell(row.get(f"{series.prefix}_value")), f"{place}_value")
                last = (place, row, value, _verdict(row.get(name), f"{place}{_ALERT}"))
                points.append((_end(row, now), value))
            except BadPayload as error:
                yield Unread(str(error), {column: row[column] for column in row if column.startswith(series.prefix)})
        points = sorted({at: value for at, value in points if at <= now}.items())
        if points:
            yield Score(entity=series.entity, metric=series.metric, points=tuple(points))
        if last is not None:
            yield _check(series, *last)


def _check(series: Series, place: str, row: Mapping[str, Any], value: float, bad: bool) -> Check:
    low, high = (optional_number(_cell(row.get(f"{series.prefix}_{side}_threshold"))) for side in ("lower", "upper"))
    crossed = low if low is not None and value < low else high
    limits = ", ".join(
        f"{name} {limit:.4g}" for name, limit in (("at least", low), ("at most", high)) if limit is not None
    )
    chunk = str(row.get("chunk_key") or place)[:200]
    return Check(
        name=series.name,
        entity=series.entity,
        about=series.prefix,
        passed=not bad,
        summary=f"{series.prefix} is {value:.4g} in chunk {chunk}" + (f"; expected {limits}" if limits else ""),
        value=value,
        threshold=crossed,
        labels={"metric": series.prefix, "feature": series.feature},
        annotations={"chunk": chunk, "until": str(row.get("chunk_end_date") or "")[:64]},
    )


def _series(prefix: str, subject: Subject, predictions: Collection[str]) -> Series:
    for method in _METHODS:
        feature = prefix.removesuffix(f"_{method}")
        if feature != prefix:
            predicted = feature in predictions
            name = "PredictionDrift" if predicted else "FeatureDrift"
            entity = subject.scored if predicted else subject.data
            return Series(prefix, f"{method}{{feature={feature}}}", name, entity, feature)
    if prefix in _WHOLE:
        return Series(prefix, prefix, "DatasetDrift", subject.data)
    return Series(prefix, prefix, "ModelPerformance", subject.scored)


def _verdict(value: Any, place: str) -> bool:
    """Whether it is an alert: true or false, as text in CSV. What is missing is neither."""
    text = str(value).strip().lower()
    if text not in _YES | _NO:
        expected(place, f"True or False, not {str(value)[:40]!r}")
    return text in _YES


def _cell(value: Any) -> Any:
    """A cell of CSV is a text; one that is empty, or NaN, is no number."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return value


def _end(row: Mapping[str, Any], now: float) -> float:
    """The end of the chunk, whose times are those of the data; now, where chunks have none."""
    try:
        return read_moment(row.get("chunk_end_date")) or now
    except ValueError:
        return now
