"""Small deliveries that come within one turn of the event loop: taken in together, kept as one, answered together.

Senders on many connections go in step: all are answered by one commit, and all send the next at once. What is done for
each of them alone is then most of what one alert costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

import structlog

from quell.sdk.connector import Reply

LARGEST = 4096
"""Bytes of a body; of larger ones, decoding them is most of what they cost."""
_W = TypeVar("_W")
_log = structlog.get_logger("quell.http")


class Awaiting(Protocol):
    """A delivery whose sender waits: `quell.daemon.delivery.Delivery`."""

    def answer(self, reply: Reply) -> None: ...
    def failed(self) -> None: ...


class Gathered(Generic[_W]):
    """What came on all connections and is not taken yet; it is by the next turn of the event loop.

    ``coming`` is told how many are about to be taken, ``take`` gets each with its way, and whom to tell the first and
    the end of those that an answer is for.
    """

    def __init__(
        self,
        coming: Callable[[int], None],
        take: Callable[[Sequence[tuple[_W, bytes]], Callable[[int, int, Reply], None]], None],
    ) -> None:
        self._coming = coming
        self._take = take
        self._came: list[tuple[_W, bytes]] = []
        self._awaiting: list[Awaiting] = []

    def add(self, way: _W, body: bytes, delivery: Awaiting) -> None:
        """A whole delivery."""
        if not self._came:
            asyncio.get_running_loop().call_soon(self._let_in)
        self._came.append((way, body))
        self._awaiting.append(delivery)
        self._coming(1)

    def _let_in(self) -> None:
        came, awaiting, self._came, self._awaiting = self._came, self._awaiting, [], []
        self._coming(-len(came))
        try:
            self._take(came, partial(_answer, awaiting))
        except Exception as error:  # noqa: BLE001 - a bug is answered and reported, and ends nobody else's connection
            _log.error("deliveries failed", count=len(came), exc_info=error)
            for each in awaiting:
                each.failed()


def _answer(awaiting: Sequence[Awaiting], first: int, end: int, reply: Reply) -> None:
    for each in awaiting[first:end]:
        try:
            each.answer(reply)
        except Exception as error:  # noqa: BLE001 - a bug is reported, and keeps no other sender waiting
            _log.error("an answer could not be given", exc_info=error)
