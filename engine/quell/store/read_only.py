"""A second connection to a SQLite database, beside a daemon or without one: it can read and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from quell.errors import StoreError
from quell.store.database import T, Work, other_schema, reason_of, versions


class ReadOnly:
    """Holds the connection. Raises StoreError for a file that is missing, or written by another version of quell."""

    def __init__(self, file: Path, *, busy_timeout_s: float) -> None:
        self.place = str(file)
        if not file.exists():
            raise StoreError(f"{file}: there is no such file; nothing was read")
        address = f"{file.absolute().as_uri()}?mode=ro"

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(address, uri=True, timeout=busy_timeout_s, isolation_level=None)

        self._engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)
        with self._speaking("open it", "nothing was read"):
            self._connection = self._engine.connect()
        try:
            self._check_version()
        except StoreError:
            self.close()
            raise

    def read(self, what: str, then: str, work: Work[T]) -> T:
        """What ``work`` finds in one consistent look."""
        with self._speaking(what, then), self._connection.begin():
            self._connection.exec_driver_sql("BEGIN")
            return work(self._connection)

    def close(self) -> None:
        """Gives the file up."""
        self._connection.close()
        self._engine.dispose()

    def _check_version(self) -> None:
        found, newest = self.read("read its schema", "nothing was read", versions)
        if found != newest:
            raise StoreError(other_schema(self.place, found, newest))

    @contextmanager
    def _speaking(self, what: str, then: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StoreError(f"{self.place}: could not {what}: {reason_of(error)}; {then}") from error
