"""The receiver's whole work: connections in, whole deliveries to the daemon, its answers back.

It knows no token, no source and no alert. What a head means it asks the daemon, once; of a head that is known the
bytes alone say how long the body is. Whatever else comes (other verbs, chunks, requests before the last was answered,
heads in pieces, bodies that are large or slow) it hands over with the connection and all that was read, and the daemon
answers as if it had taken the connection itself. It waits for nothing but sockets, and ends with the daemon.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress

from quell.daemon.receiver import wire
from quell.daemon.receiver.line import ASKED, BODY, FREE, UNDER_WAY, Line
from quell.daemon.receiver.refusing import refuse

_READ = 65_536
_AT_ONCE = 64
"""Connections that are read before all that came is passed on."""
_MOST_BODIES = 32 * 1024 * 1024
"""Bytes of all bodies that are here in part."""
_BODY_WITHIN_S = 2.0
"""A body that takes longer is the daemon's business."""
_LOOKS_EVERY_S = 1.0
_HELD_S = 0.001
"""A delivery waits no longer than this for others."""
_LARGE = 16_384
"""Bytes of a delivery that does not wait: what many have in common is little beside what it costs itself."""
_MOST_HELD = 256
_OUT_OF_FILES_S = 0.02
_MOST_HEADS = 1024
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1


class Receiver:
    """``listening`` takes connections, ``stream`` leads to the daemon, descriptors go over ``beside``.

    ``most_body`` is the largest body that is taken here; a connection is closed that says nothing within ``first_s``,
    or after an answer within ``idle_s``.
    """

    def __init__(
        self, listening: socket.socket, stream: socket.socket, beside: socket.socket,
        *, most_lines: int, most_body: int, first_s: float, idle_s: float,
    ) -> None:  # fmt: skip
        self._listening = listening
        self._stream = stream
        self._beside = beside
        self._most_lines = most_lines
        self._most_body = most_body
        self._first_s = first_s
        self._idle_s = idle_s
        self._poll = select.epoll()
        self._lines: dict[int, Line] = {}
        self._by_descriptor: dict[int, Line] = {}
        self._ways: dict[tuple[str, bytes], int] = {}
        self._bodies = 0
        self._last = 0
        self._out: list[bytes | memoryview] = []
        self._hurries = False
        """Whether there is something to be passed on that does not wait for others."""
        self._held = self._unanswered = 0
        """Deliveries that are to be passed on, and those that were and are not answered."""
        self._held_since = 0.0
        self._in = b""
        self._ends = False

    def run(self) -> None:
        """Until the daemon is gone, or said so and everything is answered."""
        accepts, told = self._listening.fileno(), self._stream.fileno()
        self._poll.register(told, select.EPOLLIN)
        self._say(wire.HELLO)
        next_look = time.monotonic() + _LOOKS_EVERY_S
        while not self._ends or self._lines:
            for descriptor, _event in self._come():
                if descriptor == told:
                    self._told()
                elif descriptor == accepts:
                    self._accept()
                elif (line := self._by_descriptor.get(descriptor)) is not None:
                    self._read(line)
            if (now := time.monotonic()) >= next_look:
                next_look = now + _LOOKS_EVERY_S
                self._look_after(now)
        self._flush()

    # To and from the daemon

    def _come(self) -> list[tuple[int, int]]:
        """What has come next; before it is waited for, all that is to be passed on goes to the daemon.

        Small deliveries wait a moment for others: while more are just coming, and while the daemon has some that it has
        not answered, as what it commits is in its hands already. It takes in many at once for a part of what it costs
        to take in as many one by one.
        """
        waits = 0 < self._held < _MOST_HELD and not self._hurries
        if waits and time.monotonic() < self._held_since + _HELD_S:
            found = self._poll.poll(0, _AT_ONCE)
            if not found and self._unanswered:
                found = self._poll.poll(_HELD_S, _AT_ONCE)
            if found:
                return found
        self._flush()
        return self._poll.poll(_LOOKS_EVERY_S, _AT_ONCE)

    def _say(self, kind: int, number: int = 0, extra: int = 0, *parts: bytes | bytearray | memoryview) -> None:
        self._out.append(wire.message(kind, number, extra, *parts))
        self._hurries = True

    def _flush(self) -> None:
        """Passes on what there is. If the daemon does not keep up this waits for it, and so do all senders."""
        if self._out:
            out, self._out, self._hurries = self._out, [], False
            self._unanswered += self._held
            self._held = 0
            self._stream.sendall(b"".join(out))

    def _told(self) -> None:
        """Does what the daemon says. Raises SystemExit when it is gone."""
        data = self._stream.recv(_READ)
        if not data:
            raise SystemExit(0)
        data = self._in + data
        at, size_of_head = 0, wire.HEAD.size
        while len(data) - at >= size_of_head:
            kind, size, number, extra = wire.HEAD.unpack_from(data, at)
            begin, end = at + size_of_head, at + size_of_head + size
            if end > len(data):
                break
            at = end
            if kind in (wire.ANSWER, wire.LAST_ANSWER):
                answer, numbers = data[begin : begin + extra], wire.numbers(data[begin + extra : end])
                self._unanswered -= len(numbers)
                for each in numbers:
                    self._answer(each, answer, last=self._ends or kind == wire.LAST_ANSWER)
            else:
                self._do(kind, number, extra)
        self._in = data[at:]

    def _do(self, kind: int, number: int, extra: int) -> None:
        if kind == wire.WAY:
            self._go(number, extra)
        elif kind == wire.FORGET:
            self._ways.clear()
        elif kind == wire.PING:
            self._say(wire.PONG, number)
        elif kind == wire.BEGIN:
            if not self._ends:
                self._poll.register(self._listening.fileno(), select.EPOLLIN)
        elif kind == wire.TAKE:
            self._take()
        elif kind == wire.END:
            self._end()

    def _take(self) -> None:
        _, descriptors, _, _ = socket.recv_fds(self._beside, 1, 1, socket.MSG_CMSG_CLOEXEC)
        for descriptor in descriptors:
            connected = socket.socket(fileno=descriptor)
            try:
                peer = connected.getpeername()[0]
            except OSError:  # it hung up meanwhile
                connected.close()
            else:
                self._begin(connected, peer, fresh=False)

    def _end(self) -> None:
        self._ends = True
        with suppress(FileNotFoundError):
            self._poll.unregister(self._listening.fileno())
        self._listening.close()
        for line in [line for line in self._lines.values() if line.state in (FREE, BODY)]:
            self._close(line)

    # Connections

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            if self._ends:
                return
            try:
                connected, address = self._listening.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:  # no more files or memory for now; those who wait are served first
                time.sleep(_OUT_OF_FILES_S)
                return
            self._begin(connected, address[0])

    def _begin(self, connected: socket.socket, peer: str, *, fresh: bool = True) -> None:
        if self._ends or len(self._lines) >= self._most_lines:
            if self._ends:
                connected.close()
            else:  # the daemon has lines of its own, or says that there is none
                self._give(connected)
            return
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._last += 1
        line = Line(self._last, connected, peer, time.monotonic(), fresh=fresh)
        self._lines[line.number] = self._by_descriptor[line.descriptor] = line
        self._poll.register(line.descriptor, select.EPOLLIN)

    def _forget(self, line: Line) -> None:
        del self._lines[line.number], self._by_descriptor[line.descriptor]
        if line.state == BODY:
            self._bodies -= line.length
        with suppress(FileNotFoundError):  # it was asked about, or has said too much
            self._poll.unregister(line.descriptor)

    def _close(self, line: Line) -> None:
        self._forget(line)
        line.socket.close()

    def _hand(self, line: Line, read: bytes | bytearray, unsent: bytes = b"") -> None:
        """The daemon goes on with it: with what was ``read`` and is not answered, after what is still ``unsent``."""
        self._forget(line)
        self._give(line.socket, read, unsent, line.number)

    def _give(
        self, connected: socket.socket, read: bytes | bytearray = b"", unsent: bytes = b"", number: int = 0
    ) -> None:
        try:
            self._send_beside(connected.fileno())
        except OSError:  # too many are on their way: whoever sends is told, and tries again
            refuse(connected, unsent, read)
            self._say(wire.AWAY)
        else:
            self._say(wire.HAND, number, len(unsent), unsent, read)
            connected.close()

    def _send_beside(self, descriptor: int) -> None:
        try:
            socket.send_fds(self._beside, [b"\0"], [descriptor], socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._flush()  # so that the daemon can read what it is to take from beside
            socket.send_fds(self._beside, [b"\0"], [descriptor])

    def _look_after(self, now: float) -> None:
        for line in list(self._lines.values()):
            waited_s = now - line.since
            if line.state == FREE and waited_s > (self._first_s if line.fresh else self._idle_s):
                self._close(line)
            elif line.state == BODY and waited_s > _BODY_WITHIN_S:
                self._hand(line, line.got)

    # Requests

    def _read(self, line: Line) -> None:
        try:
            data = line.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            self._close(line)
            return
        if not data:
            self._close(line)
        elif line.state == FREE:
            self._request(line, data)
        elif line.state == BODY:
            self._more(line, data)
        else:  # said before the last was answered: looked at after that
            line.got += data
            self._poll.unregister(line.descriptor)

    def _request(self, line: Line, data: bytes) -> None:
        """The beginning of a request, or all of it."""
        begin = data.find(wire.END_OF_HEAD, 0, wire.LONGEST_HEAD) + len(wire.END_OF_HEAD)
        head = data[:begin]
        length, first, last = wire.length_in(head)
        if not length or len(data) - begin > length:
            self._hand(line, data)
            return
        line.fresh = False
        way = self._ways.get((line.peer, head[:first] + head[last:]))
        if way is not None:
            self._deliver(line, way, data, begin, length)
            return
        line.state, line.got = ASKED, data
        self._poll.unregister(line.descriptor)
        self._say(wire.ASK, line.number, 0, line.peer.encode(), b"\0", head)

    def _go(self, number: int, way: int) -> None:
        """The daemon knows the head that it was asked about, or (0) wants the connection."""
        line = self._lines.get(number)
        if line is None:
            return
        data = bytes(line.got)
        if not way:
            self._hand(line, data)
            return
        begin = data.find(wire.END_OF_HEAD) + len(wire.END_OF_HEAD)
        length, first, last = wire.length_in(data[:begin])
        if len(self._ways) >= _MOST_HEADS:
            self._ways.clear()
        self._ways[line.peer, data[:first] + data[last:begin]] = way
        line.state, line.got = FREE, b""
        self._poll.register(line.descriptor, select.EPOLLIN)
        self._deliver(line, way, data, begin, length)

    def _deliver(self, line: Line, way: int, data: bytes, begin: int, length: int) -> None:
        missing = length - (len(data) - begin)
        if length > self._most_body or (missing and self._bodies + length > _MOST_BODIES):
            self._hand(line, data)
        elif not missing:
            self._pass_on(line, way, memoryview(data)[begin:])
        else:
            line.state, line.since = BODY, time.monotonic()
            line.way, line.begin, line.length, line.missing = way, begin, length, missing
            line.got = bytearray(data)
            self._bodies += length

    def _more(self, line: Line, data: bytes) -> None:
        """More of a body."""
        line.got += data
        if len(data) > line.missing:
            self._hand(line, line.got)
            return
        line.missing -= len(data)
        if not line.missing:
            self._bodies -= line.length
            body, line.got = memoryview(line.got)[line.begin :], b""
            self._pass_on(line, line.way, body)

    def _pass_on(self, line: Line, way: int, body: memoryview) -> None:
        line.state = UNDER_WAY
        if not self._held:
            self._held_since = time.monotonic()
        self._held += 1
        self._hurries = self._hurries or len(body) > _LARGE
        self._out.append(wire.HEAD.pack(wire.DELIVERY, len(body), line.number, way))
        self._out.append(body)

    def _answer(self, number: int, answer: bytes, *, last: bool) -> None:
        line = self._lines.get(number)
        if line is None:  # it hung up
            return
        try:
            sent = line.socket.send(answer)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(line)
            return
        if sent < len(answer) or (line.got and not last):
            self._hand(line, line.got, answer[sent:])
        elif last:
            self._close(line)
        else:
            line.state, line.since = FREE, time.monotonic()


def main() -> None:
    """Is told by its arguments which descriptors are what, and its limits."""
    daemon, accepts, told, beside, most_lines, most_body = map(int, sys.argv[1:7])
    first_s, idle_s = map(float, sys.argv[7:9])
    for each in _ENDING:  # the daemon says when to end
        signal.signal(each, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != daemon:
        return
    receiver = Receiver(
        socket.socket(fileno=accepts), socket.socket(fileno=told), socket.socket(fileno=beside),
        most_lines=most_lines, most_body=most_body, first_s=first_s, idle_s=idle_s,
    )  # fmt: skip
    with suppress(BrokenPipeError, ConnectionResetError):  # the daemon is gone, and with it all that was under way
        receiver.run()
