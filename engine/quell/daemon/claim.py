"""One daemon to a store: a lock beside the database that goes with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from quell.errors import InUse, StoreError

_SQLITE = "sqlite:///"


@contextmanager
def claimed(store: str) -> Generator[None]:
    """Holds ``<file>.lock`` while a SQLite file is used. Raises InUse when another daemon holds it."""
    if not store.startswith(_SQLITE):
        yield
        return
    path = Path(store.removeprefix(_SQLITE) + ".lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror}; the daemon does not start") from error
    try:
        if os.geteuid() == 0:  # who restores a backup may be root, and the daemon is to find its lock its own
            owner = path.parent.stat()
            os.fchown(lock, owner.st_uid, owner.st_gid)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise InUse(
                f'store "{store}" is in use by another quell (process {holder}); end that one, or give this one its own'
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)
