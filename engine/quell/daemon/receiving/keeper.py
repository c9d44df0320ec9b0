"""The life of the receiver: begun, watched, and begun again when it is lost. Without one the daemon listens itself.

Only one of the two takes connections in at a time, from one and the same socket, so that none is turned away when they
change places. Whatever was under way in a receiver that is lost has no answer, and its senders send it again.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

import quell
from quell.daemon import connection as connections
from quell.daemon.direct import Direct
from quell.daemon.http import Server
from quell.daemon.metrics import Metrics
from quell.daemon.receiver import wire
from quell.daemon.receiving.channel import Channel
from quell.daemon.receiving.handed import Handed
from quell.daemon.receiving.silence import Silence

_BEGIN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from quell.daemon.receiver.process import main; main()"
_BEGINS_WITHIN_S = 10.0
_LOOK_S = 0.2
_REAPED_WITHIN_S = 0.5
_ENDS_WITHIN_S = 2.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 60.0
"""Until it is begun again: longer each time that it did not last for as long as the longest wait."""
_BUFFER = 4 * 1024 * 1024
"""Bytes that may be on their way to this process; beyond, the receiver reads no more."""
NO_RECEIVER: Mapping[str, object] = {"wanted": False, "at_work": False, "process": None, "lost": 0}
"""How it is where none is wanted."""
_log = structlog.get_logger("quell.receiver")


def wanted(told: bool | None) -> bool:
    """Whether there is to be a receiver: if that is ``told``, on Linux alone."""
    return sys.platform == "linux" and told is True


class Keeper:
    """``listening`` is the socket that connections come from; whoever takes them has a descriptor of his own of it."""

    def __init__(self, server: Server, direct: Direct, metrics: Metrics, listening: socket.socket) -> None:
        self.lost = 0
        self.at_work = asyncio.Event()
        self._server = server
        self._direct = direct
        self._metrics = metrics
        self._listening = listening
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._gone = asyncio.Event()
        self._tried = asyncio.Event()
        self._taking: set[asyncio.Task[None]] = set()
        self._ending = False
        direct.back = self._back
        metrics.receiver.set_function(self.at_work.is_set)

    def status(self) -> dict[str, object]:
        """How it is; the number of its process is None while there is none at work."""
        process = self._process.pid if self._process is not None and self.at_work.is_set() else None
        return {"wanted": True, "at_work": self.at_work.is_set(), "process": process, "lost": self.lost}

    async def run(self) -> None:
        """Keeps one at work until cancelled or ended."""
        wait_s = _FIRST_WAIT_S
        while not self._server.started:  # noqa: ASYNC110 - it says so nowhere else
            await asyncio.sleep(0.005)
        while True:
            began = time.monotonic()
            try:
                why = await self._live()
            except Exception as error:  # noqa: BLE001 - there is a way without it
                why = f"{type(error).__name__}: {error}"
            await self._off()
            if self._ending:
                break
            self.lost += 1
            self._tried.set()
            self._metrics.receiver_lost.inc()
            if time.monotonic() - began > _LONGEST_WAIT_S:
                wait_s = _FIRST_WAIT_S
            _log.error("the receiver is lost; this process takes deliveries in itself meanwhile",
                       reason=why, again_in_s=wait_s)  # fmt: skip
            await self._rest(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        await asyncio.Event().wait()  # a part of the daemon that ends by itself is taken for a bug

    async def end(self) -> None:
        """Lets it answer what is under way, and end."""
        self._ending = True
        if self._channel is not None and self._process is not None:
            self._channel.end()
            if not self._channel.open:
                self._process.kill()
            with suppress(TimeoutError):
                async with asyncio.timeout(_ENDS_WITHIN_S):
                    await self._gone.wait()
            await self._reap(self._process)
        self._listening.close()

    async def begun(self, within_s: float) -> None:
        """Returns when it is at work or could not be begun, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._tried.wait()

    def _back(self, transport: asyncio.Transport) -> bool:
        """Gives the receiver a connection that this process need not keep; False if it stays here."""
        connected = transport.get_extra_info("socket")
        if self._channel is None or not self.at_work.is_set() or connected is None:
            return False
        return self._channel.give(connected.fileno())

    async def _live(self) -> str:
        """From the beginning of one to its end; why that came."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        beside, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, far:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            try:
                process = self._process = self._begun(theirs, far)
            except BaseException:
                ours.close()
                beside.close()
                raise
        self._gone.clear()
        beside.setblocking(False)
        channel = self._channel = Channel(
            self._direct, beside,
            begun=self._begins, over=self._gone.set, handed=self._handed, full=self._full,
            always=lambda: self._server.server_state.default_headers,
        )  # fmt: skip
        transport, _ = await asyncio.get_running_loop().create_unix_connection(lambda: channel, sock=ours)
        try:
            return await self._watched(channel, Silence(process.pid))
        finally:
            if not self._ending:
                transport.abort()
                await self._reap(process)

    def _begun(self, theirs: socket.socket, far: socket.socket) -> subprocess.Popen[bytes]:
        shared = (self._listening.fileno(), theirs.fileno(), far.fileno())
        limits = (
            connections.Connection.most_connections, min(wire.LARGEST, self._direct.most),
            connections.HEAD_WITHIN_S, connections.IDLE_S,
        )  # fmt: skip
        root = str(Path(quell.__file__).parent.parent)
        told = [root, *map(str, (os.getpid(), *shared, *limits))]
        # Without the packages that are installed here: it needs none, and they would cost it time and memory.
        command = [sys.executable, "-I", "-S", "-c", _BEGIN, *told]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=shared)  # noqa: S603 - our own program

    async def _watched(self, channel: Channel, silence: Silence) -> str:
        """Until it is gone or says nothing any more."""
        began = time.monotonic()
        while True:
            heard = channel.heard
            if self.at_work.is_set():
                channel.say(wire.PING)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._gone.wait()
                    return "it ended"
            if not self.at_work.is_set():
                if time.monotonic() - began > _BEGINS_WITHIN_S:
                    return "it did not begin"
                continue
            if channel.heard != heard:
                silence.heard()
            elif silence.hangs():
                return "it does not answer"

    async def _reap(self, process: subprocess.Popen[bytes]) -> None:
        """Ends it, if it has not ended by itself; a process that is killed is gone at once, or as soon as its disk."""
        with suppress(subprocess.TimeoutExpired):
            if self._gone.is_set():
                await asyncio.to_thread(process.wait, _REAPED_WITHIN_S)
        if process.poll() is None:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, _ENDS_WITHIN_S)

    # Who listens

    def _begins(self) -> None:
        """It takes connections: this process need not."""
        if not self._ending:
            self._server.leave()
            self.at_work.set()
            self._tried.set()
            _log.info("the receiver takes deliveries in", process=self._process.pid if self._process else None)

    async def _off(self) -> None:
        """It is gone: this process listens, unless all comes to its end."""
        self._channel = None
        self.at_work.clear()
        if not self._server.servers and not self._ending and not self._server.should_exit:
            try:
                await self._server.listen(self._listening.dup())
            except OSError as error:  # out of files: tried again soon
                _log.error("this process cannot take deliveries in", error=str(error))

    async def _rest(self, rest_s: float) -> None:
        """Until the next one is begun; if nobody could listen before, that is tried again meanwhile."""
        until = time.monotonic() + rest_s
        while (left_s := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, _LOOK_S))
            await self._off()

    def _full(self) -> bool:
        there = len(self._server.server_state.connections) + len(self._taking)
        return there >= connections.Connection.most_connections

    def _handed(self, connected: socket.socket, unsent: bytes, read: bytes) -> None:
        task = asyncio.create_task(self._go_on(connected, unsent, read))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _go_on(self, connected: socket.socket, unsent: bytes, read: bytes) -> None:
        make = partial(Handed, direct=self._direct, unsent=unsent, read=read)
        try:
            connected.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(lambda: self._server.connection(make), connected)
        except OSError:  # it hung up meanwhile
            connected.close()
