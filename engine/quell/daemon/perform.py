"""Performs what the core decided: each ledger entry once, through the connector it names, the answer by the inbox.

Only intents that were committed come here. An entry is marked before it is tried, and the answer enters as a
`StepFinished` record like everything else; the commit that accepts it settles the ledger entry. So what a former
process left unsettled is truly unknown, and is taken up by what its action declares about being repeated. All of it
happens under the daemon's lease on the store: without it nothing is begun, nothing is sent, no answer is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from quell.config.options import SecretReader, decode_options
from quell.daemon.answers import fit, fit_text
from quell.daemon.clock import Clock
from quell.daemon.foreign import awaited, sound_answer
from quell.daemon.gates import Gate, Gates
from quell.daemon.illustrated import Illustrated
from quell.daemon.inbox import Inbox
from quell.daemon.logs import Masker, Sparing
from quell.daemon.metrics import Metrics
from quell.daemon.sources import Source, Sources
from quell.daemon.tenure import Tenure
from quell.daemon.writer import Writer
from quell.errors import BadPayload, Denied, Fenced, NoAnswer, Overloaded, Refused, StoreError, Unreachable
from quell.model.decision import Perform
from quell.model.records import StepFinished
from quell.sdk.connector import Acts, Call, Done, Pending
from quell.sdk.dial import permit
from quell.sdk.secret import Secret
from quell.sdk.spec import ActionSpec
from quell.store.port import LedgerEntry

MOST_AT_ONCE = 16
_AGAIN_S = 0.5
_BEGIN_TRIES = 20
_LEAST_CHECK_S = 0.05
"""A connector that answers "check again after 0 s" is not asked in a busy loop."""


@dataclass(frozen=True, slots=True)
class _Actor:
    """Who performs an action, and with what."""

    source: Source
    connector: Acts
    spec: ActionSpec
    params: dict[str, Any]


class Performer:
    """``secret`` reads references such as ``env:NAME`` in parameters that are secret.

    ``awaited`` says whether the core waits for an intent still: what a run went on without is not begun any more.
    ``paused_by`` is who paused all playbooks, "" when nobody did: what was not begun by then is handed back.
    """

    def __init__(
        self,
        sources: Sources,
        secret: SecretReader,
        inbox: Inbox,
        *,
        awaited: Callable[[Perform], bool],
        paused_by: Callable[[], str],
        tenure: Tenure,
        writer: Writer,
        clock: Clock,
        metrics: Metrics,
        masker: Masker,
    ) -> None:
        self._sources = sources
        self._secret = secret
        self._inbox = inbox
        self._awaited = awaited
        self._paused_by = paused_by
        self._tenure = tenure
        self._writer = writer
        self._clock = clock
        self._metrics = metrics
        self._masker = masker
        self.illustrated: Illustrated | None = None
        """Draws what goes with what people are told."""
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._gates = Gates()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._acting: set[str] = set()
        self._denied: set[str] = set()
        """Sources that did not take who asked."""
        self._stopping = False
        self._log = structlog.get_logger("quell.perform")
        self._sparing = Sparing(self._log)

    def submit(self, intents: Sequence[Perform], *, again: bool = False) -> None:
        """Performs committed intents, each when it is due; ``again`` when they may have been performed before."""
        for deed in intents:
            if deed.key not in self._tasks and not self._stopping:
                task = asyncio.create_task(self._perform(deed, again=again), name=f"perform {deed.key}")
                self._tasks[deed.key] = task
                task.add_done_callback(partial(self._forget, deed.key))

    def _forget(self, key: str, _task: asyncio.Task[None]) -> None:
        del self._tasks[key]

    async def reconcile(self, entries: Sequence[LedgerEntry]) -> None:
        """Takes up what a former process left: what was not tried or may be repeated is done, the rest is in doubt."""
        for entry in entries:
            deed = entry.perform
            known = entry.state == "intended" or deed.dry_run
            if known or (deed.repeat != "never" and self._awaited(deed)):
                self.submit([deed], again=entry.state != "intended")
            else:
                error = "quell stopped while this was being done; nobody knows whether it was"
                if not self._awaited(deed):
                    error = f"superseded: {error}, and run {deed.run} went on without it"
                self._log.warning("action in doubt", key=deed.key, action=deed.action)
                await self._hand_in(self._finished(deed, "in_doubt", error=error))

    async def stop(self, within_s: float) -> None:
        """Starts nothing more and waits for what is being done; the rest is reconciled at the next start."""
        self._stopping = True
        waiting = [task for key, task in self._tasks.items() if key not in self._acting]
        acting = [task for key, task in self._tasks.items() if key in self._acting]
        for task in waiting:
            task.cancel()
        if acting:
            await asyncio.wait(acting, timeout=within_s)
        left = [task for task in (*waiting, *acting) if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _perform(self, deed: Perform, *, again: bool) -> None:
        if deed.due_at is not None:
            await self._clock.sleep_until(deed.due_at)
        actor = self._actor(deed)
        if isinstance(actor, str):
            await self._end(deed, self._finished(deed, "failed", failure="refused", error=actor))
            return
        gate = self._gates.of(actor.source)
        async with gate.places:
            late = await self._let_through(gate, deed)
            async with self._room:
                if not self._stopping:
                    held = None if again else self._held(deed)
                    await self._end(deed, held or late or partial(self._tried, actor, deed, again=again))

    async def _end(self, deed: Perform, how: StepFinished | Callable[[], Awaitable[StepFinished]]) -> None:
        """Comes to a result, unless the run has gone on without it, and hands it in."""
        self._acting.add(deed.key)
        try:
            if not self._awaited(deed):
                how = self._superseded(deed)
            await self._hand_in(how if isinstance(how, StepFinished) else await how())
        except Fenced as error:  # whoever took the store over does what there is to do about it
            self._log.error("action left to another quell", key=deed.key, action=deed.action, reason=str(error))
            self._tenure.fenced(str(error))
        finally:
            self._acting.discard(deed.key)

    async def _let_through(self, gate: Gate, deed: Perform) -> StepFinished | None:
        """Waits until its source may do one more; the failure of an act that would wait beyond its own time limit."""
        if deed.effect == "read" or deed.dry_run:
            return None
        end = time.monotonic() + self._clock.real_s(deed.timeout_s)
        while wait_s := gate.wait_s():
            if time.monotonic() + wait_s > end:
                error = f"not tried: its source does {gate.limits.per_minute} acts a minute; in {wait_s:.0f} s again"
                return self._finished(deed, "failed", failure="unreachable", error=error, retry_after_s=wait_s)
            await asyncio.sleep(wait_s)
        return None

    def _superseded(self, deed: Perform) -> StepFinished:
        """The end of an intent that was not begun before its run went on without it."""
        self._log.warning("action superseded", key=deed.key, action=deed.action)
        error = f"superseded: not begun before run {deed.run} went on without it"
        return self._finished(deed, "failed", failure="refused", error=error)

    def _held(self, deed: Perform) -> StepFinished | None:
        """What becomes of an act of a run that was not begun before everything was paused; people are always told."""
        by = self._paused_by()
        if not by or not _effective(deed) or not deed.run or not deed.key.startswith(f"{deed.run}/"):
            return None
        self._log.info("act held", key=deed.key, action=deed.action, paused_by=by)
        return self._finished(deed, "failed", failure="held", error=f"not begun: {by} paused all playbooks")

    async def _tried(self, actor: _Actor, deed: Perform, *, again: bool) -> StepFinished:
        unmarked = await self._begin(deed.key)
        if unmarked:
            return self._finished(deed, "failed", failure="unreachable", error=unmarked)
        if not again and (held := self._held(deed)) is not None:
            return held  # paused while it was being marked: no request was sent
        self._log.info("acting", action=deed.action, key=deed.key, dry_run=deed.dry_run)
        try:
            if self.illustrated is not None:
                actor = replace(actor, params=await self.illustrated.given(deed, actor.spec, actor.params))
            done = await self._done(actor, deed, again=again)
            self._let_in(actor.source)
            return self._finished(deed, "done", sentence=done.sentence, output=fit(done.output, self._masker))
        except TimeoutError:
            error = f"{deed.action} did not finish within {deed.timeout_s:g} s"
            return self._finished(deed, "failed", failure="timeout", error=error, unknown=_effective(deed))
        except Unreachable as error:
            # What may have been done and must not be done twice counts as a timeout: the core lets people look.
            unknown = isinstance(error, NoAnswer) and deed.repeat == "never"
            failure = "timeout" if unknown else "unreachable"
            lost = isinstance(error, NoAnswer) and _effective(deed)
            return self._finished(
                deed, "failed", failure=failure, error=str(error), retry_after_s=error.retry_after_s, unknown=lost
            )
        except Fenced:
            raise
        except (Refused, BadPayload) as error:
            failure = "refused"
            if isinstance(error, Denied):
                self._denied.add(actor.source.id)
                self._sources.failed(actor.source, "broken", self._masker.text(str(error)))
                failure = "denied" if deed.lane else failure  # pages and digests wait for other credentials
            return self._finished(deed, "failed", failure=failure, error=str(error))
        except Exception as error:  # noqa: BLE001 - a connector's bug: reported, and the run goes on with a failed step
            self._log.exception("action failed by a bug in its connector", action=deed.action, key=deed.key)
            text = f"{type(error).__name__}: {error}"
            self._sources.failed(actor.source, "broken", self._masker.text(text))
            return self._finished(deed, "failed", failure="bug", error=f"a bug in the connector: {text}")

    def _let_in(self, source: Source) -> None:
        """A source that did not take quell's credentials does again."""
        if source.id in self._denied:
            self._denied.discard(source.id)
            self._sources.worked(source)

    def _actor(self, deed: Perform) -> _Actor | str:
        """Who performs it, or a sentence why nobody can. Parameters are decoded as their declaration says."""
        source = self._sources.for_action(deed.action)
        name, _, verb = deed.action.rpartition(".")
        if source is None:
            return f'no source "{name}" is configured for the action "{deed.action}"'
        spec = source.connector.spec.action(verb)
        if spec is None or source.acts is None:
            known = ", ".join(f"{name}.{each.name}" for each in source.connector.spec.actions) or "none"
            return f'unknown action "{deed.action}"; connector "{source.kind}" has: {known}'
        # Pages carry what every route may want (title, text, …); an action takes what it declares.
        declared = {option.name for option in spec.params}
        given = {key: value for key, value in deed.params.items() if key in declared}
        params, faults = decode_options(spec.params, given, secret=self._secret)
        self._masker.know(value.reveal() for value in params.values() if isinstance(value, Secret))
        if faults:
            return "; ".join(f'parameter "{fault.name}": {fault.message}' for fault in faults)
        return _Actor(source, source.acts, spec, params)

    async def _done(self, actor: _Actor, deed: Perform, *, again: bool) -> Done:
        """Asks until the action is done. Raises TimeoutError, and what the connector raises.

        The time limit is the daemon's time, as the core's is: on a clock that runs faster it is over sooner.
        """
        end = time.monotonic() + self._clock.real_s(deed.timeout_s)
        permit.set(self._tenure.refusal)
        while True:
            await self._tenure.sure()
            left_s = end - time.monotonic()
            call = Call(
                key=deed.token or deed.key,
                action=actor.spec.name,
                params=actor.params,
                now=self._clock.now(),
                dry_run=deed.dry_run,
                timeout_s=max(left_s, 0.0),
                again=again or _tried_before(deed),
            )
            async with asyncio.timeout(left_s):
                answer = await awaited(actor.connector.act(call))
            match sound_answer(answer):
                case Done() as done:
                    return done
                case Pending() as pending:
                    wait_s = max(pending.check_after_s, _LEAST_CHECK_S)
                    if time.monotonic() + wait_s >= end:
                        raise TimeoutError
                    await asyncio.sleep(wait_s)

    async def _begin(self, key: str) -> str:
        """Marks the ledger entry; why it could not be, if it could not: then nothing must be done."""
        for _ in range(_BEGIN_TRIES):
            try:
                await self._writer.call(self._writer.store.begin_act, key)
            except Fenced:
                raise
            except StoreError as error:
                said = str(error)
                self._sparing.error("begin", "action waits: its ledger entry cannot be marked", error=said)
                await asyncio.sleep(_AGAIN_S)
            else:
                return ""
        return f"not tried: {said}"

    async def _hand_in(self, result: StepFinished) -> None:
        """Until it is accepted: the answer of an act must not be lost because the inbox is full."""
        while True:
            try:
                await self._inbox.put([result], inside=True)
            except (Overloaded, StoreError) as error:
                if self._tenure.gone:
                    raise Fenced(self._tenure.gone) from error
                self._sparing.warning("hand in", "the answer of an action waits", error=str(error))
                await asyncio.sleep(_AGAIN_S)
            else:
                break
        self._metrics.ledger.labels(result.outcome, result.failure).inc()
        self._log.info(
            "acted", key=result.key, outcome=result.outcome, sentence=result.sentence, error=result.error
        )  # fmt: skip

    def _finished(
        self,
        deed: Perform,
        outcome: Any,
        *,
        failure: str = "",
        error: str = "",
        sentence: str = "",
        output: dict[str, Any] | None = None,
        retry_after_s: float | None = None,
        unknown: bool = False,
    ) -> StepFinished:
        return StepFinished(
            at=self._clock.now(),
            source=deed.action.partition(".")[0],
            id=f"{deed.key}={outcome}",
            key=deed.key,
            outcome=outcome,
            failure=failure,
            error=fit_text(error, self._masker),
            sentence=fit_text(sentence, self._masker),
            output=output or {},
            retry_after_s=retry_after_s,
            unknown=unknown,
        )


def _effective(deed: Perform) -> bool:
    """Whether an act leaves anything behind."""
    return deed.effect != "read" and not deed.dry_run


def _tried_before(deed: Perform) -> bool:
    """Whether this is not the first attempt at an act: nobody may know what became of the ones before."""
    return bool(deed.token) and deed.key not in {deed.token, f"{deed.token}/1"}
