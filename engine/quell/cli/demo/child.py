"""The demo's child processes: each on a free port of loopback, ended by its own process id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket
from types import TracebackType
from typing import Self
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from quell.cli.exits import Failed

_READY_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05
_STOP_WITHIN_S = 15.0
_LOG_LINES_SHOWN = 15


@dataclass
class Child:
    """``python -m MODULE WORDS…`` that answers at ``url`` + ``ready`` once it is up; its output goes to ``log``.

    ``program`` comes before the words, our own Python unless something else is named; ``environment`` is added to ours.
    """

    name: str
    words: Sequence[str]
    url: str
    ready: str
    log: Path
    program: Sequence[str] = (sys.executable, "-m")
    environment: Mapping[str, str] = field(default_factory=dict)
    within_s: float = _READY_WITHIN_S
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """Its process id, 0 while it does not run."""
        return self._process.pid if self._process else 0

    def start(self) -> Self:
        """Starts it, returns once it is ready. Raises `Failed` with the end of its log when it does not get so far."""
        return self.begin().ready_now()

    def begin(self) -> Self:
        """Starts it and does not wait."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own program
                [*self.program, *self.words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        return self

    def ready_now(self) -> Self:
        """Returns once it is ready; ends it and raises `Failed` as `start` does."""
        assert self._process is not None, "it was begun"
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def ended(self, within_s: float) -> str:
        """Waits until it has ended by itself; returns what it printed. Raises `Failed` when it failed or goes on."""
        assert self._process is not None, "it was begun"
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise Failed(f"the {self.name} did not end within {within_s:g}s:\n{self._last_words()}") from None
        if code:
            raise Failed(f"the {self.name} ended with code {code}:\n{self._last_words()}")
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """Ends it and what it started, which are a group of their own: asks first, and insists after a while."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process = None

    def leave_running(self) -> int:
        """Lets go of it; returns the process id that ends it."""
        pid = self.pid
        if self._process is not None:
            self._process.returncode = 0  # not ours to wait for any more
        self._process = None
        return pid

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        opener = build_opener(ProxyHandler({}))
        deadline = time.monotonic() + self.within_s
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise Failed(f"the {self.name} ended with code {process.returncode}:\n{self._last_words()}")
            try:
                with suppress(OSError), opener.open(self.url + self.ready, timeout=2.0):
                    return
            except HTTPError as error:  # up, and not ready yet
                error.close()
            time.sleep(_LOOK_EVERY_S)
        raise Failed(f"the {self.name} was not ready within {self.within_s:g}s:\n{self._last_words()}")

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES_SHOWN:])


def daemon(folder: Path, port: int, *, clock_speed: float = 1.0, clock_start: float | None = None) -> Child:
    """``quell serve`` with ``folder``'s quell.yaml; ``clock_speed`` above 1 makes its time run faster."""
    words = ["quell.cli", "serve", "-c", str(folder / "quell.yaml"), "--listen", f"127.0.0.1:{port}"]
    if clock_speed != 1.0:
        words += ["--clock-speed", f"{clock_speed:g}"]
    if clock_start is not None:
        words += ["--clock-start", repr(clock_start)]
    return Child("daemon", words, f"http://127.0.0.1:{port}", "/ready", folder / "daemon.log")


def tickets(folder: Path, port: int) -> Child:
    """The small ticket system."""
    words = ["quell.cli.demo.tickets", str(port)]
    return Child("ticket receiver", words, f"http://127.0.0.1:{port}", "/tickets", folder / "tickets.log")


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket(AF_INET, SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def without_clock(words: Sequence[str]) -> list[str]:
    """A daemon's words without those that set its clock."""
    kept = list(words)
    for option in ("--clock-speed", "--clock-start"):
        if option in kept:
            at = kept.index(option)
            del kept[at : at + 2]
    return kept
