"""Which of some causes explains each symptom best, and how well the next best does; as causes open and close."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quell.core.problem import Floats, Ints
from quell.core.steps import Steps

LARGE = 100_000
"""A table of so many worths is slower than to take the causes one after the other."""
TOGETHER = 64
"""So many causes of a large table are taken in one piece."""


class Owners:
    """``owner`` of each symptom (0 is noise, k the k-th of the causes), its worth there, and the next best worth.

    Of two that explain it alike the first owns it. What comes out is the same whether causes came one after the other,
    or all at once.
    """

    def __init__(self, symptoms: int) -> None:
        self.owner: Ints = np.zeros(symptoms, np.int64)
        self.best: Floats = np.zeros(symptoms)
        self.next: Floats = np.zeros(symptoms)

    def anew(self, lines: Sequence[Floats]) -> Steps[None]:
        """These are the causes: what each symptom is worth to them."""
        self.owner, self.best, self.next = yield from _of(lines, len(self.owner))

    def opened(self, line: Floats, at: int) -> None:
        """One more, as the ``at``-th and last."""
        better = line > self.best
        self.next = np.where(better, self.best, np.maximum(self.next, line))
        self.owner = np.where(better, at, self.owner)
        self.best = np.where(better, line, self.best)

    def closed(self, line: Floats, at: int, left: Sequence[Floats]) -> Steps[None]:
        """The ``at``-th is gone, and these are left."""
        touched = np.flatnonzero((self.owner == at) | ((line == self.next) & (line > 0.0)))
        self.owner = self.owner - (self.owner > at)
        if not len(touched):
            return
        self.best, self.next = self.best.copy(), self.next.copy()
        owner, best, second = yield from _of([one[touched] for one in left], len(touched))
        self.owner[touched], self.best[touched], self.next[touched] = owner, best, second


def _of(lines: Sequence[Floats], symptoms: int) -> Steps[tuple[Ints, Floats, Floats]]:
    if len(lines) * symptoms > LARGE:
        return (yield from _of_many(lines, symptoms))
    table = np.zeros((len(lines) + 2, symptoms))
    for at, line in enumerate(lines, start=1):
        table[at] = line
    owner = table.argmax(axis=0)
    columns = np.arange(symptoms)
    best = table[owner, columns]
    table[owner, columns] = -1.0
    return owner, best, np.maximum(table.max(axis=0), 0.0)


def _of_many(lines: Sequence[Floats], symptoms: int) -> Steps[tuple[Ints, Floats, Floats]]:
    """The same, one cause after the other: most are worth something to few symptoms only."""
    owner, best, second = np.zeros(symptoms, np.int64), np.zeros(symptoms), np.zeros(symptoms)
    for at, line in enumerate(lines, start=1):
        mine = np.flatnonzero(line)
        worth, had = line[mine], best[mine]
        better = worth > had
        second[mine] = np.where(better, had, np.maximum(second[mine], worth))
        taken = mine[better]
        owner[taken], best[taken] = at, worth[better]
        if not at % TOGETHER:
            yield
    return owner, best, second
