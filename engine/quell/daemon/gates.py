"""How many acts go through one source at once, and how many a minute: one slow target takes no other's place."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from quell.config.settings import Acts
from quell.daemon.sources import Source

_MINUTE_S = 60.0


class Gate:
    """One source's. Times are real seconds: it is the target that is spared, and its minute is a real one."""

    def __init__(self, limits: Acts) -> None:
        self.limits = limits
        self.places = asyncio.Semaphore(limits.at_once)
        self._begun: deque[float] = deque()

    def wait_s(self) -> float:
        """How long until one more act may begin; 0 takes its turn."""
        most = self.limits.per_minute
        if most is None:
            return 0.0
        now = time.monotonic()
        while self._begun and self._begun[0] <= now - _MINUTE_S:
            self._begun.popleft()
        if len(self._begun) < most:
            self._begun.append(now)
            return 0.0
        return self._begun[0] + _MINUTE_S - now


class Gates:
    """The gates of all sources, by id; a source that was configured anew with other limits gets another one."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    def of(self, source: Source) -> Gate:
        """The gate of a source."""
        gate = self._gates.get(source.id)
        if gate is None or gate.limits != source.settings.acts:
            gate = self._gates[source.id] = Gate(source.settings.acts)
        return gate
