"""From the ``store`` setting to a store."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from quell.errors import StoreError
from quell.store.database import SqliteDatabase
from quell.store.memory import MemoryStore
from quell.store.port import Store
from quell.store.postgresql_url import SCHEMES, Place
from quell.store.read_only import ReadOnly
from quell.store.reading import Reading
from quell.store.sql import SqlStore

MEMORY = ("memory:", "memory://")
_SQLITE = "sqlite:///"


def open_store(url: str, directory: Path, *, busy_timeout_s: float = 5.0) -> Store:
    """Opens ``memory:``, ``sqlite:///FILE`` (a relative FILE lies in ``directory``) or ``postgresql://…``.

    The file is made if need be, and the schema brought up to date. Another process's lock is waited for up to
    ``busy_timeout_s``, here and in every verb. Raises StoreError.
    """
    if url in MEMORY:
        return MemoryStore()
    if url.startswith(SCHEMES):
        place, module = postgresql(url, "the daemon does not start")
        return SqlStore(module.PostgresqlDatabase(url, place, busy_timeout_s=busy_timeout_s))
    file = url.removeprefix(_SQLITE)
    if file == url or not file:
        kind = url.partition(":")[0]  # the rest may hold a password
        raise StoreError(
            f'a store of kind "{kind}" is unknown; write sqlite:///quell.db (a file), postgresql://… or memory: '
            "(kept nowhere); the daemon does not start"
        )
    return SqlStore(SqliteDatabase(directory / file, busy_timeout_s=busy_timeout_s))


def open_for_reading(url: str, directory: Path, *, busy_timeout_s: float = 5.0) -> Reading:
    """Opens a store that somebody else may be writing to, to read what it holds. Raises StoreError."""
    if url in MEMORY:
        raise StoreError(f'the store "{url}" is kept nowhere: only its daemon knows what is in it')
    if url.startswith(SCHEMES):
        place, module = postgresql(url, "nothing was read")
        return Reading(module.PostgresqlReadOnly(url, place, busy_timeout_s=busy_timeout_s))
    file = url.removeprefix(_SQLITE)
    if file == url or not file:
        kind = url.partition(":")[0]
        raise StoreError(
            f'a store of kind "{kind}" is unknown; write sqlite:///quell.db (a file) or postgresql://…; '
            "nothing was read"
        )
    return Reading(ReadOnly(directory / file, busy_timeout_s=busy_timeout_s))


def postgresql(url: str, then: str) -> tuple[Place, Any]:
    """Where the database is, and the module that speaks to it, imported only now: few need its driver."""
    try:
        place = Place(url)
    except ValueError as error:
        raise StoreError(f"the store cannot be opened: {error}; {then}") from None
    try:
        import_module("greenlet")  # SQLAlchemy misses it only when it is used
        return place, import_module("quell.store.postgresql")
    except ImportError as error:
        raise StoreError(
            f"{place.shown}: PostgreSQL needs {error.name}, which is not installed: pip install 'quell[postgres]'; "
            f"{then}"
        ) from error
