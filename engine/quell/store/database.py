"""One SQLite database, one connection: pragmas, migrations, and transactions whose failures leave as StoreError."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from quell.errors import StoreError
from quell.store.vacuum import adopt, give_back

MIGRATIONS = "quell.store:migrations"
_PRAGMAS = (
    "PRAGMA auto_vacuum=INCREMENTAL",  # before anything is written: a file that has tables already does not take it
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on the disk when it returns, also through a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=8000",  # pages; with 1000 a stream of small commits waits for checkpoints
    "PRAGMA journal_size_limit=67108864",  # bytes the WAL file keeps after a burst
)
_WHY = {
    "database is locked": "another process keeps it locked",
    "database or disk is full": "the disk is full",
    "attempt to write a readonly database": "it may not be written",
    "UNIQUE constraint failed: journal.seq": "another process writes to the same store",
}


class Database:
    """Holds the one connection. Used from one thread at a time; ``place`` is the file, for messages."""

    def __init__(self, file: Path, *, busy_timeout_s: float) -> None:
        self.place = str(file)
        self._engine = create_engine(
            URL.create("sqlite", database=str(file)),
            # The driver begins and ends no transaction on its own: `transaction` does, once, and visibly.
            connect_args={"isolation_level": None, "timeout": busy_timeout_s, "check_same_thread": False},
        )
        event.listen(self._engine, "connect", _configure)
        with self._speaking("open the store", "the daemon does not start"):
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._engine.connect()
            adopt(self._driver, file)
        try:
            with self.transaction("bring the schema up to date", "the daemon does not start") as connection:
                command.upgrade(alembic_config(connection), "head")
        except CommandError as error:
            self.close()
            raise StoreError(
                f"{file}: was written by a newer quell ({error}); the daemon does not start, install that version"
            ) from error
        except StoreError:
            self.close()
            raise

    @contextmanager
    def transaction(self, what: str, then: str) -> Iterator[Connection]:
        """All or nothing, durable at the end of the block.

        ``what`` was tried and ``then`` is what happens next, for the StoreError that any failure becomes. The write
        lock is taken at the start, so that a lock is waited for before any work and not in the middle of it.
        """
        with self._speaking(what, then), self._connection.begin():
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield self._connection

    def compact(self) -> int:
        """Gives the disk back a slice of what is empty; returns how many bytes, 0 when it is not worth more."""
        with self._speaking("make the file smaller", "it stays as large as it is"):
            return give_back(self._driver)

    @property
    def _driver(self) -> sqlite3.Connection:
        """The driver's own connection: what belongs in no transaction."""
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver

    def close(self) -> None:
        """Gives the file up; what the WAL holds is moved into it if nobody else has it open."""
        with self._speaking("close the store", "what was committed is safe"):
            self._connection.close()
            self._engine.dispose()

    @contextmanager
    def _speaking(self, what: str, then: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise StoreError(f"{self.place}: could not {what}: {_reason(error)}; {then}") from error


def alembic_config(connection: Connection) -> Config:
    """What Alembic's commands need to work over an open connection."""
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    return config


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    text = str(cause)
    return _WHY.get(text, text)
