"""How the core and the receiving of deliveries share one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import Protocol

import structlog

from quell.daemon.decider import Ahead
from quell.daemon.readers import Readers
from quell.replay.collector import Lasting, looked_for_later

_RECEIVING_SHARE = 8.0
"""Time for deliveries per time for the core while both have more to do than there is time."""
_SERVED_AFTER_S = 0.00025
"""Less work than this does not give way on its own: to look for who has come costs a tenth of it."""
_QUIET_AFTER_S = 0.001
"""Nor does less than this where much waits to be decided over, nobody came the last time, and nothing is to be kept."""
_SHORT_COMMIT_S = 0.001
"""A commit is let go first for so long: its thread needs the interpreter a few times, and all its senders wait for it.

One that takes longer waits for the disk, and has no use for what the core would give up.
"""
_LONG_S = 0.005
"""Work longer than this is that of a search, which is one of hundreds of pieces: people wait for all of them."""
_FOR_EACH_S = 0.0001
"""After a piece of a search a commit is waited for so long for each delivery that came meanwhile.

With a few the core goes on, and people see its work sooner; many go first, for the next come when these are answered.
"""
_TURNS = 4
"""After such work the event loop turns so often at the least: who connects, asks and is answered takes a few turns, and
would wait for a piece of the search at each of them."""
_READERS_S = 0.005
"""And for so long at most for those who asked and have no answer yet."""
_SLICE_S = 0.0015
"""A slice of alerts takes less than this; what takes longer is part of a search."""
_MANY_COME = 16
"""So many deliveries that came while a slice gave way are waited for until they are kept: their senders have nothing
else to send, and a slice meanwhile would keep the thread that commits from the interpreter."""
_KEPT_WITHIN_S = 0.003
"""And no longer than this, where one commit follows another."""
_LEAST_WAIT_S = 0.001
"""The event loop counts whole milliseconds: to wait for less than half of one is to turn in circles, and to take the
interpreter from the thread that commits each time."""
_NEXT_COME_S = 0.001
"""Many senders who were just answered send the next at once: so long it is waited for, and no longer.

A slice of the core between the answers and what follows them would keep all of them waiting for the length of it.
"""


_log = structlog.get_logger("quell.loop")
_HASTE = 5_000
"""While so many records wait, and until none does, nothing is done ahead: see `quell.core.ahead`."""


class Coming(Protocol):
    """What is still to be committed, and what has come so far: `quell.daemon.inbox.Inbox`."""

    @property
    def busy(self) -> bool: ...
    @property
    def holds_time(self) -> bool: ...
    @property
    def committing_since(self) -> float | None: ...
    @property
    def arrived(self) -> int: ...
    @property
    def many_answered(self) -> float: ...
    def decided(self, records: int) -> None: ...


class Pace:
    """``busy`` says whether a group is being committed, ``arrived`` how many deliveries have come so far.

    ``committing`` says when the commit that is under way began, on the steady clock, ``answered`` when many senders
    were answered last. ``readers`` are those who asked for something.
    """

    def __init__(self, readers: Readers | None = None) -> None:
        self._readers = Readers() if readers is None else readers
        self.busy: Callable[[], bool] = lambda: False
        self.committing: Callable[[], float | None] = lambda: None
        self.arrived: Callable[[], int] = lambda: 0
        self.answered: Callable[[], float] = lambda: -inf
        self.worked_s = 0.0
        """How much processor time the core has used so far: a machine that others use makes it no more."""
        self._used_s = time.thread_time()
        """What this thread had used when the core went on last."""
        self._waits: asyncio.Future[None] | None = None
        self._owed_s = 0.0
        self._seen = 0
        self._hurried = False
        self._lasting = Lasting()

    def follow(self, coming: Coming) -> None:
        """Looks at what comes from now on."""
        self.busy, self.committing = (lambda: coming.busy), (lambda: coming.committing_since)
        self.arrived, self.answered = (lambda: coming.arrived), (lambda: coming.many_answered)

    def stir(self) -> None:
        """Something has come, or was committed: whoever gives way looks again."""
        if self._waits is not None:
            _wake(self._waits)

    def hasten(self, ahead: Ahead, waiting: int) -> None:
        """Puts off what may come after all that waits, where that is much; looking for garbage as well."""
        if waiting >= _HASTE and not self._hurried:
            self._hurried = True
            looked_for_later(True)
        if self._hurried:
            ahead.put_off = True  # of whichever core it is: one that failed has been replaced

    async def rest(self, ahead: Ahead) -> None:
        """Nothing waits any more: does what was put off until now."""
        if not self._hurried:
            return
        ahead.put_off = self._hurried = False
        looked_for_later(False)
        began = time.perf_counter()
        try:
            for _ in ahead.read():
                await self.give_way(time.perf_counter() - began)
                began = time.perf_counter()
        except Exception:  # noqa: BLE001 - a bug of the core: reported, and found again where it is looked for
            _log.exception("what was put off cannot be done ahead; whoever needs it does it")

    async def give_way(self, spent_s: float) -> None:
        """After a slice that took so long: lets the event loop take in what has come, and commit it.

        Again while more comes, which may take some times as long as the slice but not for ever. A commit that is under
        way is waited for, as its answers bring the next deliveries: for as long as a short one takes, and
        others for as long as the slice took; after a long one only where many have come. Short slices give way
        together. After a long one readers are answered as well.
        """
        self.worked_s += max(0.0, min(spent_s, time.thread_time() - self._used_s))
        self._owed_s += spent_s
        if self._hurried:
            self._lasting.take()
        if self._owed_s >= _SERVED_AFTER_S:
            await self._serve()
        self._used_s = time.thread_time()

    async def _serve(self) -> None:
        first = self.arrived()
        if self._owed_s < _QUIET_AFTER_S and self._hurried and first == self._seen and not self._asked():
            return
        spent_s, self._owed_s = self._owed_s, 0.0
        began, commit = time.perf_counter(), self.committing()
        turns = 0 if spent_s >= _LONG_S else _TURNS
        while True:
            before = self._seen = self.arrived()
            await asyncio.sleep(0)
            passed_s = time.perf_counter() - began
            if passed_s >= spent_s * _RECEIVING_SHARE:
                return
            turns += 1
            if turns < _TURNS or (spent_s >= _LONG_S and passed_s < _READERS_S and self._readers.wait):
                continue
            if self.arrived() == before:
                worth_s = spent_s if spent_s < _LONG_S else max(_SHORT_COMMIT_S, (before - first) * _FOR_EACH_S)
                left_s = min(spent_s, worth_s) - passed_s
                if commit is not None and self.committing() == commit:  # the next one is not waited for in the same way
                    left_s = max(left_s, commit + _SHORT_COMMIT_S - began - passed_s)
                if not self.busy():
                    left_s = self.answered() + _NEXT_COME_S - began - passed_s if spent_s < _SLICE_S else 0.0
                elif spent_s < _SLICE_S and before - first >= _MANY_COME:
                    left_s = min(spent_s * _RECEIVING_SHARE, _KEPT_WITHIN_S) - passed_s
                if left_s <= 0:
                    return
                await self._stirred(left_s)

    def _asked(self) -> bool:
        return self.busy() or self._readers.wait

    async def _stirred(self, most_s: float) -> None:
        """Waits without keeping the processor: the thread that commits has need of it."""
        loop = asyncio.get_running_loop()
        waits = self._waits = loop.create_future()
        timer = loop.call_later(max(most_s, _LEAST_WAIT_S), _wake, waits)
        try:
            await waits
        finally:
            timer.cancel()
            self._waits = None


def _wake(waits: asyncio.Future[None]) -> None:
    if not waits.done():
        waits.set_result(None)
