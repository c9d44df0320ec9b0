"""The named queries of a source, read once with every mistake in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, get_args

from quell.errors import Misconfigured, Problem

TimeAs = Literal["timestamp", "naive", "text", "epoch", "epoch_ms"]
HOLE = re.compile(r"\$\{\s*([^}\s]+)\s*\}")
MOST_ROWS = 100_000
_KNOWN = ("sql", "entity", "time", "value", "values", "metric", "unit", "params", "lookback", "overlap", "delay",
          "limit", "time_as")  # fmt: skip
_READS = frozenset({"select", "with", "values", "table", "show"})
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""Texts, quoted names and comments: a colon in them begins no parameter."""
_BIND = re.compile(r"(?<![:\w\\]):([A-Za-z_]\w*)(?!:)")
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h|d|w))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query. ``values`` are columns with the metric each becomes; ``time`` "" stands for now."""

    name: str
    sql: str
    entity: str
    values: Mapping[str, str]
    time: str = ""
    unit: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    lookback_s: float = 3600.0
    overlap_s: float = 0.0
    delay_s: float = 0.0
    limit: int = 10_000
    time_as: TimeAs = "timestamp"
    binds: frozenset[str] = frozenset()


def read_queries(raw: Mapping[str, Any], source: str) -> tuple[Query, ...]:
    """Raises `Misconfigured` with every mistake."""
    problems: list[Problem] = []
    found = [_query(str(name), entry, _Mistakes(source, str(name), problems)) for name, entry in raw.items()]
    if problems:
        raise Misconfigured(problems)
    return tuple(query for query in found if query is not None)


class _Mistakes:
    def __init__(self, source: str, query: str, problems: list[Problem]) -> None:
        self._source, self._query, self._problems = source, query, problems

    def add(self, message: str, suggestion: str = "") -> None:
        place = f'sql "{self._source}"'
        self._problems.append(Problem(place, 0, 0, f"queries.{self._query}: {message}", suggestion))


def _query(name: str, raw: Any, mistakes: _Mistakes) -> Query | None:
    if not isinstance(raw, Mapping):
        mistakes.add("expected a mapping with sql and entity")
        return None
    for key in raw:
        if key not in _KNOWN:
            close = get_close_matches(str(key), _KNOWN, 1)
            mistakes.add(f'"{key}" is not known', f'did you mean "{close[0]}"?' if close else "")
    sql, entity = (_text(raw, key, mistakes, required=True) for key in ("sql", "entity"))
    if entity and not re.match(r"[^/\s]+/.", entity):
        mistakes.add(f'"{entity}" is no entity', "write kind/name, such as kpi/approvals or touchpoint/${page}")
    plain = _QUOTED.sub(" ", sql)
    first = (plain.strip().split(None, 1) or [""])[0].lower().strip("(")
    if sql and first not in _READS:
        mistakes.add(f'a query that begins with "{first}" does not only read', "write a SELECT")
    params = raw.get("params") or {}
    if not isinstance(params, Mapping):
        mistakes.add("params: expected names with a value each")
        params = {}
    binds = frozenset(_BIND.findall(plain))
    for missing in sorted(binds - {"since", "until"} - {str(key) for key in params}):
        mistakes.add(f":{missing} has no value", "give it one under params")
    time = _text(raw, "time", mistakes)
    if "since" in binds and not time:
        mistakes.add(
            "it asks for what is new (:since) and does not say which column holds the time", "add time: COLUMN"
        )
    time_as, limit = _time_as(raw, mistakes), _limit(raw, mistakes)
    spans = {key: _seconds(raw, key, default, mistakes) for key, default in
             (("lookback", 3600.0), ("overlap", 0.0), ("delay", 0.0))}  # fmt: skip
    return Query(
        name=name,
        sql=_QUOTED.sub(lambda part: part[0].replace(":", "\\:"), sql.rstrip().rstrip(";")),
        entity=entity,
        values=dict(_values(name, raw, mistakes)),
        time=time,
        unit=_text(raw, "unit", mistakes),
        params={str(key): value for key, value in params.items()},
        lookback_s=spans["lookback"],
        overlap_s=spans["overlap"],
        delay_s=spans["delay"],
        limit=limit,
        time_as=time_as,
        binds=binds,
    )


def _time_as(raw: Mapping[str, Any], mistakes: _Mistakes) -> TimeAs:
    how = raw.get("time_as", "timestamp")
    if how not in get_args(TimeAs):
        mistakes.add(f'time_as: "{how}" is not one of {", ".join(get_args(TimeAs))}')
        return "timestamp"
    return how  # type: ignore[no-any-return] # one of them


def _limit(raw: Mapping[str, Any], mistakes: _Mistakes) -> int:
    limit = raw.get("limit", 10_000)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_ROWS:
        mistakes.add(f"limit: expected a whole number from 1 to {MOST_ROWS}, not {str(limit)[:40]!r}")
        return 1
    return limit


def _values(name: str, raw: Mapping[str, Any], mistakes: _Mistakes) -> Iterator[tuple[str, str]]:
    """Columns and metrics: one of ``value``, or several of ``values``, as a list or with a metric each."""
    several = raw.get("values")
    if several is None:
        yield _text(raw, "value", mistakes) or "value", _text(raw, "metric", mistakes) or name
        return
    if "value" in raw or "metric" in raw:
        mistakes.add('"values" stands alone: it names columns, and metrics if it is a mapping')
    if isinstance(several, Mapping) and several:
        yield from ((str(column), str(metric)) for metric, column in several.items())
    elif isinstance(several, (list, tuple)) and several:
        yield from ((str(column), str(column)) for column in several)
    else:
        mistakes.add("values: expected columns as a list, or metrics with a column each")


def _text(raw: Mapping[str, Any], key: str, mistakes: _Mistakes, *, required: bool = False) -> str:
    value = raw.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value.strip():
        mistakes.add(f"{key}: expected text" if key in raw else f'needs "{key}"')
        return ""
    return value.strip()


def _seconds(raw: Mapping[str, Any], key: str, default: float, mistakes: _Mistakes) -> float:
    value = raw.get(key)
    if value is None:
        return default
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
        return 0.0
    if not isinstance(value, str) or not _DURATION.fullmatch(value.strip()):
        mistakes.add(f"{key}: expected a duration such as 90s, 15m or 1h, not {str(value)[:40]!r}")
        return default
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
