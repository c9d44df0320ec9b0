"""Inserts that meet a row of their key, said in the words of whatever database is connected.

SQLite and PostgreSQL know the same clause; SQLAlchemy has an insert of its own for each.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Column, Connection, Table


def replacing(connection: Connection, table: Table) -> Any:
    """An insert that takes the place of the row with the same primary key."""
    return _replacing(connection.dialect.name, table)


def unless_known(connection: Connection, column: Column[Any], returning: Column[Any]) -> Any:
    """An insert that leaves the row with the same ``column`` as it is, and then returns nothing."""
    return _unless_known(connection.dialect.name, column, returning)


@cache
def _replacing(dialect: str, table: Table) -> Any:
    statement = _insert(dialect, table)
    keys = list(table.primary_key.columns)
    values = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=[column.name for column in keys], set_=values)


@cache
def _unless_known(dialect: str, column: Column[Any], returning: Column[Any]) -> Any:
    return _insert(dialect, column.table).on_conflict_do_nothing(index_elements=[column.name]).returning(returning)


def _insert(dialect: str, table: Any) -> Any:
    # Imported by name, for a daemon on SQLite has no use for the other's forty milliseconds.
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
