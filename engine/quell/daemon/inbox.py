"""The bounded inbox: what is put here is durable when `Inbox.put` returns, or refused at once.

What was taken waits for its commit (`quell.daemon.committing`). There are two bounds, and beyond either senders are
refused at once. ``limit`` counts records that wait for their commit, in memory: a slow disk ends there. ``most_behind``
counts records that were accepted and are not decided over yet; most of them wait in the journal, so a storm may be far
larger than what memory holds (see `quell.daemon.backlog`), and a slow core ends there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from quell.daemon.clock import Clock
from quell.daemon.committing import Committing, Put, Told
from quell.daemon.metrics import Metrics
from quell.daemon.private import Private
from quell.daemon.writer import Writer
from quell.errors import Overloaded, QuellError, StoreError
from quell.model.records import AnyRecord
from quell.privacy.rules import PrivacyRules
from quell.store.port import Group, Quarantined

_STORE_ANSWERS_WITHIN_S = 2.0
"""While a commit takes longer (a lock, a disk that hangs), senders are refused at once and do not queue behind it."""
_NO_CURSORS: Mapping[str, str] = {}


class TooMany(QuellError):
    """One put is larger than the whole inbox: sending it again would not help, sending it in parts would."""


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
        self._metrics = metrics
        self._hand_over = hand_over
        self.named: Callable[[Sequence[AnyRecord]], Sequence[AnyRecord]] = lambda records: records
        """What is put is kept under the names that this gives to people."""
        self.private = Private(PrivacyRules())
        """What of it is personal, and what becomes of that before it is kept."""
        self.stir: Callable[[], None] = lambda: None
        """Is told that something came, or that a commit is over."""
        self._committing = Committing(writer, clock, kept=self._kept, over=self._over, stir=self._stirred)
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed_because = "starting"
        metrics.inbox_size.set_function(lambda: self.size)
        metrics.backlog_records.set_function(lambda: self.behind)

    @property
    def size(self) -> int:
        """Records between arrival and decision."""
        return self.waiting + self.behind

    @property
    def last_seq(self) -> int:
        """The journal group that was kept last."""
        return self._committing.last_seq

    @property
    def busy(self) -> bool:
        """Whether something waits for its commit or is being committed."""
        return self._committing.busy

    @property
    def arrived(self) -> int:
        """Deliveries that were taken in so far, or are about to be."""
        return self._committing.arrived

    def coming(self, count: int) -> None:
        """So many are about to be taken in (fewer if negative): a commit that gathers what comes waits for them."""
        self._committing.arrived += count

    @property
    def committing_since(self) -> float | None:
        """When the commit that is under way began, on the steady clock; None when there is none."""
        return self._committing.since

    @property
    def many_answered(self) -> float:
        """When many senders were answered last, on the steady clock."""
        return self._committing.many_answered

    @property
    def holds_time(self) -> bool:
        """Whether there is, or may be, a group that has its time and was not handed over: no later time may pass."""
        return self._committing.holds_time

    def full(self, size: int = 1, *, inside: bool = False) -> str:
        """Why ``size`` more records are not taken now; "" when they are.

        What comes from inside is not refused for what is not decided over: runs of playbooks wait for these answers.
        """
        since, waiting = self._committing.since, self.waiting + size
        if waiting > self.limit:
            return f"the inbox is full ({self.waiting} records wait to be stored)"
        if inside:
            return ""
        if waiting + self.behind > self.most_behind:
            return f"too much is not decided over yet ({self.behind} records)"
        if since is not None and time.perf_counter() - since > _STORE_ANSWERS_WITHIN_S:
            return "the store does not answer"  # said at once; the commit under way tells when it does again
        return ""

    def resume(self, last_seq: int, behind: int) -> None:
        """Goes on where a former process stopped, with ``behind`` records that are not decided over yet."""
        self._committing.last_seq, self.behind = last_seq, behind
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
        size = len(records) + len(quarantined) or 1
        self._check(size, inside=inside)
        if self.private.rules_set:
            records, quarantined = self.private.records(records), self.private.aside(quarantined)
            cursors = self.private.cursors(cursors or {})
        self._add(Put(records, quarantined, cursors or _NO_CURSORS, size, told))

    def takes_together(self, size: int) -> bool:
        """Whether deliveries of ``size`` records in all may be put by `add_together`; else each is put by itself."""
        fits = size <= self.limit and size <= self.most_behind
        return fits and not (self._closed_because or self.full(size) or self.private.rules_set)

    def add_together(
        self,
        deliveries: Sequence[Sequence[AnyRecord]],
        told: Told,
        apart: Callable[[], Sequence[tuple[Sequence[AnyRecord], Told]]],
    ) -> None:
        """Several as one, for which `takes_together` was asked; ``told`` hears of all of them.

        If they cannot be kept together, each hears for itself: ``apart`` says who.
        """
        records = list(chain.from_iterable(deliveries))

        def puts() -> list[Put]:
            return [Put(each, (), _NO_CURSORS, len(each), then) for each, then in apart()]

        self._add(Put(records, (), _NO_CURSORS, len(records), told, puts, len(deliveries)))

    def _check(self, size: int, *, inside: bool) -> None:
        if size > self.limit or size > self.most_behind:
            most = min(self.limit, self.most_behind)
            self._metrics.refused.labels("too_many").inc(size)
            raise TooMany(f"{size} records in one delivery; at most {most} are taken, send smaller ones")
        if self._closed_because and not inside:
            self._metrics.refused.labels("closed").inc(size)
            raise Overloaded(self._closed_because)
        if full := self.full(size, inside=inside):
            self._metrics.refused.labels("overloaded").inc(size)
            raise Overloaded(full)

    def _add(self, put: Put) -> None:
        self.waiting += put.size
        if self._committing.add(put):
            self._empty.clear()
            self.stir()

    def decided(self, records: int) -> None:
        """The loop is done with this many records."""
        self.behind = max(0, self.behind - records)
        self._look()

    async def empty(self) -> None:
        """Returns when everything that was put has been decided over or refused."""
        await self._empty.wait()

    async def run(self) -> None:
        """Commits until cancelled."""
        await self._committing.run()

    def _kept(self, group: Group) -> None:
        # Records count until the loop has decided over them.
        self.behind += len(group.records)
        if group.records:
            self._empty.clear()
        self._metrics.accepted.inc(len(group.records))
        self._metrics.groups.inc()
        self._hand_over(group)

    def _stirred(self) -> None:
        self.stir()

    def _over(self, records: int, refused: bool) -> None:
        self.waiting -= records
        if refused:
            self._metrics.refused.labels("store").inc(records)
        self._look()

    def _look(self) -> None:
        if self.size == 0:
            self._empty.set()
