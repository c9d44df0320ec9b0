"""How the core and the receiving of deliveries share one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_RECEIVING_SHARE = 8.0
"""Time for deliveries per time for the core while both have more to do than there is time."""
_SERVED_AFTER_S = 0.00025
"""Less work than this does not give way on its own: to look for who has come costs a tenth of it."""
_SHORT_COMMIT_S = 0.001
"""A commit is let go first for so long: its thread needs the interpreter a few times, and all its senders wait for it.

One that takes longer waits for the disk, and has no use for what the core would give up.
"""


class Pace:
    """``busy`` says whether a group is being committed, ``arrived`` how many deliveries have come so far.

    ``committing`` says when the commit that is under way began, on the steady clock.
    """

    def __init__(self) -> None:
        self.busy: Callable[[], bool] = lambda: False
        self.committing: Callable[[], float | None] = lambda: None
        self.arrived: Callable[[], int] = lambda: 0
        self._waits: asyncio.Future[None] | None = None
        self._owed_s = 0.0

    def stir(self) -> None:
        """Something has come, or was committed: whoever gives way looks again."""
        if self._waits is not None:
            _wake(self._waits)

    async def give_way(self, spent_s: float) -> None:
        """After a slice that took so long: lets the event loop take in what has come, and commit it.

        Again while more comes, which may take some times as long as the slice but not for ever. A commit that is under
        way is waited for, as its answers bring the next deliveries: for as long as a short one takes, and others for
        as long as the slice took. Short slices give way together.
        """
        self._owed_s += spent_s
        if self._owed_s < _SERVED_AFTER_S:
            return
        spent_s, self._owed_s = self._owed_s, 0.0
        began, commit = time.perf_counter(), self.committing()
        while True:
            before = self.arrived()
            await asyncio.sleep(0)
            passed_s = time.perf_counter() - began
            if passed_s >= spent_s * _RECEIVING_SHARE:
                return
            if self.arrived() == before:
                left_s = spent_s - passed_s
                if commit is not None and self.committing() == commit:  # the next one is not waited for in the same way
                    left_s = max(left_s, commit + _SHORT_COMMIT_S - began - passed_s)
                if not self.busy() or left_s <= 0:
                    return
                await self._stirred(left_s)

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
