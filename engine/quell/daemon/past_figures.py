"""The figures of a while, counted from what the store keeps and what fires now, beside the loop and the writer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from math import inf

import msgspec

from quell.config import Settings
from quell.config.loading import rule_texts
from quell.config.rules_diff import rules_diff
from quell.core.suggest import Suggested, suggested
from quell.daemon.clock import Clock
from quell.daemon.loop import Loop
from quell.daemon.writer import Writer
from quell.model.alert import Alert
from quell.model.decision import Audit
from quell.model.incident import Incident
from quell.model.run import Run
from quell.model.state import State
from quell.stats.changes import suggested_for
from quell.stats.counting import Counting
from quell.stats.figures import Figures
from quell.store.opening import MEMORY, open_for_reading
from quell.store.past import last_words
from quell.store.port import LedgerEntry, Store

MOST_RECALLED = 100_000
"""Rows of a kind that are looked at in a store that is kept nowhere."""

_ALERTS_AT_ONCE = 2_000
_BREATH_S = 0.002
"""After so many alerts the event loop gets its turn: counting months takes a while."""


class PastFigures:
    """Counts one while at a time. ``settings`` are those in use; ``store_url`` is the store that was opened."""

    def __init__(
        self, loop: Loop, writer: Writer, clock: Clock, *, settings: Callable[[], Settings], store_url: str
    ) -> None:
        self._loop = loop
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._store_url = store_url
        self._one = asyncio.Lock()

    @property
    def known_since(self) -> float:
        """From when on something is known, within a few weeks; infinity for nothing yet."""
        habits = self._loop.decider.state.habits
        return habits.older.since or habits.newer.since or inf

    async def since(self, span_s: float, until: float | None = None) -> Figures:
        """The figures of so many seconds up to ``until`` (None: now). Raises StoreError."""
        async with self._one:
            end = self._clock.now() if until is None else until
            state, counting = self._loop.decider.state, Counting(end - span_s, end)
            alerts = list(state.alerts.values())
            names = [playbook.name for playbook in self._loop.rulebook.playbooks]
            found = await suggested_now(self._loop)
            if self._store_url in MEMORY:
                recalled = await self._writer.call(_recalled, self._writer.store, list(state.incidents.values()))
                recalled.alerts = last_words([*alerts, *recalled.alerts], counting.since)
                figures = await asyncio.to_thread(_counted, counting, recalled, names)
            else:
                figures = await asyncio.to_thread(self._from_disk, counting, alerts, names)
            figures, changes = suggested_for(figures, found.suggestions)
            diff = await asyncio.to_thread(lambda: rules_diff(changes, rule_texts(self._settings())))
            return msgspec.structs.replace(figures, diff=diff)

    def _from_disk(self, counting: Counting, alerts: list[Alert], names: list[str]) -> Figures:
        since = counting.since
        with closing(open_for_reading(self._store_url, self._settings().directory)) as reading:
            source = _Source(
                audits=(entry.audit for entry in reading.audit(since)),
                incidents=reading.incidents(since),
                alerts=reading.alerts(since, known=alerts),
                ledger=reading.ledger(since),
                runs=reading.runs(since),
                incident=lambda ids: {one.id: one for one in reading.incidents(since) if one.id in ids} if ids else {},
            )
            return _counted(counting, source, names)


@dataclass
class _Source:
    """What is counted, each read once, in the order in which it is told; ``incident`` finds some by their ids."""

    audits: Iterable[Audit]
    incidents: Iterable[Incident]
    alerts: Iterable[Alert]
    ledger: Iterable[LedgerEntry]
    runs: Iterable[Run]
    incident: Callable[[set[str]], dict[str, Incident]]


def _recalled(store: Store, present: list[Incident]) -> _Source:
    """All of it from a store that is kept nowhere: what the state has forgotten of incidents is missing but its end."""
    incidents = {one.id: one for one in (*store.resolved(MOST_RECALLED), *present)}
    return _Source(
        audits=[entry.audit for entry in reversed(store.audit(MOST_RECALLED))],
        incidents=list(incidents.values()),
        alerts=list(store.alerts()),
        ledger=store.ledger(limit=MOST_RECALLED),
        runs=store.runs(),
        incident=lambda names: {name: incidents[name] for name in names & incidents.keys()},
    )


def _counted(counting: Counting, source: _Source, names: list[str]) -> Figures:
    for audit in source.audits:
        counting.audit(audit)
    for incident in source.incidents:
        counting.incident(incident)
    for number, alert in enumerate(source.alerts, 1):
        counting.alert(alert)
        if number % _ALERTS_AT_ONCE == 0:
            time.sleep(_BREATH_S)
    for entry in source.ledger:
        counting.act(entry.perform, entry.state)
    for run in source.runs:
        counting.run(run)
    return counting.figures(source.incident(counting.shadowed), names)


async def suggested_now(loop: Loop) -> Suggested:
    """What is suggested, found in a thread of its own on a copy, so that the loop goes on."""
    state, rulebook = loop.decider.state, loop.rulebook
    parts = State(
        now=state.now,
        entities=dict(state.entities),
        dependencies=dict(state.dependencies),
        strangers=list(state.strangers),
        habits=msgspec.msgpack.decode(msgspec.msgpack.encode(state.habits), type=type(state.habits)),
    )
    return await asyncio.to_thread(suggested, parts, rulebook)
