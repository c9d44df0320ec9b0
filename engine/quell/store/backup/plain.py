"""SQLite files beside a running store: read as of one moment, written anew, or only looked at."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from quell.errors import StoreError

NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""What a file system says that does not let a file have two names."""
_BUSY_TIMEOUT_S = 10.0
_FRESH = (
    "PRAGMA auto_vacuum=INCREMENTAL",  # as the store has it: a file that was made otherwise is written anew
    # Nobody takes the file for anything before it is whole and on the disk: it needs no journal.
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
)
_NO_DATABASE = "it is not a database"
_WHY = {
    "database or disk is full": "the disk is full",
    "disk I/O error": "the disk is full or broken",
    "database is locked": "another process keeps it locked",
    "file is not a database": _NO_DATABASE,
    "unable to open database file": "it cannot be opened",
}


@contextmanager
def opened(file: Path, mode: Literal["ro", "rw", "rwc"], what: str, then: str) -> Iterator[Connection]:
    """A connection to a file (with ``rwc`` a new one), within one transaction that ends with the block.

    What is read is the file as of the first read; a writer beside it goes on writing. ``what`` was tried and ``then``
    is what happens next, for the StoreError that any failure becomes.
    """
    engine = create_engine("sqlite://", creator=lambda: _connected(file, mode), poolclass=NullPool)
    try:
        with engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("BEGIN")
            yield connection
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreError(f"{file}: could not {what}: {_reason(error)}; {then}") from error
    finally:
        engine.dispose()


def damage(file: Path, then: str) -> str:
    """What SQLite finds wrong with a file; "" when it is whole. Raises StoreError when it cannot even be opened."""
    with opened(file, "ro", "read it", then) as connection:
        said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(5)")]
    return "" if said == ["ok"] else "; ".join(line.strip() for text in said for line in text.splitlines())


def on_disk(file: Path) -> None:
    """Returns when the file's content is on the disk. Raises OSError."""
    held = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def second_name(file: Path, name: Path) -> None:
    """Gives a file a second name, at once; where the file system has no such thing, ``name`` becomes a copy.

    Raises FileExistsError when the name is taken, and OSError.
    """
    try:
        os.link(file, name)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with file.open("rb") as held, name.open("xb") as copy:
            shutil.copyfileobj(held, copy)
        on_disk(name)


def remove(file: Path) -> None:
    """Removes a database with what SQLite keeps beside it, if there is any."""
    for end in ("", "-wal", "-shm", "-journal"):
        Path(f"{file}{end}").unlink(missing_ok=True)


def _connected(file: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(file.absolute()))}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
    if mode == "rwc":
        for pragma in _FRESH:
            connection.execute(pragma)
    return connection


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = (cause.strerror or str(cause)) if isinstance(cause, OSError) else str(cause)
    return _WHY.get(text, text)
