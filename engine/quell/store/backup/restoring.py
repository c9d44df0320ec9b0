"""A backup put in a store's place: tried out beside it first, swapped in at once, the old database kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import msgspec

from quell.errors import StoreError
from quell.model.times import format_time
from quell.store.backup.contents import Decodes
from quell.store.backup.making import Backup, back_up, tried
from quell.store.backup.moment import file_of
from quell.store.backup.moving_in import holds_anything, move_in
from quell.store.backup.plain import on_disk, remove, second_name
from quell.store.opening import postgresql
from quell.store.postgresql_url import SCHEMES

_PATIENCE_S = 5.0
_UNCHANGED = "the store is as it was"


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was put in place, and where the database that was there before is kept ("": there was none)."""

    backup: Backup
    store: str
    kept: str


def checked(file: Path, decodes: Decodes) -> Backup:
    """Recovers from a copy of a backup; ``file`` itself is not touched. Raises StoreError when no daemon could."""
    _there(file)
    try:
        with tempfile.TemporaryDirectory(prefix="quell-check-") as place:
            copy = Path(place) / file.name
            shutil.copyfile(file, copy)
            found = _tried_as(copy, file, decodes)
    except OSError as error:
        raise StoreError(
            f"{file}: could not be copied into {tempfile.gettempdir()} to be tried out: {error.strerror}; nothing was "
            "changed, set TMPDIR to where there is room"
        ) from error
    return msgspec.structs.replace(found, file=str(file), size=file.stat().st_size)


def restore(file: Path, url: str, directory: Path, *, now: float, version: str, decodes: Decodes) -> Restored:
    """Puts a backup in the place of the store at ``url``. The caller holds the claim of a SQLite store.

    Raises StoreError, and then the store is as it was. Whenever the process is killed, the database is either the old
    one or the new one, whole.
    """
    _there(file)
    if url.startswith(SCHEMES):
        return _into_postgresql(file, url, directory, now=now, version=version, decodes=decodes)
    return _into_sqlite(file, url, directory, now=now, decodes=decodes)


def _into_postgresql(file: Path, url: str, directory: Path, *, now: float, version: str, decodes: Decodes) -> Restored:
    """What is in the database is backed up beside ``file`` first, while the database is claimed."""
    place, module = postgresql(url, _UNCHANGED)
    try:
        with tempfile.TemporaryDirectory(prefix="quell-restore-") as scratch:
            copy = Path(scratch) / file.name
            shutil.copyfile(file, copy)
            found = _tried_as(copy, file, decodes)
            with closing(module.PostgresqlDatabase(url, place, busy_timeout_s=_PATIENCE_S)) as database:
                kept = _free(file, now) if holds_anything(database) else None
                if kept is not None:
                    back_up(url, directory, kept, now=now, version=version, decodes=decodes)
                move_in(copy, database)
    except OSError as error:
        raise StoreError(
            f"{file}: could not be copied into {tempfile.gettempdir()} to be tried out: {error.strerror}; "
            f"{_UNCHANGED}, set TMPDIR to where there is room"
        ) from error
    except StoreError as error:
        raise StoreError(str(error).replace("the daemon does not start", _UNCHANGED)) from error
    backup = msgspec.structs.replace(found, file=str(file), size=file.stat().st_size)
    return Restored(backup=backup, store=place.shown, kept="" if kept is None else str(kept))


def _tried_as(copy: Path, file: Path, decodes: Decodes) -> Backup:
    try:
        return tried(copy, decodes)
    except StoreError as error:
        raise StoreError(f"{str(error).replace(str(copy), str(file))}; {_UNCHANGED}") from error


def _into_sqlite(file: Path, url: str, directory: Path, *, now: float, decodes: Decodes) -> Restored:
    place = file_of(url, directory).absolute()
    if file.resolve() == place.resolve():
        raise StoreError(f"{file}: is the store itself; nothing was changed, name a backup")
    new = place.with_name(f"{place.name}.restoring")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        remove(new)  # what a killed restore left
        shutil.copyfile(file, new)
        found = _tried_as(new, file, decodes)
        _as_if_of_the_daemon(new, place)
        on_disk(new)
        kept = _put_aside(place, now)
        new.replace(place)
        on_disk(place.parent)
    except OSError as error:
        raise StoreError(f"{place}: could not be replaced: {error.strerror}; {_UNCHANGED}") from error
    finally:
        remove(new)
    backup = msgspec.structs.replace(found, file=str(file), size=file.stat().st_size)
    return Restored(backup=backup, store=str(place), kept=kept)


def _as_if_of_the_daemon(new: Path, place: Path) -> None:
    """Gives the file the mode of the one that was there, and its owner, who may be another than whoever restores."""
    if place.exists():
        shutil.copymode(place, new)
    if os.geteuid() == 0:
        like = (place if place.exists() else place.parent).stat()
        os.chown(new, like.st_uid, like.st_gid)


def _there(file: Path) -> None:
    if not file.is_file():
        raise StoreError(f"{file}: there is no such file; {_UNCHANGED}")


def _put_aside(place: Path, now: float) -> str:
    """Keeps the database under a second name, with all that was committed to it; it also stays where it is.

    What SQLite has in a log beside it is brought into it first: left there, it would be applied to the new one.
    """
    if not place.exists():
        for end in ("-wal", "-shm"):
            Path(f"{place}{end}").unlink(missing_ok=True)
        return ""
    kept, log = _free(place, now), Path(f"{place}-wal")
    kept_log = Path(f"{kept}-wal")
    if log.exists():
        second_name(log, kept_log)  # SQLite drops one that it cannot make sense of
    try:
        damaged = not _log_taken_in(place, log)
    except StoreError:
        kept_log.unlink(missing_ok=True)
        raise
    if damaged:
        for end in ("-wal", "-shm"):
            Path(f"{place}{end}").unlink(missing_ok=True)
    else:
        kept_log.unlink(missing_ok=True)
    second_name(place, kept)
    on_disk(place.parent)
    return str(kept)


def _log_taken_in(place: Path, log: Path) -> bool:
    """Brings what is in the log into the database, as whoever closes it last does; False when it is damaged."""
    try:
        with closing(sqlite3.connect(place, isolation_level=None, timeout=1.0)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.OperationalError as error:
        if "malformed" in str(error):
            return False
        raise StoreError(f"{place}: {error}; {_UNCHANGED}") from error
    except sqlite3.DatabaseError:
        return False
    if log.exists():
        raise StoreError(f"{place}: another process has it open; end that one first; {_UNCHANGED}")
    return True


def _free(place: Path, now: float) -> Path:
    """A name beside the database that nothing has."""
    stamp = format_time(now).partition(".")[0].removesuffix("Z").replace(":", "").replace("-", "")
    for number in range(1, 1000):
        kept = place.with_name(f"{place.name}.before-{stamp}" + (f"-{number}" if number > 1 else ""))
        if not kept.exists():
            return kept
    raise StoreError(f"{place}: too many former databases are kept beside it; {_UNCHANGED}, remove some")
