"""Snapshots of the state: when one is due, and how it gets to the store while turns go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from math import inf

import structlog

from quell.daemon.keeping import Past
from quell.daemon.logs import Sparing
from quell.daemon.writer import Writer
from quell.errors import StoreError
from quell.store.codec import Sealed, seal_pieces

SNAPSHOT_AFTER = 50_000
"""Records after which a snapshot is due whatever the time, so that no recovery has much more to decide again."""


STATE_BYTES_A_RECORD = 20_000
"""A state this large, as it is stored, is written for one record: to decide again over few is quick, and a state of
some megabytes written every minute is gigabytes a day."""
LATEST = 10
"""After so many times the usual time it is written for whatever happened."""
DECIDED_S = 2.0
"""After so long of deciding a snapshot is due as well, however few records that was for: a look at ten thousand alerts
takes seconds, and a start has to take them again,"""
DECIDED_FOR_EACH = 2.0
"""but not before that is so many times what the last snapshot cost."""
AHEAD_S = 1.0
"""So long a turn that took long waits until its snapshot is packed, to be stored at once as well; so do its pages."""
Pieces = Iterable[bytes | memoryview]


def worth_it(
    state_bytes: int, records: int, since_s: float, every_s: float, *, decided_s: float = 0.0, took_s: float = 0.0
) -> bool:
    """Whether a state that was so large when it was written last is to be written again."""
    if records >= SNAPSHOT_AFTER or since_s >= LATEST * every_s or took_long(decided_s, took_s):
        return True
    return since_s >= every_s and state_bytes <= STATE_BYTES_A_RECORD * records


def took_long(decided_s: float, took_s: float) -> bool:
    """Whether so long of deciding is worth a snapshot by itself; ``took_s`` is what the last one cost."""
    return decided_s >= max(DECIDED_S, DECIDED_FOR_EACH * took_s)


class Saving:
    """``saved`` is told which group a snapshot covers once it is kept; ``past`` goes to the store before it.

    ``decided_s`` says how long was decided so far, in seconds.
    """

    def __init__(
        self, writer: Writer, past: Past, every_s: float, saved: Callable[[int], None], decided_s: Callable[[], float]
    ) -> None:
        self.unsaved = False
        """Whether anything changed since the last snapshot."""
        self._writer = writer
        self._past = past
        self._every_s = every_s
        self._saved = saved
        self._decided_s = decided_s
        self._before_s = 0.0
        """How long was decided up to the last snapshot."""
        self._took_s = 0.0
        """What the last snapshot cost of a processor."""
        self._records = 0
        self._bytes = 0
        self._at = time.monotonic()
        self._failed = False
        self._under_way: asyncio.Task[None] | None = None
        self._sparing = Sparing(structlog.get_logger("quell.loop"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="snapshot")
        """Not one of those on which names are looked up: where no name server answers, all of these hang."""

    def changed(self, records: int) -> None:
        """A turn was committed that was for so many records."""
        self.unsaved = True
        self._records += records

    def soon(self) -> None:
        """A snapshot is due at the next chance."""
        self._at = -inf

    @property
    def much(self) -> bool:
        """Whether a snapshot is due for the number of records alone."""
        return self._records >= SNAPSHOT_AFTER

    @property
    def due(self) -> bool:
        """Whether to take a snapshot now; not while one is on its way."""
        if not self.unsaved or (self._under_way is not None and not self._under_way.done()):
            return False
        state_bytes = 0 if self._failed else self._bytes  # the records that made the last one due are not saved
        return worth_it(
            state_bytes, self._records, time.monotonic() - self._at, self._every_s,
            decided_s=self._decided_s() - self._before_s, took_s=self._took_s,
        )  # fmt: skip

    def took_long(self, since_s: float) -> bool:
        """Whether what was decided since then is worth a snapshot by itself: ``since_s`` is of ``decided_s``."""
        return took_long(self._decided_s() - since_s, self._took_s)

    def begin(self) -> None:
        """A snapshot is being taken: the next is due as long after this one, also if this one fails."""
        self._at, self._records, self._before_s = time.monotonic(), 0, self._decided_s()

    async def keep(self, seq: int, pieces: Pieces) -> None:
        """Keeps a snapshot that is given in pieces; returns when it is kept, or could not be and is due again."""
        self.keep_meanwhile(seq, pieces)
        if self._under_way is not None:
            await self._under_way

    def keep_meanwhile(self, seq: int, snapshot: Pieces | Awaitable[Sealed]) -> None:
        """The same without waiting for it, also of one that is being packed."""
        self.unsaved = False
        self._under_way = asyncio.create_task(self._keep(seq, snapshot, self._under_way), name="snapshot")

    async def ahead(self, pieces: Pieces | None) -> Awaitable[Sealed] | None:
        """A snapshot that is to be kept as soon as the turn under way is committed; None if there is none.

        It is packed by then, unless that takes longer than a turn may wait.
        """
        if pieces is None:
            return None
        packing = asyncio.create_task(self._sealed(pieces), name="packing")
        packing.add_done_callback(_seen)
        await asyncio.wait((packing,), timeout=AHEAD_S)
        return packing

    async def _sealed(self, pieces: Pieces) -> Sealed:
        """A snapshot as it is to be stored.

        Made by a thread: not the writer's, for which senders wait, nor the event loop's, on which the core goes on.
        """

        def seal() -> tuple[Sealed, float]:
            began = time.thread_time()
            return seal_pieces(pieces), time.thread_time() - began

        made, self._took_s = await asyncio.get_running_loop().run_in_executor(self._thread, seal)
        self._bytes = len(made.blob.data)
        return made

    async def _keep(self, seq: int, snapshot: Pieces | Awaitable[Sealed], before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                await before
            await self._past.keep()
            sealed = await (snapshot if isinstance(snapshot, Awaitable) else self._sealed(snapshot))
            await self._writer.call(self._writer.store.save_snapshot, seq, sealed)
        except StoreError as error:
            self._sparing.error("snapshot", "the state could not be saved; trying again later", error=str(error))
            self.unsaved = self._failed = True
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not keep the daemon from ending in order
            self._sparing.error("snapshot", "the state could not be saved; trying again later", exc_info=error)
            self.unsaved = self._failed = True
        else:
            self._failed = False
            self._saved(seq)


def _seen(packing: asyncio.Task[Sealed]) -> None:
    """Who keeps a snapshot says that it failed; a turn that was not committed keeps none."""
    if not packing.cancelled():
        packing.exception()
