"""One process of a script, from its start to the end of everything that it has started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from quell.errors import Unreachable

_LAUNCH = str(Path(__file__).with_name("launch.py"))
MOST_KEPT = 16 * 1024
"""Bytes of each of stdout and stderr that are kept: the last ones. The rest is read and dropped."""
_GRACE_S = 2.0
_DRAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended; ``code`` is None when it was killed for its time limit, below 0 when by a signal."""

    code: int | None
    out: str
    err: str


class _Talk(asyncio.SubprocessProtocol):
    """What a process says, and that it has ended."""

    def __init__(self) -> None:
        self.kept = {1: bytearray(), 2: bytearray()}
        self.ended = asyncio.Event()
        self.silent = asyncio.Event()
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.kept[fd] += data
        del self.kept[fd][:-MOST_KEPT]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._open.discard(fd)
        if not self._open:
            self.silent.set()

    def process_exited(self) -> None:
        self.ended.set()

    def text(self, fd: int) -> str:
        """What was kept of stdout (1) or stderr (2)."""
        return self.kept[fd].decode("utf-8", "replace")


async def run(
    command: Sequence[str], *, user: str, environment: Mapping[str, str], stdin: bytes, timeout_s: float
) -> Ended:
    """Runs it in a session of its own; at the end of its time, and at its own end, the whole group is ended."""
    try:
        transport, talk = await asyncio.get_running_loop().subprocess_exec(
            _Talk, sys.executable, "-I", "-S", _LAUNCH, user, *command,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            cwd="/", env=dict(environment), start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Unreachable(f"no process could be started ({error.strerror}); nothing was run") from error
    group = transport.get_pid()
    try:
        if stdin:
            pipe = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
            pipe.write(stdin)
            pipe.close()
        in_time = await _within(talk, group, timeout_s)
    finally:
        _signal(group, signal.SIGKILL)
        # Whoever left the group may still hold the pipes: what it says is not waited for.
        await _happens(talk.silent, _DRAIN_S)
        transport.close()
    return Ended(transport.get_returncode() if in_time else None, talk.text(1), talk.text(2))


async def _within(talk: _Talk, group: int, timeout_s: float) -> bool:
    """Whether it ended by itself. It is asked to end a little before its time is over, and made to when it is."""
    grace_s = min(_GRACE_S, timeout_s / 5)
    if await _happens(talk.ended, timeout_s - grace_s):
        return True
    _signal(group, signal.SIGTERM)
    if not await _happens(talk.ended, grace_s):
        _signal(group, signal.SIGKILL)
        await talk.ended.wait()
    return False


async def _happens(event: asyncio.Event, within_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), within_s)
    except TimeoutError:
        return False
    return True


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return  # all have ended (a group of zombies may not be signalled on some systems)
