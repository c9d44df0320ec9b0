"""A store's content from one database into another, table by table, whatever the databases are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import msgspec
from sqlalchemy import Connection, MetaData, RowMapping, String, Table, insert, inspect, select, text

from quell.errors import StoreError
from quell.store.columns import Words

VERSIONS = "alembic_version"
"""Alembic's own table: the revision of the schema."""
MANIFEST = "quell_backup"
"""The table of a backup that says what is in it; no table of a store."""
FACTS = "meta"
_ROWS_AT_ONCE = 100
"""A journal row of a large group may have hundreds of kilobytes."""
_DIGEST_BYTES = 16


class Sum(msgspec.Struct, frozen=True):
    """How many rows a table has, and a digest over all of them that does not depend on their order."""

    rows: int
    digest: str


def revision_of(connection: Connection) -> str | None:
    """The revision of the schema; None when the database holds no store."""
    if not inspect(connection).has_table(VERSIONS):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {VERSIONS}"))  # noqa: S608 - a constant
    return None if found is None else str(found)


def copy_tables(source: Connection, target: Connection, *, left: frozenset[str] = frozenset()) -> dict[str, Sum]:
    """Copies all rows of all tables into the empty ones of ``target``; both have the same revision of the schema.

    ``left`` names rows of the table of single facts that stay behind; the sums are of what was copied. Raises
    StoreError when a table or column of one is not in the other.
    """
    tables = tables_of(source)
    theirs = tables_of(target)
    if {name: _columns(table) for name, table in tables.items()} != {
        name: _columns(table) for name, table in theirs.items()
    }:
        differ = sorted(
            name for name in {*tables, *theirs}
            if name not in tables or name not in theirs or _columns(tables[name]) != _columns(theirs[name])
        )  # fmt: skip
        raise StoreError(f"the tables are not those of quell: {', '.join(differ)}; nothing was copied")
    copied = {}
    for name, table in tables.items():
        sum_ = _Summing()
        statement = insert(theirs[name])
        for part in _rows(source, table):
            rows = [row for row in part if row.get("name") not in left] if name == FACTS else part
            if rows:
                target.execute(statement, [dict(row) for row in rows])
            sum_.add(rows)
        copied[name] = sum_.done()
    return copied


def sums_of(connection: Connection) -> dict[str, Sum]:
    """The sums of all tables."""
    found = {}
    for name, table in tables_of(connection).items():
        sum_ = _Summing()
        for rows in _rows(connection, table):
            sum_.add(rows)
        found[name] = sum_.done()
    return found


def tables_of(connection: Connection) -> dict[str, Table]:
    """The store's tables as the database has them, by name."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, String):
                column.type = Words()  # which is not how both databases keep it
    return {name: table for name, table in sorted(metadata.tables.items()) if name not in {VERSIONS, MANIFEST}}


class _Summing:
    def __init__(self) -> None:
        self._rows = 0
        self._total = 0

    def add(self, rows: Sequence[RowMapping]) -> None:
        for row in rows:
            content = msgspec.msgpack.encode([row[name] for name in sorted(map(str, row))])
            self._total += int.from_bytes(blake2b(content, digest_size=_DIGEST_BYTES).digest(), "big")
        self._rows += len(rows)

    def done(self) -> Sum:
        return Sum(self._rows, f"{self._total % (1 << 8 * _DIGEST_BYTES):0{2 * _DIGEST_BYTES}x}")


def _rows(connection: Connection, table: Table) -> Iterator[Sequence[RowMapping]]:
    query = select(table).order_by(*table.primary_key.columns)
    found = connection.execute(query.execution_options(yield_per=_ROWS_AT_ONCE))
    yield from found.mappings().partitions()


def _columns(table: Table) -> list[str]:
    return sorted(column.name for column in table.columns)
