"""Appending a line that survives a crash, and finding one by its key. Blocking: call it from a thread."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec

TAIL_BYTES = 1024 * 1024
"""How far back a key is looked for: a repeat comes soon after its first try."""


class Line(msgspec.Struct, frozen=True):
    """What a line must have to be found again."""

    key: str = ""


def has_key(path: Path, key: str) -> bool:
    """Whether one of the last lines has the key; a line cut off by a crash does not count. Raises OSError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False  # a pipe or a device keeps nothing, and reading one may never end
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - TAIL_BYTES))
            tail = stream.read(TAIL_BYTES)
    except FileNotFoundError:
        return False
    return any(_key_of(line) == key for line in tail.split(b"\n")[:-1])


def append(path: Path, line: bytes) -> None:
    """Writes the line and a newline, on disk when it returns. Raises OSError."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        found = os.fstat(handle)
        regular, size = stat.S_ISREG(found.st_mode), found.st_size
        torn = regular and size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        left = (b"\n" if torn else b"") + line + b"\n"
        while left:
            left = left[os.write(handle, left) :]
        if regular:
            os.fsync(handle)
    finally:
        os.close(handle)


def _key_of(line: bytes) -> str:
    try:
        return msgspec.json.decode(line, type=Line).key
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
