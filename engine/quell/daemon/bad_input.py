"""What a source sends and nobody can read lies in quarantine; that it does so is an alert of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from quell.daemon.clock import Clock
from quell.daemon.inbox import Inbox
from quell.daemon.writer import Writer
from quell.errors import QuellError
from quell.model.records import AlertRecord
from quell.store.port import Quarantined

LOOK_EVERY_S = 60.0
OVER_S = 3600.0
"""The alert is over when nothing unreadable came for so long."""
MOST_READ = 200
"""Entries of one look; of more it is said that there are more."""
_LONGEST = 300
_UNBELIEVED = "body"
"""Nobody has looked at who sent it: a stranger is not to bring about an alert in a source's name."""
_SOURCE = "quell"
_log = structlog.get_logger("quell.daemon")


class BadInput:
    """Looks once a minute at what was set aside since; a restart tells of nothing anew."""

    def __init__(self, inbox: Inbox, writer: Writer, clock: Clock) -> None:
        self._inbox = inbox
        self._writer = writer
        self._clock = clock
        self._seen: int | None = None
        self._since: dict[str, tuple[float, float]] = {}
        """Of sources that send what nobody can read: since when, and when it came last."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except QuellError as error:
                _log.warning("what is in quarantine could not be told; trying again in a minute", error=str(error))
            await asyncio.sleep(self._clock.real_s(LOOK_EVERY_S))

    async def look(self) -> int:
        """Tells of what came since it was looked last; returns of how many sources. Raises QuellError."""
        store = self._writer.store
        newest = max((entry.id for entry in await self._writer.call(store.quarantine_after, 0, 1)), default=0)
        if self._seen is None:
            self._seen = newest
            return 0
        seen = self._seen if self._seen <= newest else 0  # all was trimmed meanwhile, and what is there came since
        fresh = await self._writer.call(store.quarantine_after, seen, MOST_READ)
        by_source: dict[str, list[Quarantined]] = {}
        for entry in fresh:
            if entry.kind != _UNBELIEVED:
                by_source.setdefault(entry.source, []).append(entry)
        now = self._clock.now()
        self._since = {name: one for name, one in self._since.items() if now - one[1] <= OVER_S}
        told = [self._told(source, entries, now) for source, entries in sorted(by_source.items())]
        if told:
            await self._inbox.put(told, inside=True)
        self._seen = max((entry.id for entry in fresh), default=newest)
        return len(told)

    def _told(self, source: str, entries: Sequence[Quarantined], now: float) -> AlertRecord:
        began = self._since.get(source, (min(entry.at for entry in entries), 0.0))[0]
        self._since[source] = (began, now)
        many = f"{len(entries)}{' or more' * (len(entries) == MOST_READ)}"
        last = max(entries, key=lambda entry: entry.id)
        reason = last.reason if len(last.reason) <= _LONGEST else last.reason[:_LONGEST] + "…"
        return AlertRecord(
            at=now,
            source=_SOURCE,
            status="firing",
            labels={"alertname": "SourceSendsBadInput", "source": source, "severity": "warning"},
            annotations={
                "summary": f"source {source} sent what cannot be read, {many} in the last minute, such as: {reason}",
                "description": "it counts for nothing, and not for zero; quell quarantine shows it, and tries it again",
            },
            starts_at=began,
            ends_at=now + OVER_S,
            timeout=True,
            key=f"bad input of {source}",
            entity=f"source/{source}",
        )
