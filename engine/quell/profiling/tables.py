"""Rows of a table in a file (CSV, JSON lines, Parquet), a chunk of columns at a time, in bounded memory."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from quell.errors import QuellError

CELLS = 2_000_000
"""Of one chunk: all its columns together."""
_COLUMNS_AT_ONCE = 16
"""Of Parquet."""
FIRST_ROWS = 5_000
"""Of the first chunk, by which the types of columns are told where the file does not tell them."""
MOST_COLUMNS = 5_000
_GZIP = b"\x1f\x8b"
_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nil", "-", "<na>"})
"""Texts of a CSV that say that there is nothing, whatever their case."""

Column = NDArray[np.float64] | list[Any]
"""Numbers with NaN for what is missing, or values of any type with None for it."""
Chunk = Mapping[str, Column]


class TableError(QuellError):
    """A table that cannot be read: what, where and what to do."""


def chunks(path: Path) -> Iterator[Chunk]:
    """The table of a file. Raises `TableError`."""
    form = form_of(path)
    try:
        if form == "parquet":
            yield from _parquet(path)
        elif form == "jsonl":
            yield from _json_lines(path)
        else:
            yield from _separated(path, "\t" if form == "tsv" else "")
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TableError(f"{path}: cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is not UTF-8 text (byte {error.start}); nothing was counted") from error


def form_of(path: Path) -> str:
    """What kind of table a file is, by its name. Raises `TableError`."""
    name = path.name.lower().removesuffix(".gz")
    form = next((form for ending, form in _ENDINGS.items() if name.endswith(ending)), None)
    if form is None:
        raise TableError(f'{path}: "{path.suffix}" is no kind of table; expected {", ".join(sorted(_ENDINGS))}')
    return form


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        data: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        with io.TextIOWrapper(data, encoding="utf-8-sig", newline="") as text:
            yield text


def _separated(path: Path, separator: str) -> Iterator[Chunk]:
    with _opened(path) as text:
        first = text.readline()
        separator = separator or max(",;\t|", key=first.count)
        names = next(csv.reader([first], delimiter=separator), [])
        _check(path, names)
        rows = csv.reader(text, delimiter=separator)
        wanted = FIRST_ROWS
        read = 1
        try:
            while lines := list(islice(rows, wanted)):
                for at, line in enumerate(lines):
                    if len(line) != len(names) and line:
                        raise TableError(
                            f"{path}:{read + at + 1}: {len(line)} cells, but the header names {len(names)}; "
                            "nothing was counted"
                        )
                read += len(lines)
                kept = [line for line in lines if line]
                yield (
                    {
                        name: [None if cell.strip().lower() in MISSING else cell for cell in cells]
                        for name, cells in zip(names, zip(*kept, strict=True), strict=True)
                    }
                    if kept
                    else {}
                )
                wanted = _rows(len(names))
        except csv.Error as error:
            raise TableError(f"{path}:{read + rows.line_num}: {error}; nothing was counted") from error


def _json_lines(path: Path) -> Iterator[Chunk]:
    """Of objects, one a line. A field that a row lacks is missing in it."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    with _opened(path) as text:
        number, wanted = 0, FIRST_ROWS
        while lines := list(islice(text, wanted)):
            rows = []
            for line in lines:
                number += 1
                if line.strip():
                    try:
                        rows.append(decoder.decode(line))
                    except (msgspec.DecodeError, RecursionError) as error:
                        raise TableError(f"{path}:{number}: {error}; nothing was counted") from error
            names = dict.fromkeys(name for row in rows for name in row)
            _check(path, [*names])
            yield {name: [row.get(name) for row in rows] for name in names}
            wanted = _rows(len(names))


def _parquet(path: Path) -> Iterator[Chunk]:
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        raise TableError(
            f'{path}: Parquet needs pyarrow, which is not installed; run: pip install "quell[parquet]", '
            "or write the table as CSV"
        ) from error
    try:
        # A few columns at a time: a reader of all of them holds a page of each, which is much of a wide table.
        with closing(parquet.ParquetFile(path, pre_buffer=False)) as file:
            names = [*file.schema_arrow.names]
            _check(path, names)
            for first in range(0, len(names), _COLUMNS_AT_ONCE):
                wanted = names[first : first + _COLUMNS_AT_ONCE]
                for batch in file.iter_batches(batch_size=_rows(len(wanted)), columns=wanted, use_threads=False):
                    yield {name: _of_arrow(arrow, batch.column(name)) for name in wanted}
    except arrow.ArrowException as error:
        raise TableError(f"{path}: {error}; nothing was counted") from error


def _of_arrow(arrow: Any, column: Any) -> Column:
    kind = column.type
    types = arrow.types
    if types.is_boolean(kind):
        return list(column.to_pylist())
    if types.is_integer(kind) or types.is_floating(kind):
        return np.array(column.cast(arrow.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    if types.is_decimal(kind):
        return np.array(column.cast(arrow.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    if types.is_dictionary(kind):
        return _of_arrow(arrow, column.dictionary_decode())
    return list(column.to_pylist())


def _check(path: Path, names: list[str]) -> None:
    if not names or names == [""]:
        raise TableError(f"{path}: no columns were found; expected a header of names")
    if len(names) > MOST_COLUMNS:
        raise TableError(f"{path}: {len(names)} columns are too many; {MOST_COLUMNS} are the most")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise TableError(f'{path}: the column "{twice[0]}" is there twice; give each a name of its own')


def _rows(columns: int) -> int:
    return max(CELLS // max(columns, 1), 1)
