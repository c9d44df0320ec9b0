"""A backup put into a PostgreSQL database, in one transaction: all of it, or what was there before."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Table, bindparam, func, select, text

from quell.errors import StoreError
from quell.store.backup.copying import FACTS, copy_tables, sums_of, tables_of
from quell.store.backup.plain import opened
from quell.store.database import Database
from quell.store.lease import LEASE

_DATABASE_S = ("mark", LEASE)
"""Facts by which PostgreSQL's sessions and their owners are known: they belong to the database, not to its content."""
_UNCHANGED = "the store is as it was"


def holds_anything(database: Database) -> bool:
    """Whether there is a row in any table, beside what every database has."""

    def found(connection: Connection) -> bool:
        return any(
            (connection.scalar(select(func.count()).select_from(table)) or 0) > (name == FACTS)
            for name, table in tables_of(connection).items()
        )

    return database.read("look what is in it", _UNCHANGED, found)


def move_in(file: Path, database: Database) -> None:
    """Puts the content of a tried-out backup, which has the newest schema, in the place of the database's.

    Raises StoreError, and then nothing was changed.
    """

    def work(connection: Connection) -> None:
        connection.execute(text("SET LOCAL statement_timeout = 0"))  # tables may be large
        tables = tables_of(connection)
        connection.execute(text("CREATE TEMPORARY TABLE kept_facts ON COMMIT DROP AS SELECT * FROM meta"))
        connection.execute(text(f"TRUNCATE {', '.join(tables)}"))  # names are the schema's own
        with opened(file, "ro", "read the backup", _UNCHANGED) as source:
            copied = copy_tables(source, connection, left=frozenset(_DATABASE_S))
        if sums_of(connection) != copied:
            raise StoreError(f"{database.place}: does not hold what was written to it; {_UNCHANGED}")
        for table in tables.values():
            _count_on(connection, table)
        kept = text("INSERT INTO meta SELECT * FROM kept_facts WHERE name IN :names")
        connection.execute(kept.bindparams(bindparam("names", _DATABASE_S, expanding=True)))

    database.write("put the backup in place", _UNCHANGED, work)


def _count_on(connection: Connection, table: Table) -> None:
    """Lets the numbers that the database gives itself go on behind the greatest there is."""
    for column in table.primary_key.columns:
        if column.server_default is None and column.identity is None:
            continue
        name = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        if name is None:
            continue
        last = connection.scalar(select(func.max(column)))
        connection.execute(select(func.setval(text(f"'{name}'"), last or 1, last is not None)))
