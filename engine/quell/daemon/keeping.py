"""What the daemon keeps and for how long: alerts that are over go to the store, what is old goes from it.

Both are done in slices, for the store has one writer and what was just accepted must not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from quell.config.settings import Retention
from quell.daemon.clock import Clock
from quell.daemon.writer import Writer
from quell.errors import StoreError
from quell.model.alert import Alert

TRIM_EVERY_S = 3600.0
_AT_ONCE = 2_000
"""Alerts that are written at once."""
_BREATH_S = 0.02
"""Between two slices: whoever waits for the writer comes first, and a disk that is slow is not kept busy."""

_log = structlog.get_logger("quell.daemon")


class Past:
    """Alerts that are over since the last snapshot.

    They are kept before the snapshot that covers their end. What a crash takes comes about again when the journal
    behind the snapshot before is decided again, so that none is missing.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._over: dict[tuple[str, int], Alert] = {}

    def add(self, over: Mapping[tuple[str, int], Alert]) -> None:
        """Takes in what a turn ended, or said of what had ended before."""
        self._over.update(over)

    async def keep(self) -> None:
        """Writes what is there. Raises StoreError; then the rest is still there."""
        waiting = list(self._over.items())
        for begin in range(0, len(waiting), _AT_ONCE):
            part = waiting[begin : begin + _AT_ONCE]
            await self._writer.call(self._writer.store.keep_alerts, [alert for _, alert in part])
            for firing, alert in part:
                if self._over.get(firing) is alert:
                    del self._over[firing]


class Retaining:
    """Forgets what is older than the configuration keeps, once an hour, and gives the disk back what is empty then."""

    def __init__(self, writer: Writer, clock: Clock, retention: Callable[[], Retention]) -> None:
        self._writer = writer
        self._clock = clock
        self._retention = retention

    async def run(self) -> None:
        """Trims until cancelled."""
        while True:
            try:
                gone = await self._trim()
                freed = await self._compact() if gone else 0
                if gone:
                    _log.info("forgot what is old", rows=gone, freed_bytes=freed)
            except StoreError as error:
                _log.warning("old rows could not be removed; trying again in an hour", error=str(error))
            await asyncio.sleep(self._clock.real_s(TRIM_EVERY_S))

    async def _trim(self) -> int:
        kept, now, gone = self._retention(), self._clock.now(), 0
        while rows := await self._writer.call(
            self._writer.store.trim,
            records_before=now - kept.records_s,
            alerts_before=now - kept.alerts_s,
            contexts_before=now - kept.contexts_s,
            distributions_before=now - kept.distributions_s,
            incidents_before=now - kept.incidents_s,
            audit_before=now - kept.audit_s,
            quarantine_before=now - kept.quarantine_s,
            quarantine_bytes=kept.quarantine_bytes,
        ):
            gone += rows
            await asyncio.sleep(_BREATH_S)
        return gone

    async def _compact(self) -> int:
        freed = 0
        while part := await self._writer.call(self._writer.store.compact):
            freed += part
            await asyncio.sleep(_BREATH_S)
        return freed
