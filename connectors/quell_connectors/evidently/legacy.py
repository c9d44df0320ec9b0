"""The JSON of Evidently up to 0.6: reports of metrics with results, and test suites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quell.errors import BadPayload
from quell.sdk.monitor import Finding, Score, Unread
from quell.sdk.parts import list_of, mapping_of, number_of, optional_number, text_of
from quell_connectors.evidently.drift import Column, Told, column_findings, dataset_findings, histogram_of
from quell_connectors.evidently.verdict import verdict_of

_SCHEMA_TESTS = frozenset({"Number of Columns", "Column Types", "Columns Type"})


def report_findings(metrics: Any, told: Told) -> Iterator[Finding]:
    """Of ``metrics`` of a report. A column of which several metrics tell counts once, the first way."""
    seen: set[str] = set()
    columns: dict[str, bool] = {}
    shares: list[tuple[float, float]] = []
    for index, entry in enumerate(list_of(metrics, "metrics")):
        place = f"metrics[{index}]"
        try:
            result = mapping_of(mapping_of(entry, place).get("result"), f"{place}.result")
            for column in _columns(result, place):
                if isinstance(column, Unread):
                    yield column
                elif column.name not in seen:
                    seen.add(column.name)
                    columns[column.name] = bool(column.verdict)
                    yield from column_findings(column, told)
            if "share_of_drifted_columns" in result:
                share = number_of(result["share_of_drifted_columns"], f"{place}.result.share_of_drifted_columns")
                shares.append((share, optional_number(result.get("drift_share")) or _limit(result, share)))
            elif "drift_score" not in result and "drift_by_columns" not in result:
                yield from _scores(str(entry.get("metric") or "metric"), result, told)
        except BadPayload as error:
            yield Unread(str(error), entry)
    if shares:
        yield from dataset_findings(*shares[0], told, columns)


def suite_findings(tests: Any, told: Told) -> Iterator[Finding]:
    """Of ``tests`` of a test suite."""
    for index, entry in enumerate(list_of(tests, "tests")):
        place = f"tests[{index}]"
        try:
            test = mapping_of(entry, place)
            name = text_of(test.get("name"), f"{place}.name")
            group = str(test.get("group") or "")
            parameters = test.get("parameters")
            known: Mapping[str, Any] = parameters if isinstance(parameters, dict) else {}
            column = known.get("column_name")
            if name == "Drift per Column" and "stattest" in known:
                yield from column_findings(_tested_column(known, place), told)
                continue
            condition = known.get("condition")
            yield from verdict_of(
                name="SchemaChanged" if name in _SCHEMA_TESTS else "DataTestFailed",
                about=f"test/{group}/{name}/{column or ''}/{condition or ''}",
                status=text_of(test.get("status"), f"{place}.status"),
                place=place,
                said=str(test.get("description") or name),
                told=told,
                value=optional_number(known.get("value")),
                threshold=_only(condition),
                labels={"test": name, "feature": column if isinstance(column, str) else ""},
            )
        except BadPayload as error:
            yield Unread(str(error), entry)


def _columns(result: Mapping[str, Any], place: str) -> Iterator[Column | Unread]:
    by_column = result.get("drift_by_columns")
    listed = by_column.items() if isinstance(by_column, dict) else ()
    found = [(name, each, f"{place}.result.drift_by_columns.{name}") for name, each in listed]
    if "drift_score" in result:
        found.append((str(result.get("column_name") or ""), result, f"{place}.result"))
    for name, each, where in found:
        try:
            told = mapping_of(each, where)
            verdict = told.get("drift_detected")
            yield Column(
                name=text_of(told.get("column_name") or name, f"{where}.column_name"),
                method=str(told.get("stattest_name") or ""),
                score=number_of(told.get("drift_score"), f"{where}.drift_score"),
                threshold=optional_number(told.get("stattest_threshold")),
                verdict=verdict if isinstance(verdict, bool) else None,
                place=where,
                histogram=histogram_of(told),
            )
        except BadPayload as error:
            yield Unread(str(error), each)


def _tested_column(known: Mapping[str, Any], place: str) -> Column:
    detected = known.get("detected")
    return Column(
        name=text_of(known.get("column_name"), f"{place}.parameters.column_name"),
        method=str(known.get("stattest") or ""),
        score=number_of(known.get("score"), f"{place}.parameters.score"),
        threshold=optional_number(known.get("threshold")),
        verdict=detected if isinstance(detected, bool) else None,
        place=place,
    )


def _scores(metric: str, result: Mapping[str, Any], told: Told) -> Iterator[Score]:
    """The plain numbers of ``result`` and of its parts ``current``: quality, missing values and the like."""
    current = result.get("current")
    parts = {"": result, **({"current.": current} if isinstance(current, dict) else {})}
    for before, part in parts.items():
        for name, value in part.items():
            number = optional_number(value)
            if number is not None:
                yield Score(entity=told.subject.scored, metric=f"{metric}.{before}{name}", value=number, at=told.at)


def _limit(result: Mapping[str, Any], share: float) -> float:
    """The share at which a table says drift, where it does not tell: Evidently's own is a half."""
    return min(share, 0.5) if result.get("dataset_drift") is True else 0.5


def _only(condition: Any) -> float | None:
    """The limit of a condition that has just one."""
    return (
        optional_number(next(iter(condition.values()))) if isinstance(condition, dict) and len(condition) == 1 else None
    )
