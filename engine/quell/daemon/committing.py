"""Group commit: all that waits is written as one journal group, and only then is anybody told that it was kept.

Many small deliveries thus share one write to disk. Where a commit failed and the store may have kept it all the same,
what it kept is looked for before anything that follows it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf

import msgspec
import structlog

from quell.daemon.clock import Clock
from quell.daemon.logs import Sparing
from quell.daemon.writer import Writer
from quell.errors import StoreError, Unheard
from quell.model.records import AnyRecord
from quell.model.retold import Retold
from quell.store.port import Accepted, Group, Quarantined

MOST_PER_GROUP = 1_000
"""Records in one group, unless a single put is larger: many share an fsync, and a group is soon decided over."""

_GATHERING_S = 0.002
"""A commit waits no longer than this for what is just arriving, and not at all once nothing is.

Each commit costs the processor as much as taking in some ten deliveries, also where the disk is quick.
"""
_MANY = 16
"""Answers to so many deliveries at once soon bring as many others."""
_LOOK_AGAIN_S = 1.0
"""Between attempts to learn what became of a commit that failed."""
_FOUND_AT_ONCE = 4

Told = Callable[[int, StoreError | None], None]
"""Is called once, on the event loop: with the journal group's seq after its commit, or with why there was none."""


@dataclass(slots=True, eq=False)
class Put:
    """What is kept or refused as a whole; ``size`` is what it counts, ``told`` hears what became of it.

    Several ``deliveries`` may be one put, for as long as all is well; ``apart`` then gives a put for each.
    """

    records: Sequence[AnyRecord]
    quarantined: Sequence[Quarantined]
    cursors: Mapping[str, str]
    size: int
    told: Told
    apart: Callable[[], list[Put]] | None = None
    deliveries: int = 1


class Committing:
    """``kept`` gets each group right after its commit, in order.

    ``over`` is told how many records wait no more, and whether they were refused; ``stir`` that a commit is over.
    """

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        *,
        kept: Callable[[Group], None],
        over: Callable[[int, bool], None],
        stir: Callable[[], None],
    ) -> None:
        self.arrived = 0
        """Deliveries that were added so far, or are about to be."""
        self.last_seq = 0
        """The group that was kept last."""
        self.since: float | None = None
        """When the commit that is under way began, on the steady clock; None when there is none."""
        self.many_answered = -inf
        """When many were told of a commit last, on the steady clock."""
        self._writer = writer
        self._clock = clock
        self._heard = kept
        self._over = over
        self._stir = stir
        self._puts: list[Put] = []
        self._waiting = 0
        self._news = asyncio.Event()
        self._timed = False
        """Whether what is being committed is a group: it has its time already."""
        self._unsure = False
        """Whether the store may have kept a group and could not say so."""
        self._log = Sparing(structlog.get_logger("quell.inbox"))

    @property
    def busy(self) -> bool:
        """Whether something waits for its commit or is being committed."""
        return bool(self._puts) or self.since is not None

    @property
    def holds_time(self) -> bool:
        """Whether there is, or may be, a group that has its time and was not handed over: no later time may pass."""
        return self._timed or self._unsure

    def add(self, put: Put) -> bool:
        """Takes what is to be committed; whether nothing else waited."""
        self._puts.append(put)
        self.arrived += put.deliveries
        self._waiting += put.size
        if len(self._puts) > 1:
            return False
        self._news.set()
        return True

    async def run(self) -> None:
        """Commits until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_AGAIN_S if self._unsure else None):
                    await self._news.wait()
            except TimeoutError:  # while puts come they are what asks the store: they need not wait for another answer
                await self._look_into_journal()
            self._news.clear()
            while self._puts:
                await self._more()
                await self._commit(self._take())

    async def _more(self) -> None:
        """Lets in what is just arriving: small deliveries on many connections then share one commit, not a few."""
        until = time.perf_counter() + _GATHERING_S
        before = -1
        while (count := self.arrived) != before and self._waiting < MOST_PER_GROUP and time.perf_counter() < until:
            before = count
            await asyncio.sleep(0)

    def _take(self) -> list[Put]:
        """Everything that waits, up to the size of a group."""
        if self._waiting <= MOST_PER_GROUP:
            batch, self._puts, self._waiting = self._puts, [], 0
            return batch
        size, count = 0, 0
        for put in self._puts:
            if count and size + put.size > MOST_PER_GROUP:
                break
            size += put.size
            count += 1
        batch, self._puts = self._puts[:count], self._puts[count:]
        self._waiting -= size
        return batch

    async def _look_into_journal(self) -> None:
        """After a commit in doubt: hands over what the store kept all the same, before anything that follows it.

        Its senders were told that it was not accepted, but whoever starts from this journal decides over it.
        """
        try:
            while self._unsure:
                found = await self._writer.call(self._found)
                for group in found:
                    self._kept(group)
                self._unsure = bool(found)
        except StoreError as error:
            self._log.warning("unsure", "what was not accepted may have been kept; looking again", error=str(error))

    def _found(self) -> list[Group]:
        return list(islice(self._writer.store.groups_after(self.last_seq, at_once=_FOUND_AT_ONCE), _FOUND_AT_ONCE))

    def _kept(self, group: Group) -> None:
        self.last_seq = group.seq
        self._heard(group)

    async def _commit(self, batch: list[Put]) -> None:
        if self.since is None:
            self.since = time.perf_counter()
        try:
            seq = await self._accept(batch)
        except StoreError as error:
            # One put that can never be written (a connector's bug) must not cost the others their records.
            batch = [each for put in batch for each in (put.apart() if put.apart is not None else (put,))]
            good = [put for put in batch if _writable(put)]
            if 0 < len(good) < len(batch):
                self._fail([put for put in batch if put not in good], error)
                await self._commit(good)
            else:
                self._fail(batch, error)
        except Exception as error:  # noqa: BLE001 - a store that fails in any other way must not stop the daemon
            self._fail(batch, StoreError(f"cannot be kept: {type(error).__name__}: {error}"))
        else:
            self._tell(batch, seq)
        finally:
            self.since = None
            self._stir()

    async def _accept(self, batch: list[Put]) -> int:
        records: list[AnyRecord] = []
        quarantined: list[Quarantined] = []
        cursors: dict[str, str] = {}
        size = 0
        for put in batch:
            records += put.records
            size += put.size
            if put.quarantined or put.cursors:
                quarantined += put.quarantined
                cursors.update(put.cursors)
        store = self._writer.store
        if not records and not cursors:
            if quarantined:
                await self._writer.call(store.keep_quarantined, quarantined)
            self._over(size, False)
            return 0
        parts = [put.records for put in batch] if Retold in {type(put.records) for put in batch} else ()
        accepted = Accepted(
            now=self._clock.now(), records=records, cursors=cursors, quarantined=quarantined, parts=parts
        )
        self._timed = True
        try:
            group = await self._writer.call(store.accept, accepted)
            self._unsure = group.seq > self.last_seq + 1  # between the two is what a commit in doubt kept
            if self._unsure:
                await self._look_into_journal()
            if self.last_seq < group.seq:
                self._kept(group)
        except Exception as error:
            self._unsure = isinstance(error, Unheard) or not isinstance(error, StoreError) or self._unsure
            raise
        finally:
            self._timed = False
        self._over(size, False)
        return group.seq

    def _fail(self, batch: list[Put], error: StoreError) -> None:
        size = sum(put.size for put in batch)
        self._over(size, True)
        self._log.error("store", "nothing was accepted: the store could not keep it", error=str(error), records=size)
        self._tell(batch, 0, str(error))

    def _tell(self, batch: list[Put], seq: int, error: str | None = None) -> None:
        """Tells everybody; who fails on it keeps no other from being told."""
        for put in batch:
            try:
                put.told(seq, None if error is None else StoreError(error))  # an error may have no words
            except Exception as failure:  # noqa: BLE001 - a bug of whoever is told: reported, and the others are told
                self._log.error("told", "an answer could not be given", error=f"{type(failure).__name__}: {failure}")
        if sum(put.deliveries for put in batch) >= _MANY:
            self.many_answered = time.perf_counter()


def _writable(put: Put) -> bool:
    """Whether the records of a put can be written at all, by whatever store."""
    try:
        msgspec.msgpack.encode(put.records)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False
    return True
