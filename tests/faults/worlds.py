"""What may be wrong with the world of a process: each function takes one thing from it, before quell begins there.

Named by ``before`` of `faults.nursery`; they run in the born process only.
"""

from __future__ import annotations

import mmap
import os
import signal
import sqlite3
import struct
import time
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import apscheduler.schedulers.base
import apscheduler.triggers.interval

from faults.deaths import dies_at, with_target
from quell.core.engine import Engine
from quell.daemon import daemon, schedule
from quell.daemon.clock import Clock
from quell.store import lease
from quell.store.port import Accepted, Group
from quell.store.sql import SqlStore

__all__ = ["dies_at", "with_target"]

_EVERY = 5
"""Steps of SQLite's machine between two looks."""


def killed_inside(steps: int) -> None:
    """SIGKILL in the middle of a statement: once SQLite has done so many steps, whatever they were for."""
    left = steps

    def look() -> int:
        nonlocal left
        left -= _EVERY
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    _on_connection(lambda connection: connection.set_progress_handler(look, _EVERY))


def readonly_while(there: str) -> None:
    """No connection may write while a file of that name exists: SQLite says that the database is read-only."""
    flag = Path(there)

    class Watched(sqlite3.Connection):
        def cursor(self, *arguments: Any, **named: Any) -> Any:
            cursor = super().cursor(*arguments, **named)
            cursor.execute(f"PRAGMA query_only={int(flag.exists())}")
            return cursor

    _with_class(Watched)


def wall_clock_of(file: str) -> None:
    """The wall clock is as many seconds ahead as the first 8 bytes of a file say (`Wall` writes them)."""
    with Path(file).open("r+b") as opened:
        shared = mmap.mmap(opened.fileno(), 8)
    real = time.time

    def shifted() -> float:
        return real() + float(struct.unpack("d", shared)[0])

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Shifted:
            return cls.fromtimestamp(shifted(), tz)

    time.time = shifted
    defaults = Clock.__init__.__kwdefaults__
    assert defaults is not None
    defaults["wall"] = shifted
    for module in (schedule, apscheduler.schedulers.base, apscheduler.triggers.interval):
        vars(module)["datetime"] = Shifted


class Wall:
    """The other end of `wall_clock_of`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.write_bytes(struct.pack("d", 0.0))

    def ahead(self, seconds: float) -> None:
        """The clock jumps; ``seconds`` is how far it is ahead of the real one from now on."""
        with self.file.open("r+b") as opened:
            opened.write(struct.pack("d", seconds))


def trims_every(seconds: float) -> None:
    """Old rows are removed this often."""
    daemon._TRIM_EVERY_S = seconds  # type: ignore[attr-defined]


def lease_of(seconds: float) -> None:
    """A lease lasts that long."""
    lease.LEASE_S = seconds


def slow_core(seconds: float) -> None:
    """The core takes that long for every record."""
    parts = Engine.parts

    def slowly(self: Engine, records: Any, now: float) -> Any:
        time.sleep(seconds * len(records))
        yield from parts(self, records, now)

    Engine.parts = slowly  # type: ignore[method-assign]


def slow_disk(seconds: float) -> None:
    """Every group takes that long to be kept."""
    accept = SqlStore.accept

    def slowly(self: SqlStore, accepted: Accepted) -> Group:
        time.sleep(seconds)
        return accept(self, accepted)

    SqlStore.accept = slowly  # type: ignore[method-assign]


def core_fails_on(label: str) -> None:
    """The core fails on every alert with that label."""
    parts = Engine.parts

    def failing(self: Engine, records: Any, now: float) -> Any:
        found = [*parts(self, records, now)]  # first, so that a failed core is left half-way
        for record in records:
            if label in getattr(record, "labels", ()):
                raise RuntimeError(f"cannot digest {record.labels[label]}")
        yield from found

    Engine.parts = failing  # type: ignore[method-assign]


def _on_connection(do: Callable[[sqlite3.Connection], None]) -> None:
    real = sqlite3.dbapi2.connect

    def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection = real(*arguments, **named)
        do(connection)
        return connection

    sqlite3.dbapi2.connect = connect  # type: ignore[assignment]


def _with_class(kind: type[sqlite3.Connection]) -> None:
    real = sqlite3.dbapi2.connect

    def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return real(*arguments, **{**named, "factory": kind})

    sqlite3.dbapi2.connect = connect  # type: ignore[assignment]
