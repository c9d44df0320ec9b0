"""What was weighed in one solution of a group and need not be in the next: pure results, by what they depend on.

Most of a large group is as it was ten seconds ago. What is kept is found again by a digest of all that went into it, so
whoever forgets it decides the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from numpy.typing import NDArray

MOST = 20_000
"""Causes of each kind that are remembered, some 200 bytes each."""


def digest(parts: Sequence[NDArray[Any]]) -> bytes:
    """What tells these arrays from others."""
    return blake2b(b"".join([part.tobytes() for part in parts]), digest_size=16).digest()


class Weighed:
    """``stays`` are beginnings that were found the best, ``moves`` what opening a cause gained before its price."""

    def __init__(self) -> None:
        self._stays: dict[tuple[int, float], bytes] = {}
        self._moves: dict[int, tuple[bytes, float, float]] = {}

    def stays(self, cause: int, began: float, asked: bytes) -> bool:
        """Whether no other beginning was better, all being as it is."""
        return self._stays.get((cause, began)) == asked

    def stay(self, cause: int, began: float, asked: bytes) -> None:
        """No other beginning is better."""
        if len(self._stays) >= MOST:
            self._stays.clear()
        self._stays[cause, began] = asked

    def move(self, cause: int, asked: bytes) -> tuple[float, float] | None:
        """The gain in nats and the beginning of the best move with a cause, if it was asked for just this."""
        known = self._moves.get(cause)
        return None if known is None or known[0] != asked else known[1:]

    def moved(self, cause: int, asked: bytes, gain: float, began: float) -> None:
        """The best move with a cause."""
        if len(self._moves) >= MOST:
            self._moves.clear()
        self._moves[cause] = asked, gain, began
