"""Disks that can be full or read-only, as real as this machine's rights allow."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path


@cache
def may_mount() -> bool:
    """Whether this process may mount a file system of its own."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as directory:
        if _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", directory):
            _run("umount", directory)
            return True
    return False


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system in memory of that size, mounted at ``place``."""
    place.mkdir()
    assert _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        yield place
    finally:
        _run("umount", "-l", str(place))


def fill(place: Path) -> Path:
    """The file that takes all space that is left there."""
    ballast = place / "ballast"
    with ballast.open("ab", buffering=0) as opened, suppress(OSError):
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    opened.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return ballast


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """A directory in which nothing can be written, not even by root."""
    if may_mount():
        assert _mount("--bind", str(directory), str(directory))
        try:
            assert _mount("-o", "remount,bind,ro", str(directory))
            yield
        finally:
            _run("umount", "-l", str(directory))
        return
    modes = {path: path.stat().st_mode for path in (directory, *directory.iterdir())}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def _mount(*arguments: str) -> bool:
    return _run("mount", *arguments) == 0


def _run(*command: str) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode
