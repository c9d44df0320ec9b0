"""Processes that this benchmark starts: each ended by its own id, whatever happens; what they cost, from /proc."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_END_S = 30.0
_ENDING = (signal.SIGINT, signal.SIGTERM)


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Used:
    """Seconds of processor time and MiB of memory of a process and those below it."""

    cpu_s: float
    rss_mib: float
    peak_mib: float


def used(root: int) -> Used:
    """What a process and its children use now; ``peak_mib`` is the sum of the peaks of each."""
    cpu = rss = peak = 0.0
    for pid in _family(root):
        try:
            fields = _stat(pid)
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        cpu += sum(int(text) for text in fields[11:15]) / _TICKS_PER_S
        rss += _kib(status, "VmRSS:") / 1024
        peak += _kib(status, "VmHWM:") / 1024
    return Used(cpu, rss, peak)


def machine_busy_s() -> float:
    """Seconds that all processors together have worked since the machine started."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, hard, soft, *_ = map(int, fields)
    return (user + nice + system + hard + soft) / _TICKS_PER_S


def _kib(status: str, name: str) -> int:
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith(name)), 0)


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def _family(root: int) -> list[int]:
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                below.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except (OSError, ValueError):
                continue
    found, open_ = [], [root]
    while open_:
        pid = open_.pop()
        found.append(pid)
        open_ += below.get(pid, [])
    return found


@contextmanager
def started(command: Sequence[str], folder: Path, log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that serves, with its output in ``log``; it is ended after."""
    told = {**os.environ, **env}
    with (
        log.open("ab") as out,
        _spawned(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, env=told) as process,
    ):
        yield process


class NotMeasured(Exception):
    """A course that came to no end, or to a bad one; the text says which."""


def answered(command: Sequence[str], said: bytes, most_s: float) -> bytes:
    """What a process writes when it is told something. Raises NotMeasured when it fails or takes longer."""
    pipe = subprocess.PIPE
    with _spawned(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            out, words = process.communicate(said, most_s)
        except subprocess.TimeoutExpired:
            raise NotMeasured(f"no end after {most_s:.0f} s") from None
        if process.returncode:
            last = words.decode(errors="replace").strip()[-500:]
            raise NotMeasured(f"the generator ended with {process.returncode}: {last}")
        return out


@contextmanager
def _spawned(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, so that Ctrl-C comes to this one first, which then ends the other."""
    begun: list[subprocess.Popen[bytes]] = []
    try:
        with _uninterrupted():
            begun.append(subprocess.Popen(command, start_new_session=True, **how))
        yield begun[0]
    finally:
        for process in begun:
            end(process)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals that end this process are heard after the block: none comes between a start and its being known."""
    heard: list[int] = []
    before = {one: signal.signal(one, lambda number, _: heard.append(number)) for one in _ENDING}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        for number in heard:
            signal.raise_signal(number)


def end(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Ends a process and waits for it; one that does not listen is killed."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
