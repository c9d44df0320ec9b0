"""From the ``store`` setting to a store."""

from __future__ import annotations

from pathlib import Path

from quell.errors import StoreError
from quell.store.database import SqliteDatabase
from quell.store.memory import MemoryStore
from quell.store.port import Store
from quell.store.read_only import ReadOnly
from quell.store.reading import Reading
from quell.store.sql import SqlStore

MEMORY = ("memory:", "memory://")
_SQLITE = "sqlite:///"


def open_store(url: str, directory: Path, *, busy_timeout_s: float = 5.0) -> Store:
    """Opens ``memory:`` or ``sqlite:///FILE`` (a relative FILE lies in ``directory``), making or migrating the file.

    Another process's lock is waited for up to ``busy_timeout_s``, here and in every verb. Raises StoreError.
    """
    if url in MEMORY:
        return MemoryStore()
    file = url.removeprefix(_SQLITE)
    if file == url or not file:
        kind = url.partition(":")[0]  # the rest may hold a password
        raise StoreError(
            f'a store of kind "{kind}" is unknown; write sqlite:///quell.db (a file) or memory: (kept nowhere); '
            "the daemon does not start"
        )
    return SqlStore(SqliteDatabase(directory / file, busy_timeout_s=busy_timeout_s))


def open_for_reading(url: str, directory: Path, *, busy_timeout_s: float = 5.0) -> Reading:
    """Opens a store that somebody else may be writing to, to read what it holds. Raises StoreError."""
    if url in MEMORY:
        raise StoreError(f'the store "{url}" is kept nowhere: only its daemon knows what is in it')
    file = url.removeprefix(_SQLITE)
    if file == url or not file:
        kind = url.partition(":")[0]
        raise StoreError(f'a store of kind "{kind}" is unknown; write sqlite:///quell.db (a file); nothing was read')
    return Reading(ReadOnly(directory / file, busy_timeout_s=busy_timeout_s))
