"""Rows to samples. What is no number, and a column that is not there, is said; it is never zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from math import isfinite
from typing import Any

from quell.model.records import SampleRecord
from quell.sdk.late import Window, fresh
from quell.sdk.moments import read_moment
from quell.sdk.parts import MOST_SKEW_S
from quell_connectors.sql.database import Table
from quell_connectors.sql.queries import HOLE, Query, TimeAs

Point = tuple[str, str, float]
"""Entity, metric, value."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a table came to: samples, where the next question begins, and what was wrong with it."""

    samples: Sequence[SampleRecord]
    window: Window | None
    wrong: str = ""


def bound(at: float, how: TimeAs, dialect: str) -> Any:
    """A time as the query's column holds it. SQLite has no times: it keeps texts such as CURRENT_TIMESTAMP gives."""
    moment = datetime.fromtimestamp(at, UTC)
    if how == "timestamp" and dialect == "sqlite":
        how = "text"
    match how:
        case "timestamp":
            return moment
        case "naive":
            return moment.replace(tzinfo=None)
        case "text":
            return moment.strftime("%Y-%m-%d %H:%M:%S") + (f".{moment.microsecond:06}" if moment.microsecond else "")
        case "epoch":
            return at
        case "epoch_ms":
            return int(at * 1000)


def read(query: Query, table: Table, window: Window | None, *, until: float, now: float, source: str) -> Read:
    """Samples of the rows that were not told before."""
    if table.wrong:
        return Read((), window, table.wrong)
    wanted = [*query.values, *([query.time] if query.time else []), *HOLE.findall(query.entity)]
    missing = [column for column in dict.fromkeys(wanted) if column not in table.columns]
    if missing:
        here = ", ".join(table.columns[:30])
        return Read((), window, f'no column "{", ".join(missing)}"; the answer has {here or "none"}')
    faults: list[str] = []
    rows: list[Mapping[str, Any]] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    timed = [(at, row) for row in rows if (at := _time(query, row, now, faults)) is not None]
    if table.more:
        timed, until = _cut(query, timed, until, faults)
    told = [(at, _identity(row), (at, row)) for at, row in timed]
    if query.time:
        news, after = fresh(window, told, until, query.overlap_s)
    else:
        news, after = [row for _, _, row in told], None
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for at, row in news:
        for entity, metric, value in _points(query, row, faults):
            points.setdefault((entity, metric), []).append((at, value))
    samples = [
        SampleRecord(
            at=min(max(at for at, _ in each), now),
            seen=now,
            source=source,
            entity=entity,
            metric=metric,
            points=sorted(each),
            unit=query.unit,
        )
        for (entity, metric), each in sorted(points.items())
    ]
    return Read(samples, after, _said(faults))


def _points(query: Query, row: Mapping[str, Any], faults: list[str]) -> list[Point]:
    entity = HOLE.sub(lambda hole: _name(row[hole[1]]), query.entity)
    if entity.endswith("/") or "//" in entity:
        faults.append(f"a row names no entity ({entity})")
        return []
    found = []
    for column, metric in query.values.items():
        value = row[column]
        if value is None:
            continue  # the database says that nothing is known, which is neither zero nor a fault
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            faults.append(f'column "{column}" holds {_kind(value)} and no number')
            continue
        try:
            number = float(value)
        except (OverflowError, ValueError):
            number = float("inf")
        if isfinite(number):
            found.append((entity, metric, number))
        else:
            faults.append(f'column "{column}" holds NaN or an infinity')
    return found


def _time(query: Query, row: Mapping[str, Any], now: float, faults: list[str]) -> float | None:
    if not query.time:
        return now
    value = row[query.time]
    try:
        if isinstance(value, datetime):
            at: float | None = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        elif isinstance(value, date):
            at = datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
        else:
            at = read_moment(float(value) if isinstance(value, Decimal) else value)
    except (ValueError, OverflowError):
        at = None
    if at is None:
        faults.append(f'column "{query.time}" holds {_kind(value)} and no time')
    elif at > now + MOST_SKEW_S:
        faults.append(f'column "{query.time}" holds times ahead of the clock')
        at = None
    return at


def _cut(
    query: Query, timed: list[tuple[float, Mapping[str, Any]]], until: float, faults: list[str]
) -> tuple[list[tuple[float, Mapping[str, Any]]], float]:
    """Of an answer that was cut off: what is surely whole of it, and up to when. The next pull goes on there."""
    times = [at for at, _ in timed]
    if not query.time or not times:
        faults.append(f"more than {query.limit} rows; the others are not read")
        return timed, until
    if any(later < earlier for earlier, later in pairwise(times)):
        faults.append(f"more than {query.limit} rows, not in order of time: write ORDER BY {query.time}")
        return timed, until
    if times[0] == times[-1]:
        faults.append(f"more than {query.limit} rows at one time; the others are not read")
        return timed, times[-1]
    last = max(at for at in times if at < times[-1])
    return [(at, row) for at, row in timed if at <= last], last


def _identity(row: Mapping[str, Any]) -> str:
    return "\x00".join(str(value) for value in row.values())


def _name(value: Any) -> str:
    text = "" if value is None else str(value).strip()
    return text[:256] if text.isprintable() else ""


def _kind(value: Any) -> str:
    names = {str: "text", bool: "true or false", type(None): "nothing (NULL)", bytes: "bytes"}
    return names.get(type(value), f"a {type(value).__name__}")


def _said(faults: list[str]) -> str:
    """Each fault once, with how often."""
    counted = list(Counter(faults).items())[:5]
    return "; ".join(f"{fault} ({count} times)" if count > 1 else fault for fault, count in counted)
