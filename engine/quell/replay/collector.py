"""Python's collector of cycles, kept from walking over a whole estate again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG, MIDDLE, OLD = 100_000, 20, 50
"""New containers before the youngest are looked at, and how often that before the older ones are (usual: 700, 10, 10).

The core's values form no cycles, so that there is little to find; with the usual numbers a quarter of a replay's time
goes into looking, and a look at the oldest takes seconds where a hundred thousand entities are known.
"""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Cycles are looked for seldom within: so for a replay, a command, and a daemon that must not pause for it."""
    usual = gc.get_threshold()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
