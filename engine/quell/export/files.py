"""Where an export goes: a file that is there whole or not at all, or standard output."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from quell.errors import ExportError

_MARK = b"\n"


def write_lines(lines: Iterable[bytes], out: IO[bytes], *, hidden: Callable[[bytes], bytes] = bytes) -> int:
    """Writes lines; returns how many. ``hidden`` takes out of a line what nobody may see."""
    count = 0
    for line in lines:
        out.write(hidden(line) + _MARK)
        count += 1
    return count


@contextmanager
def written(file: Path) -> Iterator[Path]:
    """A place beside ``file`` to write to; at the end it takes the file's place, on disk, or is gone after a failure.

    Raises `ExportError` when it cannot be written.
    """
    folder = file.absolute().parent
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=folder)
        os.close(handle)
    except OSError as error:
        raise ExportError(f"{file}: cannot be written: {error.strerror or error}; nothing was exported") from error
    part = Path(name)
    try:
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.chmod(_usual_mode())
        part.replace(file)
    except OSError as error:
        raise ExportError(
            f"{file}: could not be written whole: {error.strerror or error}; what was there before is untouched"
        ) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def opened_lines(file: Path) -> Iterator[IO[bytes]]:
    """A file for lines, packed if it is called ``.gz``. Raises `ExportError` as `written` does."""
    with written(file) as part:
        if file.suffix == ".gz":
            # No time and no name inside: the same records give the same bytes.
            with part.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                yield packed  # type: ignore[misc] # a GzipFile writes as IO does
        else:
            with part.open("wb") as stream:
                yield stream


def _usual_mode() -> int:
    """What a file gets that is made in the usual way; temporary ones are their owner's alone."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
