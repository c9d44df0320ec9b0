"""The drift of one column and of a whole data set, as findings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from quell.sdk.monitor import Check, Finding, Score, Subject, Unread
from quell_connectors.evidently.methods import drifted, kind_of

_MOST_BINS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a report is about and when it was made; ``predictions`` are the columns that hold predictions."""

    subject: Subject
    predictions: Collection[str]
    at: float | None
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The drift of one column. ``verdict`` is Evidently's own, None where it gives none; ``method`` "" is unknown."""

    name: str
    method: str
    score: float
    threshold: float | None
    verdict: bool | None
    place: str
    histogram: str = ""


def column_findings(column: Column, told: Told) -> Iterator[Finding]:
    """A check and a score; only a score, and why, where nobody says which way the score points."""
    kind = kind_of(column.method)
    score_only = kind is None or column.threshold is None
    if column.verdict is None and score_only:
        yield Unread(_why_unjudged(column), {"column": column.name, "method": column.method, "score": column.score})
        return
    predicted = column.name in told.predictions
    entity = told.subject.scored if predicted else told.subject.data
    if kind is not None:
        yield Score(entity=entity, metric=f"drift_{kind}{{feature={column.name}}}", value=column.score, at=told.at)
    if column.verdict is not None:
        bad = column.verdict
    else:
        assert kind is not None
        assert column.threshold is not None
        bad = drifted(kind, column.score, column.threshold)
    limit = "" if column.threshold is None else f", limit {column.threshold:g}"
    said = f"{column.method or 'drift score'} {column.score:.4g}{limit}"
    yield Check(
        name="PredictionDrift" if predicted else "FeatureDrift",
        entity=entity,
        about=f"drift/{column.name}",
        passed=not bad,
        summary=f"{column.name} {'drifted' if bad else 'did not drift'}: {said}",
        value=column.score,
        threshold=column.threshold,
        labels={"feature": column.name},
        annotations={"method": column.method, "histogram": column.histogram, "evidently": told.version},
        at=told.at,
    )


def dataset_findings(share: float, limit: float, told: Told, columns: Mapping[str, bool]) -> Iterator[Finding]:
    """Evidently calls a data set drifted when the share of drifted columns reaches ``limit``."""
    entity = told.subject.data
    yield Score(entity=entity, metric="drifted_share", value=share, at=told.at)
    bad = share >= limit
    names = sorted(name for name, one in columns.items() if one)
    which = f": {', '.join(names[:20])}" + (f" and {len(names) - 20} more" if len(names) > 20 else "") if names else ""
    yield Check(
        name="DatasetDrift",
        entity=entity,
        about="drift",
        passed=not bad,
        summary=f"{share:.0%} of the columns drifted, limit {limit:.0%}{which}",
        value=share,
        threshold=limit,
        annotations={"drifted": ", ".join(names)[:4000], "evidently": told.version},
        at=told.at,
    )


def histogram_of(result: Mapping[str, Any]) -> str:
    """The numbers before and now, as JSON; "" for texts, which may be somebody's, and for what is none."""
    found: dict[str, Any] = {}
    for side in ("reference", "current"):
        part = result.get(side)
        bins = part.get("small_distribution") if isinstance(part, dict) else None
        if not isinstance(bins, dict):
            return ""
        lists = [bins.get("x"), bins.get("y")]
        if not all(_numbers(one) for one in lists):
            return ""
        found[side] = {"x": lists[0], "y": lists[1]}
    return msgspec.json.encode(found).decode()


def _why_unjudged(column: Column) -> str:
    if not column.method:
        return (
            f"{column.place}: the report does not say by which method the drift of {column.name} was measured, so its "
            "score may mean either; make the report with include_tests=True, or with a newer Evidently (0.7.23 does)"
        )
    if column.threshold is None:
        return f"{column.place}: the drift of {column.name} has no threshold; give the metric one"
    return (
        f'{column.place}: the method "{column.method}" is not known, so nobody knows whether a large or a small score '
        "of it is drift; make the report with include_tests=True"
    )


def _numbers(one: Any) -> bool:
    plain = isinstance(one, list) and len(one) <= _MOST_BINS
    return plain and all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in one)
