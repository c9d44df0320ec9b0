"""A frame as it was written: rows by flat names of columns, from CSV or pandas' JSON, one header line or several."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from quell.errors import BadPayload
from quell.sdk.parts import list_of, mapping_of, report_of
from quell.sdk.payload import MAX_ALERTS, check_size

_MOST_COLUMNS = 5000
_LEVELS = 3
"""Header lines at most: column, method, what of it."""
_CHUNK = "chunk"


def rows_of(body: bytes, content_type: str) -> list[Mapping[str, Any]]:
    """The rows, each a mapping of names as ``to_df(multilevel=False)`` writes them. Raises `BadPayload`."""
    if content_type.endswith("csv") or body.lstrip()[:1] not in (b"[", b"{"):
        return list(_of_csv(body))
    read = report_of(body)
    if isinstance(read, dict) and "columns" in read and "data" in read:
        names = [_flat(name) for name in list_of(read["columns"], "columns")]
        return [dict(zip(names, list_of(row, f"data[{n}]"), strict=False)) for n, row in _listed(read["data"], "data")]
    if isinstance(read, dict):
        raise BadPayload("not a frame: expected CSV, or JSON as to_json(orient='records') or 'split' writes it", body)
    return [mapping_of(row, f"[{index}]") for index, row in _listed(read, "frame")]


def _listed(value: Any, place: str) -> Iterator[tuple[int, Any]]:
    return enumerate(list_of(value, place))


def _of_csv(body: bytes) -> Iterator[Mapping[str, Any]]:
    check_size(body, max_depth=1 << 30)
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadPayload(f"not readable as CSV: {error}", body) from error
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    if not lines or len(lines[0]) > _MOST_COLUMNS or len(lines) > MAX_ALERTS:
        raise BadPayload(f"not a frame: expected CSV with a header, {MAX_ALERTS} rows at most", body[:4096])
    depth = 1
    if _CHUNK in lines[0]:  # a line of the header for each level
        inner = [line[lines[0].index(_CHUNK)] for line in lines[:_LEVELS]]
        depth = inner.index("key") + 1 if "key" in inner else 1
    names = [_joined([lines[level][at] if at < len(lines[level]) else "" for level in range(depth)])
             for at in range(len(lines[0]))]  # fmt: skip
    for line in lines[depth:]:
        yield dict(zip(names, line, strict=False))


def _flat(name: Any) -> str:
    """A column's name in JSON: a text, or a list of the levels' names."""
    return _joined([str(part) for part in name]) if isinstance(name, list) else str(name)


def _joined(levels: list[str]) -> str:
    parts = [level for at, level in enumerate(levels) if level and (at == 0 or level != _CHUNK)]
    if parts[:1] == [_CHUNK] and len(parts) > 1:
        return f"{_CHUNK}_{parts[-1].removeprefix(_CHUNK + '_')}"
    return "_".join(parts)
