"""What comes from the receiver and goes back to it: deliveries on their short way, heads, connections."""

from __future__ import annotations

import asyncio
import socket
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import cast

import structlog

from quell.daemon.connection import MOST_UNDER_WAY, Connection
from quell.daemon.direct import MOST_HEADERS, Direct, Way
from quell.daemon.logs import Sparing
from quell.daemon.receiver import wire
from quell.daemon.receiver.refusing import NO_ROOM
from quell.daemon.receiving.heads import way_of
from quell.daemon.receiving.spare import Spare
from quell.daemon.replies import error_reply
from quell.sdk.connector import Reply

_MOST_WAYS = 1024
"""Heads whose ways are known; twice as many while those of before may still be meant."""
_BODIES_LAST_S = 4.0
"""After the receiver forgot a head, a body behind it may be on its way for less than this."""
_BUFFER = 512 * 1024
"""Bytes that are read at once; more where one message has more."""
_SIZE = wire.HEAD.size
_log = Sparing(structlog.get_logger("quell.receiver"))


class Channel(asyncio.BufferedProtocol):
    """One receiver, for as long as it lives. ``beside`` is where descriptors come from.

    ``begun`` is called before it takes connections, ``over`` when it is gone, ``handed`` with a connection to go on
    with, what is still to be sent on it and what was read, unless there are as many as there may be (``full``);
    ``always`` tells the headers that all answers have.
    """

    def __init__(
        self,
        direct: Direct,
        beside: socket.socket,
        *,
        begun: Callable[[], None],
        over: Callable[[], None],
        handed: Callable[[socket.socket, bytes, bytes], None],
        full: Callable[[], bool],
        always: Callable[[], list[tuple[bytes, bytes]]],
    ) -> None:
        self.heard = 0
        """How often something came from it, if only that it is there."""
        self.ending = False
        self._direct = direct
        self._beside = beside
        self._spare = Spare()
        self._begun = begun
        self._over = over
        self._handed = handed
        self._full = full
        self._always = always
        self._view = memoryview(bytearray(_BUFFER))
        self._filled = 0
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._ways: dict[int, Way] = {}
        self._before: dict[int, Way] = {}
        self._last_way = 0
        self._kept_until = 0.0
        """Ways of before may be meant until this time of the loop."""
        self._stale = False
        """Whether it was told to forget all heads, since they were known under another configuration."""
        self._way = 0
        self._came: list[int] = []
        self._bodies: list[bytes] = []
        """What came on that way and is to be taken together, and from which connections."""
        self._open: dict[int, int] = {}
        """Connections whose deliveries are not answered, with the bytes of these."""
        self._answer = b""
        self._last = False
        self._numbers: array[int] = array("Q")
        self._out: list[bytes] = []
        self._flushing = False

    # The stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # an event loop may have transports of its own kind

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        for size in self._open.values():
            Connection.under_way.bytes -= size
        self._open.clear()
        self._beside.close()
        self._spare.close()
        self._over()

    def get_buffer(self, _size: int) -> memoryview:
        """Where the next bytes go: right behind those that are not read yet."""
        return self._view[self._filled :]

    def buffer_updated(self, count: int) -> None:
        """So many came."""
        self.heard += 1
        view, at, end = self._view, 0, self._filled + count
        needs = 0
        while end - at >= _SIZE:
            kind, size, number, extra = wire.HEAD.unpack_from(view, at)
            begin = at + _SIZE
            if begin + size > end:
                needs = _SIZE + size
                break
            at = begin + size
            if kind == wire.DELIVERY:
                self._deliver(number, extra, bytes(view[begin:at]))
            else:
                self._other(kind, number, extra, bytes(view[begin:at]))
        self._filled = end - at
        rest = bytes(view[at:end]) if at or needs > len(view) else b""
        if needs > len(view):
            self._view = memoryview(bytearray(needs))
        self._view[: len(rest)] = rest
        self._take()

    @property
    def open(self) -> bool:
        """Whether what is said reaches it."""
        return self._transport is not None

    def say(self, kind: int, number: int = 0, extra: int = 0) -> None:
        """Tells the receiver something, after all that was said before."""
        self._turn()
        self._out.append(wire.message(kind, number, extra))
        self._flush_soon()

    def end(self) -> None:
        """Lets it take no more connections, and end when all is answered."""
        self.ending = True
        self.say(wire.END)

    def give(self, connected: int) -> bool:
        """Gives it a connection on which nothing is under way; False if it does not take it now.

        It gets a descriptor of its own; the one that is given stays with whoever gave it.
        """
        if self._transport is None or self.ending:
            return False
        try:
            socket.send_fds(self._beside, [b"\0"], [connected])
        except OSError:  # not now
            return False
        self.say(wire.TAKE)
        return True

    def _turn(self) -> None:
        """Ends the list of those who get one and the same answer."""
        if self._numbers:
            kind = wire.LAST_ANSWER if self._last else wire.ANSWER
            self._out.append(wire.message(kind, 0, len(self._answer), self._answer, self._numbers.tobytes()))
            self._numbers = array("Q")

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._turn()
        out, self._out = self._out, []
        if self._transport is not None:
            self._transport.write(b"".join(out))

    # What comes

    def _deliver(self, number: int, way_number: int, body: bytes) -> None:
        under_way, size = Connection.under_way, len(body)
        room = not under_way.bytes or under_way.bytes + size <= MOST_UNDER_WAY
        self._open[number] = size
        under_way.bytes += size
        if not room:
            self._written([number], NO_ROOM, last=True)
            return
        if way_number != self._way:
            self._take()
            self._way = way_number
        self._came.append(number)
        self._bodies.append(body)

    def _take(self) -> None:
        """Takes what came on one way."""
        if not self._came:
            return
        came, bodies, self._came, self._bodies = self._came, self._bodies, [], []
        way = self._ways.get(self._way) or self._before.get(self._way)
        if way is None:
            reply = error_reply(503, "the configuration changed while this came in; nothing was accepted")
            self._answered(came, 0, len(came), reply)
            return
        if not self._direct.current(way) and not self._stale:
            self._stale = True
            self.say(wire.FORGET)
        try:
            self._direct.take_all(way, bodies, partial(self._answered, came))
        except Exception as error:  # noqa: BLE001 - a bug is answered and reported, and ends nobody else's connection
            _log.error("failed", "a delivery failed", path=way.path, exc_info=error)
            self._answered(came, 0, len(came), error_reply(500, "quell failed on this delivery"), last=True)

    def _other(self, kind: int, number: int, extra: int, content: bytes) -> None:
        if kind == wire.ASK:
            self._asked(number, content)
        elif kind == wire.HAND:
            self._hand(content[:extra], content[extra:])
        elif kind == wire.AWAY:
            self._direct.turned_away()
        elif kind == wire.PONG:
            if number:  # it has forgotten, and what it passed on until then is here
                self._kept_until = self._loop.time() + _BODIES_LAST_S
        elif kind == wire.HELLO:
            self._begun()
            self.say(wire.BEGIN)

    def _asked(self, number: int, content: bytes) -> None:
        peer, _, head = content.partition(b"\0")
        way = way_of(self._direct, peer.decode(), head)
        full = len(self._ways) >= _MOST_WAYS
        kept = full and self._loop.time() < self._kept_until  # no room: this process takes the connection
        if way is None or len(way.headers) > MOST_HEADERS or kept:
            self.say(wire.WAY, number)
            return
        if full:
            self._before, self._ways = self._ways, {}
            self._kept_until = inf
            self.say(wire.FORGET)
            self.say(wire.PING, 1)
        self._stale = False
        self._last_way += 1
        self._ways[self._last_way] = way
        self.say(wire.WAY, number, self._last_way)

    def _hand(self, unsent: bytes, read: bytes) -> None:
        try:
            descriptors, room = self._spare.received(self._beside)
        except OSError as error:  # from here on each would be taken for another
            _log.error("handed", "a connection could not be taken over", error=str(error))
            self._beside.close()
            if self._transport is not None:
                self._transport.abort()
            return
        room = room and not self._full()  # told at once: hundreds that wait to be told would take the files of others
        for descriptor in descriptors if room else ():
            self._handed(socket.socket(fileno=descriptor), unsent, read)
        if not room or not descriptors:
            self._direct.turned_away()
            for descriptor in descriptors:
                self._spare.refuse(descriptor, unsent, read)

    # What is answered

    def _answered(self, came: Sequence[int], first: int, end: int, reply: Reply, *, last: bool = False) -> None:
        last = last or self.ending
        try:
            told = self._direct.written(reply, self._always(), close=last)
        except (LookupError, ValueError) as error:  # as a connector of somebody else's may make it
            _log.error("written", "an answer cannot be written", error=f"{type(error).__name__}: {error}")
            reply, last = error_reply(500, "what was to be answered cannot be written"), True
            told = self._direct.written(reply, self._always(), close=True)
        self._written(came[first:end], told, last=last)

    def _written(self, numbers: Sequence[int], answer: bytes, *, last: bool) -> None:
        gone = self._open.pop
        sizes = [gone(number, None) for number in numbers]
        if None in sizes:  # some are answered already, or the receiver is gone
            numbers = [number for number, size in zip(numbers, sizes, strict=True) if size is not None]
        Connection.under_way.bytes -= sum(filter(None, sizes))
        if not numbers:
            return
        if answer is not self._answer or last is not self._last:
            self._turn()
            self._answer, self._last = answer, last
        self._numbers.extend(numbers)
        self._flush_soon()
