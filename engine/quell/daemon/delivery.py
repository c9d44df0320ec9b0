"""A delivery on the short way, for as long as its connection waits for it."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from quell.daemon.direct import Direct, Way
from quell.daemon.gathered import LARGEST
from quell.daemon.receiver import wire
from quell.daemon.replies import error_reply
from quell.sdk.connector import Reply

_log = structlog.get_logger("quell.http")


class _Nobody:
    """In place of an event that nobody waits for."""

    def set(self) -> None:
        """Wakes nobody."""


class Delivery:
    """A request on the short way (see `quell.daemon.direct`), where the server keeps what is being answered.

    What the server reads and sets there has the server's names.
    """

    __slots__ = (
        "_answered", "_way", "body", "disconnected", "keep_alive", "more_body", "response_complete",
        "response_started",
    )  # fmt: skip
    message_event = _Nobody()

    def __init__(self, way: Way, answered: Callable[[Delivery, Reply], None]) -> None:
        self._answered = answered
        self._way = way
        self.body: bytes | bytearray = b""
        self.keep_alive = True
        self.more_body = True
        self.disconnected = self.response_started = self.response_complete = False

    @property
    def usual(self) -> bool:
        """Whether the receiver takes such deliveries."""
        return self._way.proved and self._way.length <= wire.LARGEST

    def more(self, part: bytes) -> None:
        """A part of the body."""
        if not self.body:
            self.body = part
            return
        if type(self.body) is bytes:
            self.body = bytearray(self.body)  # grows where it lies; many parts would lie all over the memory
        self.body += part

    def whole(self, direct: Direct, body: bytes | bytearray) -> None:
        """The body is there."""
        self.more_body, self.body = False, b""
        if self._way.proved and len(body) <= LARGEST:
            direct.gathered.add(self._way, bytes(body), self)
            return
        try:
            direct.take(self._way, bytes(body), self.answer)
        except Exception as error:  # noqa: BLE001 - a bug is answered and reported, and ends nobody else's connection
            _log.error("a delivery failed", path=self._way.path, exc_info=error)
            self.failed()

    def failed(self) -> None:
        """A bug kept it from being taken: its sender is told, if he was told nothing yet."""
        if not self.response_started:
            self.keep_alive = False
            self.answer(error_reply(500, "quell failed on this delivery"))

    def late(self, direct: Direct) -> None:
        """The body does not come."""
        self.more_body = self.keep_alive = False
        self.answer(direct.late(self._way))

    def answer(self, reply: Reply) -> None:
        """Writes the response, if there is still somebody to read it."""
        self.response_started = self.response_complete = True
        self._answered(self, reply)
