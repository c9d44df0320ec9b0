"""What is suggested now: what the core noticed, and other limits for detectors of which people said something."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import msgspec

from quell.config import Settings
from quell.config.loading import rule_texts
from quell.config.rules_diff import rules_diff
from quell.core.suggest import Suggested
from quell.core.suggest_limits import Between, limits, spells, tunable
from quell.core.suggest_tried import tried_limits
from quell.daemon.loop import Loop
from quell.daemon.past_figures import MOST_RECALLED, suggested_now
from quell.daemon.writer import Writer
from quell.model.alert import Alert
from quell.model.decision import Audit
from quell.model.habits import Suggestion
from quell.model.incident import Incident
from quell.model.records import AnyRecord
from quell.model.rulebook import Rulebook
from quell.model.topology import Entity
from quell.store.opening import MEMORY, open_for_reading
from quell.store.past import last_words
from quell.store.port import Group, Store

BACK_S = 30 * 86_400.0
"""So far back verdicts count: records are kept about as long."""
_GROUPS_AT_ONCE = 50
_BREATH_S = 0.002


@dataclass(frozen=True, slots=True)
class _Asked:
    """What of the daemon's state is read, as it was when it was asked."""

    rulebook: Rulebook
    entities: dict[str, Entity]
    alerts: list[Alert]
    incidents: list[Incident]
    now: float


class PastLimits:
    """Looks once at a time."""

    def __init__(self, loop: Loop, writer: Writer, *, settings: Callable[[], Settings], store_url: str) -> None:
        self._loop = loop
        self._writer = writer
        self._settings = settings
        self._store_url = store_url
        self._one = asyncio.Lock()

    async def suggested(self) -> Suggested:
        """All that is suggested now. Raises StoreError."""
        found = await suggested_now(self._loop)
        state, book = self._loop.decider.state, self._loop.rulebook
        if not any(tunable(rule) for rule in book.detect):
            return found
        asked = _Asked(
            book, dict(state.entities), list(state.alerts.values()), list(state.incidents.values()), state.now
        )
        declined = set(state.habits.declined)
        async with self._one:
            if self._store_url in MEMORY:
                audits, alerts, groups = await self._writer.call(_recalled, self._writer.store)
                alerts = list(last_words([*asked.alerts, *alerts], asked.now - BACK_S))
                more = await asyncio.to_thread(_limits, asked, audits, asked.incidents, alerts, _within(groups))
            else:
                more = await asyncio.to_thread(self._from_disk, asked)
        kept = tuple(one for one in more if one.id not in declined)
        return msgspec.structs.replace(found, suggestions=(*found.suggestions, *kept))

    def diff(self, suggestions: Iterable[Suggestion]) -> str:
        """The change of the rules files that takes these in."""
        return rules_diff(list(suggestions), rule_texts(self._settings()))

    def _from_disk(self, asked: _Asked) -> list[Suggestion]:
        since = asked.now - BACK_S
        with closing(open_for_reading(self._store_url, self._settings().directory)) as reading:
            audits = [entry.audit for entry in reading.audit(since) if entry.audit.what.startswith("feedback:")]
            if not audits:
                return []
            known = {one.id: one for one in (*reading.incidents(since), *asked.incidents)}
            alerts = reading.alerts(since, known=asked.alerts)
            return _limits(asked, audits, list(known.values()), alerts, lambda a, b: _records(reading.groups(a, b)))


def _limits(
    asked: _Asked, audits: list[Audit], incidents: list[Incident], alerts: Iterable[Alert], between: Between
) -> list[Suggestion]:
    found = spells(asked.rulebook.detect, audits, incidents, alerts)
    return [
        *limits(asked.rulebook, found, asked.entities, between),
        *tried_limits(asked.rulebook, found, asked.entities, between),
    ]


def _records(groups: Iterable[Group]) -> Iterator[AnyRecord]:
    for number, group in enumerate(groups, 1):
        yield from group.records
        if number % _GROUPS_AT_ONCE == 0:
            time.sleep(_BREATH_S)


def _within(groups: list[Group]) -> Between:
    return lambda begin, end: (one for group in groups if begin <= group.now < end for one in group.records)


def _recalled(store: Store) -> tuple[list[Audit], list[Alert], list[Group]]:
    audits = [entry.audit for entry in reversed(store.audit(MOST_RECALLED))]
    return audits, list(store.alerts()), list(store.groups_after(0))
