"""How the core and the receiving of deliveries share one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_RECEIVING_SHARE = 4.0
"""Time for deliveries per time for the core while both have more to do than there is time."""
_SERVED_AFTER_S = 0.00025
"""Less work than this does not give way on its own: to look for who has come costs a tenth of it."""


class Pace:
    """``busy`` says whether a group is being committed, ``arrived`` how many deliveries have come so far."""

    def __init__(self) -> None:
        self.busy: Callable[[], bool] = lambda: False
        self.arrived: Callable[[], int] = lambda: 0
        self._waits: asyncio.Future[None] | None = None
        self._owed_s = 0.0

    def stir(self) -> None:
        """Something has come, or was committed: whoever gives way looks again."""
        if self._waits is not None:
            _wake(self._waits)

    async def give_way(self, spent_s: float) -> None:
        """After a slice that took so long: lets the event loop take in what has come, and commit it.

        Again while more comes, which may take some times as long as the slice but not for ever, and for as long as the
        slice took while a commit is under way: its answers bring the next deliveries. Short ones give way together.
        """
        self._owed_s += spent_s
        if self._owed_s < _SERVED_AFTER_S:
            return
        spent_s, self._owed_s = self._owed_s, 0.0
        began = time.perf_counter()
        while True:
            before = self.arrived()
            await asyncio.sleep(0)
            passed_s = time.perf_counter() - began
            if passed_s >= spent_s * _RECEIVING_SHARE:
                return
            if self.arrived() == before:
                if not self.busy() or passed_s >= spent_s:
                    return
                await self._stirred(spent_s - passed_s)

    async def _stirred(self, most_s: float) -> None:
        """Waits without keeping the processor: the thread that commits has need of it."""
        loop = asyncio.get_running_loop()
        waits = self._waits = loop.create_future()
        timer = loop.call_later(most_s, _wake, waits)
        try:
            await waits
        finally:
            timer.cancel()
            self._waits = None


def _wake(waits: asyncio.Future[None]) -> None:
    if not waits.done():
        waits.set_result(None)
