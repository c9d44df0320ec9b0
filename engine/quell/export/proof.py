"""Whether a file for an auditor is as it was written, by nothing but the file itself."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import msgspec

from quell.errors import ExportError
from quell.export.compared import HIDDEN, ToldAct, ToldRun, Trail
from quell.model.decision import Audit
from quell.store.chain import GENESIS, digest

MANIFEST = "manifest.json"
AUDIT = "audit.jsonl"
RUNS = "runs.jsonl"
ACTS = "acts.jsonl"
MOST_BYTES = 4_000_000_000
MOST_MANIFEST_BYTES = 20_000_000
MOST_LINE = 20_000_000
MOST_PROBLEMS = 20
FORMAT = 1


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file inside."""

    name: str
    lines: int
    size: int
    sha256: str


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the audit trail by its number and hash; number 0 is before the first ever."""

    n: int = 0
    hash: str = GENESIS


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds. ``anchor`` is the row before its audit trail, ``head`` the last one.

    ``rows_about`` are the rows about the entity and the rules; ``masked_rows`` held a secret, which is left out, so
    that their content is not proven. ``absent`` are keys of acts of its runs that the store did not keep any more.
    """

    format: int = FORMAT
    about: str
    made_at: float
    files: tuple[File, ...]
    anchor: Anchor
    head: Anchor
    rows_about: tuple[int, ...] = ()
    masked_rows: tuple[int, ...] = ()
    absent: tuple[str, ...] = ()


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it was hashed: times are numbers."""

    n: int
    audit: Audit
    prev_hash: str
    hash: str


def written_down(manifest: Manifest) -> bytes:
    """The manifest as it stands in the file."""
    return msgspec.json.format(msgspec.json.encode(manifest))


def digest_of(manifest: Manifest) -> str:
    """The hash that stands for the whole file."""
    return sha256(written_down(manifest)).hexdigest()


@dataclass(slots=True)
class Proof:
    """What came of it. ``digest`` stands for the whole file: whoever wrote it down can tell another one from it."""

    about: str = ""
    digest: str = ""
    rows: int = 0
    head: str = ""
    masked: int = 0
    files: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def proven(file: Path, expect: str = "") -> Proof:
    """Checks a file. ``expect`` is a digest, or the hash of an audit row, that was noted elsewhere.

    Raises `ExportError` when it is no such file at all.
    """
    found = Proof()
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _manifest(archive, file, found)
            _files(archive, manifest, found)
            hashes = _chain(archive, manifest, found) if not found.problems else {}
            if not found.problems:
                _compared(archive, manifest, found)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ExportError(f"{file}: cannot be read as a file for an auditor: {error}") from error
    if expect and not found.problems and not any(one.startswith(expect) for one in (found.digest, *hashes)):
        found.problems.append(f"neither the file nor a row of its audit trail has the hash {expect}")
    del found.problems[MOST_PROBLEMS:]
    return found


def _manifest(archive: zipfile.ZipFile, file: Path, found: Proof) -> Manifest:
    names = [info.filename for info in archive.infolist()]
    if names.count(MANIFEST) != 1 or archive.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
        raise ExportError(f"{file}: is no file for an auditor: it has no {MANIFEST} that can be read")
    data = archive.read(MANIFEST)
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ExportError(f"{file}: {MANIFEST} cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise ExportError(f"{file}: is of format {manifest.format}; this version knows {FORMAT}")
    found.about, found.digest = manifest.about, sha256(data).hexdigest()
    found.files = {one.name: one.lines for one in manifest.files}
    wanted = sorted([MANIFEST, *found.files])
    found.problems += [f"{name} is not in the file" for name in wanted if name not in names]
    found.problems += [f"{name} is no part of it, or there twice" for name in names if names.count(name) != 1]
    found.problems += [f"{name} is no part of it" for name in names if name not in wanted]
    if AUDIT not in found.files:
        found.problems.append(f"{AUDIT} is not in the file")
    return manifest


def _files(archive: zipfile.ZipFile, manifest: Manifest, found: Proof) -> None:
    if sum(info.file_size for info in archive.infolist()) > MOST_BYTES:
        found.problems.append(f"it unpacks to more than {MOST_BYTES} bytes")
        return
    for one in manifest.files:
        if one.name not in archive.namelist():
            continue
        hashed = sha256()
        with archive.open(one.name) as stream:
            while data := stream.read(1 << 20):
                hashed.update(data)
        if hashed.hexdigest() != one.sha256:
            found.problems.append(f"{one.name} was changed after it was written")


def _lines(stream: IO[bytes], type_: Any, name: str, found: Proof) -> Iterator[Any]:
    number = 0
    while line := stream.readline(MOST_LINE):
        number += 1
        try:
            yield msgspec.json.decode(line, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            found.problems.append(f"{name}, line {number}, cannot be read: {error}")
            return


def _chain(archive: zipfile.ZipFile, manifest: Manifest, found: Proof) -> dict[str, int]:
    """The hashes of the rows, when each follows from the one before."""
    last, masked, hashes = manifest.anchor, frozenset(manifest.masked_rows), {}
    if last.n == 0 and last.hash != GENESIS:
        found.problems.append("the audit trail does not begin at its beginning")
    with archive.open(AUDIT) as stream:
        for row in _lines(stream, AuditRow, AUDIT, found):
            wrong = ""
            if row.n != last.n + 1:
                wrong = f"audit row {last.n + 1} is missing"
            elif row.prev_hash != last.hash:
                wrong = f"audit row {row.n} does not continue the row before it"
            elif row.n in masked and HIDDEN not in str(row.audit):
                wrong = f"audit row {row.n} is said to have held a secret, and shows none that was left out"
            elif row.n not in masked and row.hash != digest(row.prev_hash, row.audit):
                wrong = f"audit row {row.n} was changed after it was written"
            if wrong:
                found.problems.append(wrong)
                return {}
            last = Anchor(n=row.n, hash=row.hash)
            hashes[row.hash] = row.n
            found.rows += 1
            found.masked += row.n in masked
    if last != manifest.head:
        found.problems.append(f"the audit trail ends at row {last.n}, but row {manifest.head.n} was written last")
    found.head = last.hash if found.rows else ""
    return hashes


def _compared(archive: zipfile.ZipFile, manifest: Manifest, found: Proof) -> None:
    """What runs and acts say has rows in the trail that say the same; those rows have their runs and acts."""
    trail, about, oldest = Trail(), frozenset(manifest.rows_about), ""
    with archive.open(AUDIT) as stream:
        for row in _lines(stream, AuditRow, AUDIT, found):
            oldest = oldest or row.prev_hash
            trail.take(row.audit, about=row.n in about)
    if oldest not in {"", GENESIS}:
        return  # what is older than the trail cannot be in it
    told = []
    for name, type_ in ((RUNS, ToldRun), (ACTS, ToldAct)):
        if name not in found.files:
            return
        with archive.open(name) as stream:
            told.append(list(_lines(stream, type_, name, found)))
    found.problems += trail.misfits(told[0], told[1], manifest.absent)
