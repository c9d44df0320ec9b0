"""Which files may be run: those that nobody but root and quell itself can change."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from quell.errors import Refused

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def runnable(directory: str, name: str) -> Path:
    """The path of a script. Raises `Refused` for what somebody else could have put there or could change."""
    folder = Path(directory)
    if not folder.is_absolute():
        raise Refused(f'directory: "{directory}" is no absolute path; nothing was run')
    for above in (*reversed(folder.parents), folder):
        _check_folder(above, last=above == folder)
    path = folder / name
    found = _stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{path} is no file (links are not followed); nothing was run")
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & _OTHERS:
        raise Refused(f"{path} can be changed by others than root and quell; nothing was run")
    if found.st_mode & (stat.S_ISUID | stat.S_ISGID):
        raise Refused(f"{path} would run with the rights of its owner; nothing was run")
    if not found.st_mode & 0o111:
        raise Refused(f"{path} is not executable; nothing was run")
    return path


def _check_folder(folder: Path, *, last: bool) -> None:
    found = _stat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise Refused(f"{folder} is no directory (links are not followed); nothing was run")
    # In a sticky directory such as /tmp others can add names, but not replace what is not theirs.
    open_to_others = found.st_mode & _OTHERS and (last or not found.st_mode & stat.S_ISVTX)
    if found.st_uid not in (0, os.geteuid()) or open_to_others:
        raise Refused(f"{folder} can be changed by others than root and quell; nothing was run")


def _stat(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except OSError as error:
        raise Refused(f"{path} cannot be looked at: {error.strerror}; nothing was run") from error
