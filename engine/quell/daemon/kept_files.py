"""Files that quell writes once and that are people's from then on."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_LONGEST = 80


def safe_name(text: str) -> str:
    """A text as the name of a file, whatever is in it; another one for each text."""
    plain = "".join(letter if letter in _SAFE else "_" for letter in text)[:_LONGEST]
    return plain if plain == text and text else f"{plain}-{sha256(text.encode()).hexdigest()[:12]}"


def keep_once(path: Path, text: str) -> bool:
    """Writes a file, whole or not at all; False when something stands there already: that is left as it is.

    Its directory is made if need be. Raises OSError.
    """
    if os.path.lexists(path):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.tmp")
    try:
        with open(  # noqa: PTH123 - a path opens no descriptor of its own making
            os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666),
            "w",
            encoding="utf-8",
            errors="replace",
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(making, path)  # never over something that came meanwhile
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            if os.path.lexists(path):
                return False
            making.replace(path)
    finally:
        with suppress(OSError):
            making.unlink(missing_ok=True)
    _sync(path.parent)
    return True


def _sync(directory: Path) -> None:
    """The name is on the disk, too, where a directory can be synced."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
