"""A file that grows line by line, with a note beside it of how far it is: what is interrupted goes on from there.

Lines first, then the note, both on disk: after a crash the file is cut to what the note says, and asked for again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import msgspec

from quell.cli.exits import Failed
from quell.export.lines import record_line
from quell.model.records import AnyRecord


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """``asked`` is what the file is for, ``file`` its name, ``bytes`` its length, ``cursor`` where to go on."""

    asked: Mapping[str, str]
    file: str
    bytes: int = 0
    cursor: str | None = None


class Growing:
    """``note`` is None before anything was written. Raises `Failed` when files cannot be written."""

    def __init__(self, note_file: Path) -> None:
        self._note_file = note_file
        self.note = self._read()

    def add(self, file: Path, records: Iterable[AnyRecord], cursor: str | None, asked: Mapping[str, str]) -> int:
        """Writes records behind what the note knows of the file, or behind all of a file that it does not know.

        Gives how many.
        """
        lines = [record_line(record) + b"\n" for record in records]
        known = self.note.bytes if self.note is not None and self.note.file == file.name else None
        try:
            with file.open("r+b" if file.exists() else "x+b") as stream:
                stream.seek(_whole_lines(stream) if known is None else min(known, os.fstat(stream.fileno()).st_size))
                stream.truncate()
                stream.writelines(lines)
                stream.flush()
                os.fsync(stream.fileno())
                length = stream.tell()
            self._keep(Note(asked=asked, file=file.name, bytes=length, cursor=cursor))
        except OSError as error:
            raise Failed(
                f"{file}: cannot be written: {error.strerror or error}; it goes on from here next time"
            ) from error
        return len(lines)

    def forget(self) -> None:
        """Takes the note away, as the file is whole."""
        self._note_file.unlink(missing_ok=True)
        self.note = None

    def _keep(self, note: Note) -> None:
        part = self._note_file.with_name(self._note_file.name + ".new")
        with part.open("wb") as stream:
            stream.write(msgspec.json.encode(note))
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self._note_file)
        self.note = note

    def _read(self) -> Note | None:
        try:
            return msgspec.json.decode(self._note_file.read_bytes(), type=Note)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise Failed(f"{self._note_file}: cannot be read: {error}; take it away to begin anew") from error


def _whole_lines(stream: IO[bytes]) -> int:
    """How long the file is without a line that was cut off."""
    length = 0
    for line in stream:
        length += len(line) if line.endswith(b"\n") else 0
    return length
