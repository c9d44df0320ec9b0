"""A state as bytes in small pieces: what it was at one instant, encoded while it goes on changing.

Nearly all of a large state are values that never change, only others take their place: of those a list is taken at
once, and they are encoded one handful after the other whenever there is time, by whatever thread. The rest is small and
is encoded at once. Joined, the pieces are the very bytes that the encoder makes of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import pack
from typing import Any

import msgspec

from quell.model.state import State

TOGETHER = 250
"""Entries of one piece: a hundred thousand alerts make pieces of a millisecond."""
LASTING = frozenset(
    {
        "alerts",
        "behaviour",
        "calm_at",
        "changes",
        "climbs",
        "customs",
        "declared",
        "dependencies",
        "early",
        "entities",
        "followed",
        "foreign",
        "gathered",
        "hearings",
        "incidents",
        "news",
        "orphans",
        "passings",
        "placed",
        "rulings",
        "seen_ids",
        "settling",
        "spans",
        "telling",
        "totals",
    }
)
"""Fields whose entries are replaced and never changed."""
_ENCODER = msgspec.msgpack.Encoder()
_Entries = tuple[list[Any], list[Any]]
"""Keys and values: less than half of what a mapping takes."""


def written(state: State) -> Iterator[bytes | memoryview]:
    """The bytes of the state as it is now; it may change before they are asked for."""
    parts: list[bytes | _Entries] = [_head(len(state.__struct_fields__))]
    for name, said in zip(state.__struct_fields__, state.__struct_encode_fields__, strict=True):
        value = getattr(state, name)
        parts.append(_ENCODER.encode(said))
        if name in LASTING and value:
            parts.append((list(value), list(value.values())))
        else:
            parts.append(_ENCODER.encode(value))
    return _pieces(parts)


def _pieces(parts: Iterable[bytes | _Entries]) -> Iterator[bytes | memoryview]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        keys, values = part
        yield _head(len(keys))
        for start in range(0, len(keys), TOGETHER):
            some = dict(zip(keys[start : start + TOGETHER], values[start : start + TOGETHER], strict=True))
            yield memoryview(_ENCODER.encode(some))[len(_head(len(some))) :]
        keys.clear()
        values.clear()  # what took the place of these meanwhile need not be kept twice


def _head(entries: int) -> bytes:
    """How a mapping of so many entries begins."""
    if entries <= 0xF:
        return pack("B", 0x80 | entries)
    return pack(">BH", 0xDE, entries) if entries <= 0xFFFF else pack(">BI", 0xDF, entries)
