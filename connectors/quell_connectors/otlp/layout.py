"""Data points of protobuf, read by their place: every exporter writes the fields in the order of their numbers.

To make an object of each point, and of each attribute, takes four times as long as to look where the numbers stand.
What does not stand as expected is not read here but by the classes of the messages (`quell_connectors.otlp.binary`), so
whatever is valid is read, and the same way. The attributes stay the bytes they are: they repeat from one request to the
next, and are read once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from quell_connectors.otlp.wire import MOST_REMEMBERED, Bounds, HistogramPoint, NumberPoint

_SINCE, _AT = 0x11, 0x19
_DOUBLE, _WHOLE = 0x21, 0x31
_COUNT, _SUM, _COUNTS, _BOUNDS, _LOW, _HIGH = 0x21, 0x29, 0x32, 0x3A, 0x59, 0x61
_NUMBER_EXEMPLAR, _HISTOGRAM_EXEMPLAR = 0x2A, 0x42
_BOTH_TIMES = struct.Struct("<xQxQ").unpack_from
_ONE_TIME = struct.Struct("<xQ").unpack_from
_FLOAT = struct.Struct("<xd").unpack_from
_SIGNED = struct.Struct("<xq").unpack_from
_HEAD = struct.Struct("<xQxQxQ").unpack_from
_ENDS = struct.Struct("<xdxd").unpack_from
_ENDS_BYTES = 18
_MORE = 0x80
"""Of a length: another byte follows."""


def number(raw: bytes) -> NumberPoint | None:
    """A point of a gauge or sum; what is left of it should be attributes only. None: it stands otherwise."""
    try:
        first = raw[0]
        if first == _SINCE and raw[9] == _AT:
            since, at = _BOTH_TIMES(raw)
            place = 18
        elif first == _AT:
            (at,) = _ONE_TIME(raw)
            since, place = 0, 9
        else:
            return None
        if raw[place] == _NUMBER_EXEMPLAR:  # as they stand before a whole number
            place = _behind(raw, place, _NUMBER_EXEMPLAR)
        kind = raw[place]
        if kind == _DOUBLE:
            (value,) = _FLOAT(raw, place)
        elif kind == _WHOLE:
            (value,) = _SIGNED(raw, place)
        else:
            return None
        rest = raw[place + 9 :]
        if rest and rest[0] == _NUMBER_EXEMPLAR:
            rest = rest[_behind(rest, 0, _NUMBER_EXEMPLAR) :]
    except (IndexError, struct.error):
        return None
    return rest, since, at, value, 0


def histogram(raw: bytes) -> HistogramPoint | None:
    """A point of a histogram that counted something; what is left should be attributes. None: it stands otherwise."""
    try:
        if not (raw[0] == _SINCE and raw[9] == _AT and raw[18] == _COUNT):
            return None
        since, at, count = _HEAD(raw)
        place, total, low, high = 27, None, None, None
        counts: tuple[int, ...] = ()
        bounds: Bounds = ()
        if raw[place] == _SUM:
            (total,) = _FLOAT(raw, place)
            place += 9
        if raw[place] == _COUNTS:
            start, place = _within(raw, place)
            if (place - start) % 8:
                return None
            counts = _wholes((place - start) // 8)(raw, start)
        if raw[place] == _BOUNDS:
            start, place = _within(raw, place)
            bounds = _bounds(raw[start:place]) if place - start <= MOST_REMEMBERED else _floats(raw[start:place])
        if raw[place] == _HISTOGRAM_EXEMPLAR:
            place = _behind(raw, place, _HISTOGRAM_EXEMPLAR)
        end = len(raw)
        if end - place >= _ENDS_BYTES and raw[end - _ENDS_BYTES] == _LOW and raw[end - 9] == _HIGH:
            end -= _ENDS_BYTES
            low, high = _ENDS(raw, end)
        rest = raw[place:end]
    except (IndexError, struct.error):
        return None
    return rest, since, at, count, total, counts, bounds, low, high, 0


def _within(raw: bytes, place: int) -> tuple[int, int]:
    """Where what the field at ``place`` holds begins and ends. Raises IndexError where it cannot."""
    size = raw[place + 1]
    place += 2
    if size & _MORE:
        more = raw[place]
        if more & _MORE:
            raise IndexError
        size = size & ~_MORE | more << 7
        place += 1
    if place + size > len(raw):
        raise IndexError
    return place, place + size


def _behind(raw: bytes, place: int, kind: int) -> int:
    """Where fields of a kind in a row end. Raises IndexError where they cannot."""
    while place < len(raw) and raw[place] == kind:
        _, place = _within(raw, place)
    return place


@lru_cache(maxsize=256)
def _wholes(count: int) -> Callable[[bytes, int], tuple[Any, ...]]:
    return struct.Struct(f"<{count}Q").unpack_from


@lru_cache(maxsize=1024)
def _bounds(raw: bytes) -> Bounds:
    return _floats(raw)


def _floats(raw: bytes) -> Bounds:
    """Raises struct.error where they are cut off."""
    return struct.unpack(f"<{len(raw) // 8}d", raw)
