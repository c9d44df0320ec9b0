"""Work that is done a little at a time, so that whoever has it done can see to something else in between.

What comes of it does not depend on where it is cut: nothing else is decided meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Goes on at each `next`, and returns what it found."""
TOGETHER = 64
"""So many of what is due, and so many alerts that are followed up, make one piece."""
ASKED = 2_000
"""Of so many it is asked in one piece whether they stay."""


def finished(steps: Steps[T]) -> T:
    """All of it at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: T = done.value
            return found


def those(of: Iterable[T], stays: Callable[[T], bool]) -> Steps[list[T]]:
    """Those of many for which that holds."""
    found: list[T] = []
    left = iter(of)
    while some := list(islice(left, ASKED)):
        found += filter(stays, some)
        yield
    return found
