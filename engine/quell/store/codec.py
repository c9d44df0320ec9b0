"""Values as bytes and back: MessagePack, packed by zlib where that pays."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from hashlib import sha256
from io import BytesIO
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import msgspec

from quell.errors import StoreError
from quell.model.records import AnyRecord
from quell.store.again import Again, packed_parts, spelled_out

T = TypeVar("T")

PACK_FROM_BYTES = 2048
"""Below this zlib costs more time than its bytes are worth (one alert is about 350 bytes)."""

_IN_PIECES_FROM_BYTES = 1024 * 1024
"""A snapshot from this size on is packed as it comes, whether that pays or not (it always does)."""
_LEVEL = 1

_ENCODER = msgspec.msgpack.Encoder()
_RECORDS = msgspec.msgpack.Decoder(list[AnyRecord | Again])


class Blob(NamedTuple):
    """Bytes as stored; ``packed`` says that they are zlib's."""

    packed: bool
    data: bytes


def encode(value: Any) -> bytes:
    """MessagePack of a value of the model. Raises StoreError for what it cannot hold (integers beyond 64 bits)."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise StoreError(f"a value cannot be stored: {error}; nothing of it was kept") from error


def decode(data: bytes, kind: type[T]) -> T:
    """The value of that type. Raises StoreError when the bytes are not one."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"a stored {kind.__name__} cannot be read: {error}; restore a backup") from error


def pack(data: bytes) -> Blob:
    """The bytes, through zlib if they are many and become at least a quarter fewer by it.

    Level 1: a group of 500 alerts shrinks to a tenth in 0.3 ms, without the interpreter's lock.
    """
    if len(data) >= PACK_FROM_BYTES:
        packed = zlib.compress(data, _LEVEL)
        if len(packed) <= len(data) * 3 // 4:
            return Blob(packed=True, data=packed)
    return Blob(packed=False, data=data)


def unpack(blob: Blob) -> bytes:
    """What was packed. Raises StoreError when it is damaged."""
    if not blob.packed:
        return blob.data
    try:
        return zlib.decompress(blob.data)
    except zlib.error as error:
        raise StoreError(f"stored bytes are damaged: {error}; restore a backup") from error


class Sealed(NamedTuple):
    """A snapshot as it is stored: ``digest`` is the SHA-256 of the state, in hex."""

    digest: str
    blob: Blob


def seal(state: bytes) -> Sealed:
    """Prepares a snapshot. Of a large state this takes a second or more, and needs no database."""
    return Sealed(sha256(state).hexdigest(), pack(state))


def seal_pieces(pieces: Iterable[bytes | memoryview]) -> Sealed:
    """The same of a snapshot that comes in pieces, which are never all there at once when it is large."""
    first: list[bytes | memoryview] = []
    size, coming = 0, iter(pieces)
    for piece in coming:
        first.append(piece)
        size += len(piece)
        if size >= _IN_PIECES_FROM_BYTES:
            break
    else:
        return seal(b"".join(first))
    digest, packer = sha256(), zlib.compressobj(_LEVEL)
    out = BytesIO()  # its value is what it has written into, and no copy of that
    for piece in chain(first, coming):
        digest.update(piece)
        out.write(packer.compress(piece))
    out.write(packer.flush())
    return Sealed(digest.hexdigest(), Blob(packed=True, data=out.getvalue()))


def pack_records(records: Sequence[AnyRecord], parts: Sequence[Sequence[AnyRecord]] = ()) -> Blob:
    """The journal's form of a group's records; ``parts`` are the same by delivery, where some were told again."""
    return Blob(packed=True, data=packed_parts(parts, encode)) if parts else pack(encode(list(records)))


def unpack_records(blob: Blob) -> list[AnyRecord]:
    """The records of a journal group."""
    try:
        told = _RECORDS.decode(unpack(blob))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"stored records cannot be read: {error}; restore a backup") from error
    return told if Again not in set(map(type, told)) else spelled_out(told)  # type: ignore[return-value]
