"""Daemons that are born of a process which has imported everything: hundreds of starts where one costs seconds.

What is born is a process of its own that does what ``quell serve`` does; it can be killed like any other.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from faults.child import Child

_TESTS = str(Path(__file__).parent.parent)


class Nursery:
    """``imports`` are modules that lives need besides quell."""

    def __init__(self, *imports: str) -> None:
        paths = os.pathsep.join(filter(None, [_TESTS, os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            [sys.executable, str(Path(_TESTS) / "faults" / "nursery_process.py"), *imports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._asking = threading.Lock()

    def born(self, run: str, *arguments: str, out: Path, err: Path, before: Mapping[str, Any] | None = None) -> int:
        """The pid of a process that calls the function ``run`` ("module:name") in a world as ``before`` says."""
        asked = {"run": run, "arguments": arguments, "out": str(out), "err": str(err), "before": before or {}}
        return self._ask(asked)

    def wait(self, pid: int) -> int:
        """The exit code of a process that was born here, when it ends; negative for a signal."""
        return self._ask({"wait": pid})

    def _ask(self, content: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._asking:
            self._process.stdin.write(msgspec.json.encode(content) + b"\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        """Ends it, and with it all that are still alive."""
        assert self._process.stdout is not None
        self._process.communicate(timeout=30)


class Forked(Child):
    """``quell serve`` in a process that was born in a nursery. ``before``: see `faults.worlds`."""

    def __init__(self, nursery: Nursery, config: Path, port: int, before: Mapping[str, Any] | None = None) -> None:
        super().__init__(config, port)
        self.before = dict(before or {})
        self.pid = 0
        self._nursery = nursery
        self.directory = config.parent
        self.logs_in(self.directory)

    def logs_in(self, directory: Path) -> None:
        """Where the next one writes its output and its log."""
        self._out, self._err = directory / "out.log", directory / "err.log"
        self._err.touch()

    @property
    def log(self) -> str:
        return self._err.read_text()

    def spawn(self, *more: str) -> None:
        self._out.write_bytes(b"")
        arguments = ("-c", str(self._config), "--listen", f"127.0.0.1:{self.port}", *more)
        self.pid = self._nursery.born(
            "faults.nursery_process:serve", *arguments, out=self._out, err=self._err, before=self.before
        )

    def wait_ready(self, within_s: float = 60.0) -> None:
        end = time.monotonic() + within_s
        while not self.is_ready:
            assert time.monotonic() < end, self.log[-3000:]
            assert self.alive(), self.log[-3000:]
            time.sleep(0.005)

    @property
    def is_ready(self) -> bool:
        """Whether it has said so."""
        return self._out.read_bytes().startswith(b"quell listening on")

    def state(self) -> str:
        """How the kernel has it: R, S or D while it goes on, T when it is stopped, Z when it has ended."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self.state() not in {"Z", "X"}

    def ends_within(self, seconds: float) -> bool:
        """Whether it ended by itself in that time."""
        end = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() >= end:
                return False
            time.sleep(0.005)
        return True

    def limit(self, what: int, most: int) -> None:
        """Sets a soft limit (``resource.RLIMIT_…``) of the running process."""
        resource.prlimit(self.pid, what, (most, resource.RLIM_INFINITY))

    def send(self, how: signal.Signals) -> None:
        """Sends a signal."""
        os.kill(self.pid, how)

    def wait(self) -> int:
        """The exit code, when it ends; negative for a signal."""
        pid, self.pid = self.pid, 0
        return self._nursery.wait(pid)

    def _gone(self, how: signal.Signals) -> int:
        self.send(how)
        return self.wait()

    def close(self) -> None:
        if self.pid:
            self._gone(signal.SIGKILL)
