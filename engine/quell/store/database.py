"""What the store needs of a database, and SQLite's: one file, one connection, pragmas, migrations, transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, create_engine, event, insert, inspect, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from quell.errors import StoreError
from quell.store.journal import JournalRow
from quell.store.port import Lease
from quell.store.tables import METADATA, NEWEST, VERSIONS
from quell.store.vacuum import adopt, give_back, prepare

T = TypeVar("T")
Work = Callable[[Connection], T]
"""What is done within one transaction. It may be done twice, when a connection was lost; the first time never was."""

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on the disk when it returns, also through a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=8000",  # pages; with 1000 a stream of small commits waits for checkpoints
    "PRAGMA journal_size_limit=67108864",  # bytes the WAL file keeps after a burst
)
_APPEND = (
    "INSERT INTO journal (seq, now, count, packed, records) SELECT ?, ?, ?, ?, ? "
    "WHERE (SELECT value FROM meta WHERE name = 'lease') IS ?"
)
_WHY = {
    "database is locked": "another process keeps it locked",
    "database or disk is full": "the disk is full",
    "attempt to write a readonly database": "it may not be written",
    "UNIQUE constraint failed: journal.seq": "another process writes to the same store",
}


def unheard(_result: object) -> None:
    """For whoever need not know what a transaction brought about, once it is committed."""


class Database(Protocol):
    """Transactions, all or nothing. Used from one thread at a time; ``place`` names the database in messages.

    In each verb ``what`` is tried and ``then`` is what happens next, for the `StoreError` that any failure becomes.
    """

    place: str
    guard: Callable[[Connection], None] | None
    """Asked in every transaction that writes, first, and before a lost session is taken up again. Raises Fenced."""
    outlasted: Lease | None
    """The lease of a former owner that renewed it no more while this one waited for its end."""

    def read(self, what: str, then: str, work: Work[T]) -> T:
        """What ``work`` finds; it writes nothing."""
        ...

    def write(self, what: str, then: str, work: Work[T], *, kept: Callable[[T], None] = unheard) -> T:
        """What ``work`` returns, durable.

        ``kept`` is told the same as soon as it is known to be durable. That is before this returns, or, when the
        database fell silent over the commit and a StoreError was raised for it, once it can be asked again.
        """
        ...

    def append(self, what: str, then: str, row: JournalRow, lease: bytes | None) -> bool:
        """Adds one row to the journal, durable, in one statement, if the lease is kept as ``lease`` says.

        False when it is not, or this kind of database does not do it so: nothing was written, and `write` has its say.
        """
        ...

    def leave_word(self, work: Work[None]) -> None:
        """Writes although another owns the database now: only what that one does not write itself."""
        ...

    def compact(self) -> int:
        """See `quell.store.port.Store.compact`."""
        ...

    def close(self) -> None:
        """Gives the database up."""
        ...


class SqliteDatabase:
    """Holds the one connection; ``place`` is the file."""

    def __init__(self, file: Path, *, busy_timeout_s: float) -> None:
        self.place = str(file)
        self.guard: Callable[[Connection], None] | None = None
        self.outlasted: Lease | None = None
        self._engine = create_engine(
            URL.create("sqlite", database=str(file)),
            # The driver begins and ends no transaction on its own: `transaction` does, once, and visibly.
            connect_args={"isolation_level": None, "timeout": busy_timeout_s, "check_same_thread": False},
        )
        if not file.exists() or not file.stat().st_size:
            event.listen(self._engine, "connect", prepare)
        event.listen(self._engine, "connect", _configure)
        with self._speaking("open the store", "the daemon does not start"):
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._engine.connect()
        try:
            self.write("bring the schema up to date", "the daemon does not start", migrate)
            with self._speaking("make the file one that can become smaller", "the daemon does not start"):
                adopt(self._driver, file)
        except UnknownSchema as error:
            self.close()
            raise StoreError(newer(self.place, error)) from error
        except StoreError:
            self.close()
            raise

    def read(self, what: str, then: str, work: Work[T]) -> T:
        with self.transaction(what, then) as connection:
            return work(connection)

    def write(self, what: str, then: str, work: Work[T], *, kept: Callable[[T], None] = unheard) -> T:
        with self.transaction(what, then) as connection:
            if self.guard is not None:
                self.guard(connection)
            result = work(connection)
        kept(result)
        return result

    def append(self, what: str, then: str, row: JournalRow, lease: bytes | None) -> bool:
        # Outside of a transaction a statement is one of its own: the interpreter's lock is given up once for all of it.
        with self._speaking(what, then):
            return self._driver.cursor().execute(_APPEND, (*row, lease)).rowcount == 1

    def leave_word(self, work: Work[None]) -> None:
        with self.transaction("leave word of what was refused", "nobody else is told") as connection:
            work(connection)

    @contextmanager
    def transaction(self, what: str, then: str) -> Iterator[Connection]:
        """All or nothing, durable at the end of the block.

        The write lock is taken at the start, so that a lock is waited for before any work and not in the middle of it.
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
            raise StoreError(f"{self.place}: could not {what}: {reason_of(error)}; {then}") from error


class UnknownSchema(Exception):
    """A schema that this version does not know."""


def migrate(connection: Connection) -> None:
    """Brings the schema up to date. Raises UnknownSchema for one that this version does not know.

    A new database gets the tables as they are now; what leads from one version to the next is imported when there is
    such a step to go.
    """
    found, newest = versions(connection)
    if found == newest:
        return
    if found is None and not inspect(connection).get_table_names():
        METADATA.create_all(connection)
        VERSIONS.create(connection)
        connection.execute(insert(VERSIONS).values(version_num=newest))
    else:
        import_module("quell.store.upgrading").upgrade(connection)


def versions(connection: Connection) -> tuple[str | None, str]:
    """The schema of a database, and the newest that this quell knows."""
    if not inspect(connection).has_table(VERSIONS.name):
        return None, NEWEST
    return connection.execute(select(VERSIONS.c.version_num)).scalars().first(), NEWEST


def other_schema(place: str, found: str | None, newest: str) -> str:
    """What is said to somebody who only reads and finds the schema of another version."""
    return (
        f"{place}: holds schema {found or 'none'} and this quell reads {newest}; start the daemon of this version "
        "once, which brings it up to date, or read it with the version that wrote it; nothing was read"
    )


def newer(place: str, error: UnknownSchema) -> str:
    """What is said of a database whose schema this version does not know."""
    return f"{place}: was written by a newer quell ({error}); the daemon does not start, install that version"


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def reason_of(error: Exception) -> str:
    """What went wrong, in words where there are better ones than the database's."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    text = str(cause)
    return _WHY.get(text, text)
