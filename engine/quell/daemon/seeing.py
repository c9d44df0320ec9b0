"""Whoever reads waits a moment for what was accepted before, as he may have written it himself."""

from __future__ import annotations

from collections.abc import Callable

from quell.daemon.backlog import Backlog
from quell.daemon.passed import Passed
from quell.daemon.readers import Readers

_WAITS_S, _WAITS_LESS_S = 2.0, 0.02
"""He waits so long; less where many alerts are known and a look takes long,"""
_MUCH_WAITS = 1_000
"""and not at all where so many records wait, which is"""
_LOOKS_S = 0.1
"""asked so often."""


class Seeing:
    """``lag_s`` tells for how many seconds the oldest of what is not decided over has been waiting."""

    def __init__(self, passed: Passed, backlog: Backlog, readers: Readers, lag_s: Callable[[], float]) -> None:
        self._passed = passed
        self._backlog = backlog
        self._readers = readers
        self._lag_s = lag_s

    async def until(self, seq: int, *, much_known: bool) -> None:
        """Waits until the turn of group ``seq`` is committed, or for as long as he may have to wait."""
        left_s = _WAITS_LESS_S if much_known else _WAITS_S
        while self._passed.seq < seq and left_s > 0 and self._backlog.count <= _MUCH_WAITS:
            if self._lag_s() > _WAITS_S:
                return
            with self._readers.for_core():
                await self._passed.reach(seq, min(left_s, _LOOKS_S))
            left_s -= _LOOKS_S
