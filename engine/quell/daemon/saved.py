"""What a snapshot holds: the core's state, and the rulebook by which it came about.

A recovery decides the journal again that follows a snapshot. It has to be by the same rules as the first time: other
rules would bring forth other incidents, and other incidents other pages and tickets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from quell.model.rulebook import Rulebook

_TWO = msgspec.msgpack.encode((None, None))[:1]
"""How MessagePack begins a list of two."""


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    rulebook: msgspec.Raw
    state: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Saved:
    """``state`` is for the core's `restored`. ``rulebook`` is None when it could not be read, ``problem`` says why."""

    state: bytes | memoryview
    rulebook: Rulebook | None = None
    problem: str = ""


def packed(rulebook: Rulebook, state: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The bytes of a snapshot in pieces; those of ``state`` are MessagePack."""
    yield _TWO + msgspec.msgpack.encode(rulebook)
    yield from state


def opened(data: bytes) -> Saved:
    """What `packed` made. Never raises: bytes of another form are taken for a state without rulebook."""
    try:
        saved = msgspec.msgpack.decode(data, type=_Saved)
    except msgspec.DecodeError:
        return Saved(data, problem="there is none")
    state = memoryview(saved.state)  # of a large estate it has a hundred megabytes
    try:
        return Saved(state, msgspec.msgpack.decode(saved.rulebook, type=Rulebook))
    except msgspec.DecodeError as error:
        return Saved(state, problem=str(error))
