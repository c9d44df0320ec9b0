"""Work that is done a little at a time, so that whoever has it done can see to something else in between.

What comes of it does not depend on where it is cut: nothing else is decided meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Goes on at each `next`, and returns what it found."""
TOGETHER = 64
"""So many of what is due, and so many alerts that are followed up, make one piece."""


def finished(steps: Steps[T]) -> T:
    """All of it at once."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: T = done.value
            return found
