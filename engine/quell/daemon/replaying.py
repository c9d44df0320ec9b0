"""Tries again what is in quarantine: what can be read now enters by the inbox, like news, and its entry is marked.

The mark and the records are one commit: a command in the same journal group says which entry they stand for, so that
no crash can let an entry be applied twice, or be marked without being applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import msgspec

from quell.daemon import aside
from quell.daemon.bounds import Bounds
from quell.daemon.clock import Clock
from quell.daemon.inbox import Inbox, TooMany
from quell.daemon.lines import read_lines
from quell.daemon.logs import Masker
from quell.daemon.loop import Loop
from quell.daemon.sources import Sources
from quell.daemon.writer import Writer
from quell.errors import BadPayload, Overloaded, StoreError
from quell.model.records import AnyRecord, CommandRecord, DeliveryRecord, StepFinished
from quell.sdk.connector import Received, Rejected, Request, View
from quell.store.port import DROP, REPLAY, Quarantined

_TOGETHER = 100
"""Entries in one commit."""
_TURN_WITHIN_S = 5.0
_COUNTED_WITHIN_S = 1.0
_SOURCE = "api"


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one entry. "skipped": it was not waiting, or is not there."""

    id: int
    outcome: Literal["replayed", "dropped", "failed", "skipped"]
    records: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Ready:
    entry: Quarantined
    records: list[AnyRecord]
    left: list[Quarantined]


class Replaying:
    """One at a time, so that nobody replays what somebody else is replaying."""

    def __init__(
        self,
        sources: Sources,
        inbox: Inbox,
        loop: Loop,
        *,
        writer: Writer,
        clock: Clock,
        masker: Masker,
        bounds: Bounds,
        view: View,
        delivered: Callable[[DeliveryRecord], Received],
    ) -> None:
        self._sources = sources
        self._inbox = inbox
        self._loop = loop
        self._writer = writer
        self._clock = clock
        self._masker = masker
        self._bounds = bounds
        self._view = view
        self._delivered = delivered
        self._one = asyncio.Lock()
        self._waiting_last = 0

    async def replay(self, ids: Sequence[int], by: str) -> list[Fate]:
        """Tries entries again in the order given, which is that of their arrival when it is by their ids."""
        async with self._one:
            fates: dict[int, Fate] = {}
            wanted = list(dict.fromkeys(ids))
            for start in range(0, len(wanted), _TOGETHER):
                await self._replay(wanted[start : start + _TOGETHER], by, fates)
            return [fates[each] for each in wanted]

    async def drop(self, ids: Sequence[int], by: str) -> list[Fate]:
        """Marks entries that nobody wants to see again. Raises what `Inbox.put` raises."""
        async with self._one:
            fates: dict[int, Fate] = {}
            wanted = list(dict.fromkeys(ids))
            found = [entry for each in wanted if (entry := await self._waiting(each, fates)) is not None]
            if found:
                seq = await self._inbox.put([self._command(DROP, entry, by) for entry in found])
                fates.update((entry.id, Fate(id=entry.id, outcome="dropped")) for entry in found)
                await self._loop.passed(seq, _TURN_WITHIN_S)
            return [fates[each] for each in wanted]

    async def waiting(self) -> int:
        """How many entries wait; as of the last time when the store does not answer at once."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_COUNTED_WITHIN_S):
                self._waiting_last = await self._writer.call(self._writer.store.quarantine_size)
        return self._waiting_last

    async def _waiting(self, entry_id: int, fates: dict[int, Fate]) -> Quarantined | None:
        entry = await self._writer.call(self._writer.store.quarantined, entry_id)
        if entry is None:
            fates[entry_id] = Fate(id=entry_id, outcome="skipped", text="there is no such entry")
        elif entry.state != "waiting":
            text = f"it was {entry.state} before, by {entry.tried_by}"
            fates[entry_id] = Fate(id=entry_id, outcome="skipped", text=text)
        else:
            return entry
        return None

    async def _replay(self, ids: Sequence[int], by: str, fates: dict[int, Fate]) -> None:
        ready: list[_Ready] = []
        for entry_id in ids:
            entry = await self._waiting(entry_id, fates)
            if entry is None:
                continue
            try:
                ready.append(self._read(entry))
            except BadPayload as error:
                await self._in_vain(entry, self._masker.text(str(error)), by, fates)
            except Exception as error:  # noqa: BLE001 - somebody else's connector may fail in any way: kept, reported
                text = f"a bug in the connector: {type(error).__name__}: {error}"
                await self._in_vain(entry, self._masker.text(text), by, fates)
        puts = [
            self._inbox.put([*each.records, self._command(REPLAY, each.entry, by)], quarantined=each.left)
            for each in ready
        ]
        last = 0
        for each, seq in zip(ready, await asyncio.gather(*puts, return_exceptions=True), strict=True):
            fates[each.entry.id] = _fate(each, seq)
            last = max(last, seq if isinstance(seq, int) else 0)
        if last:
            await self._loop.passed(last, _TURN_WITHIN_S)
            await self._look_again(ready, fates)

    async def _in_vain(self, entry: Quarantined, reason: str, by: str, fates: dict[int, Fate]) -> None:
        fates[entry.id] = Fate(id=entry.id, outcome="failed", text=reason)
        store = self._writer.store
        await self._writer.call(store.tried_again, entry.id, reason, at=self._clock.now(), by=by)

    async def _look_again(self, ready: Sequence[_Ready], fates: dict[int, Fate]) -> None:
        """A record on which the core failed again waits again."""
        for each in ready:
            if aside.kind_of(each.entry) == "record" and fates[each.entry.id].outcome == "replayed":
                now = await self._writer.call(self._writer.store.quarantined, each.entry.id)
                if now is not None and now.state == "waiting":
                    fates[now.id] = Fate(id=now.id, outcome="failed", text=now.reason)

    def _command(self, verb: str, entry: Quarantined, by: str) -> CommandRecord:
        now = self._clock.now()
        note = f"{entry.source} {entry.path}".strip()
        return CommandRecord(
            at=now, seen=now, source=_SOURCE, verb=verb, target=str(entry.id), by=by, args={"note": note}
        )

    # Reading

    def _read(self, entry: Quarantined) -> _Ready:
        """The records of an entry, as of when it arrived. Raises `BadPayload` when it still cannot be taken."""
        kind = aside.kind_of(entry)
        if not aside.is_whole(entry):
            raise BadPayload("only its beginning was kept; it cannot be tried again, drop it")
        if kind == "delivery":
            return self._delivery(entry)
        if kind == "line":
            return self._line(entry)
        if kind == "record":
            return self._record(entry)
        if entry.kind == "answer":
            raise BadPayload("what was pulled is pulled again by itself; drop it")
        raise BadPayload("it cannot be tried again; drop it")

    def _delivery(self, entry: Quarantined) -> _Ready:
        request = aside.request_of(entry)
        received = self._received(entry, request)
        records, excess = self._within(received.records)
        if not records and (received.rejected or excess):
            raise BadPayload(aside.reasons([*received.rejected, *excess]))
        if not records and received.reply.status >= 400:
            said = received.reply.body.decode("utf-8", "replace")[:200]
            raise BadPayload(f"the connector answered {received.reply.status}: {said}")
        left = [
            msgspec.structs.replace(part, reason=self._masker.text(part.reason))
            for part in aside.parts(entry.at, entry.source, request, received.rejected, taken=True)
        ]
        left += [aside.record(entry.at, entry.source, request, each) for each in excess]
        return _Ready(entry, records, left)

    def _received(self, entry: Quarantined, request: Request) -> Received:
        source = self._sources.get(entry.source)
        if source is None or source not in self._sources.owners(entry.path):
            raise BadPayload(f'no source "{entry.source}" takes deliveries at "{entry.path}" now')
        if source.receives is not None and (source.serves is None or request.path.startswith("/in/")):
            return source.receives.receive(request, entry.at)
        if source.serves is not None:
            return source.serves.serve(request, self._view, entry.at)
        raise BadPayload(f'source "{source.id}" takes no deliveries')

    def _line(self, entry: Quarantined) -> _Ready:
        lines = read_lines(entry.payload, entry.at, self._delivered, may_command=False)
        if lines.rejected or not lines.records:
            raise BadPayload(aside.reasons(lines.rejected) or "it holds no record")
        return _Ready(entry, lines.records, [])

    def _record(self, entry: Quarantined) -> _Ready:
        try:
            record: AnyRecord = msgspec.json.decode(entry.payload, type=AnyRecord)
        except msgspec.DecodeError as error:
            raise BadPayload(f"not readable as a record: {error}") from error
        if isinstance(record, (CommandRecord, StepFinished)):
            raise BadPayload("commands and answers of actions are not tried again; what is still wanted is said anew")
        records, excess = self._within([record])
        if excess:
            raise BadPayload(aside.reasons(excess))
        return _Ready(entry, records, [])

    def _within(self, records: Sequence[AnyRecord]) -> tuple[list[AnyRecord], list[Rejected]]:
        try:
            good, excess = self._bounds.split(records)
        except TooMany as error:
            raise BadPayload(str(error)) from error
        return list(good), excess


def _fate(each: _Ready, seq: int | BaseException) -> Fate:
    if isinstance(seq, (Overloaded, StoreError, TooMany)):
        return Fate(id=each.entry.id, outcome="failed", text=f"not taken, try again: {seq}")
    if isinstance(seq, BaseException):
        raise seq
    text = f"{len(each.left)} parts of it still cannot be read" if each.left else ""
    return Fate(id=each.entry.id, outcome="replayed", records=len(each.records), text=text)
