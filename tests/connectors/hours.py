"""An event loop whose time passes at once: what waits is woken as soon as nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _AtOnce(selectors.DefaultSelector):
    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0 if timeout is not None else None)
        if not found and timeout:
            self.passed += timeout
        return found


class HourLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._at_once = _AtOnce()
        super().__init__(self._at_once)

    def time(self) -> float:
        return 1000.0 + self._at_once.passed


def in_hours(work: Callable[[Callable[[], float]], Coroutine[Any, Any, T]]) -> T:
    """Runs ``work(clock)``; ``clock`` gives seconds since 1970 that pass with the loop's."""
    loop = HourLoop()
    try:
        return loop.run_until_complete(work(lambda: 1_772_359_200.0 + loop.time()))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
