"""The loop: one task that owns the core. Groups are decided over in order, decisions committed, then deeds done.

The core runs on the event loop's own thread, so that readers of its state need no lock. It gets the records of a group
in small slices, and between two of them the event loop serves who has come meanwhile: receiving goes first, and what
cannot be decided over at once waits in the journal. Nothing here is different in recovery: the journal's groups pass
through the same slices, and what comes out again is committed again, which changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from math import inf

import msgspec
import structlog

from quell.daemon import recovery
from quell.daemon.backlog import Backlog
from quell.daemon.clock import Clock
from quell.daemon.decider import Decider, Restore, slices
from quell.daemon.keeping import Past
from quell.daemon.logs import Sparing
from quell.daemon.mend import READ_AGAIN_S, Mender
from quell.daemon.metrics import Metrics
from quell.daemon.outcome import Outcome
from quell.daemon.pace import Coming, Pace
from quell.daemon.passed import Passed
from quell.daemon.readers import Readers
from quell.daemon.saved import packed
from quell.daemon.saving import Saving
from quell.daemon.seeing import Seeing
from quell.daemon.tallied import Tallied
from quell.daemon.timers import Timers
from quell.daemon.writer import Writer
from quell.errors import StoreError
from quell.model.decision import AnyDecision, Perform, RequestEvidence
from quell.model.incident import Incident
from quell.model.rulebook import Rulebook
from quell.model.run import Run
from quell.store.port import Group, Recovered

_SOONEST_TURN_S = 0.02
"""A turn waits so long for what is being committed while deliveries keep coming."""
_LONGEST_TURN_S = 0.05
"""A turn that took so long is committed before the next group: what it decided is shown and done."""
_LONGEST_PIECE_S = 0.01
"""After so long within a slice of records the event loop serves others: causes of much trouble take seconds to find."""
_STORE = "the store"
"""How everything begins that is broken until the store can be used again."""
_STUCK_WAIT_S = 30.0
"""After time itself made the core fail, timers are tried again this much later."""


class Loop:
    """``perform`` gets intents and ``ask`` requests for evidence, both after the commit of their turn.

    ``told`` says an intent in one line, for the audit trail.
    """

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        metrics: Metrics,
        restore: Restore,
        rulebook: Rulebook,
        *,
        perform: Callable[[Sequence[Perform]], None],
        ask: Callable[[Sequence[RequestEvidence]], None],
        told: Callable[[Perform], str] | None = None,
        snapshot_every_s: float = 60.0,
    ) -> None:
        self.seq = 0
        self.broken = ""
        self.rulebook = rulebook
        self.decider: Decider = restore(rulebook, None)
        self._writer = writer
        self._clock = clock
        self._metrics = metrics
        self._restore = restore
        self._mender = Mender(writer, restore, metrics)
        self._past = Past(writer)
        self.readers = Readers()
        self._pace = Pace(self.readers)
        self._saving = Saving(writer, self._past, snapshot_every_s, self._mender.saved, lambda: self._pace.worked_s)
        self._perform = perform
        self._ask = ask
        self._told = told
        self._tallied = Tallied(metrics)
        self.told: Callable[[Sequence[Incident], Sequence[Run]], None] = lambda _incidents, _runs: None
        """Is told after its commit what a turn made of incidents and runs; not of what a recovery decides again."""
        self.returned: Callable[[], Awaitable[bool]] | None = None
        """Journals that nobody was there for a while, though the process lives; False when nobody needs to know."""
        self._decided: Callable[[int], None] = lambda _count: None
        self._backlog = Backlog(writer)
        self._turning = asyncio.Lock()
        self._whole = True
        """Whether all that the core has decided is committed; if not, its state is not to be saved."""
        self._turning_over: float | None = None
        """When the first group of the turn under way was accepted."""
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._passed = Passed()
        self._seeing = Seeing(self._passed, self._backlog, self.readers, lambda: clock.real_s(self.lag_s))
        self._timers = Timers(clock, lambda: self.decider.next_due())  # noqa: PLW0108 - another may take its place
        self._log = structlog.get_logger("quell.loop")
        self._sparing = Sparing(self._log)

    # What others ask of the loop

    def follow(self, coming: Coming) -> None:
        """What is still to be committed and what has come so far."""
        self._pace.follow(coming)
        self._timers.busy, self._timers.holds_time = (lambda: coming.busy), (lambda: coming.holds_time)
        self._decided = coming.decided

    def stir(self) -> None:
        """A delivery came while none waited, or a commit is over: deciding may be waiting for that."""
        self._pace.stir()

    @property
    def lag_s(self) -> float:
        """How long the oldest that is not decided over, or not committed, has been accepted; 0 when nothing waits."""
        since = self._backlog.since if self._turning_over is None else self._turning_over
        return 0.0 if since is None else max(0.0, self._clock.now() - since)

    def take(self, group: Group) -> None:
        """A group that was committed to the journal."""
        self._backlog.add(group)
        self._idle.clear()
        self._news.set()

    async def passed(self, seq: int, timeout_s: float) -> bool:
        """Waits until the turn of group ``seq`` is committed; False if that took longer, or would: see ``lag_s``."""
        if self._passed.seq < seq and self._clock.real_s(self.lag_s) > timeout_s:
            return False
        return await self._passed.reach(seq, timeout_s)

    async def seen(self, seq: int) -> None:
        """Waits, for somebody who reads, until the turn of group ``seq`` is committed, as he may have written it.

        Where so much waits that it is others' above all, or deciding may take long, he is told what is known by now.
        """
        await self._seeing.until(seq, much_known=recovery.many_known(self.decider.state))

    async def idle(self) -> None:
        """Returns when every group taken so far has been decided over and committed."""
        await self._idle.wait()

    async def use(self, rulebook: Rulebook) -> None:
        """Takes up other rules between two turns.

        Saved at once: what the new ones decide from now on, a recovery must not decide by the old ones.
        """
        async with self._turning:
            self._take_up(rulebook)
            await self._save()
        self._news.set()

    async def save(self) -> None:
        """Saves a snapshot of the state, between two turns."""
        async with self._turning:
            await self._save()

    # The life of the loop

    async def recover(self) -> Recovered:
        """Rebuilds the state from the last snapshot and the journal; returns what the store knew.

        What was decided before is decided again by the rules of then; only what follows is decided by those of now.
        Much that was accepted and no committed turn covers is left for `run`: senders need not wait for it.
        """
        store, rulebook = self._writer.store, self.rulebook
        found = await self._writer.call(store.recover)
        self.decider, self.rulebook = recovery.taken_up(found, rulebook, self._restore)
        fresh, found = found.state is None, msgspec.structs.replace(found, state=None)
        self.seq = found.seq
        self._passed.committed(found.seq)
        self._clock.not_before(self.decider.state.now)
        await self._mender.remember(found.last)
        groups = await self._writer.call(store.groups_after, found.seq, at_once=recovery.READ_AT_ONCE)
        count = 0
        until = recovery.decided_before_ready(found, self.decider.state)
        while self.seq < until:
            batch = [group for group in await self._writer.call(recovery.next_groups, groups) if group.seq <= until]
            if not batch:
                break
            self._clock.not_before(batch[-1].now)
            await self._turn(batch, recovering=True)
            count += len(batch)
            if self._saving.much:
                await self._save()
        self._clock.not_before(found.until)
        self._backlog.left(self.seq, found.last)
        if self._backlog:
            self._idle.clear()
        if changed := recovery.differ(self.rulebook, rulebook):
            await self._relive()
            self._take_up(rulebook)
        recovery.say_recovered(found, count, self.decider.state)
        if changed or fresh:
            await self._save()
        elif count:
            self._saving.soon()
        return found

    async def _relive(self) -> None:
        """Lets time pass up to the last that the former process is known to have decided.

        Timers leave no trace in the journal. What they had paged and opened by then must come about again by the
        rules of then, or the rules of now would do it a second time.
        """
        last = await self._writer.call(self._writer.store.decided_until)
        if last > self.decider.state.now:
            self._clock.not_before(last)
            await self._turn([Group(seq=self.seq, now=last, records=())], recovering=True)

    def _take_up(self, rulebook: Rulebook) -> None:
        self.decider.use(rulebook)
        self.rulebook = rulebook
        self._saving.unsaved = True
        self._timers.anew()

    async def catch_up(self) -> None:
        """Lets the time pass that went by since the last group: what became due meanwhile is decided over now."""
        async with self._turning:
            if self._timers.due and not self._backlog and not recovery.many_known(self.decider.state):
                await self._pass_time()

    async def run(self) -> None:
        """Turns until cancelled."""
        while True:
            await self._wait()
            async with self._turning:
                if self._backlog:
                    await self._catch_up_some()
                elif self._timers.due and not (self._timers.slept and self.returned and await self.returned()):
                    await self._pass_time()
                if self._saving.due and (pieces := self._written_down()) is not None:
                    self._saving.keep_meanwhile(self.seq, pieces)
                if not self._backlog:
                    self._idle.set()
                    await self._pace.rest(self.decider.ahead)
            await asyncio.sleep(0)

    async def _catch_up_some(self) -> None:
        """Turns over what waits, for as long as one turn may take."""
        try:
            await self._backlog.read()
        except StoreError as error:
            self._store_fails("backlog", "give back what came", "the journal cannot be read; trying again", error)
            await asyncio.sleep(READ_AGAIN_S)
            return
        await self._turn(self._backlog.take(), patient=True)

    async def _wait(self) -> None:
        """Until there is news or a timer of the core is due."""
        if self._backlog:
            return
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timers.wait_s):
                await self._news.wait()

    async def _pass_time(self) -> None:
        due, now = self.decider.next_due(), self._clock.now()
        await self._turn([Group(seq=self.seq, now=now, records=())])
        if (again := self._timers.stays(due, now)) is not None:
            self._sparing.warning("timer", "a timer of the core stays due; looking again in a second", due=again)

    async def _turn(self, groups: Iterable[Group], *, recovering: bool = False, patient: bool = False) -> None:
        """Decides over groups, as many as fit into the time of a turn, and commits what came out.

        A ``patient`` turn takes along what is being committed, unless somebody waits to read: a commit for each handful
        of records, on the thread on which senders wait for theirs, would halve what is accepted.
        """
        began, worked_s = time.perf_counter(), self._pace.worked_s
        self._whole = False
        outcome = Outcome(self._told)
        until = inf if recovering else began + _LONGEST_TURN_S
        records = await self._decide_over(groups, outcome, until, recovering=recovering)
        until_s = began + _SOONEST_TURN_S if patient else 0.0
        while self._pace.busy() and time.perf_counter() < until_s and not self._passed.awaited:
            await asyncio.sleep(_SOONEST_TURN_S / 10)
            records += await self._decide_over(self._backlog.take(), outcome, until)
        # No start is to decide again over what took so long: its snapshot is there as soon as its commit.
        long = not recovering and self._saving.took_long(worked_s)
        ahead = await self._saving.ahead(self._written_down(ahead=True)) if long else None
        new = await self._commit(outcome)
        self._whole, self._turning_over = True, None
        self._past.add(outcome.over)
        self._saving.changed(records)
        if ahead is not None:
            self._saving.keep_meanwhile(self.seq, ahead)
        if not recovering:
            self._decided(records)
            self._perform(new)
            self._ask(outcome.questions)
            self._tell(outcome)
        self._passed.committed(self.seq)
        self._metrics.turn_seconds.observe(time.perf_counter() - began)

    def _tell(self, outcome: Outcome) -> None:
        """Says what a turn made; whoever fails on that keeps nobody from being paged by the next."""
        try:
            self.told(outcome.incidents, outcome.runs)
        except Exception as error:  # noqa: BLE001 - somebody else's bug: reported, and deciding goes on
            self._sparing.error("told", "what was decided could not be shown", error=f"{type(error).__name__}: {error}")

    async def _decide_over(
        self, groups: Iterable[Group], outcome: Outcome, until: float, *, recovering: bool = False
    ) -> int:
        """How many records the groups had that were decided over before ``until``."""
        records = 0
        for group in groups:
            if self._turning_over is None and group.records:
                self._turning_over = group.now
            self._pace.hasten(self.decider.ahead, self._backlog.count)
            decisions = await self._decide(group, recovering=recovering)
            outcome.add(decisions)
            if not recovering:
                self._tallied.take(decisions)
            self.seq = max(self.seq, group.seq)
            records += len(group.records)
            if time.perf_counter() >= until:
                break
        return records

    async def _decide(self, group: Group, *, recovering: bool) -> list[AnyDecision]:
        out: list[AnyDecision] = []
        group = self._mender.left(group)
        try:
            for part in slices(group.records):
                began = time.perf_counter()
                for piece in self.decider.parts(part, group.now):
                    out += piece
                    if (spent_s := time.perf_counter() - began) >= _LONGEST_PIECE_S:
                        await self._pace.give_way(spent_s)
                        began = time.perf_counter()
                await self._pace.give_way(time.perf_counter() - began)
        except Exception:  # noqa: BLE001 - what the core fails on is found, set aside and reported
            self._log.exception("the core failed; looking for the record that does it", seq=group.seq)
        else:
            return out
        fails = partial(self._store_fails, "mend", "do what mends the core", "the core cannot be mended; trying again")
        found = await self._mender.mend(group, self.rulebook, recovering=recovering, fails=fails)
        self.decider = found.decider
        if found.poisoned:
            self._saving.soon()  # the next that fails need not wait until all this is decided over once more
        if found.stuck is not None:
            self._timers.pause(_STUCK_WAIT_S)
            self.broken = f"time cannot pass in the core: {type(found.stuck).__name__}: {found.stuck}"
            self._sparing.error("stuck", self.broken)
        return found.decisions

    def _store_fails(self, key: str, cannot: str, event: str, error: StoreError) -> None:
        """Says what cannot be done for now; a commit that succeeds takes it back."""
        self.broken = f"{_STORE} cannot {cannot}: {error}"
        self._sparing.error(key, event, error=str(error))

    async def _commit(self, outcome: Outcome) -> list[Perform]:
        """Tries until the store can: decisions are never dropped, and the full inbox refuses what comes meanwhile."""
        store, wait_s = self._writer.store, 0.1
        while True:
            try:
                new = await self._writer.call(store.commit, outcome.turn(self.seq)) if outcome.anything else []
            except StoreError as error:
                self._store_fails("commit", "keep decisions", "decisions wait: the store could not keep them", error)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, 5.0)
            else:
                if self.broken.startswith(_STORE):
                    self.broken = ""
                return new

    async def _save(self) -> None:
        """Saves the state, and returns when it is kept or could not be."""
        if (pieces := self._written_down()) is not None:
            await self._saving.keep(self.seq, pieces)

    def _written_down(self, *, ahead: bool = False) -> Iterator[bytes | memoryview] | None:
        """The state as it is now, in pieces of which most are still to be encoded; ``ahead`` of the turn's commit."""
        if not self._whole and not ahead:
            self._log.error("the state is not saved: the last turn was not committed; the journal has it")
            return None
        self._saving.begin()
        try:
            return packed(self.rulebook, self.decider.written())
        except Exception as error:  # noqa: BLE001 - a bug of the core; the journal still has everything
            self.broken = f"the state cannot be written down: {type(error).__name__}: {error}"
            self._log.exception("the state cannot be written down; the next start replays more of the journal")
            return None
