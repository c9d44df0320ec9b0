"""Tables as Parquet (`pip install "quell[parquet]"`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from quell.errors import ExportError
from quell.export.columns import Column

_ROWS_AT_ONCE = 5_000
"""Rows of one row group: a few megabytes in memory."""


def write_parquet(
    rows: Iterable[Any], columns: Sequence[Column], file: Path, *, hidden: Callable[[str], str] = str
) -> int:
    """Writes a table; returns how many rows. ``hidden`` takes out of a text what nobody may see.

    Raises `ExportError` when pyarrow is not installed, and OSError when the file cannot be written.
    """
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise ExportError(
            'Parquet needs pyarrow, which is not installed; run: pip install "quell[parquet]", '
            "or export JSON lines; nothing was written"
        ) from error
    text = arrow.string()
    types = {
        "text": text, "json": text, "time": arrow.timestamp("us", tz="UTC"), "whole": arrow.int64(),
        "number": arrow.float64(), "words": arrow.map_(text, text), "texts": arrow.list_(text),
    }  # fmt: skip
    schema = arrow.schema([arrow.field(column.name, types[column.type]) for column in columns])
    count, left = 0, iter(rows)
    with parquet.ParquetWriter(str(file), schema, compression="zstd") as writer:
        while part := list(islice(left, _ROWS_AT_ONCE)):
            cells = [[_cell(column, row, hidden) for row in part] for column in columns]
            arrays = [arrow.array(cell, type=field.type) for cell, field in zip(cells, schema, strict=True)]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            count += len(part)
    return count


def _cell(column: Column, row: Any, hidden: Callable[[str], str]) -> Any:
    value = column.of(row)
    if value is None:
        return None
    match column.type:
        case "time":
            return round(value * 1_000_000)
        case "text" | "json":
            return hidden(str(value))
        case "words":
            return [(name, hidden(text)) for name, text in value.items()]
        case "texts":
            return [hidden(text) for text in value]
        case _:
            return value
