"""A backup: a store's content as of one moment in one file, tried out before it is given its name.

The file is a quell database in SQLite, whatever the store is, with a manifest beside the store's tables. It is copied
table by table within one transaction that only reads, so that the daemon goes on writing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from alembic import command
from alembic.util import CommandError
from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, insert, inspect, select

from quell.errors import StoreError
from quell.store.backup.contents import Contents, Decodes, contents_of
from quell.store.backup.copying import MANIFEST, Sum, copy_tables, revision_of, sums_of
from quell.store.backup.moment import SQLITE, at_one_moment, file_of, shown
from quell.store.backup.plain import NO_LINKS, damage, on_disk, opened, remove
from quell.store.upgrading import alembic_config

_KEPT_NOT = "there is no backup"
_MANIFEST = Table(MANIFEST, MetaData(), Column("manifest", LargeBinary, nullable=False))


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself. ``made_at`` in seconds, ``quell`` the version that made it, ``sums`` by table."""

    made_at: float
    quell: str
    revision: str
    sums: dict[str, Sum]


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was tried out. ``manifest`` is None for a database that `quell backup` did not make."""

    file: str
    size: int
    contents: Contents
    manifest: Manifest | None


def back_up(
    url: str, directory: Path, file: Path, *, now: float, version: str, decodes: Decodes, force: bool = False
) -> Backup:
    """Copies the store at ``url`` into ``file``, recovers from the copy once, and only then gives it that name.

    ``decodes`` raises a `QuellError` for a state that this version cannot read. Raises StoreError, and then ``file``
    is as it was before.
    """
    if _is_store(file, url, directory):
        raise StoreError(f"{file}: is the store itself; nothing was written, take another name")
    if file.exists() and not force:
        raise StoreError(f"{file}: is there already; nothing was written, take another name or --force")
    with _part_of(file) as part:
        revision, copied = at_one_moment(url, directory, lambda source: _copied(source, part, shown(url, directory)))
        try:
            contents = _tried(part, decodes)
        except StoreError as error:
            raise StoreError(f"what was copied is no good: {error}; {_KEPT_NOT}") from error
        with opened(part, "ro", "read the backup", _KEPT_NOT) as written:
            sums, revision_now = sums_of(written), revision_of(written) or ""
        if revision_now == revision and not contents.left_out and sums != copied:
            raise StoreError(f"{part}: does not hold what was written to it; {_KEPT_NOT}, look at the disk")
        manifest = Manifest(made_at=now, quell=version, revision=revision_now, sums=sums)
        with opened(part, "rw", "write the manifest", _KEPT_NOT) as target:
            _MANIFEST.create(target)
            target.execute(insert(_MANIFEST), {"manifest": msgspec.json.encode(manifest)})
        _named(part, file, force=force)
    return Backup(file=str(file), size=file.stat().st_size, contents=contents, manifest=manifest)


def _is_store(file: Path, url: str, directory: Path) -> bool:
    return url.startswith(SQLITE) and file.exists() and file.resolve() == file_of(url, directory).resolve()


def _copied(source: Connection, part: Path, name: str) -> tuple[str, dict[str, Sum]]:
    """Everything from a store into an empty file; the revision of its schema, and the sums of its tables."""
    revision = revision_of(source)
    if revision is None:
        raise StoreError(f'"{name}" holds no store of quell; {_KEPT_NOT}')
    os.truncate(part, 0)
    with opened(part, "rwc", "write the backup", _KEPT_NOT) as target:
        _schema(target, revision)
        return revision, copy_tables(source, target)


def tried(file: Path, decodes: Decodes) -> Backup:
    """Tries out a backup in its own place: it is changed by it (brought up to date, its manifest taken out).

    Raises StoreError for one that is damaged or that no daemon of this version could go on from.
    """
    manifest = intact(file)
    contents = _tried(file, decodes)
    return Backup(file=str(file), size=file.stat().st_size, contents=contents, manifest=manifest)


def intact(file: Path) -> Manifest | None:
    """The manifest of a backup, taken out of it, once every row has been compared with it."""
    then = "it is not used"
    if said := damage(file, then):
        raise StoreError(f"{file}: is damaged: {said}; {then}")
    with opened(file, "rw", "read the backup", then) as connection:
        if revision_of(connection) is None:
            raise StoreError(f"{file}: holds no store of quell; {then}")
        if not inspect(connection).has_table(MANIFEST):
            return None
        try:
            manifest = msgspec.json.decode(connection.scalar(select(_MANIFEST.c.manifest)) or b"", type=Manifest)
        except msgspec.DecodeError as error:
            raise StoreError(f"{file}: is damaged: its manifest cannot be read; {then}") from error
        found = sums_of(connection)
        wrong = sorted(name for name in {*found, *manifest.sums} if found.get(name) != manifest.sums.get(name))
        if wrong:
            raise StoreError(f"{file}: is damaged: not as it was written: {', '.join(wrong)}; {then}")
        _MANIFEST.drop(connection)
    return manifest


def _tried(file: Path, decodes: Decodes) -> Contents:
    contents = contents_of(file, decodes)
    if said := damage(file, "it is not used"):
        raise StoreError(f"{file}: is damaged: {said}")
    return contents


def _schema(target: Connection, revision: str) -> None:
    try:
        command.upgrade(alembic_config(target), revision)
    except CommandError as error:
        raise StoreError(f"the store was written by a newer quell ({error}); {_KEPT_NOT}, use that version") from error


@contextmanager
def _part_of(file: Path) -> Iterator[Path]:
    """A file beside ``file`` to write to, empty and nobody else's; it is gone at the end, unless it was renamed.

    What a killed backup left there is overwritten.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        held = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{part}: cannot be written: {error.strerror}; {_KEPT_NOT}") from error
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{part}: another backup is being written there; nothing was done") from None
        os.ftruncate(held, 0)
        try:
            yield part
        finally:
            remove(part)
    finally:
        os.close(held)


def _named(part: Path, file: Path, *, force: bool) -> None:
    """Gives the finished file its name at once, when all of it is on the disk."""
    try:
        on_disk(part)
        if force or not _linked(part, file):
            part.replace(file)
        on_disk(file.absolute().parent)
    except FileExistsError:
        raise StoreError(f"{file}: is there meanwhile; nothing was written, take another name") from None
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error.strerror}; {_KEPT_NOT}") from error


def _linked(part: Path, file: Path) -> bool:
    """Gives the part a second name, which fails when somebody has it; False where no file has two names."""
    try:
        os.link(part, file)
    except OSError as error:
        if error.errno in NO_LINKS and not file.exists():
            return False
        raise
    return True
