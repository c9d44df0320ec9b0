"""The daemon's lease on its store: taken at the start, renewed beside everything else, and the end of all if lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import structlog

from quell.daemon.logs import Sparing
from quell.daemon.writer import Writer
from quell.errors import Fenced, InUse, StoreError
from quell.store import lease as store_lease
from quell.store.port import Lease

RENEWALS = 5
"""How many renewals a lease is long: so many may fail before nothing is done any more."""
_LOOK_S = 0.05


class Tenure:
    """``lost`` is called on the event loop, once, when another has taken the store over.

    Renewing has a thread of its own: an event loop that thinks for seconds is no reason to lose the store.
    """

    def __init__(self, writer: Writer, lost: Callable[[], None]) -> None:
        self.number = 0
        self.gone = ""
        """Why the lease is lost; "" while it is not known to be."""
        self._writer = writer
        self._lost = lost
        self._noticing = threading.Lock()
        self._until = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger("quell.lease")
        self._sparing = Sparing(self._log)

    @property
    def held(self) -> bool:
        """Whether nobody else can have the store now. A process that was stopped meanwhile sees that here, too."""
        return not self.gone and _now() < self._until

    def refusal(self) -> str:
        """Why nothing may be done outside now; "" when it may."""
        return "" if self.held else self.gone or "the lease on the store could not be renewed in time"

    async def sure(self) -> None:
        """Returns once the lease is held. Raises Fenced when it is lost."""
        while not self.held:
            if self.gone:
                raise Fenced(self.gone)
            await asyncio.sleep(_LOOK_S)

    async def begin(self) -> None:
        """Takes the lease. Raises InUse while its owner lives; one that nobody can know to be dead is watched first."""
        store = self._writer.store
        seen = await self._writer.call(store.lease)
        if seen is not None and not await self._writer.call(store.lapsed, seen):
            await self._watch(seen)
        asked_at = _now()
        taken = await self._writer.call(store.take_lease, seen)
        self.number, self._until = taken.number, asked_at + store_lease.LEASE_S
        former = seen.holder.name if seen is not None and seen.holder is not None else ""
        self._log.info("lease taken", number=self.number, former=former)
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, args=(loop,), name="quell-lease", daemon=True)
        self._thread.start()

    async def _watch(self, seen: Lease) -> None:
        assert seen.holder is not None, "what was given up in order has lapsed"
        self._log.warning("watching whether the former owner of the store lives", owner=seen.holder.name)
        until = _now() + store_lease.LEASE_S
        while _now() < until:
            await asyncio.sleep(store_lease.LEASE_S / RENEWALS)
            if await self._writer.call(self._writer.store.lease) != seen:
                raise InUse(
                    f'another quell uses the store ("{seen.holder.name}"): end that one, or give this one its own'
                )

    async def end(self) -> None:
        """Stops renewing and lets the next owner begin at once, if the store still can be told."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._over.set()
        if not self.gone:
            try:
                await self._writer.call(self._writer.store.give_up_lease)
            except StoreError as error:
                self._log.warning("the next start may have to wait for the lease to run out", error=str(error))
        self._until = 0.0

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._over.wait(store_lease.LEASE_S / RENEWALS):
            asked_at = _now()
            try:
                self._renewed().result()
            except Fenced as error:
                self._give_way(str(error), loop)
                return
            except StoreError as error:
                self._sparing.warning("renew", "the lease on the store could not be renewed", error=str(error))
            except RuntimeError:  # the writer has ended
                return
            else:
                self._until = asked_at + store_lease.LEASE_S

    def _renewed(self) -> Future[None]:
        return self._writer.submit(self._writer.store.renew_lease)

    def _give_way(self, why: str, loop: asyncio.AbstractEventLoop) -> None:
        with self._noticing:
            if self.gone or self._over.is_set():
                return
            self.gone = why
        self._log.critical("lease lost; ending", number=self.number, reason=why)
        loop.call_soon_threadsafe(self._lost)

    def fenced(self, why: str) -> None:
        """Somebody was refused by the store before the next renewal would be. To be called on the event loop."""
        if not self.gone:
            self._give_way(why, asyncio.get_running_loop())


def _now() -> float:
    """Seconds that go on while the process, or the whole machine, sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
