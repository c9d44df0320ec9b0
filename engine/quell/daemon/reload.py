"""Takes up a changed configuration while running, or keeps the last good one and says what is wrong with the new."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from quell.config import watched
from quell.config.folders import SHORT
from quell.daemon.metrics import Metrics
from quell.errors import Misconfigured, Problem

_LOOK_EVERY_S = 2.0
Stamp = tuple[tuple[str, int, int], ...]
"""Name, time and size of files."""


class Reloader:
    """``load`` reads and takes up the configuration of ``path``; it raises `Misconfigured` before anything changed.

    ``problems`` are what keeps a new one from being taken up, ``warnings`` what is worth a look in the one in use.
    """

    def __init__(
        self, path: Path, load: Callable[[], Awaitable[str]], metrics: Metrics, now: Callable[[], float]
    ) -> None:
        self.problems: list[Problem] = []
        self.warnings: Sequence[Problem] = ()
        self.version = ""
        self.loaded_at = now()
        self._path = path
        self._load = load
        self._metrics = metrics
        self._now = now
        self._asked = asyncio.Event()
        self._one = asyncio.Lock()
        self._digest = ""
        """Of what is in use, or was found wrong; empty as long as nobody has looked."""
        self._log = structlog.get_logger("quell.reload")

    def ask(self) -> None:
        """Reload now, whether or not a file changed (SIGHUP)."""
        self._asked.set()

    async def run(self, look_every_s: float = _LOOK_EVERY_S) -> None:
        """Looks for changed files until cancelled."""
        stamp: Stamp = ()
        asked = False
        while True:
            try:
                if asked or await asyncio.to_thread(self._stamp) != stamp:
                    stamp, digest = await asyncio.to_thread(self._look)
                    if asked or digest != (self._digest or digest):
                        await self.reload()
                    self._digest = self._digest or digest
                asked = False
            except OSError as error:  # no file is free for a moment, say: what is in use stays
                stamp = ()
                self._log.error("cannot see whether the configuration changed; tried again", error=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(look_every_s):
                    await self._asked.wait()
                    asked = True
            self._asked.clear()

    def _stamp(self) -> Stamp:
        return stamp_of(watched(self._path.parent))

    def _look(self) -> tuple[Stamp, str]:
        files = watched(self._path.parent)
        return stamp_of(files), digest_of(files)

    async def reload(self) -> bool:
        """Once, now; whether the new configuration is in use. Raises OSError while no file can be opened.

        One after another: a file changed and a commit taken at once must not end with the older of both in use.
        """
        async with self._one:
            return await self._reloaded()

    async def _reloaded(self) -> bool:
        _, digest = await asyncio.to_thread(self._look)
        try:
            version = await self._load()
        except Misconfigured as error:
            self._digest = digest
            self.problems = error.problems
            self._metrics.reloads.labels("refused").inc()
            for problem in error.problems:
                self._log.error("configuration not taken up", problem=str(problem))
            self._log.error(f"{error.summary}; nothing was loaded, the last good configuration stays in use",
                            version=self.version)  # fmt: skip
            return False
        except Exception as error:
            if isinstance(error, OSError) and error.errno in SHORT:
                raise
            self._digest = digest
            self.problems = [Problem(str(self._path), 0, 0, f"cannot be taken up: {type(error).__name__}: {error}")]
            self._metrics.reloads.labels("bug").inc()
            self._log.exception("configuration not taken up; the last good one stays in use")
            return False
        self.problems, self._digest = [], digest
        self.version, self.loaded_at = version, self._now()
        self._metrics.reloads.labels("ok").inc()
        self._log.info("configuration taken up", version=version)
        return True


def stamp_of(files: Iterable[Path]) -> Stamp:
    """Name, time and size of every file; cheap, and blind to touch-and-restore."""
    found = []
    for path in files:
        with suppress(
            OSError, ValueError
        ):  # it went away since it was listed, a change like any other, or can be no file
            status = path.stat()
            found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)


def digest_of(files: Iterable[Path]) -> str:
    """A hash of what the files hold, so that saving a file unchanged reloads nothing.

    One that cannot be read is as one that is not there; raises OSError where no file can be opened.
    """
    digest = hashlib.sha256()
    for path in files:
        try:
            content = path.read_bytes()
        except OSError as error:
            if error.errno in SHORT:
                raise
        except ValueError:  # a name that no file can have
            continue
        else:
            digest.update(os.fsencode(path) + f"\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
