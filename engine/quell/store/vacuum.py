"""How a SQLite file becomes smaller: pages that trimming left empty go back to the disk, a few at a time.

A file that knows where its pages belong (`auto_vacuum = INCREMENTAL`) can be cut piece by piece. That must be said
before the first table is made; a file from before is written anew once, when it is opened and not too large.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

INCREMENTAL = 2
LARGEST_REWRITE = 1 << 30
"""Bytes of the largest file that is written anew at a start: that takes about ten seconds. Larger ones stay."""
_ROOM = 2.5
"""A rewrite needs the file once more beside it, and once more in the write-ahead log."""
_PAGES_A_SLICE = 500
"""Pages moved at once, 2 MB: some milliseconds in which nobody else writes."""
_RESERVE_PAGES = 1_024
_RESERVE_SHARE = 20
"""A twentieth of the file may stay empty, and 4 MB: new rows take these pages, and none has to be moved for it."""


def prepare(connection: sqlite3.Connection, _record: object = None) -> None:
    """Lets a new file be cut; to be called before anything else."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")


def adopt(connection: sqlite3.Connection, file: Path) -> bool:
    """Lets a file from before be cut from now on; False where that would take too long or too much space."""
    if _number(connection, "auto_vacuum") == INCREMENTAL:
        return True
    size = file.stat().st_size
    if size > LARGEST_REWRITE or shutil.disk_usage(file.absolute().parent).free < _ROOM * size:
        return False
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError:
        return False  # somebody reads it just now, or it did not fit after all: nothing was changed
    cut_log(connection)
    return True


def give_back(connection: sqlite3.Connection) -> int:
    """Cuts one slice off the file; returns its bytes, 0 when little enough is empty. Not within a transaction.

    With the last slice the write-ahead log is cut too, unless somebody reads: then another time.
    """
    if _number(connection, "auto_vacuum") != INCREMENTAL:
        return 0
    empty, pages = _number(connection, "freelist_count"), _number(connection, "page_count")
    spare = empty - max(_RESERVE_PAGES, pages // _RESERVE_SHARE)
    if spare <= 0:
        return 0
    # Each step gives back one page: it has to be stepped through to the end.
    connection.execute(f"PRAGMA incremental_vacuum({min(spare, _PAGES_A_SLICE)})").fetchall()
    cut = pages - _number(connection, "page_count")
    if spare <= _PAGES_A_SLICE or not cut:
        cut_log(connection)
    return cut * _number(connection, "page_size")


def cut_log(connection: sqlite3.Connection) -> None:
    """Moves the write-ahead log into the file and empties it; waits for nobody."""
    patience = _number(connection, "busy_timeout")
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError:
        pass  # somebody reads just now; the log stays as it is until the next time
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)
