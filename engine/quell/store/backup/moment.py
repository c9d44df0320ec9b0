"""A store read from outside as of one moment, while its daemon goes on writing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, text

from quell.errors import StoreError
from quell.store.backup.plain import opened
from quell.store.opening import postgresql
from quell.store.postgresql_url import SCHEMES

T = TypeVar("T")
SQLITE = "sqlite:///"
_PATIENCE_S = 10.0
_UNCHANGED = "nothing was changed"


def at_one_moment(url: str, directory: Path, work: Callable[[Connection], T]) -> T:
    """What ``work`` finds within one transaction that only reads; all of it is of the moment of the first read.

    It may be done twice, when a connection is lost. A relative file lies in ``directory``. Raises StoreError.
    """
    if url.startswith(SCHEMES):
        place, module = postgresql(url, _UNCHANGED)
        database = module.PostgresqlReadOnly(url, place, busy_timeout_s=_PATIENCE_S)
        try:
            found: T = database.read("read the store", _UNCHANGED, lambda connection: _of_one(connection, work))
        finally:
            database.close()
        return found
    file = file_of(url, directory)
    if not file.is_file():
        raise StoreError(f"{file}: there is no such database; {_UNCHANGED}")
    with opened(file, "ro", "read the store", _UNCHANGED) as connection:
        return work(connection)


def file_of(url: str, directory: Path) -> Path:
    """The file of a SQLite store. Raises StoreError for another kind."""
    name = url.removeprefix(SQLITE)
    if name == url or not name:
        raise StoreError(f'a store of kind "{url.partition(":")[0]}" is kept nowhere; there is nothing to be done')
    return directory / name


def shown(url: str, directory: Path) -> str:
    """A store by name, without what is secret."""
    if url.startswith(SCHEMES):
        name: str = postgresql(url, _UNCHANGED)[0].shown
        return name
    return str(file_of(url, directory))


def _of_one(connection: Connection, work: Callable[[Connection], T]) -> T:
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    return work(connection)
