"""Who waits for the turn of a group."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Passed:
    """``seq`` is the last group whose turn is committed."""

    def __init__(self) -> None:
        self.seq = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    async def reach(self, seq: int, timeout_s: float) -> bool:
        """Waits until the turn of group ``seq`` is committed; False if that takes longer."""
        if self.seq >= seq:
            return True
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, done))
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await done
        return done.done() and not done.cancelled()

    def committed(self, seq: int) -> None:
        """The turns of all groups up to ``seq`` are committed."""
        self.seq = seq
        for wanted, done in self._waiting:
            if wanted <= seq and not done.done():
                done.set_result(None)
        self._waiting = [(wanted, done) for wanted, done in self._waiting if not done.done()]
