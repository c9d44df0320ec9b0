"""The bounded inbox: what is put here is durable when `Inbox.put` returns, or refused at once.

One task commits everything that waits as one journal group (group commit), so that many small deliveries share one
write to disk. There are two bounds, and beyond either senders are refused at once. ``limit`` counts records that wait
for their commit, in memory: a slow disk ends there. ``most_behind`` counts records that were accepted and are not
decided over yet; most of them wait in the journal, so a storm may be far larger than what memory holds (see
`quell.daemon.backlog`), and a slow core ends there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
import structlog

from quell.daemon.clock import Clock
from quell.daemon.logs import Sparing
from quell.daemon.metrics import Metrics
from quell.daemon.private import Private
from quell.daemon.writer import Writer
from quell.errors import Overloaded, QuellError, StoreError, Unheard
from quell.model.records import AnyRecord
from quell.privacy.rules import PrivacyRules
from quell.store.port import Accepted, Group, Quarantined

MOST_PER_GROUP = 1_000
"""Records in one group, unless a single put is larger: many share an fsync, and a group is soon decided over."""

_STORE_ANSWERS_WITHIN_S = 2.0
"""While a commit takes longer (a lock, a disk that hangs), senders are refused at once and do not queue behind it."""
_GATHERING_S = 0.002
"""A commit waits no longer than this for what is just arriving, and not at all once nothing is.

Nor where commits take less than this: what arrives during one is a group for the next, and the event loop is never
idle. A disk that takes longer is waited for less often when all that arrives goes together.
"""
_LATEST = 0.2
"""How much the latest commit counts in how long they take."""
_LOOK_AGAIN_S = 1.0
"""Between attempts to learn what became of a commit that failed."""
_FOUND_AT_ONCE = 4


class TooMany(QuellError):
    """One put is larger than the whole inbox: sending it again would not help, sending it in parts would."""


Told = Callable[[int, StoreError | None], None]
"""Is called once, on the event loop: with the journal group's seq after its commit, or with why there was none."""


@dataclass(slots=True, eq=False)
class _Put:
    records: Sequence[AnyRecord]
    quarantined: Sequence[Quarantined]
    cursors: Mapping[str, str]
    size: int
    told: Told


class Inbox:
    """``hand_over`` gets each group right after its commit, in order."""

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        metrics: Metrics,
        hand_over: Callable[[Group], None],
        *,
        limit: int,
        most_behind: int,
    ) -> None:
        self.limit = limit
        self.most_behind = most_behind
        self.waiting = 0
        self.behind = 0
        self.arrived = 0
        """Deliveries that were taken in so far."""
        self._writer = writer
        self._clock = clock
        self._metrics = metrics
        self._hand_over = hand_over
        self.named: Callable[[Sequence[AnyRecord]], Sequence[AnyRecord]] = lambda records: records
        """What is put is kept under the names that this gives to people."""
        self.private = Private(PrivacyRules())
        """What of it is personal, and what becomes of that before it is kept."""
        self.stir: Callable[[], None] = lambda: None
        """Is told that something came, or that a commit is over."""
        self._puts: list[_Put] = []
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.last_seq = 0
        self._closed_because = "starting"
        self._committing_since: float | None = None
        self._commit_s = 0.0
        """How long commits take of late."""
        self._timed = False
        """Whether what is being committed is a group: it has its time already."""
        self._unsure = False
        """Whether the store may have kept a group and could not say so."""
        self._log = Sparing(structlog.get_logger("quell.inbox"))
        metrics.inbox_size.set_function(lambda: self.size)
        metrics.backlog_records.set_function(lambda: self.behind)

    @property
    def size(self) -> int:
        """Records between arrival and decision."""
        return self.waiting + self.behind

    @property
    def busy(self) -> bool:
        """Whether something waits for its commit or is being committed."""
        return bool(self._puts) or self._committing_since is not None

    @property
    def holds_time(self) -> bool:
        """Whether there is, or may be, a group that has its time and was not handed over: no later time may pass."""
        return self._timed or self._unsure

    def full(self, size: int = 1, *, inside: bool = False) -> str:
        """Why ``size`` more records are not taken now; "" when they are.

        What comes from inside is not refused for what is not decided over: runs of playbooks wait for these answers.
        """
        if self.waiting + size > self.limit:
            return f"the inbox is full ({self.waiting} records wait to be stored)"
        if inside:
            return ""
        if self.size + size > self.most_behind:
            return f"too much is not decided over yet ({self.behind} records)"
        since = self._committing_since
        if since is not None and time.perf_counter() - since > _STORE_ANSWERS_WITHIN_S:
            return "the store does not answer"  # said at once; the commit under way tells when it does again
        return ""

    def resume(self, last_seq: int, behind: int) -> None:
        """Goes on where a former process stopped, with ``behind`` records that are not decided over yet."""
        self.last_seq, self.behind = last_seq, behind
        if behind:
            self._empty.clear()

    def open(self) -> None:
        """Begins to take records; until then only what comes from inside is taken."""
        self._closed_because = ""

    def close(self) -> None:
        """From now on only what comes from inside (answers of actions) is taken."""
        self._closed_because = "shutting down"

    async def put(
        self,
        records: Sequence[AnyRecord],
        *,
        quarantined: Sequence[Quarantined] = (),
        cursors: Mapping[str, str] | None = None,
        inside: bool = False,
    ) -> int:
        """Returns the journal group's seq after its commit (0 if there was nothing to journal).

        Raises `Overloaded` at once when full or closing, `TooMany` when it could never fit, and `StoreError` when the
        commit failed; then nothing was accepted.
        """
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def told(seq: int, error: StoreError | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(seq)
            else:
                done.set_exception(error)

        self.add(self.named(records), told, quarantined=quarantined, cursors=cursors, inside=inside)
        return await done

    def add(
        self,
        records: Sequence[AnyRecord],
        told: Told,
        *,
        quarantined: Sequence[Quarantined] = (),
        cursors: Mapping[str, str] | None = None,
        inside: bool = False,
    ) -> None:
        """The same without waiting, of records that name nobody: ``told`` hears what became of them.

        Raises `Overloaded` and `TooMany` at once.
        """
        size = max(1, len(records) + len(quarantined))
        most = min(self.limit, self.most_behind)
        if size > most:
            self._metrics.refused.labels("too_many").inc(size)
            raise TooMany(f"{size} records in one delivery; at most {most} are taken, send smaller ones")
        if self._closed_because and not inside:
            self._metrics.refused.labels("closed").inc(size)
            raise Overloaded(self._closed_because)
        if full := self.full(size, inside=inside):
            self._metrics.refused.labels("overloaded").inc(size)
            raise Overloaded(full)
        records, quarantined = self.private.records(records), self.private.aside(quarantined)
        self._puts.append(_Put(records, quarantined, self.private.cursors(cursors or {}), size, told))
        self.waiting += size
        self.arrived += 1
        if len(self._puts) == 1:
            self._empty.clear()
            self._news.set()
            self.stir()

    def decided(self, records: int) -> None:
        """The loop is done with this many records."""
        self.behind = max(0, self.behind - records)
        self._look()

    async def empty(self) -> None:
        """Returns when everything that was put has been decided over or refused."""
        await self._empty.wait()

    def _leave(self, count: int) -> None:
        self.waiting -= count
        self._look()

    def _look(self) -> None:
        if self.size == 0:
            self._empty.set()

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
        if self._commit_s < _GATHERING_S:
            return
        until = time.perf_counter() + _GATHERING_S
        count = 0
        while len(self._puts) > count and self.waiting < MOST_PER_GROUP and time.perf_counter() < until:
            count = len(self._puts)
            await asyncio.sleep(0)

    def _take(self) -> list[_Put]:
        """Everything that waits, up to the size of a group."""
        size, count = 0, 0
        for put in self._puts:
            if count and size + put.size > MOST_PER_GROUP:
                break
            size += put.size
            count += 1
        batch, self._puts = self._puts[:count], self._puts[count:]
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
        # Records count until the loop has decided over them.
        self.behind += len(group.records)
        if group.records:
            self._empty.clear()
        self._metrics.accepted.inc(len(group.records))
        self._metrics.groups.inc()
        self.last_seq = group.seq
        self._hand_over(group)

    async def _commit(self, batch: list[_Put]) -> None:
        if self._committing_since is None:
            self._committing_since = time.perf_counter()
        try:
            seq = await self._accept(batch)
        except StoreError as error:
            # One put that can never be written (a connector's bug) must not cost the others their records.
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
            self._committing_since = None
            self.stir()

    async def _accept(self, batch: list[_Put]) -> int:
        records = [record for put in batch for record in put.records]
        quarantined = [entry for put in batch for entry in put.quarantined]
        cursors: dict[str, str] = {}
        for put in batch:
            cursors.update(put.cursors)
        size = sum(put.size for put in batch)
        store = self._writer.store
        if not records and not cursors:
            if quarantined:
                await self._writer.call(store.keep_quarantined, quarantined)
            self._leave(size)
            return 0
        accepted = Accepted(now=self._clock.now(), records=records, cursors=cursors, quarantined=quarantined)
        self._timed = True
        try:
            began = time.perf_counter()
            group = await self._writer.call(store.accept, accepted)
            self._commit_s += (time.perf_counter() - began - self._commit_s) * _LATEST
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
        self._leave(size)
        return group.seq

    def _fail(self, batch: list[_Put], error: StoreError) -> None:
        size = sum(put.size for put in batch)
        self._leave(size)
        self._metrics.refused.labels("store").inc(size)
        self._log.error("store", "nothing was accepted: the store could not keep it", error=str(error), records=size)
        self._tell(batch, 0, str(error))

    def _tell(self, batch: list[_Put], seq: int, error: str | None = None) -> None:
        """Tells everybody; who fails on it keeps no other from being told."""
        for put in batch:
            try:
                put.told(seq, StoreError(error) if error is not None else None)  # an error may have no words
            except Exception as failure:  # noqa: BLE001 - a bug of whoever is told: reported, and the others are told
                self._log.error("told", "an answer could not be given", error=f"{type(failure).__name__}: {failure}")


def _writable(put: _Put) -> bool:
    """Whether the records of a put can be written at all, by whatever store."""
    try:
        msgspec.msgpack.encode(put.records)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False
    return True
