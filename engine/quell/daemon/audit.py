"""The audit trail: what the daemon itself adds to it, and whether it is whole."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import structlog

from quell.daemon.clock import Clock
from quell.daemon.writer import Writer
from quell.errors import StoreError
from quell.model.decision import Audit
from quell.store.opening import MEMORY, open_for_reading
from quell.store.port import AuditBreak

_log = structlog.get_logger("quell.daemon")


class AuditTrail:
    """``url`` and ``directory`` say where the store is that the daemon has opened."""

    def __init__(self, writer: Writer, clock: Clock, url: str, directory: Path) -> None:
        self._writer = writer
        self._clock = clock
        self._url = url
        self._directory = directory

    async def note(self, what: str, target: str, detail: str) -> None:
        """Adds an entry in quell's own name; the log has it in any case."""
        entry = Audit(at=self._clock.now(), who="quell", what=what, target=target, detail=detail)
        _log.info("noted", what=what, target=target, detail=detail)
        try:
            await self._writer.call(self._writer.store.note, [entry])
        except StoreError as error:
            _log.error("the audit trail lacks an entry", what=what, target=target, error=str(error))

    async def first_break(self) -> AuditBreak | None:
        """The first broken row. A long trail is read beside the writer, whom others wait for."""
        if self._url in MEMORY:
            return await self._writer.call(self._writer.store.verify_audit)

        def look() -> AuditBreak | None:
            with closing(open_for_reading(self._url, self._directory)) as reading:
                return reading.verify_audit()

        return await asyncio.to_thread(look)
