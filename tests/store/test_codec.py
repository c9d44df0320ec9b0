"""Snapshots that come in pieces are stored as those that come whole."""

from __future__ import annotations

import zlib
from random import Random

import pytest

from quell.store.codec import seal, seal_pieces, unpack


@pytest.mark.parametrize("size", [0, 100, 5_000, 300_000, 3_000_000])
@pytest.mark.parametrize("dull", [True, False])
def test_what_comes_in_pieces_is_the_whole(size: int, dull: bool) -> None:
    data = bytes(size) if dull else Random(7).randbytes(size)
    pieces = [memoryview(data)[start : start + 70_001] for start in range(0, size, 70_001)]
    sealed = seal_pieces(pieces)
    assert unpack(sealed.blob) == data
    assert sealed.digest == seal(data).digest
    if sealed.blob.packed:
        assert zlib.decompress(sealed.blob.data) == data
    if size < 1_000_000:
        assert sealed == seal(data)
