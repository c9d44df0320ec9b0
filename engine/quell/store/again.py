"""How the journal writes deliveries that tell again what others told: nothing that was packed before is packed anew.

A group's bytes are MessagePack through zlib, as those of all groups. Of a delivery that is told again the words come
first as they were packed once, a piece of zlib's that stands for itself, and beside them there is only when they were
told: a few bytes that need no packing. So whoever reads it needs nothing but the group.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from quell.model.records import AlertRecord, AnyRecord
from quell.model.retold import Retold

Encode = Callable[[Any], bytes]
_BEGIN = b"\x78\x01"
_LAST = b"\x01\x00\x00\xff\xff"
"""A last block, without anything."""
_ALSO = b"\x84\xa4kind\xa5again\xa4seen\xcb%b\xa7ends_at\xcb%b\xa6alerts"
"""A map of four, up to the value of the last: times are numbers of eight bytes."""
_BIG_LIST = 0xDD
_MODULUS = 65521
_LEVEL = 1
_LONGEST_BLOCK = 65_535


class Again(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="again", gc=False):
    """Alerts that were told together again: each as it is there, ``seen`` and ending when all were."""

    seen: float
    ends_at: float
    alerts: list[AlertRecord]


class _Piece(NamedTuple):
    """Bytes, packed so that they stand for themselves; ``check`` is their Adler-32, ``size`` how many they are."""

    packed: bytes
    check: int
    size: int


def packed_parts(parts: Iterable[Sequence[AnyRecord]], encode: Encode) -> bytes:
    """A list of all records of these deliveries, in order. Raises what ``encode`` does."""
    pieces: list[_Piece] = []
    count, apart = 0, list[AnyRecord]()
    for part in parts:
        if type(part) is not Retold:
            apart += part
            continue
        if apart:
            pieces.append(_packed(_items(apart, encode)))
            count, apart = count + len(apart), []
        pieces += (
            _plain(_ALSO % (struct.pack(">d", part.seen), struct.pack(">d", part.ends_at))),
            _words(part, encode),
        )
        count += 1
    if apart:
        pieces.append(_packed(_items(apart, encode)))
        count += len(apart)
    pieces.insert(0, _plain(struct.pack(">BI", _BIG_LIST, count)))
    check = 1
    for piece in pieces:
        check = _both(check, piece.check, piece.size)
    return b"".join((_BEGIN, *[piece.packed for piece in pieces], _LAST, check.to_bytes(4, "big")))


def spelled_out(told: Iterable[AnyRecord | Again]) -> list[AnyRecord]:
    """All records, each by itself."""
    out: list[AnyRecord] = []
    for each in told:
        if type(each) is Again:
            out += [replace(alert, seen=each.seen, ends_at=each.ends_at) for alert in each.alerts]
        else:
            out.append(each)  # type: ignore[arg-type]
    return out


def _words(part: Retold, encode: Encode) -> _Piece:
    """What a delivery says each time; packed once."""
    known = part.words.stored
    if type(known) is not _Piece:
        known = part.words.stored = _packed(encode(list(part.words.alerts)))
    return known


def _items(records: list[AnyRecord], encode: Encode) -> bytes:
    """What an encoded list has behind its head."""
    head = 1 if len(records) < 16 else 3 if len(records) < 65_536 else 5
    return encode(records)[head:]


def _plain(data: bytes) -> _Piece:
    """As they are: what is short would hardly become shorter."""
    size = len(data)
    return _Piece(b"\x00" + struct.pack("<HH", size, size ^ _LONGEST_BLOCK) + data, zlib.adler32(data), size)


def _packed(data: bytes) -> _Piece:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return _Piece(packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH), zlib.adler32(data), len(data))


def _both(first: int, then: int, size: int) -> int:
    """The Adler-32 of two in a row, of which the second has so many bytes."""
    low = (first & 0xFFFF) + (then & 0xFFFF) - 1
    high = (first >> 16) + (then >> 16) + size * ((first & 0xFFFF) - 1)
    return (high % _MODULUS) << 16 | low % _MODULUS
