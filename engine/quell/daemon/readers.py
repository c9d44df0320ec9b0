"""Who asked for something and has no answer yet: for a moment the core goes on only when they have."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

_SOON_S = 0.1
"""Whoever was asked last so long ago waits for something else than the event loop, such as the disk."""


class Readers:
    """Requests that are under way, but for those that wait for the core itself."""

    def __init__(self) -> None:
        self._under_way = 0
        self._since = -inf

    @property
    def wait(self) -> bool:
        """Whether anybody waits for the event loop."""
        return self._under_way > 0 and time.perf_counter() - self._since < _SOON_S

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Somebody asks."""
        self._begun()
        try:
            yield
        finally:
            self._under_way -= 1

    @contextmanager
    def for_core(self) -> Iterator[None]:
        """One of them waits until the core has decided: it is to go on."""
        self._under_way -= 1
        try:
            yield
        finally:
            self._begun()

    def _begun(self) -> None:
        self._under_way += 1
        self._since = time.perf_counter()
