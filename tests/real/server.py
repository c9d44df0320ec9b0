"""Starting a server of a test's own and ending it, with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def running(
    command: Sequence[str | Path], directory: Path, ready: str, *, environment: Mapping[str, str], within_s: float = 120
) -> Iterator[None]:
    """The server runs in ``directory`` until the block ends; the block begins when ``ready`` answers with 200."""
    with (directory / "server.log").open("w") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=directory,
            env={**surroundings(directory), **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _until_ready(process, directory, ready, within_s)
        yield
    finally:
        _end(process)


def surroundings(directory: Path) -> dict[str, str]:
    """An environment without what this machine's user or these tests have set, at home in ``directory``."""
    return {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8", "NO_PROXY": "*"}


def _until_ready(process: subprocess.Popen[bytes], directory: Path, ready: str, within_s: float) -> None:
    end = time.monotonic() + within_s
    while time.monotonic() < end and process.poll() is None:
        with suppress(urllib.error.URLError, ConnectionError, TimeoutError), urllib.request.urlopen(ready, timeout=5):
            return
        time.sleep(0.1)
    said = (directory / "server.log").read_text()[-3000:]
    raise AssertionError(f"{ready} did not answer within {within_s:g} s; the server said:\n{said}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and its group, which is its own."""
    for how, wait_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what the server started and left behind
