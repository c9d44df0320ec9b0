"""Releases of a while and what became of them, from what the store keeps, beside the loop and the writer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import chain

from quell.config import Settings
from quell.core.learn import learn_change
from quell.core.resolve import Resolver
from quell.daemon.clock import Clock
from quell.daemon.loop import Loop
from quell.daemon.past_figures import MOST_RECALLED
from quell.daemon.writer import Writer
from quell.model.alert import Alert
from quell.model.incident import Incident
from quell.model.records import AnyRecord, ChangeRecord
from quell.model.run import Run
from quell.model.state import State
from quell.model.topology import Change, Dependency
from quell.stats.release_impact import Watches
from quell.stats.releases import RELEASES, WINDOW_S, Releases, Telling, changes_of
from quell.store.opening import MEMORY, open_for_reading
from quell.store.port import Group, Store

_BREATH_S = 0.002
_GROUPS_AT_ONCE = 50


class PastReleases:
    """Puts one while together at a time."""

    def __init__(
        self, loop: Loop, writer: Writer, clock: Clock, *, settings: Callable[[], Settings], store_url: str
    ) -> None:
        self._loop = loop
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._store_url = store_url
        self._one = asyncio.Lock()

    async def since(self, span_s: float, window_s: float = WINDOW_S) -> Releases:
        """Those of so many seconds up to now. Raises StoreError."""
        async with self._one:
            end = self._clock.now()
            book, state = self._loop.rulebook, self._loop.decider.state
            entities = {one.entity: one for one in (*book.entities, *state.entities.values())}.values()
            dependencies = [*book.dependencies, *state.dependencies.values()]
            known = [*changes_of(state.provenance), *state.changes.values()]
            alerts, incidents = list(state.alerts.values()), list(state.incidents.values())
            resolver = Resolver(entities, book.map)
            putting = _Putting((end - span_s, end), window_s, known, resolver, dependencies)
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


class _Putting:
    def __init__(
        self,
        span: tuple[float, float],
        window_s: float,
        known: list[Change],
        resolver: Resolver,
        dependencies: list[Dependency],
    ) -> None:
        (self.since, self.until), self._window_s = span, window_s
        self._known, self._resolver, self._dependencies = known, resolver, dependencies

    def together(
        self,
        groups: Callable[[float], Iterable[Group]],
        incidents: Iterable[Incident],
        alerts: Iterable[Alert],
        runs: Iterable[Run],
    ) -> Releases:
        """Reads the journal twice: for changes, and for what was sampled around those."""
        told, oldest = self._changes(groups)
        telling = Telling(self.since, self.until, [*told, *self._known], self._window_s)
        for incident in incidents:
            telling.incident(incident)
        for alert in alerts:
            telling.alert(alert)
        for run in runs:
            telling.run(run)
        watches = telling.watches(self._dependencies)
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
        for record in _records(groups(self.since - self._window_s), self.until):
            if isinstance(record, ChangeRecord) and record.type in RELEASES:
                learn_change(scratch, record, self._resolver)
        return list(scratch.changes.values()), oldest


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
