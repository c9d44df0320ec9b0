"""Releases of a while and what became of them, from what the store keeps, beside the loop and the writer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from math import inf, nextafter

import msgspec
import structlog

from quell.config import Settings
from quell.core.learn import learn_change
from quell.core.resolve import Resolver
from quell.daemon.clock import Clock
from quell.daemon.loop import Loop
from quell.daemon.past_figures import MOST_RECALLED
from quell.daemon.writer import Writer
from quell.errors import StoreError
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.records import AnyRecord, ChangeRecord
from quell.model.run import Run
from quell.model.state import State
from quell.model.topology import Change, Dependency
from quell.stats.release_impact import Watches
from quell.stats.releases import RELEASES, WINDOW_S, Release, Releases, Telling, changes_of
from quell.store.opening import MEMORY, open_for_reading
from quell.store.port import Group, ReleaseRow, Store

KEEP_EVERY_S = 3600.0
SETTLED_S = 2 * WINDOW_S
"""So long after a release what became of it is kept: its time is over by then, and told of."""
MOST_LATE = 50
"""Of releases that were told of after their time had been kept, so many are kept at once."""
APART_S = 6 * 3600.0
_log = structlog.get_logger("quell.daemon")
_BREATH_S = 0.002
_GROUPS_AT_ONCE = 50


class PastReleases:
    """Puts one while together at a time, and keeps what became of releases before their records go."""

    def __init__(
        self, loop: Loop, writer: Writer, clock: Clock, *, settings: Callable[[], Settings], store_url: str
    ) -> None:
        self._loop = loop
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._store_url = store_url
        self._one = asyncio.Lock()

    async def run(self) -> None:
        """Keeps what is settled, every hour, until cancelled."""
        while True:
            await asyncio.sleep(self._clock.real_s(KEEP_EVERY_S))
            try:
                await self.keep()
            except StoreError as error:
                _log.warning("what became of releases could not be kept; trying again in an hour", error=str(error))

    async def keep(self) -> int:
        """Keeps those that are settled since it was looked last; returns how many. Raises StoreError."""
        until = self._clock.now() - SETTLED_S
        rows = await self._writer.call(self._writer.store.releases)
        begin = max((row.at for row in rows if not row.id), default=until - self._settings().retention.records_s)
        if until <= begin or not self._loop.decider.state.now:
            return 0
        told = list((await self._told(begin, until, WINDOW_S)).releases)
        for first, last in await self._late(begin, frozenset(row.id for row in rows)) if rows else ():
            told += (await self._told(first, last, WINDOW_S)).releases
        kept = [ReleaseRow(id=one.id, at=one.at, document=_packed(one)) for one in told]
        await self._writer.call(self._writer.store.keep_releases, [*kept, ReleaseRow(id="", at=until)])
        return len(kept)

    async def _late(self, begin: float, known: frozenset[str]) -> list[tuple[float, float]]:
        """From when to when releases lie that were told of only after their time had been kept; the latest few."""
        book, state = self._loop.rulebook, self._loop.decider.state
        entities = {one.entity: one for one in (*book.entities, *state.entities.values())}.values()
        resolver, changes = Resolver(entities, book.map), [*changes_of(state.provenance), *state.changes.values()]
        if self._store_url in MEMORY:
            groups, *_ = await self._writer.call(_recalled, self._writer.store, [], [])
            changes += await asyncio.to_thread(_announced, groups(begin), resolver)
        else:
            changes += await asyncio.to_thread(self._announced, begin, resolver)
        oldest = begin - self._settings().retention.records_s
        times = {one.at for one in changes if one.type in RELEASES and one.entity and one.id not in known}
        return _spans(sorted(at for at in times if oldest <= at < begin)[-MOST_LATE:])

    def _announced(self, since: float, resolver: Resolver) -> list[Change]:
        with closing(open_for_reading(self._store_url, self._settings().directory)) as reading:
            return _announced(reading.groups(since), resolver)

    async def since(self, span_s: float, window_s: float = WINDOW_S) -> Releases:
        """Those of so many seconds up to now. Raises StoreError."""
        end = self._clock.now()
        return await self._told(end - span_s, end, window_s)

    async def _told(self, begin: float, end: float, window_s: float) -> Releases:
        async with self._one:
            book, state = self._loop.rulebook, self._loop.decider.state
            entities = {one.entity: one for one in (*book.entities, *state.entities.values())}.values()
            dependencies = [*book.dependencies, *state.dependencies.values()]
            known = [*changes_of(state.provenance), *state.changes.values()]
            alerts, incidents = list(state.alerts.values()), list(state.incidents.values())
            resolver = Resolver(entities, book.map)
            # What went before says what a release took the place of, and what came next whether it was taken back.
            rows = await self._writer.call(self._writer.store.releases, begin - window_s)
            kept = [found for row in rows if (found := _unpacked(row)) is not None]
            putting = _Putting(
                since=begin,
                until=end,
                window_s=window_s,
                known=known,
                resolver=resolver,
                dependencies=dependencies,
                kept=kept,
            )
            if self._store_url in MEMORY:
                recalled = await self._writer.call(_recalled, self._writer.store, incidents, alerts)
                return await asyncio.to_thread(putting.together, *recalled)
            return await asyncio.to_thread(self._from_disk, putting, alerts)

    def _from_disk(self, putting: _Putting, alerts: list[Alert]) -> Releases:
        with closing(open_for_reading(self._store_url, self._settings().directory)) as reading:
            since = putting.since
            return putting.together(
                reading.groups, reading.incidents(since), reading.alerts(since, known=alerts), reading.runs(since)
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Putting:
    """What of the daemon's state is read, as it was when it was asked; ``kept`` is what was told before."""

    since: float
    until: float
    window_s: float
    known: list[Change]
    resolver: Resolver
    dependencies: list[Dependency]
    kept: list[Release]

    def together(
        self,
        groups: Callable[[float], Iterable[Group]],
        incidents: Iterable[Incident],
        alerts: Iterable[Alert],
        runs: Iterable[Run],
    ) -> Releases:
        """Reads the journal twice: for changes, and for what was sampled around those."""
        told, oldest = self._changes(groups)
        telling = Telling(self.since, self.until, [*told, *self.known], self.window_s, self.kept)
        for incident in incidents:
            telling.incident(incident)
        for alert in alerts:
            telling.alert(alert)
        for run in runs:
            telling.run(run)
        watches = telling.watches(self.dependencies)
        taking = Watches(watches)
        if watches:
            # Telemetry may come in after its time; a day late is as late as is looked for.
            for record in _records(groups(taking.begin), taking.end + 86_400.0):
                taking.take(record)
        return telling.releases(watches, oldest)

    def _changes(self, groups: Callable[[float], Iterable[Group]]) -> tuple[list[Change], float | None]:
        """What was announced, at the entities that are known now, and when the oldest record that is kept came in."""
        oldest = next((group.now for group in groups(0.0)), None)
        scratch = State()
        for record in _records(groups(self.since - self.window_s), self.until):
            if isinstance(record, ChangeRecord) and record.type in RELEASES:
                learn_change(scratch, record, self.resolver)
        return list(scratch.changes.values()), oldest


def _announced(groups: Iterable[Group], resolver: Resolver) -> list[Change]:
    """The releases that records tell of."""
    scratch = State()
    for record in _records(groups, inf):
        if isinstance(record, ChangeRecord) and record.type in RELEASES:
            learn_change(scratch, record, resolver)
    return list(scratch.changes.values())


def _spans(times: Iterable[float]) -> list[tuple[float, float]]:
    """Times that ascend as spans that hold them, each ended after a pause."""
    found: list[tuple[float, float]] = []
    for at in times:
        end = nextafter(at, inf)
        if found and at - found[-1][1] < APART_S:
            found[-1] = found[-1][0], end
        else:
            found.append((at, end))
    return found


def _packed(release: Release) -> bytes:
    """As JSON, which whoever reads the database can read, too."""
    return msgspec.json.encode(msgspec.structs.replace(release, measured_s=WINDOW_S))


def _unpacked(row: ReleaseRow) -> Release | None:
    try:
        return msgspec.json.decode(row.document, type=Release) if row.id else None
    except msgspec.DecodeError:
        return None  # of a later version: what the store has besides is told


def _records(groups: Iterable[Group], until: float) -> Iterable[AnyRecord]:
    for number, group in enumerate(groups, 1):
        if group.now >= until:
            return
        yield from group.records
        if number % _GROUPS_AT_ONCE == 0:
            time.sleep(_BREATH_S)


def _recalled(
    store: Store, present: list[Incident], alerts: list[Alert]
) -> tuple[Callable[[float], Iterable[Group]], list[Incident], list[Alert], list[Run]]:
    groups = list(store.groups_after(0))
    incidents = {one.id: one for one in (*store.resolved(MOST_RECALLED), *present)}
    old = list(chain(alerts, store.alerts()))
    return (lambda begin: [one for one in groups if one.now >= begin]), list(incidents.values()), old, store.runs()
