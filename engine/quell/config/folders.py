"""The files below a folder of the configuration, as people mean it: linked ones too, nothing that is hidden."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from quell.errors import Problem

YAML = (".yaml", ".yml")
_TESTS = (".test.yaml", ".test.yml")
SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors that say nothing of the file that cannot be read, and may be over in a moment."""
_LASTING = (PermissionError, NotADirectoryError, FileNotFoundError)


def files_below(top: Path, endings: tuple[str, ...], closed: list[OSError] | None = None) -> list[Path]:
    """Files whose names end so, tests of rules left out, in order; none where ``top`` is not there.

    Folders that cannot be looked into are added to ``closed``, and files that cannot be read are among the files: who
    reads them says why. Raises OSError for what may be otherwise in a moment, as when no file is free.
    """
    if not os.path.lexists(top):
        return []
    refused: list[OSError] = []
    found: list[Path] = []
    for here, names in _folders(top, refused):
        found += [
            here / name
            for name in names
            if name.endswith(endings) and not name.endswith(_TESTS) and not name.startswith(".")
        ]
    for error in refused:
        if not isinstance(error, _LASTING):
            raise error
    if closed is not None:
        closed += refused
    return sorted(path for path in found if _may_be_read(path))


def why_unread(error: OSError) -> str:
    """What to say of a file that cannot be read. Raises the error where that may be otherwise in a moment."""
    return f"the file cannot be read: {lasting(error).strerror}"


def lasting(error: OSError) -> OSError:
    """The error, if it says something of the file. Raises it where that may be otherwise in a moment."""
    if error.errno in SHORT:
        raise error
    return error


def names_of(files: Iterable[Path], directory: Path, problems: list[Problem]) -> list[str]:
    """Files by their names below ``directory``. One whose name is no text could be named nowhere: it is a problem."""
    names = [path.relative_to(directory).as_posix() for path in files]
    for name in names:
        if not _is_text(name):
            shown = os.fsencode(name).decode("utf-8", "backslashreplace")
            problems.append(Problem(shown, 0, 0, "the name of the file is not UTF-8 text", "rename it"))
    return [name for name in names if _is_text(name)]


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def closed_folders(directory: Path, closed: list[OSError]) -> list[Problem]:
    """A problem for each folder that could not be looked into; without them rules would go away unnoticed."""
    return [
        Problem(
            Path(error.filename).relative_to(directory).as_posix(),
            0,
            0,
            f"the folder cannot be read: {error.strerror}",
        )
        for error in closed
    ]


def _folders(top: Path, refused: list[OSError]) -> Iterator[tuple[Path, list[str]]]:
    """Each folder below ``top`` with the names in it, once, however many links lead there or round in a ring."""
    seen: set[str] = set()
    left = [top]
    for start in left:
        for folder, folders, names in os.walk(start, onerror=refused.append):
            here, real = Path(folder), os.path.realpath(folder)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            # What is hidden is the copy behind the links, where Kubernetes puts files: each would be read twice.
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            # Links after all that lies below by itself, which is known by its own name then.
            links = (here / name for name in folders if (here / name).is_symlink())
            left += [link for link in links if not _holds(link, here) and not _holds(link, top)]
            yield here, names


def _holds(link: Path, folder: Path) -> bool:
    """Whether a link leads to a folder that this one is, or stands in."""
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(link))


def _may_be_read(path: Path) -> bool:
    """Whether it is a file, or cannot be looked at: a link to nothing is a mistake that somebody has to hear of."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True
