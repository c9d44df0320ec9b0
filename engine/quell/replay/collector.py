"""Python's collector of cycles, kept from walking over a whole estate again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG, MIDDLE, OLD = 25_000, 8, 500
"""New containers before the youngest are looked at, and how often that before the older ones are (usual: 700, 10, 10).

The core's values form no cycles, so that there is little to find; with the usual numbers a quarter of a replay's time
goes into looking, and a look at the oldest takes seconds where a hundred thousand entities are known. One at the
youngest takes some 10 ms, in which nobody is served, one at those in the middle 50.
"""

HURRIED = 300_000
"""New containers before the youngest are looked at while tens of thousands wait to be decided over."""
LASTING = 50_000
"""So many new ones are taken for lasting then, as nearly all are, which takes no time: so none is looked at."""
MOST_UNLOOKED = 10_000_000
"""After so many, a quarter of an hour's worth of a thousand alerts a second, all are looked at, for .1 to .5 s."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Cycles are looked for seldom within: so for a replay, a command, and a daemon that must not pause for it."""
    usual = gc.get_threshold()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def looked_for_later(hurried: bool) -> None:
    """Within `seldom_collected`: whether the youngest are to be looked at later than else."""
    young, middle, old = gc.get_threshold()
    if young in {YOUNG, HURRIED}:
        gc.set_threshold(HURRIED if hurried else YOUNG, middle, old)


class Lasting:
    """Takes what is new for lasting, as often as it is asked to and much is new."""

    def __init__(self) -> None:
        self._unlooked = 0

    def take(self) -> None:
        """All are among the oldest from now on, without a look; after very many it is looked through all of them once.

        Else what little is garbage, of connections and statements, would never be found while a storm goes on.
        """
        new = gc.get_count()[0]
        if new < LASTING:
            return
        self._unlooked += new
        if self._unlooked >= MOST_UNLOOKED:
            self._unlooked = 0
            gc.collect()
        else:
            gc.freeze()
            gc.unfreeze()
