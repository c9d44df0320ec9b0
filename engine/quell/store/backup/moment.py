"""A store read from outside as of one moment, while its daemon goes on writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from quell.errors import StoreError
from quell.store.backup.plain import opened

SQLITE = "sqlite:///"


@contextmanager
def reading(url: str, directory: Path) -> Iterator[Connection]:
    """A connection in one transaction that only reads; all of it is of the moment of the first read.

    A relative file lies in ``directory``. Raises StoreError.
    """
    file = file_of(url, directory)
    if not file.is_file():
        raise StoreError(f"{file}: there is no such database; nothing was read")
    with opened(file, "ro", "read the store", "nothing was changed") as connection:
        yield connection


def file_of(url: str, directory: Path) -> Path:
    """The file of a SQLite store. Raises StoreError for another kind."""
    name = url.removeprefix(SQLITE)
    if name == url or not name:
        raise StoreError(f'a store of kind "{url.partition(":")[0]}" is kept nowhere; there is nothing to be done')
    return directory / name
