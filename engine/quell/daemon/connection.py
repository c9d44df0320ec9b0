"""One connection of the HTTP server, with bounds: heads that do not end, bodies that pile up, peers without number.

The server's own parser keeps a head until it is whole, and bodies until they are answered; whoever sends slowly, or
without end, or on thousands of connections, must not fill the memory or take the place of those who behave.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterable, Sized
from typing import Any

import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quell.daemon.delivery import Delivery
from quell.daemon.direct import Direct, Way
from quell.daemon.receiver.refusing import NO_PLACE, NO_ROOM
from quell.daemon.receiver.wire import LONGEST_HEAD
from quell.daemon.replies import error_reply
from quell.sdk.connector import Reply

MOST_HEAD_BYTES = 128 * 1024
"""Of one request's first line and headers together."""
HEAD_WITHIN_S = 30.0
"""Seconds until the head of a request must be there; a new connection has as long to say anything at all."""
MOST_UNDER_WAY = 128 * 1024 * 1024
"""Bytes of all bodies together that have come in and are not answered yet; one alone may be larger."""
_FILES_FOR_OTHERS = 128
"""Open files that connections leave to the store, to connectors and to logs."""
_FILES_WANTED = 65_536


_BACK_AFTER = 16
"""After so many deliveries a connection goes to the receiver (again)."""
IDLE_S = 75.0
"""Seconds that a connection is kept on which nothing is asked."""
_END = b"\r\n\r\n"
_log = structlog.get_logger("quell.http")


class _Flow(FlowControl):
    """Reads no more while ``queue`` holds requests that nobody has begun: each answer would let in many others."""

    def __init__(self, transport: asyncio.Transport, queue: Sized) -> None:
        super().__init__(transport)
        self._queue = queue

    def resume_reading(self) -> None:
        """The newest request alone may lack some of its body, and it is begun when it has left the queue."""
        if not self._queue:
            super().resume_reading()


class UnderWay:
    """Bytes of bodies that have come in and are not answered yet.

    An object of its own: whoever sets an attribute of a class makes the interpreter forget where it found its methods.
    """

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


class Connection(HttpToolsProtocol):
    """Answers 503 to a body for which there is no room, and gives up what does not get to an end."""

    cycle: Any
    told_of_no_room = True
    """Whether an answer may be sent to whoever is one too many."""

    under_way = UnderWay()
    """Of all connections of this process."""
    most_connections = 1024 - _FILES_FOR_OTHERS
    most_body = 8 * 1024 * 1024
    """Bytes of one body; what is larger is read on for its sender's sake and not kept, and counts no more."""

    def __init__(self, *arguments: Any, direct: Direct | None = None, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._direct = direct
        self._peer = ""
        self._between = True
        """Whether the next byte begins a request, as far as the parser knows."""
        self._begun = self._ended = 0
        """How many requests began and ended within what was read last."""
        self._goes_on = False
        self._way: Way | None = None
        """Of the request whose head was read last."""
        self._idle_since: float | None = None
        self._head_since: float | None = None
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_since = 0.0
        self._too_large = False
        self._refused_since: float | None = None
        self._in_a_row = 0
        """Deliveries that the receiver would have taken, since the last request that it would not."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        self._head_since = self.loop.time()
        self._peer = self.client[0] if self.client else ""
        if len(self.connections) > self.most_connections:
            if self.told_of_no_room:
                transport.write(NO_PLACE)
            transport.close()
            if self._direct is not None:
                self._direct.turned_away()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_body()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        between, direct = self._between, self._direct
        if between and direct is not None and self._known(direct, data):
            return
        within_head = self._head_since is not None
        self._begun = self._ended = 0
        super().data_received(data)
        if within_head and self._head_since is not None and self._ended == 0:  # else it is not of one head
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"The head of the request is larger than {MOST_HEAD_BYTES} bytes.")
        learnt = self._begun == self._ended == 1 and self._between  # one request, and nothing else
        if between and direct is not None and self._way is not None and learnt:
            self._learn(direct, self._way, data)

    def _known(self, direct: Direct, data: bytes) -> bool:
        """Takes a whole request with a head that was read before; False where it must be read."""
        end = data.find(_END, 0, LONGEST_HEAD) + len(_END)
        way = direct.known(self._peer, data[:end])
        if way is None or len(data) - end != way.length or not self._free():
            return False
        under_way = self.under_way
        if under_way.bytes + way.length > MOST_UNDER_WAY:
            return False
        self._head_since = self._idle_since = None
        under_way.bytes += way.length
        self._body_bytes = way.length
        delivery = self.cycle = Delivery(way, self.answered)
        delivery.whole(direct, data[end:])
        return True

    def _learn(self, direct: Direct, way: Way, data: bytes) -> None:
        """Remembers the head of what was read whole: the parser found it to end where its body's length says."""
        end = data.find(_END, 0, LONGEST_HEAD) + len(_END)
        if len(data) - end == way.length:
            direct.learn(self._peer, data[:end], way)

    def _free(self) -> bool:
        """Whether nothing is under way on this connection.

        Whoever does not read his answers goes the long way, which waits for him: they would pile up here.
        """
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and self._refused_since is None
            and not self.transport.is_closing()
        )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_since, self._too_large = self.loop.time(), False
        self._idle_since, self._between = None, False
        self._begun += 1

    def on_headers_complete(self) -> None:
        self._head_since, self._head_bytes = None, 0
        self._goes_on = self.parser.should_keep_alive() and not self.parser.should_upgrade()
        self._way = self._short_way()
        if self._way is None:
            self._in_a_row = 0
            super().on_headers_complete()
        else:
            self._body_since = self.loop.time()
            self.cycle = Delivery(self._way, self.answered)

    def _short_way(self) -> Way | None:
        plain = (
            self._direct is not None
            and self._goes_on
            and not self.expect_100_continue
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self._free()
        )
        return self._direct.way(self._peer, self.url, self.headers) if plain and self._direct is not None else None

    def on_body(self, body: bytes) -> None:
        if self._refused_since is not None:
            return
        if not self._too_large and not self.cycle.response_complete:
            self.under_way.bytes += len(body)
            self._body_bytes += len(body)
            if self._body_bytes > self.most_body:
                self._forget_body()
                self._too_large = True
            elif self._body_bytes < self.under_way.bytes > MOST_UNDER_WAY and not self.cycle.response_started:
                self._refuse()
                return
        if type(self.cycle) is not Delivery:
            super().on_body(body)
        elif self.cycle.more_body:
            self.cycle.more(body)

    def on_message_complete(self) -> None:
        self._between = self._goes_on
        self._ended += 1
        if self._refused_since is not None:
            self.transport.close()
        elif type(self.cycle) is not Delivery:
            super().on_message_complete()
        elif self.cycle.more_body and self._direct is not None:
            self.cycle.whole(self._direct, self.cycle.body)

    def answered(self, delivery: Delivery, reply: Reply) -> None:
        """Writes the answer to a delivery."""
        if self.transport.is_closing() or delivery.disconnected or self._direct is None:
            self._forget_body()
            return
        close = not delivery.keep_alive
        try:
            told = self._direct.written(reply, self.server_state.default_headers, close=close)
        except (
            LookupError,
            ValueError,
        ) as error:  # as a connector of somebody else's may make it: it is told, at least
            _log.error("an answer cannot be written", error=f"{type(error).__name__}: {error}")
            reply, close = error_reply(500, "what was to be answered cannot be written"), True
            told = self._direct.written(reply, self.server_state.default_headers, close=close)
        try:
            self.transport.write(told)
        except RuntimeError as error:
            if not hung_up(error):
                raise
            return
        if close:
            self.transport.close()
        self.on_response_complete()
        if self._direct.back is not None and delivery.usual:
            self._in_a_row += 1
            if self._in_a_row >= _BACK_AFTER:
                self.loop.call_soon(self._go_back)  # the answer is on its way by then

    def _go_back(self) -> None:
        """Leaves the connection to the receiver, for it does what the receiver is there for."""
        self._in_a_row = 0
        idle = self._between and self._free() and not self.transport.get_write_buffer_size()
        if idle and self._direct is not None and self._direct.back is not None and self._direct.back(self.transport):
            self.transport.abort()  # the connection is the receiver's now, and stays

    def _refuse(self) -> None:
        """Answers at once; what still comes is dropped, so that the sender gets to see the answer."""
        self._refused_since = self.loop.time()
        self.transport.write(NO_ROOM)
        self.cycle.disconnected = True  # whoever reads the body is told that nobody waits for an answer
        self.cycle.body = bytearray()
        self.cycle.message_event.set()
        self.flow.resume_reading()
        self._forget_body()

    def on_response_complete(self) -> None:
        self._forget_body()
        if self.pipeline or self.flow.read_paused:
            super().on_response_complete()
            self._unset_keepalive_if_required()
        else:
            self.server_state.total_requests += 1
        # Looked at every now and then: a timer of its own for each answer would cost as much as the answer.
        self._idle_since = self.loop.time()

    def _forget_body(self) -> None:
        self.under_way.bytes -= self._body_bytes
        self._body_bytes = 0

    def shutdown(self) -> None:
        """At the end nobody is waited for whose body is not there yet: nothing of it was taken."""
        if self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.transport.close()
        else:
            super().shutdown()

    def give_up_if_slow(self, now: float) -> None:
        """Closes it when a head or a body does not come, or nothing at all; ``now`` is the loop's time."""
        busy = self.cycle is not None and not self.cycle.response_complete
        since = self._refused_since if self._refused_since is not None else None if busy else self._head_since
        if (since is not None and now - since > HEAD_WITHIN_S) or (
            not busy and self._head_since is None and self._idle_since is not None and now - self._idle_since > IDLE_S
        ):
            self.transport.close()
        elif (
            type(self.cycle) is Delivery
            and self._direct is not None
            and self.cycle.more_body
            and now - self._body_since > self._direct.body_within_s
        ):
            self.cycle.late(self._direct)


def hung_up(error: RuntimeError) -> bool:
    """Whether the peer went away while it was being answered.

    The server learns of it a moment after its transport is closed; a write in between is an error of the event loop's.
    """
    return "the handler is closed" in str(error)


def look_after(connections: Iterable[Any]) -> None:
    """Gives up those that are too slow; to be called every now and then."""
    now = asyncio.get_running_loop().time()
    for each in list(connections):
        if isinstance(each, Connection):
            each.give_up_if_slow(now)


def make_room(most_body: int) -> None:
    """Lets this process open as many files as the machine allows it; connections may use most of them."""
    Connection.most_body = most_body
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    wanted = max(soft, _FILES_WANTED if unlimited else min(hard, _FILES_WANTED))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    Connection.most_connections = max(16, wanted - _FILES_FOR_OTHERS)
