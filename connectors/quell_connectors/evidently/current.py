"""The JSON of Evidently from 0.7 on: metrics with a value each, and tests of metrics.

Up to 0.7.14 a metric is told by a text only (``metric_id``), and neither method nor threshold are said unless they
were asked for; a test's description says them. Later versions have ``metric_name`` and ``config`` with both.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from quell.errors import BadPayload
from quell.sdk.monitor import Finding, Score, Unread
from quell.sdk.parts import list_of, mapping_of, number_of, optional_number, text_of
from quell_connectors.evidently.drift import Column, Told, column_findings, dataset_findings
from quell_connectors.evidently.verdict import verdict_of

_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r"(?:^|,)(\w+)=((?:(?!,\w+=).)*)", re.DOTALL)
_DESCRIBED = re.compile(r"The drift detection method is (.+?)\. The drift threshold is ([-+0-9.eE]+?)\.?$")
_SCHEMA = frozenset({"ColumnCount"})


def current_findings(report: Mapping[str, Any], told: Told) -> Iterator[Finding]:
    """Of a report's ``metrics`` and ``tests``."""
    tests = list_of(report.get("tests") or [], "tests")
    named: dict[str, str] = {}
    columns: dict[str, bool] = {}
    whole: tuple[float, float] | None = None
    for index, entry in enumerate(list_of(report.get("metrics"), "metrics")):
        place = f"metrics[{index}]"
        try:
            metric = mapping_of(entry, place)
            kind, arguments, shown = _metric(metric, place)
            named[str(metric.get("id") or "")] = shown
            if kind == "ValueDrift":
                column = _column(metric, arguments, tests, place)
                for finding in column_findings(column, told):
                    columns[column.name] = columns.get(column.name, False) or not getattr(finding, "passed", True)
                    yield finding
            elif kind == "DriftedColumnsCount":
                value = mapping_of(metric.get("value"), f"{place}.value")
                share = number_of(value.get("share"), f"{place}.value.share")
                whole = share, optional_number(arguments.get("drift_share")) or 0.5
            else:
                yield from _scores(shown, metric.get("value"), told, place)
        except BadPayload as error:
            yield Unread(str(error), entry)
    if whole is not None:
        yield from dataset_findings(*whole, told, columns)
    yield from _tests(tests, named, told)


def _metric(metric: Mapping[str, Any], place: str) -> tuple[str, dict[str, Any], str]:
    """The kind of a metric, its arguments, and how it is shown."""
    shown = metric.get("metric_name") or metric.get("metric_id")
    call = _CALL.fullmatch(text_of(shown, f"{place}.metric_name (or metric_id)"))
    if call is None:
        raise BadPayload(
            f'{place}: "{str(shown)[:80]}" is no metric as Evidently 0.7 names them; a version that is not known?',
            field=place,
        )
    arguments: dict[str, Any] = {name: _scalar(text) for name, text in _ARGUMENT.findall(call[2])}
    config = metric.get("config")
    if isinstance(config, dict):
        arguments |= {name: value for name, value in config.items() if value is not None}
    return call[1], arguments, str(shown)


def _column(metric: Mapping[str, Any], arguments: Mapping[str, Any], tests: list[Any], place: str) -> Column:
    method, threshold, verdict = arguments.get("method"), optional_number(arguments.get("threshold")), None
    for test in tests:
        if not isinstance(test, dict) or test.get("id") != "drift" or _tested(test) != metric.get("id"):
            continue
        described = _DESCRIBED.search(str(test.get("description") or ""))
        if described is not None:
            method = method or described[1]
            threshold = optional_number(_scalar(described[2])) if threshold is None else threshold
        verdict = {"FAIL": True, "WARNING": True, "SUCCESS": False}.get(str(test.get("status")))
    return Column(
        name=text_of(arguments.get("column"), f"{place}.config.column"),
        method=str(method or ""),
        score=number_of(metric.get("value"), f"{place}.value"),
        threshold=threshold,
        verdict=verdict,
        place=place,
    )


def _scores(shown: str, value: Any, told: Told, place: str) -> Iterator[Finding]:
    """A value is a number, or numbers by name (count and share, mean and std, labels)."""
    named = value if isinstance(value, dict) else {"": value}
    for name, one in named.items():
        if isinstance(one, (dict, list, str)) or one is True or one is False:
            continue  # tables by label, and texts
        try:
            number = number_of(one, f"{place}.value{'.' if name else ''}{name}")
        except BadPayload as error:
            yield Unread(str(error), {"metric": shown, "value": value})
        else:
            metric = f"{shown}.{name}" if name else shown
            yield Score(entity=told.subject.scored, metric=metric[:500], value=number, at=told.at)


def _tests(tests: list[Any], named: Mapping[str, str], told: Told) -> Iterator[Finding]:
    alike: Counter[str] = Counter()
    for index, entry in enumerate(tests):
        place = f"tests[{index}]"
        try:
            test = mapping_of(entry, place)
            config = test.get("metric_config")
            kind = _kind_of(config, named.get(_tested(test) or "", ""))
            if kind == "ValueDrift" and test.get("id") == "drift":
                continue  # told with its metric
            settings = test.get("test_config")
            known = settings if isinstance(settings, dict) else {}
            shown = named.get(_tested(test) or "") or kind
            about = f"test/{shown}/{test.get('id')}/{known.get('threshold', '')}"
            alike[about] += 1
            yield from verdict_of(
                name="SchemaChanged" if kind in _SCHEMA else "DataTestFailed",
                about=f"{about}/{alike[about]}",  # the count and the share of a metric may be tested alike
                status=text_of(test.get("status"), f"{place}.status"),
                place=place,
                said=str(test.get("description") or test.get("name") or shown),
                told=told,
                value=None,
                threshold=optional_number(known.get("threshold")),
                labels={"test": str(test.get("name") or shown)},
            )
        except BadPayload as error:
            yield Unread(str(error), entry)


def _tested(test: Mapping[str, Any]) -> str | None:
    config = test.get("metric_config")
    found = config.get("metric_id") if isinstance(config, dict) else None
    return found if isinstance(found, str) else None


def _kind_of(config: Any, shown: str) -> str:
    params = config.get("params") if isinstance(config, dict) else None
    kind = str(params.get("type") or "") if isinstance(params, dict) else ""
    return kind.rpartition(":")[2] or shown.partition("(")[0]


def _scalar(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
