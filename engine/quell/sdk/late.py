"""Where a pull of a stream goes on when some of it arrives late: it reads over again, and tells nothing twice.

A source is asked for all that happened since a while before the last answer (``overlap_s``). What was told already is
known by a short mark; marks are kept only as far back as the next question will reach.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TypeVar

import msgspec

MOST_MARKS = 50_000
"""Of one stream. What happened longest ago is forgotten first, and may then be told twice."""

_SLACK_S = 0.001
"""Whoever asks from a moment on may be given what happened at that moment, by another clock's rounding."""

T = TypeVar("T")


class Window(msgspec.Struct, frozen=True, array_like=True):
    """Read up to ``until``, in seconds; ``seen`` are the (time, mark) of what was told and may come again."""

    until: float
    seen: tuple[tuple[float, str], ...] = ()


def since(window: Window | None, *, now: float, lookback_s: float, overlap_s: float) -> float:
    """From when on to ask: ``lookback_s`` ago the first time. A clock that went back is no reason to ask for less."""
    return now - lookback_s if window is None else min(window.until, now) - overlap_s


def fresh(
    window: Window | None, rows: Iterable[tuple[float, str, T]], until: float, overlap_s: float
) -> tuple[list[T], Window]:
    """Those of (time, identity, row) that were not told before, and the window after them."""
    known = {} if window is None else {mark: at for at, mark in window.seen}
    told: list[T] = []
    for at, identity, row in rows:
        mark = mark_of(at, identity)
        if mark not in known:
            known[mark] = at
            told.append(row)
    kept = sorted((at, mark) for mark, at in known.items() if at > until - overlap_s - _SLACK_S)
    return told, Window(until, tuple(kept[-MOST_MARKS:]))


def mark_of(at: float, identity: str) -> str:
    """By what something is known again."""
    return blake2b(f"{at!r}\x00{identity}".encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


class Cursor(msgspec.Struct, frozen=True):
    """Where a source goes on: windows by stream, and the streams that could not be read."""

    windows: dict[str, Window] = {}
    wrong: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str | None) -> Cursor:
        """As it was kept; an empty one for a first pull or the cursor of another version."""
        try:
            return msgspec.json.decode(text, type=cls) if text else cls()
        except msgspec.DecodeError:
            return cls()

    def text(self) -> str:
        """For the next pull."""
        return msgspec.json.encode(self, order="sorted").decode()
